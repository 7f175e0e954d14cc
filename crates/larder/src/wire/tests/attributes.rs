//! What serde's attributes do to a value on its way: each that loses something is refused, by the default rules for
//! types that nothing compares, and, where even the serialized form does not show it, by a comparison.

use std::fmt::Debug;

use super::*;

fn outcome<V>(codec: Codec, value: &V) -> Result<(), &'static str>
where
    V: Serialize + DeserializeOwned + Debug + 'static,
{
    let encoded = wire(codec).encode(value, &envelope(), None);
    encoded.map(drop).map_err(|reason| reason.name())
}

fn compared<V>(codec: Codec, value: &V) -> Result<Vec<u8>, Unencodable>
where
    V: Serialize + DeserializeOwned + Clone + PartialEq + Debug + 'static,
{
    let comparison = Comparison::new().by_eq().by_text();
    wire(codec).encode_compared(value, &envelope(), None, Some(&comparison))
}

/// The type with these attributes, and one value of it.
macro_rules! case {
    ({ $(#[$attribute:meta])* $field:ident: $ty:ty = $value:expr $(, $more:ident: $more_ty:ty = $more_value:expr)* $(,)? }) => {{
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Case { $(#[$attribute])* $field: $ty, other: u8 $(, $more: $more_ty)* }
        Case { $field: $value, other: 1 $(, $more: $more_value)* }
    }};
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn skip_deserializing() {
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        assert!(outcome(codec, &case!({ #[serde(skip_deserializing)] id: u32 = 7 })).is_err(), "{codec:?}");
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &case!({ #[serde(skip_deserializing)] id: u32 = 7 })), Err("changed"));
        assert_eq!(outcome(codec, &case!({ #[serde(skip_deserializing)] id: u32 = 0 })), Err("one_sided"));
    }
}

#[test]
fn skip_serializing() {
    for codec in TEXTS {
        for hash in [some("hash"), None] {
            let value = case!({ #[serde(skip_serializing)] hash: Option<String> = hash });
            assert_eq!(outcome(codec, &value), Err("one_sided"), "{value:?}");
        }
        let value = case!({ #[serde(skip_serializing, default)] hash: String = "hash".into() });
        assert_eq!(outcome(codec, &value), Err("one_sided"));
        let value = case!({ #[serde(skip_serializing)] id: u32 = 7 });
        assert_eq!(outcome(codec, &value), Err("unreadable"));
    }
}

#[test]
fn names_of_one_side() {
    for codec in TEXTS {
        for city in [some("Rome"), None] {
            let value = case!({ #[serde(rename(serialize = "town"))] city: Option<String> = city.clone() });
            assert!(outcome(codec, &value).is_err(), "{value:?}");
            let value = case!({ #[serde(rename(deserialize = "town"))] city: Option<String> = city });
            assert!(outcome(codec, &value).is_err(), "{value:?}");
        }
        let value = case!({ #[serde(rename(serialize = "number"))] id: u32 = 7 });
        assert_eq!(outcome(codec, &value), Err("unreadable"));
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all(deserialize = "camelCase"))]
    struct Cased {
        first_name: Option<String>,
    }
    for codec in TEXTS {
        assert!(outcome(codec, &Cased { first_name: some("Ada") }).is_err());
        assert!(outcome(codec, &Cased { first_name: None }).is_err());
    }
}

#[test]
fn aliases_are_names_of_one_field() {
    let value = case!({ #[serde(alias = "town", alias = "place")] city: Option<String> = None });
    for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
        assert_eq!(outcome(codec, &value), Ok(()), "{codec:?}");
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Event {
        #[serde(alias = "Move")]
        Moved {
            #[serde(alias = "start", default)]
            from: u8,
            #[serde(skip_serializing_if = "Vec::is_empty", default)]
            to: Vec<String>,
        },
        Tagged(#[allow(dead_code, reason = "only written")] u8),
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &vec![Event::Moved { from: 1, to: vec![] }, Event::Tagged(1)]), Ok(()));
    }
}

/// Beside aliases, a field of its own is still found.
#[test]
fn an_alias_hides_no_field() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Account {
        #[serde(alias = "mail")]
        email: String,
        #[serde(skip_serializing)]
        #[allow(dead_code, reason = "only shown")]
        password: Option<String>,
    }
    for codec in TEXTS {
        let encoded = wire(codec).encode(&Account { email: "a".into(), password: None }, &envelope(), None);
        let refused = matches!(
            encoded,
            Err(Unencodable::OneSided { of: "Account", name: "password", is_written: false })
        );
        assert!(refused, "{encoded:?}");
    }
}

mod public {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct User {
        pub(super) id: u64,
        #[allow(dead_code, reason = "only written")]
        pub(super) name: String,
    }
}

mod private {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct User {
        pub(super) id: u64,
        #[serde(skip_serializing, default)]
        #[allow(dead_code, reason = "only shown")]
        pub(super) name: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct Private {
        pub(super) id: u64,
        #[serde(skip_serializing, default)]
        #[allow(dead_code, reason = "only shown")]
        pub(super) name: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct Aliased {
        #[serde(alias = "name")]
        pub(super) id: u64,
    }
}

/// A name that one struct lacks is lost, also if another one in the same value has it.
#[test]
fn a_name_of_another_struct_counts_for_none() {
    let (id, name) = (1, || "a".to_owned());
    let public = || public::User { id, name: name() };
    for codec in TEXTS {
        assert_eq!(outcome(codec, &(public(), public())), Ok(()));
        let private = private::Private { id, name: name() };
        assert_eq!(outcome(codec, &private), Err("one_sided"));
        assert_eq!(outcome(codec, &(public(), private)), Err("one_sided"), "equal lists of two types");
        let private = || private::User { id, name: name() };
        assert_eq!(outcome(codec, &(public(), private())), Err("one_sided"), "two types of one name");
        assert_eq!(outcome(codec, &(private(), public())), Err("one_sided"));
        assert_eq!(outcome(codec, &(public(), private::Aliased { id })), Ok(()));
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Event {
        A {
            x: u8,
            #[serde(skip_serializing, default)]
            y: u8,
        },
        B {
            y: u8,
        },
        C {
            x: u8,
            #[serde(skip_deserializing, default)]
            y: u8,
        },
        D {
            x: u8,
            y: u8,
        },
    }
    for codec in TEXTS {
        let [a, b] = [|| Event::A { x: 1, y: 5 }, || Event::B { y: 2 }];
        let [c, d] = [|| Event::C { x: 1, y: 0 }, || Event::D { x: 1, y: 2 }];
        assert_eq!(outcome(codec, &[b(), d()]), Ok(()));
        for lossy in
            [vec![a()], vec![a(), b()], vec![b(), a()], vec![a(), d()], vec![c(), b()], vec![c(), b(), d()]]
        {
            assert_eq!(outcome(codec, &lossy), Err("one_sided"), "{lossy:?}");
        }
    }
}

#[test]
fn tags_are_asked_for_by_nothing() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type")]
    struct Tagged {
        id: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "value")]
    enum Beside {
        Empty,
        Full(Tagged),
    }
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Inside {
        Empty,
        Full(Tagged),
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &Tagged { id: 1 }), Ok(()));
        assert_eq!(outcome(codec, &vec![Beside::Empty, Beside::Full(Tagged { id: 1 })]), Ok(()));
        assert_eq!(outcome(codec, &Beside::Empty), Ok(()));
        assert_eq!(outcome(codec, &vec![Inside::Empty, Inside::Full(Tagged { id: 1 })]), Ok(()));
    }
}

#[test]
fn another_default() {
    fn ten() -> u32 {
        10
    }
    fn is_zero(number: &u32) -> bool {
        *number == 0
    }
    macro_rules! value {
        ($number:expr) => { case!({ #[serde(skip_serializing_if = "is_zero", default = "ten")] limit: u32 = $number }) };
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &value!(0)), Err("changed"));
        assert_eq!(outcome(codec, &value!(3)), Ok(()));
    }
}

#[test]
fn skipped_without_a_default() {
    macro_rules! value {
        ($list:expr) => { case!({ #[serde(skip_serializing_if = "Vec::is_empty")] list: Vec<u8> = $list }) };
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &value!(vec![])), Err("unreadable"));
        assert_eq!(outcome(codec, &value!(vec![1])), Ok(()));
    }
}

#[test]
fn with_of_one_side() {
    use serde::{Deserializer, Serializer};

    fn no_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
    }
    fn as_text<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }
    fn sorted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let mut list = Vec::deserialize(deserializer)?;
        list.sort_unstable();
        Ok(list)
    }
    for codec in TEXTS {
        macro_rules! text {
            ($text:expr) => { case!({ #[serde(deserialize_with = "no_empty")] text: Option<String> = $text }) };
        }
        assert_eq!(outcome(codec, &text!(some(""))), Err("changed"));
        assert_eq!(outcome(codec, &text!(some("a"))), Ok(()));
        let value = case!({ #[serde(serialize_with = "as_text")] number: u32 = 7 });
        assert_eq!(outcome(codec, &value), Err("unreadable"));
        let value = case!({ #[serde(deserialize_with = "sorted")] list: Vec<u8> = vec![2, 1] });
        assert_eq!(outcome(codec, &value), Err("changed"));
    }

    #[derive(Debug, Clone, Serialize, Deserialize)]
    #[serde(into = "String")]
    struct Id(u32);
    impl From<Id> for String {
        fn from(id: Id) -> Self {
            id.0.to_string()
        }
    }
    for codec in TEXTS {
        assert_eq!(outcome(codec, &Id(7)), Err("unreadable"));
    }
}

/// The path of the first difference stands in the message.
#[test]
fn the_field_is_named() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Page {
        items: Vec<Item>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Item {
        name: String,
        #[serde(skip_deserializing)]
        price: u32,
    }
    let item = |price| Item { name: "tea".into(), price };
    let refused = wire(Codec::Json).encode(&Page { items: vec![item(0), item(3)] }, &envelope(), None);
    assert!(
        matches!(&refused, Err(Unencodable::Changed { at: Some(at), .. }) if at == "items[1].price"),
        "{refused:?}"
    );
}

mod compared_by_the_macros {
    use super::*;

    #[test]
    fn what_no_serialized_form_shows() {
        for codec in CODECS.into_iter().filter(|codec| codec.is_available()) {
            let lost = case!({ #[serde(skip)] cached: u32 = 7 });
            assert_eq!(outcome(codec, &lost), Ok(()), "nothing shows it");
            assert!(matches!(compared(codec, &lost), Err(Unencodable::Changed { .. })));
            assert!(compared(codec, &case!({ #[serde(skip)] cached: u32 = 0 })).is_ok());

            let scoped = |scope| std::net::SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, 1, 0, scope);
            // In JSON it is a text, with the scope.
            assert_eq!(compared(codec, &scoped(3)).is_ok(), codec == Codec::Json);
            assert!(compared(codec, &scoped(0)).is_ok());

            let mut range = 1..=1;
            range.next();
            assert!(matches!(compared(codec, &range), Err(Unencodable::Changed { .. })));
        }
    }

    /// A flattened `None` comes back as `Some` of nothing.
    #[test]
    fn a_flattened_option() {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Outer {
            id: u8,
            #[serde(flatten)]
            inner: Option<Inner>,
        }
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Inner {
            #[serde(skip_serializing_if = "Option::is_none")]
            a: Option<u8>,
        }
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Shown {
            #[serde(flatten)]
            inner: Option<All>,
        }
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct All {
            a: Option<u8>,
        }
        for codec in TEXTS {
            assert!(matches!(
                compared(codec, &Outer { id: 1, inner: None }),
                Err(Unencodable::Changed { .. })
            ));
            assert_eq!(outcome(codec, &Shown { inner: None }), Err("changed"));
        }
    }

    #[test]
    fn equality_decides_where_it_is_more_than_what_is_written() {
        // By id alone, as entities are: what is written is compared all the same.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Entity {
            id: u8,
            #[serde(skip_deserializing)]
            name: String,
        }
        impl PartialEq for Entity {
            fn eq(&self, other: &Self) -> bool {
                self.id == other.id
            }
        }
        for codec in TEXTS {
            assert!(compared(codec, &Entity { id: 1, name: "a".into() }).is_err());
            // A name that is lost is no loss if there was none.
            assert!(compared(codec, &Entity { id: 1, name: String::new() }).is_ok());
        }
    }

    /// Equal by id, and what else there is can be seen.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Shown {
        id: u8,
        #[serde(skip)]
        #[allow(dead_code, reason = "only shown")]
        note: u8,
    }

    impl PartialEq for Shown {
        fn eq(&self, other: &Self) -> bool {
            self.id == other.id
        }
    }

    #[test]
    fn what_equality_ignores_and_text_shows() {
        let comparison = Comparison::new().by_eq().by_text();
        let encode = |note| {
            wire(Codec::Json).encode_compared(&Shown { id: 1, note }, &envelope(), None, Some(&comparison))
        };
        let is_lost = |note| {
            let shown = crate::value::comparison::Evidence::Shown;
            matches!(encode(note), Err(Unencodable::Changed { at: None, evidence, .. }) if evidence == shown)
        };
        assert!(encode(0).is_ok());
        assert!(is_lost(1));
        assert!(encode(0).is_ok());
        assert!((0..1_000).all(|_| is_lost(2)), "each one, once one was lost");
    }

    #[test]
    fn what_is_lost_later_is_found_in_time() {
        let comparison = Comparison::new().by_eq().by_text();
        let encode = |note| {
            wire(Codec::Json).encode_compared(&Shown { id: 1, note }, &envelope(), None, Some(&comparison))
        };
        for _ in 0..200 {
            assert!(encode(0).is_ok());
        }
        let shared = (0..1_000).take_while(|_| encode(1).is_ok()).count();
        assert!(shared < 16, "{shared}");
        assert!((0..100).all(|_| encode(1).is_err()));
    }

    #[test]
    fn what_differs_from_itself() {
        assert!(compared(Codec::MessagePack, &vec![1.0, f64::NAN]).is_ok());
        let sets: Vec<std::collections::HashSet<u32>> = vec![(0..100).collect(), (5..50).collect()];
        let text = Comparison::new().by_text();
        assert!(wire(Codec::Json).encode_compared(&sets, &envelope(), None, Some(&text)).is_ok());
        let map: HashMap<String, f64> = (0..100).map(|n| (n.to_string(), f64::from(n))).collect();
        let text = Comparison::new().by_text();
        assert!(wire(Codec::Json).encode_compared(&map, &envelope(), None, Some(&text)).is_ok());
    }

    #[test]
    fn text_tells_where_nothing_else_does() {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Lossy {
            #[serde(skip)]
            #[allow(dead_code, reason = "only shown")]
            lost: Option<u8>,
        }
        let text = Comparison::new().by_text();
        let encode =
            |lost| wire(Codec::Json).encode_compared(&Lossy { lost }, &envelope(), None, Some(&text));
        assert!(matches!(
            encode(Some(1)),
            Err(Unencodable::Changed { evidence: crate::value::comparison::Evidence::Compared, .. })
        ));
        assert!(encode(None).is_ok());
    }
}
