use super::scan::scan;
use super::{Place, Surroundings};

/// Of the word `user` that follows `fn`, or of `r#user`.
fn of(text: &str) -> Surroundings {
    let (word, target) = match text.find("fn r#user") {
        Some(found) => ("r#user", found + 3),
        None => ("user", text.find("fn user").unwrap() + 3),
    };
    scan(text, target, word).unwrap()
}

#[test]
fn places_are_told_apart() {
    for (text, place) in [
        ("fn user() {}", Place::Module),
        ("mod a { mod b { async fn user() {} } }", Place::Module),
        (
            "impl<T: for<'a> Fn(&'a str) -> u8> Repo<T> { #[x(y = \"{\")] pub async fn user() {} }",
            Place::Impl,
        ),
        ("unsafe impl<'a> Users for Repo<'a> where Self: Sync { fn user() {} }", Place::TraitImpl),
        ("pub(crate) trait Users: Sync { fn other(); fn user() {} }", Place::Trait),
        ("fn main() { let x = S { y: 1 }; if x { fn user() {} } }", Place::Function),
        ("impl X { fn a(&self) -> impl Y { || { fn user() {} } } }", Place::Function),
        ("fn a() { mod b { fn user() {} } }", Place::Module),
        ("macro_rules! m { () => { fn user() {} } }", Place::Unknown),
        ("items! { fn user() {} }", Place::Unknown),
        ("impl X { items!(fn user() {}); }", Place::Unknown),
        ("const A: [u8; { 1 }] = [1]; impl X { const B: u8 = { 1 }; fn user() {} }", Place::Impl),
        ("impl X { fn r#user() {} }", Place::Impl),
    ] {
        assert_eq!(of(text).place, place, "{text}");
    }
}

#[test]
fn brackets_in_text_and_comments_do_not_count() {
    let text = r####"
        // impl X { it's
        /* impl /* nested */ { */
        const A: &str = "impl X { \" {";
        const B: &str = r#"impl " {"#;
        const C: char = '{'; const D: char = '\''; const E: u8 = b'{'; const F: char = '\u{7b}';
        struct G<'a>(&'a str);
        fn user() {}
    "####;
    assert_eq!(of(text), Surroundings { place: Place::Module, type_is_taken: false });
}

#[test]
fn names_that_are_taken_are_found_before_and_after() {
    for text in [
        "mod user; fn user() {}",
        "fn user() {} pub mod user { fn other() {} }",
        "use crate::user; fn user() {}",
        "use crate::{a, user::{self, User}}; fn user() {}",
        "use crate::{a::B as user, c}; fn user() {}",
        "fn user() {} pub(crate) struct user;",
        "type user = u8; mod a {} fn user() {}",
        "mod a { enum user { A } fn user() {} }",
    ] {
        assert!(of(text).type_is_taken, "{text}");
    }
    for text in [
        "mod users; fn user() {}",
        "use user::User; fn user() {}",
        "use crate::{user as other, user::User}; fn user() {}",
        "mod a { mod user; } fn user() {}",
        "mod user; mod a { fn user() {} }",
        "fn other(user: u8) {} fn user() {} struct S { user: u8 }",
    ] {
        assert!(!of(text).type_is_taken, "{text}");
    }
}

#[test]
fn another_word_is_not_taken_for_the_function() {
    assert_eq!(scan("fn user() {}", 2, "user"), None);
    assert_eq!(scan("fn user() {}", 300, "user"), None);
    // Not the end of a file, and not even Rust.
    assert!(scan("user } } { ' \" /*", 0, "user").is_some());
}
