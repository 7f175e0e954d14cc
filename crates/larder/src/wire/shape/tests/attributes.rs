//! What serde's attributes do to the shape.

use super::*;

#[test]
fn of_fields() {
    let plain = shape_of! { S, struct S { a: u8, b: String } };
    assert_ne!(plain, shape_of! { S, struct S { a: u8, #[serde(rename = "c")] b: String } });
    assert_eq!(plain, shape_of! { S, struct S { a: u8, #[serde(rename = "b")] c: String } });
    assert_ne!(plain, shape_of! { S, #[serde(rename_all = "UPPERCASE")] struct S { a: u8, b: String } });
    assert_eq!(plain, shape_of! { S, struct S { a: u8, #[serde(default)] b: String } });
    assert_eq!(plain, shape_of! { S, #[serde(deny_unknown_fields)] struct S { a: u8, b: String } });
    assert_ne!(plain, shape_of! { S, struct S { a: u8, #[serde(skip)] b: String } });
    assert_eq!(
        shape_of! { S, struct S { a: u8 } },
        shape_of! { S, struct S { a: u8, #[serde(skip)] b: String, #[serde(skip)] c: std::marker::PhantomData<u8> } }
    );
    assert_ne!(plain, shape_of! { S, struct S { a: u8, #[serde(alias = "bb")] b: String } });
}

#[test]
fn an_alias_is_no_obstacle() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only deserialized")]
    struct S {
        #[serde(alias = "x", alias = "y")]
        a: u8,
        b: String,
    }
    assert!(shape::<S>().is_whole());
}

#[test]
fn transparent_types_are_what_they_contain() {
    let transparent = shape_of! { Id, #[serde(transparent)] struct Id { number: u64 } };
    assert_eq!(transparent, of::<u64>());
    assert_ne!(transparent, shape_of! { Id, struct Id(u64); });
    assert_ne!(shape_of! { Meters, struct Meters(f64); }, shape_of! { Feet, struct Feet(f64); });
}

#[test]
fn flatten() {
    macro_rules! flattened {
        ($($field:ident: $ty:ty),*; $($inner:ident: $of:ty),*) => {
            shape_of! { Outer, struct Inner { $($inner: $of),* } struct Outer { $($field: $ty,)* #[serde(flatten)] inner: Inner } }
        };
    }
    let original = flattened!(id: u64, name: String; a: u8, b: String);
    assert_eq!(original, flattened!(id: u64, name: String; a: u8, b: String));
    for (change, shape) in [
        ("outer lost", flattened!(id: u64; a: u8, b: String)),
        ("outer gained", flattened!(id: u64, name: String, x: u8; a: u8, b: String)),
        ("outer renamed", flattened!(id: u64, label: String; a: u8, b: String)),
        ("outer retyped", flattened!(id: i64, name: String; a: u8, b: String)),
        ("inner lost", flattened!(id: u64, name: String; a: u8)),
        ("inner gained", flattened!(id: u64, name: String; a: u8, b: String, c: bool)),
        ("inner renamed", flattened!(id: u64, name: String; a: u8, c: String)),
        ("inner retyped", flattened!(id: u64, name: String; a: u16, b: String)),
        ("inner retyped, the last", flattened!(id: u64, name: String; a: u8, b: bool)),
        ("inner retyped, to a list", flattened!(id: u64, name: String; a: u8, b: Vec<String>)),
    ] {
        assert_ne!(original, shape, "{change}");
    }
}

#[test]
fn untagged() {
    let original =
        shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, y: i32 }, Text(String) } };
    for (change, shape) in [
        (
            "gained",
            shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, y: i32 }, Text(String), Flag(bool) } },
        ),
        ("lost", shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, y: i32 } } }),
        (
            "retyped",
            shape_of! { V, #[serde(untagged)] enum V { Number(u16), Point { x: i32, y: i32 }, Text(String) } },
        ),
        (
            "field gained",
            shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, y: i32, z: i32 }, Text(String) } },
        ),
        (
            "field lost",
            shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32 }, Text(String) } },
        ),
        (
            "field renamed",
            shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, z: i32 }, Text(String) } },
        ),
        (
            "field retyped",
            shape_of! { V, #[serde(untagged)] enum V { Number(u8), Point { x: i32, y: i64 }, Text(String) } },
        ),
    ] {
        assert_ne!(original, shape, "{change}");
    }
}

#[test]
fn tagged_inside() {
    macro_rules! tagged {
        ($($variants:tt)*) => { shape_of! { V, #[serde(tag = "kind")] enum V { $($variants)* } } };
    }
    let original = tagged!(Empty, Circle { radius: f64 }, Square { side: u32, name: String });
    for (change, shape) in [
        ("gained", tagged!(Empty, Circle { radius: f64 }, Square { side: u32, name: String }, New)),
        ("lost", tagged!(Empty, Circle { radius: f64 })),
        ("renamed", tagged!(Nothing, Circle { radius: f64 }, Square { side: u32, name: String })),
        ("field renamed", tagged!(Empty, Circle { r: f64 }, Square { side: u32, name: String })),
        (
            "field of the last renamed",
            tagged!(Empty, Circle { radius: f64 }, Square { side: u32, label: String }),
        ),
        ("field retyped", tagged!(Empty, Circle { radius: bool }, Square { side: u32, name: String })),
        (
            "field of the last retyped",
            tagged!(Empty, Circle { radius: f64 }, Square { side: u32, name: bool }),
        ),
        ("field of the last lost", tagged!(Empty, Circle { radius: f64 }, Square { side: u32 })),
    ] {
        assert_ne!(original, shape, "{change}");
    }
}

#[test]
fn tagged_beside() {
    macro_rules! tagged {
        ($($variants:tt)*) => { shape_of! { V, #[serde(tag = "kind", content = "value")] enum V { $($variants)* } } };
    }
    let original = tagged!(Empty, Circle { radius: f64 }, Square(u32, String));
    for (change, shape) in [
        ("gained", tagged!(Empty, Circle { radius: f64 }, Square(u32, String), New)),
        ("renamed", tagged!(Nothing, Circle { radius: f64 }, Square(u32, String))),
        ("field renamed", tagged!(Empty, Circle { r: f64 }, Square(u32, String))),
        ("field retyped", tagged!(Empty, Circle { radius: f64 }, Square(u32, char))),
    ] {
        assert_ne!(original, shape, "{change}");
    }
}
