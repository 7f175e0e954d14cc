use super::*;

fn parsed(text: &str) -> Scope {
    Scope::parse(text)
}

// A part of the wire format: these numbers never change.
#[test]
fn golden_hashes() {
    let hashes = [
        Scope::key("user:7"),
        Scope::key(""),
        Scope::prefix("user"),
        Scope::prefix("user:7"),
        Scope::tag("org:7"),
        Scope::key("ключ:☃"),
        Scope::key("k".repeat(1000)),
        Scope::all(),
    ]
    .map(|scope| format!("{:016x}", scope.hash().get()));
    assert_eq!(
        hashes,
        [
            "4ca53c42388cf7d6",
            "5063d136f9922476",
            "e527a01c82f73539",
            "c87f20d5994d3581",
            "8785f15edddc43a5",
            "2ad631fcab6edecd",
            "1fbcc7d1005b8888",
            "ffffffffffffffff",
        ]
    );
}

// A part of the wire format too.
#[test]
fn golden_marks() {
    let marks = [Scope::key("user:7"), Scope::prefix("user"), Scope::tag("org:7"), Scope::all()]
        .map(|scope| format!("{:016x}", scope.hash().mark().get()));
    assert_eq!(marks, ["287bb6bee6c1df85", "a87bb6ed58d2d182", "a87bb6d0ab8c4e0e", "a87bb6c05ac1f580"]);
}

#[test]
fn marks_are_known_and_few_others_look_like_one() {
    let scopes = || (0..100_000).map(|number| Scope::key(format!("user:{number}")).hash());
    let wide = || (0..100_000).map(|number| Scope::tag(format!("user:{number}")).hash());
    for scope in scopes().chain(wide()).chain([ScopeHash::ALL]) {
        assert!(scope.mark().is_mark());
        assert_eq!(scope.mark().is_wide(), scope.is_wide());
    }
    assert_eq!(scopes().chain(wide()).chain([ScopeHash::ALL]).filter(|scope| scope.is_mark()).count(), 0);
    let distinct: std::collections::HashSet<_> = scopes().map(|scope| scope.mark().get()).collect();
    assert_eq!(distinct.len(), 100_000);
}

#[test]
fn keys_and_wider_scopes_differ_in_the_top_bit() {
    assert!(!Scope::key("a:").hash().is_wide());
    assert!(Scope::prefix("a:").hash().is_wide());
    assert!(Scope::tag("a:").hash().is_wide());
    assert!(ScopeHash::ALL.is_wide());
}

#[test]
fn patterns_are_read_as_documented() {
    assert_eq!(parsed("user:7"), Scope::key("user:7"));
    assert_eq!(parsed("user:*"), Scope::prefix("user"));
    assert_eq!(parsed("*"), Scope::all());
    assert_eq!(parsed("user:1*"), Scope::prefix("user:"));
    assert_eq!(parsed("user:*:orders"), Scope::prefix("user"));
    assert_eq!(parsed("us*"), Scope::all());
    assert_eq!(Scope::prefix("user:*"), Scope::prefix("user"));
}

#[test]
fn a_key_is_covered_by_itself_its_prefixes_and_its_tags() {
    let scopes = covering("a:b:c", &["t".to_owned(), "t".to_owned()]);
    let expected = [Scope::key("a:b:c"), Scope::prefix("a"), Scope::prefix("a:b"), Scope::tag("t")];
    assert_eq!(scopes.to_vec(), expected.map(|scope| scope.hash()));
}

#[test]
fn a_namespace_puts_its_prefix_in_front_of_all_but_tags() {
    assert_eq!(Scope::key("k").within("ns:"), Scope::key("ns:k"));
    assert_eq!(Scope::prefix("p").within("ns:"), Scope::prefix("ns:p"));
    assert_eq!(Scope::all().within("ns:"), Scope::prefix("ns"));
    assert_eq!(Scope::tag("t").within("ns:"), Scope::tag("t"));
}

#[test]
fn scopes_are_made_from_what_people_write() {
    let owned = vec!["a".to_owned(), "b:*".to_owned()];
    assert_eq!(Scopes::from(owned.as_slice()).0, Scopes::from(["a", "b:*"]).0);
    assert_eq!(*Scopes::from(vec![Scope::tag("t")]).0, [Scope::tag("t")]);
    assert_eq!(*Scopes::from(&owned[0]).0, [Scope::key("a")]);
}

/// What is hashed in one go, and piece by piece, is the same.
#[test]
fn the_prefixes_of_a_long_key_are_those_of_a_short_one() {
    for text in ["a:b::c:", "user:7", "::::", "none"] {
        let long = format!("{text}{}:x:y", "z".repeat(2_000));
        let expected = long.match_indices(':').map(|(colon, _)| Scope::prefix(&long[..=colon]).hash());
        let expected: Vec<_> = std::iter::once(Scope::key(&*long).hash()).chain(expected).collect();
        assert_eq!(covering(&long, &[]).to_vec(), expected);
    }
    let colons = ":".repeat(64 << 10);
    assert!(covering(&colons, &[]).len() > MOST, "and it takes no time");
}

#[test]
fn what_covers_a_key_has_names() {
    let names: Vec<_> = own_scopes("a:b:c").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a:b:c", "a:*", "a:b:*"]);
    assert_eq!(own_scopes("x").len(), 1);
}
