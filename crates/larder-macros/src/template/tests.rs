use proc_macro2::Span;
use proptest::prelude::*;

use super::*;

fn parse(text: &str, purpose: Purpose) -> Result<Template, Vec<String>> {
    let mut errors = Errors::default();
    let literal = LitStr::new(text, Span::call_site());
    match Template::parse(&literal, purpose, &mut errors) {
        Some(template) if errors.is_empty() => Ok(template),
        _ => Err(errors.messages()),
    }
}

/// The template as it was written, but for the `*` of a prefix.
fn written(template: &Template) -> String {
    let segments = template.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.clone(),
        Segment::Placeholder(placeholder) => placeholder.text(),
    });
    segments.collect()
}

const PATTERN: Purpose = Purpose::Pattern { namespaced: false };

#[test]
fn templates_are_cut_at_placeholders() {
    for text in [
        "user",
        "user:<id>",
        "<id>",
        "{user:<user.id>}:orders:<n>",
        "<self.tenant().name.0>:<filter:md5>",
        "a>b:<type>",
        "é<id>ü",
        "<a>-:-<b>",
        "<a:hash>:<a.b():md5>",
        "<T>:<Self>:<Self::TABLE>:<T::NAME.len()>:<Self::name().0:hash>:<A::B::C>",
    ] {
        let template = parse(text, Purpose::Key).unwrap();
        assert_eq!(written(&template), text);
        assert!(!template.prefix);
    }
}

#[test]
fn a_placeholder_has_a_root_and_steps() {
    let template = parse("<user.name.0.len():md5>", Purpose::Key).unwrap();
    let [Segment::Placeholder(placeholder)] = template.segments.as_slice() else {
        panic!("one placeholder");
    };
    assert_eq!(placeholder.root, "user");
    assert_eq!(placeholder.digest, Some(Digest::Md5));
    let [Step::Field(name), Step::Index(0), Step::Call(len)] = placeholder.steps.as_slice() else {
        panic!("three steps: {:?}", placeholder.steps);
    };
    assert_eq!((name.to_string(), len.to_string()), ("name".into(), "len".into()));
}

#[test]
fn a_star_ends_a_prefix() {
    let template = parse("user:<id>:*", PATTERN).unwrap();
    assert!(template.prefix);
    assert_eq!(written(&template), "user:<id>:");
    for text in ["*", "user*", "user:<id>*", "user:*:x", "*:x"] {
        assert_eq!(parse(text, PATTERN).err().map(|errors| errors.len()), Some(1), "{text}");
    }
    assert!(parse("*", Purpose::Pattern { namespaced: true }).unwrap().prefix);
    assert!(parse("user:*", Purpose::Key).is_err());
    assert!(parse("user:*", Purpose::Tag).is_err());
}

#[test]
fn everything_else_is_refused() {
    for text in [
        "",
        "<",
        "a<b",
        "<>",
        "< id>",
        "<id >",
        "<1>",
        "<a.>",
        "<.a>",
        "<a..b>",
        "<a.1b>",
        "<a-b>",
        "<a:>",
        "<a:md5:md5>",
        "<a:sha1>",
        "<a::b>",
        "<::A>",
        "<A::>",
        "<A:::md5>",
        "<A::0>",
        "<A::b(1)>",
        "<A::b()::c>",
        "<A::self>",
        "<A::B::<u8>>",
        "<path.display().to_string()>",
        "<path.to_string_lossy()>",
        "<path.to_string_lossy().len()>",
        "<a.b::<u8>()>",
        "<Vec<u8>>",
        "<a.b(1)>",
        "<a()>",
        "<a>b<c>",
        "<a><b>",
        "<a.self>",
        "<&a>",
        "<a[0]>",
    ] {
        assert!(parse(text, Purpose::Key).is_err(), "{text}");
    }
}

#[test]
fn every_mistake_is_reported() {
    let errors = parse("*:<a><b.c(1)>", Purpose::Key).err().unwrap();
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn braces_that_look_like_placeholders_are_noticed() {
    let template = parse("{a.b}:{<c>}:{d:?}:{}:{e f}:{g", Purpose::Key).unwrap();
    let found: Vec<_> =
        template.braces.iter().map(|braces| (braces.root.as_str(), braces.inner.as_str())).collect();
    assert_eq!(found, [("a", "a.b"), ("d", "d:?")]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[<>:*{}a-c.()0-9é ]{0,24}") {
        for purpose in [Purpose::Key, Purpose::Tag, PATTERN] {
            if let Ok(template) = parse(&text, purpose) {
                let star = if template.prefix { "*" } else { "" };
                prop_assert_eq!(written(&template) + star, text.as_str());
            }
        }
    }

    #[test]
    fn between_placeholders_stands_a_colon(text in "(<a>|<b:md5>|:|x){1,8}") {
        let accepted = parse(&text, Purpose::Key).is_ok();
        let placeholders = text.replace("<b:md5>", "<b>");
        let between = placeholders.split('<').skip(2).zip(placeholders.split('<').skip(1));
        let separated = between.into_iter().all(|(_, before)| before.contains(':'));
        prop_assert_eq!(accepted, separated);
    }
}
