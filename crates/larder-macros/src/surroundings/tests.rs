use super::place::TraitParameter;
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
fn parameters_of_the_trait_are_found_that_self_has_not() {
    for (text, expected) in [
        ("impl Repo<Users> for Db { fn user() {} }", ""),
        ("impl<T: Table> Repo<T> for Db { fn user() {} }", "T"),
        (
            "#[x] unsafe impl<'a, T, const N: usize> Repo<T, N> for &'a Db where T: A<B> { fn user() {} }",
            "T const N",
        ),
        ("impl<T> Repo<T> for Db<T> { fn user() {} }", ""),
        ("impl<T> Repo<T> for Box<dyn Fn(T) -> u8> { fn user() {} }", ""),
        ("impl<T: Table, U> Repo<T> for Db<T::Row, U> { fn user() {} }", "T"),
        ("impl<T> Repo<T> { fn user() {} }", ""),
        ("/* a */ pub(crate) trait Repo<T>: Sync { fn a(); fn user() {} }", "T"),
        ("trait Repo { fn user() {} }", ""),
        ("impl<T> Repo<T> for Db { fn a() { mod b { impl C for D { fn user() {} } } } }", ""),
        ("items! { impl<T> Repo<T> for Db { fn other() {} } } fn user() {}", ""),
    ] {
        let parameters = of(text).trait_parameters;
        let named = |it: &TraitParameter| format!("{}{}", if it.is_const { "const " } else { "" }, it.name);
        let parameters: Vec<String> = parameters.iter().map(named).collect();
        assert_eq!(parameters.join(" "), expected, "{text}");
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
    let module = Surroundings { place: Place::Module, ..Surroundings::default() };
    assert_eq!(of(text), module);
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

#[test]
fn parameters_of_an_impl_are_found_and_no_other_types() {
    for (text, expected) in [
        ("impl<'a, T: Table, const N: usize> Repo<'a, T, N> where T: Sync { fn user() {} }", Some("T N")),
        ("#[x] impl<T> Repo<T> for Db { fn user() {} }", Some("T")),
        ("pub trait Repo<T>: Sync { fn user() {} }", Some("T")),
        ("impl Db { fn user() {} }", Some("")),
        ("fn user() {}", None),
        ("fn a() { fn user() {} }", None),
        ("items! { impl<T> Repo<T> { fn user() {} } }", Some("T")),
        ("m! { impl<$T: Table> Repo<$T> { fn user() {} } }", None),
        ("impl<T> Repo<T> { items!(fn user() {}); }", None),
    ] {
        assert_eq!(of(text).parameters.map(|all| all.join(" ")).as_deref(), expected, "{text}");
    }
}

#[test]
fn what_stands_in_a_body_is_found() {
    for (text, expected) in [
        ("fn user() {}", false),
        ("mod a { impl X { fn user() {} } }", false),
        ("fn a() { fn user() {} }", true),
        ("fn a() { impl X { fn user() {} } }", true),
        ("fn a() { mod b { fn user() {} } }", false),
    ] {
        assert_eq!(of(text).is_in_body, expected, "{text}");
    }
}
