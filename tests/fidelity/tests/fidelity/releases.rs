//! Two releases of one program: what the old one stored is to the new one a miss, or a value that means the same;
//! and the other way round. Never a value that lost something, or has something that was never stored.

use std::{collections::BTreeMap, fmt::Debug};

use larder::{TieredCache, Value};
use larder_fidelity::{
    codecs::{CODECS, With},
    erased,
    process::connect,
    traits,
};
use larder_servers::RedisServer;
use larder_tests::{caches::Process, warnings};
use serde::{Deserialize, Serialize};

/// Types of one release. Those of the other one have the same names.
macro_rules! release {
    ($release:ident: $($item:item)*) => {
        mod $release {
            use super::{BTreeMap, Deserialize, Serialize};

            $(
                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
                $item
            )*
        }
    };
}

release! { old:
    pub(super) struct Same { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct Gained { pub(super) id: u64 }
    pub(super) struct GainedDefault { pub(super) id: u64 }
    pub(super) struct Lost { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct Renamed { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct Aliased { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct RenamedOneSide { pub(super) id: u64, pub(super) name: Option<u8> }
    pub(super) struct Swapped { pub(super) width: u32, pub(super) height: u32 }
    pub(super) struct SwappedTuple(pub(super) u32, pub(super) i32);
    pub(super) struct Optional { pub(super) level: u8 }
    pub(super) struct Required { pub(super) level: Option<u8> }
    pub(super) struct Widened { pub(super) number: u32 }
    pub(super) struct Narrowed { pub(super) number: u64 }
    pub(super) struct Signed { pub(super) number: u32 }
    pub(super) struct ToFloat { pub(super) number: u32 }
    pub(super) struct ToText { pub(super) number: u32 }
    pub(super) struct ToList { pub(super) item: u8 }
    pub(super) struct ToArray { pub(super) items: Vec<u8> }
    pub(super) struct ToMap { pub(super) items: Vec<(String, u8)> }
    pub(super) enum Variants { One, Two(u8) }
    pub(super) enum Reordered { First, Second }
    pub(super) enum RenamedVariant { Old(u8), Kept }
    pub(super) enum FieldsOfVariant { Of { a: Option<u8> } }
    pub(super) enum NewtypeToStruct { Of(u8) }
    pub(super) enum UnitToNewtype { Of }
    pub(super) struct Inner { pub(super) a: Option<u8>, pub(super) b: u8 }
    pub(super) struct InFlatten { pub(super) id: u8, #[serde(flatten)] pub(super) inner: Inner }
    pub(super) struct InList { pub(super) items: Vec<Inner> }
    pub(super) struct InMap { pub(super) items: BTreeMap<String, Inner> }
    pub(super) struct Generic<T> { pub(super) page: Vec<T>, pub(super) next: Option<T> }
    #[serde(untagged)]
    pub(super) enum Untagged { A { a: u8 }, B { b: u8, c: Option<u8> } }
    #[serde(tag = "type")]
    pub(super) enum Tagged { A { x: Option<u8> }, B { y: u8 } }
    pub(super) struct Flattened { pub(super) id: u8, pub(super) inner: FlatInner }
    pub(super) struct FlatInner { pub(super) x: Option<u8> }
    pub(super) struct Skipping { pub(super) id: u8, pub(super) name: Option<u8> }
    pub(super) struct Defaulted { pub(super) id: u8, #[serde(default, skip_serializing_if = "Option::is_none")] pub(super) name: Option<u8> }
    pub(super) struct FlattenGains { pub(super) id: u8, #[serde(flatten)] pub(super) rest: BTreeMap<String, u8> }
    pub(super) struct UnitGains;
    pub(super) struct Newtype(pub(super) u64);
}

release! { new:
    pub(super) struct Same { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct Gained { pub(super) id: u64, pub(super) name: Option<String> }
    pub(super) struct GainedDefault { pub(super) id: u64, #[serde(default)] pub(super) level: u8 }
    pub(super) struct Lost { pub(super) id: u64 }
    pub(super) struct Renamed { pub(super) id: u64, pub(super) title: Option<String> }
    pub(super) struct Aliased { pub(super) id: u64, #[serde(alias = "name")] pub(super) title: Option<String> }
    pub(super) struct RenamedOneSide { pub(super) id: u64, #[serde(rename(serialize = "title"))] pub(super) name: Option<u8> }
    pub(super) struct Swapped { pub(super) height: u32, pub(super) width: u32 }
    pub(super) struct SwappedTuple(pub(super) i32, pub(super) u32);
    pub(super) struct Optional { pub(super) level: Option<u8> }
    pub(super) struct Required { pub(super) level: u8 }
    pub(super) struct Widened { pub(super) number: u64 }
    pub(super) struct Narrowed { pub(super) number: u32 }
    pub(super) struct Signed { pub(super) number: i32 }
    pub(super) struct ToFloat { pub(super) number: f64 }
    pub(super) struct ToText { pub(super) number: String }
    pub(super) struct ToList { pub(super) item: Vec<u8> }
    pub(super) struct ToArray { pub(super) items: [u8; 2] }
    pub(super) struct ToMap { pub(super) items: BTreeMap<String, u8> }
    pub(super) enum Variants { One, Three, Two(u8) }
    pub(super) enum Reordered { Second, First }
    pub(super) enum RenamedVariant { New(u8), Kept }
    pub(super) enum FieldsOfVariant { Of { b: Option<u8> } }
    pub(super) enum NewtypeToStruct { Of { of: u8 } }
    pub(super) enum UnitToNewtype { Of(Option<u8>) }
    pub(super) struct Inner { pub(super) renamed: Option<u8>, pub(super) b: u8 }
    pub(super) struct InFlatten { pub(super) id: u8, #[serde(flatten)] pub(super) inner: Inner }
    pub(super) struct InList { pub(super) items: Vec<Inner> }
    pub(super) struct InMap { pub(super) items: BTreeMap<String, Inner> }
    pub(super) struct Generic<T> { pub(super) page: Vec<T>, pub(super) next: Option<T> }
    #[serde(untagged)]
    pub(super) enum Untagged { B { b: u8 }, A { a: u8 } }
    #[serde(tag = "type")]
    pub(super) enum Tagged { A { z: Option<u8> }, B { y: u8 } }
    pub(super) struct Flattened { pub(super) id: u8, #[serde(flatten)] pub(super) inner: FlatInner }
    pub(super) struct FlatInner { pub(super) x: Option<u8> }
    pub(super) struct Skipping { pub(super) id: u8, #[serde(skip)] pub(super) name: Option<u8> }
    pub(super) struct Defaulted { pub(super) id: u8, #[serde(default, skip_serializing_if = "Option::is_none")] pub(super) title: Option<u8> }
    pub(super) struct FlattenGains { pub(super) id: u8, pub(super) x: Option<u8>, #[serde(flatten)] pub(super) rest: BTreeMap<String, u8> }
    pub(super) struct UnitGains { pub(super) level: Option<u8> }
    pub(super) struct Newtype(pub(super) i64);
}

struct Releases {
    old: TieredCache,
    new: TieredCache,
    failures: Vec<String>,
}

impl Releases {
    async fn connect(server: &RedisServer, (name, codec): (&str, With)) -> Self {
        let old = connect(&Process::A.url(server), name, codec).await;
        let new = connect(&Process::B.url(server), name, codec).await;
        Self { old, new, failures: Vec::new() }
    }

    /// Each release reads what the other one has stored: nothing, or what it would have stored itself, if both mean
    /// the same.
    async fn exchange<O, N>(&mut self, name: &str, old: O, new: Option<N>)
    where
        O: Value + PartialEq + Debug,
        N: Value + PartialEq + Debug,
    {
        let there = format!("{name}:old");
        let _ = erased::insert(&self.old, &there, old.clone(), traits!(O)).await;
        let found = erased::get(&self.new, &there, traits!(N)).await;
        if found.is_some() && found != new {
            self.failures.push(format!("{name}: the new release reads {old:?} as {found:?}"));
        }
        let Some(new) = new else { return };
        let there = format!("{name}:new");
        let _ = erased::insert(&self.new, &there, new.clone(), traits!(N)).await;
        let found = erased::get(&self.old, &there, traits!(O)).await;
        if found.as_ref().is_some_and(|found| *found != old) {
            self.failures.push(format!("{name}: the old release reads {new:?} as {found:?}"));
        }
    }

    /// As [`exchange`](Self::exchange), of a value that the new release has no equal of.
    async fn lost<O, N>(&mut self, name: &str, old: O, sample: N)
    where
        O: Value + PartialEq + Debug,
        N: Value + PartialEq + Debug,
    {
        self.exchange(name, old, None::<N>).await;
        let there = format!("{name}:sample");
        let _ = erased::insert(&self.new, &there, sample.clone(), traits!(N)).await;
        let found = erased::get(&self.old, &there, traits!(O)).await;
        if found.is_some() {
            self.failures.push(format!("{name}: the old release reads {sample:?} as {found:?}"));
        }
    }

    async fn structs(&mut self) {
        let text = || Some("text".to_owned());
        self.exchange("same", old::Same { id: 1, name: text() }, Some(new::Same { id: 1, name: text() }))
            .await;
        self.exchange("gained", old::Gained { id: 1 }, Some(new::Gained { id: 1, name: None })).await;
        self.lost("gained, with it", old::Gained { id: 1 }, new::Gained { id: 2, name: text() }).await;
        let (old, new) = (old::GainedDefault { id: 1 }, new::GainedDefault { id: 1, level: 0 });
        self.exchange("gained with a default", old, Some(new)).await;
        self.lost("lost", old::Lost { id: 1, name: text() }, new::Lost { id: 1 }).await;
        let renamed = new::Renamed { id: 1, title: text() };
        self.lost("renamed", old::Renamed { id: 1, name: text() }, renamed).await;
        let (old, new) = (old::Aliased { id: 1, name: text() }, new::Aliased { id: 1, title: text() });
        self.exchange("renamed, with an alias", old, Some(new)).await;
        let renamed = new::RenamedOneSide { id: 1, name: Some(2) };
        self.exchange("renamed on one side", old::RenamedOneSide { id: 1, name: Some(2) }, Some(renamed))
            .await;
        let (old, new) = (old::Swapped { width: 1, height: 2 }, new::Swapped { width: 1, height: 2 });
        self.exchange("fields swapped", old, Some(new)).await;
        self.lost("fields of a tuple swapped", old::SwappedTuple(1, 2), new::SwappedTuple(1, 2)).await;
        self.exchange("optional", old::Optional { level: 1 }, Some(new::Optional { level: Some(1) })).await;
        self.exchange("required", old::Required { level: Some(1) }, Some(new::Required { level: 1 })).await;
        self.lost("required, None", old::Required { level: None }, new::Required { level: 0 }).await;
        self.exchange(
            "skipped, None",
            old::Skipping { id: 1, name: None },
            Some(new::Skipping { id: 1, name: None }),
        )
        .await;
        self.lost("skipped", old::Skipping { id: 1, name: Some(1) }, new::Skipping { id: 1, name: Some(1) })
            .await;
        let renamed = new::Defaulted { id: 1, title: Some(1) };
        self.lost("renamed where None is not written", old::Defaulted { id: 1, name: Some(1) }, renamed)
            .await;
        self.exchange("unit", old::UnitGains, None::<new::UnitGains>).await;
    }

    async fn scalars(&mut self) {
        self.exchange("widened", old::Widened { number: 1 }, Some(new::Widened { number: 1 })).await;
        self.exchange("narrowed", old::Narrowed { number: 1 }, Some(new::Narrowed { number: 1 })).await;
        let large = old::Narrowed { number: 1 << 40 };
        self.lost("narrowed, too large", large, new::Narrowed { number: 0 }).await;
        self.exchange("signed", old::Signed { number: 1 }, Some(new::Signed { number: 1 })).await;
        self.lost("signed, too large", old::Signed { number: u32::MAX }, new::Signed { number: -1 }).await;
        self.exchange("a float", old::ToFloat { number: 1 }, Some(new::ToFloat { number: 1.0 })).await;
        self.exchange("a text", old::ToText { number: 1 }, Some(new::ToText { number: "1".to_owned() }))
            .await;
        self.lost("a list", old::ToList { item: 1 }, new::ToList { item: vec![1] }).await;
        self.exchange("an array", old::ToArray { items: vec![1, 2] }, Some(new::ToArray { items: [1, 2] }))
            .await;
        let (old, new) = (vec![("a".to_owned(), 1)], BTreeMap::from([("a".to_owned(), 1)]));
        self.exchange("a map", old::ToMap { items: old }, Some(new::ToMap { items: new })).await;
        self.lost("a newtype", old::Newtype(u64::MAX), new::Newtype(-1)).await;
    }

    async fn enums(&mut self) {
        self.exchange("a variant that stays", old::Variants::One, Some(new::Variants::One)).await;
        self.exchange("a variant that moves", old::Variants::Two(1), Some(new::Variants::Two(1))).await;
        self.lost("a new variant", old::Variants::Two(1), new::Variants::Three).await;
        self.exchange("variants swapped", old::Reordered::First, Some(new::Reordered::First)).await;
        self.exchange("variants swapped, the other", old::Reordered::Second, Some(new::Reordered::Second))
            .await;
        self.lost("a variant renamed", old::RenamedVariant::Old(1), new::RenamedVariant::New(1)).await;
        self.exchange("beside it", old::RenamedVariant::Kept, Some(new::RenamedVariant::Kept)).await;
        let new = new::FieldsOfVariant::Of { b: Some(1) };
        self.lost("a field of a variant", old::FieldsOfVariant::Of { a: Some(1) }, new).await;
        let (old, new) = (old::NewtypeToStruct::Of(1), new::NewtypeToStruct::Of { of: 1 });
        self.lost("a newtype variant gets a name", old, new).await;
        self.lost("a unit variant gets a value", old::UnitToNewtype::Of, new::UnitToNewtype::Of(Some(1)))
            .await;
        self.exchange("untagged", old::Untagged::A { a: 1 }, Some(new::Untagged::A { a: 1 })).await;
        self.lost("untagged, a field lost", old::Untagged::B { b: 1, c: Some(2) }, new::Untagged::B { b: 1 })
            .await;
        self.lost("tagged", old::Tagged::A { x: Some(1) }, new::Tagged::A { z: Some(1) }).await;
        self.exchange("tagged, beside it", old::Tagged::B { y: 1 }, Some(new::Tagged::B { y: 1 })).await;
    }

    async fn nested(&mut self) {
        let inner = || old::Inner { a: Some(1), b: 2 };
        let renamed = || new::Inner { renamed: Some(1), b: 2 };
        let new = new::InFlatten { id: 1, inner: renamed() };
        self.lost("in flatten", old::InFlatten { id: 1, inner: inner() }, new).await;
        self.lost("in a list", old::InList { items: vec![inner()] }, new::InList { items: vec![renamed()] })
            .await;
        let (old, new) =
            (BTreeMap::from([("a".to_owned(), inner())]), BTreeMap::from([("a".to_owned(), renamed())]));
        self.lost("in a map", old::InMap { items: old }, new::InMap { items: new }).await;
        let old = old::Generic { page: vec![inner()], next: Some(inner()) };
        self.lost("in a generic", old, new::Generic { page: vec![renamed()], next: Some(renamed()) }).await;
        let old = old::Generic { page: vec![Some(inner())], next: None };
        let new = new::Generic { page: vec![Some(renamed())], next: None };
        self.lost("in an Option in a generic", old, new).await;
        let old = old::Flattened { id: 1, inner: old::FlatInner { x: Some(1) } };
        let new = new::Flattened { id: 1, inner: new::FlatInner { x: Some(1) } };
        self.exchange("what becomes flat", old, Some(new)).await;
        let map = || BTreeMap::from([("x".to_owned(), 1)]);
        let old = old::FlattenGains { id: 1, rest: map() };
        let new = new::FlattenGains { id: 1, x: Some(1), rest: BTreeMap::new() };
        self.exchange("a name out of a flat map", old, Some(new)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_invented_between_releases() {
    warnings::listen();
    let _turn = erased::turn().await;
    let server = RedisServer::start();
    for codec in CODECS {
        let mut releases = Releases::connect(&server, codec).await;
        releases.structs().await;
        releases.scalars().await;
        releases.enums().await;
        releases.nested().await;
        assert!(releases.failures.is_empty(), "{}:\n{}", codec.0, releases.failures.join("\n"));
    }
}
