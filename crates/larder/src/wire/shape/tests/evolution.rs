//! What a release may do to a type, and the fingerprint has to show.

use super::*;

#[test]
fn fields() {
    let original = shape_of! { User, struct User { id: u64, name: String, city: String } };
    assert_eq!(original, shape_of! { User, struct User { id: u64, name: String, city: String } });

    let changed = [
        ("gained", shape_of! { User, struct User { id: u64, name: String, city: String, age: u8 } }),
        ("lost", shape_of! { User, struct User { id: u64, name: String } }),
        ("renamed", shape_of! { User, struct User { id: u64, name: String, town: String } }),
        ("swapped, of one type", shape_of! { User, struct User { id: u64, city: String, name: String } }),
        ("retyped", shape_of! { User, struct User { id: i64, name: String, city: String } }),
        ("optional", shape_of! { User, struct User { id: u64, name: String, city: Option<String> } }),
        ("many", shape_of! { User, struct User { id: u64, name: String, city: Vec<String> } }),
        ("another type", shape_of! { Account, struct Account { id: u64, name: String, city: String } }),
    ];
    for (change, shape) in changed {
        assert_ne!(original, shape, "{change}");
    }
}

#[test]
fn variants() {
    let original = shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { at: u64 }, Other(String) } };
    let changed = [
        (
            "gained",
            shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { at: u64 }, Other(String), New } },
        ),
        ("lost", shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { at: u64 } } }),
        (
            "renamed",
            shape_of! { Event, enum Event { Started, Moved(u8, u8), Ended { at: u64 }, Other(String) } },
        ),
        ("moved", shape_of! { Event, enum Event { Moved(u8, u8), Begun, Ended { at: u64 }, Other(String) } }),
        (
            "of the first, its kind",
            shape_of! { Event, enum Event { Begun(u8), Moved(u8, u8), Ended { at: u64 }, Other(String) } },
        ),
        (
            "of the second, its length",
            shape_of! { Event, enum Event { Begun, Moved(u8, u8, u8), Ended { at: u64 }, Other(String) } },
        ),
        (
            "of the second, a type",
            shape_of! { Event, enum Event { Begun, Moved(u8, i8), Ended { at: u64 }, Other(String) } },
        ),
        (
            "of the third, a name",
            shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { on: u64 }, Other(String) } },
        ),
        (
            "of the third, a type",
            shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { at: i64 }, Other(String) } },
        ),
        (
            "of the last, its type",
            shape_of! { Event, enum Event { Begun, Moved(u8, u8), Ended { at: u64 }, Other(char) } },
        ),
    ];
    for (change, shape) in changed {
        assert_ne!(original, shape, "{change}");
    }
}

#[test]
fn enums_in_enums_are_seen_to_the_last_variant() {
    macro_rules! nested {
        ($last:ty, $beside:ty) => {
            shape_of! {
                Outer,
                enum Deep { A, B { x: u8 }, C($last) }
                enum Inner { P(Deep), Q(Option<Deep>) }
                struct Wrap { first: Inner, second: Inner }
                enum Outer { None, Some(Wrap), More(Vec<(u8, Wrap)>, $beside) }
            }
        };
    }
    let original = nested!(u8, bool);
    assert_eq!(original, nested!(u8, bool));
    assert_ne!(original, nested!(u16, bool));
    assert_ne!(original, nested!(u8, char));
}

#[test]
fn what_is_deep_inside() {
    macro_rules! nested {
        ($innermost:ty) => {
            shape_of! {
                A,
                struct D { x: HashMap<String, Vec<($innermost, u8)>> }
                struct C(Option<Box<D>>);
                enum B { Empty, Full(C) }
                struct A { list: Vec<B>, other: Arc2<D> }
                struct Arc2<T>(Box<T>);
            }
        };
    }
    let original = nested!(u8);
    assert_eq!(original, nested!(u8));
    assert_ne!(original, nested!(u16));
    assert_ne!(original, nested!(Option<u8>));
}

#[test]
fn generic_types_show_their_parameters() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct Page<T> {
        items: Vec<T>,
        next: Option<T>,
    }
    let shapes = [of::<Page<u8>>(), of::<Page<u16>>(), of::<Page<Page<u8>>>(), of::<Page<Page<u16>>>()];
    assert_eq!(shapes.iter().collect::<HashSet<_>>().len(), shapes.len());
    assert_ne!(of::<(Page<u8>, Page<u16>)>(), of::<(Page<u8>, Page<u8>)>());
    assert_ne!(of::<(Page<u8>, Page<u16>)>(), of::<(Page<u16>, Page<u8>)>());
}

#[test]
fn types_in_themselves_end() {
    let list = shape_of! { Node, struct Node { value: u8, next: Option<Box<Node>> } };
    assert_ne!(list, shape_of! { Node, struct Node { value: u16, next: Option<Box<Node>> } });
    assert_ne!(list, shape_of! { Node, struct Node { value: u8, next: Vec<Node> } });

    macro_rules! expression {
        ($leaf:ty) => {
            shape_of! {
                Expression,
                enum Expression {
                    Negate(Box<Expression>),
                    Add(Box<Expression>, Box<Expression>),
                    Call { name: String, arguments: Vec<Expression> },
                    Let(Box<Block>),
                    Number($leaf),
                }
                struct Block { last: Expression, all: HashMap<String, Expression> }
            }
        };
    }
    assert_eq!(expression!(f64), expression!(f64));
    assert_ne!(expression!(f64), expression!(f32));

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct Tree(Vec<Tree>);
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    enum Chain {
        More(Box<Chain>),
        End,
    }
    assert!(shape::<Tree>().is_whole());
    assert!(shape::<Chain>().is_whole());
}
