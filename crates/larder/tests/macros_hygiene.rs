//! The macros work whatever the names around them mean.

#![expect(dead_code, non_snake_case, reason = "the names are there to be in the way")]

use std as real_std;

/// Shadows of everything that generated code might name.
mod shadowed {
    use super::real_std;
    use real_std::prelude::rust_2021 as prelude;

    pub(super) struct Result;
    pub(super) struct Option;
    pub(super) struct Box;
    pub(super) struct String;
    pub(super) struct Vec;
    pub(super) struct Kind;
    pub(super) struct Returns;
    pub(super) struct Call;
    pub(super) struct Arg;
    pub(super) struct Key;
    #[expect(clippy::upper_case_acronyms, reason = "so it would be called")]
    pub(super) struct PATH;
    pub(super) struct Duration;
    #[expect(non_camel_case_types, reason = "nothing keeps a type from it")]
    pub(super) struct bool;
    #[expect(non_camel_case_types, reason = "nothing keeps a type from it")]
    pub(super) struct usize;
    pub(super) fn Some() {}
    pub(super) fn None() {}
    pub(super) fn Ok() {}
    pub(super) fn Err() {}
    pub(super) fn drop() {}
    mod std {}
    mod core {}
    mod alloc {}
    mod larder {}

    type Fine<T> = prelude::Result<T, u8>;

    #[::larder::cached(ttl = 60, when = when)]
    pub(super) fn blocking(
        key: u8,
        call: u8,
        computation: u8,
        kind: u8,
        when: real_std::primitive::bool,
    ) -> Fine<prelude::Option<u8>> {
        if call > 100 {
            return prelude::Err(1);
        }
        prelude::Ok(prelude::Some(key + call + computation + kind + (when as u8)))
    }

    #[::larder::invalidate("<guard>:<output>")]
    pub(super) fn invalidate_blocking(guard: u8, output: u8, success: u8) -> u8 {
        guard + output + success
    }

    #[expect(clippy::too_many_arguments, reason = "each has a name of ours")]
    #[::larder::cached(ttl = 60, tags = ["<key>"], jitter = 0.5, skip(call), when = when)]
    pub(super) async fn cached(
        key: u8,
        cache: u8,
        result: u8,
        call: u8,
        kind: u8,
        policy: u8,
        value: u8,
        when: real_std::primitive::bool,
    ) -> Fine<u8> {
        if when {
            return prelude::Err(1);
        }
        prelude::Ok(key + cache + result + call + kind + policy + value)
    }

    #[::larder::cached(ttl = 60, stale_if_error = "1h", timeout = "1s")]
    pub(super) async fn background(key: &u8, refreshing: &u8, computation: u8, owned_1: &u8) -> Fine<u8> {
        prelude::Ok(key + refreshing + computation + owned_1)
    }

    #[::larder::invalidate("a:<guard>:<result>", "b:<result>", "c:<output>", tags = ["<key>"])]
    pub(super) async fn invalidate(key: u8, guard: u8, output: u8, success: u8, cache: u8) -> Fine<u8> {
        prelude::Ok(key + guard + output + success + cache)
    }

    #[::larder::cached_many(ttl = 60, key = "<text>:<key>", each = key in missing, skip(many))]
    pub(super) async fn cached_many(
        missing: &[u8],
        many: u8,
        text: u8,
    ) -> Fine<::std::collections::BTreeMap<u8, u8>> {
        prelude::Ok(prelude::Iterator::collect(missing.iter().map(|key| (*key, key + many + text))))
    }

    #[::larder::invalidate(blocking(target, guard, value, argument_1, true), cached_many(text, *result), cached(..))]
    pub(super) async fn functions(target: u8, guard: u8, value: u8, argument_1: u8, text: u8) -> Fine<u8> {
        prelude::Ok(target + guard + value + argument_1 + text)
    }

    /// With companions, which are called by names of their own.
    #[::larder::cached(ttl = 60, key = "how:<how>", skip(call, target))]
    pub(super) async fn how(how: u8, call: impl prelude::Fn() -> u8 + prelude::Send, target: u8) -> u8 {
        how + call() + target
    }

    #[::larder::cached(ttl = 60, key = "how:opaque:<key>", skip(how))]
    pub(super) fn opaque(key: u8, how: impl ::std::fmt::Debug) -> prelude::String {
        ::std::format!("{how:?} of {key}")
    }

    #[::larder::cached_many(ttl = 60, key = "how:many:<how>:<id>", each = id in ids)]
    pub(super) async fn how_many(ids: &[u8], how: u8) -> prelude::Vec<u8> {
        prelude::Iterator::collect(ids.iter().map(|id| id + how))
    }

    #[::larder::cache_put(ttl = 60, key = "<key>:<put>")]
    pub(super) async fn cache_put(key: u8, put: u8, policy: u8, output: u8, cache: u8) -> Fine<u8> {
        prelude::Ok(key + put + policy + output + cache)
    }
}

#[tokio::test]
async fn shadowed_names_are_not_used() {
    for _ in 0..2 {
        assert_eq!(shadowed::cached(1, 2, 3, 4, 5, 6, 7, false).await, Ok(28));
        assert_eq!(shadowed::cached(1, 2, 3, 4, 5, 6, 7, true).await, Err(1));
        assert_eq!(shadowed::background(&1, &2, 3, &4).await, Ok(10));
        assert_eq!(shadowed::invalidate(1, 2, 3, 4, 5).await, Ok(15));
        assert_eq!(shadowed::cached_many(&[1], 2, 3).await.map(|all| all[&1]), Ok(6));
        assert_eq!(shadowed::functions(1, 2, 3, 4, 5).await, Ok(15));
        assert_eq!(shadowed::cache_put(1, 2, 3, 4, 5).await, Ok(15));
    }
}

#[tokio::test]
async fn arguments_are_not_taken_for_what_companions_hand_on() {
    assert_eq!(shadowed::how(1, || 2, 3).await, 6);
    assert_eq!(shadowed::how::with_outcome(1, || 2, 3).await.0, 6);
    assert_eq!(shadowed::how::refresh(2, || 2, 3).await, 7);
    assert_eq!(shadowed::opaque::with_outcome(1, "mine").0, "\"mine\" of 1");
    assert_eq!(shadowed::how_many::with_outcome(&[1, 2], 1).await.0, [2, 3]);
}

mod renamed {
    /// As if `larder = { package = "larder" }` had another name in `Cargo.toml`.
    mod store {
        pub(crate) use ::larder::{Invalidating, Outcome, named, private};
    }

    // What is not renamed is not there.
    mod larder {}

    #[::larder::cached(ttl = 60, crate = store, cache = named("renamed"), tags = ["x"], jitter = 0.1 + 0.1)]
    pub(super) async fn cached(id: u8) -> Option<u8> {
        Some(id)
    }

    #[::larder::invalidate("<id>:<result>", crate = self::store)]
    pub(super) async fn invalidate(id: u8) -> Option<u8> {
        Some(id)
    }

    #[::larder::cache_put(ttl = 60, key = "<id>", crate = crate::renamed::store)]
    pub(super) async fn cache_put(id: u8) -> Option<u8> {
        Some(id)
    }
}

#[tokio::test]
async fn the_crate_may_have_another_name() {
    assert_eq!(renamed::cached(1).await, Some(1));
    renamed::cached::invalidate(1).await;
    assert_eq!(renamed::invalidate(1).await, Some(1));
    assert_eq!(renamed::cache_put(1).await, Some(1));
}

/// Methods with the names of ours, on everything.
trait Noise {
    fn kind(&self) {}
    fn write(&self) {}
    fn hit(&self) {}
    fn own(&self) {}
    fn literal(&self) {}
}

impl Noise for u8 {}
impl Noise for &str {}

#[larder::cached(ttl = 60)]
async fn noisy(id: u8, name: &str) -> u8 {
    id + name.len() as u8
}

#[tokio::test]
async fn traits_with_our_methods_do_not_interfere() {
    assert_eq!(noisy(1, "x").await, 2);
}

/// What a glob import brings has the name of a function.
mod entities {
    pub(super) mod user {
        #[derive(Clone)]
        pub(crate) struct Entity {
            pub(crate) id: u64,
        }
    }

    pub(super) struct Repo;
}

mod named_like_an_argument {
    use super::entities::*;

    #[::larder::cached(ttl = 60, key = "hygiene:user:<id>")]
    pub(super) async fn user(id: u64) -> u64 {
        id + CHANGES.load(Ordering::SeqCst)
    }

    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) static CHANGES: AtomicU64 = AtomicU64::new(0);

    #[::larder::invalidate(user(user.id))]
    pub(super) async fn save(user: super::User) {
        CHANGES.store(user.id * 10, Ordering::SeqCst);
    }

    impl Repo {
        #[::larder::invalidate(user(user.id), user(**user))]
        pub(super) fn save(&self, user: &super::User) {
            CHANGES.store(user.id * 100, Ordering::SeqCst);
        }
    }

    /// A function of a body has the name of a module that the glob brings.
    pub(super) async fn nested_as_a_module() {
        #[::larder::cached(ttl = 60, key = "hygiene:nested-module:<id>")]
        async fn user(id: u64) -> u64 {
            id + CHANGES.load(Ordering::SeqCst)
        }

        #[::larder::invalidate(user(id), user(..))]
        async fn change(id: u64) {
            CHANGES.fetch_add(5 * id, Ordering::SeqCst);
        }

        let before = user(1).await;
        change(1).await;
        assert_eq!(user(1).await - before, 5);
    }

    pub(super) fn nested(saved: &super::User) {
        #[::larder::invalidate(nested_user(nested_user.id))]
        fn save(nested_user: &super::User) {
            CHANGES.store(nested_user.id * 1_000, Ordering::SeqCst);
        }

        #[::larder::cached(ttl = 60, key = "hygiene:nested:<id>")]
        fn nested_user(id: u64) -> u64 {
            id + CHANGES.load(Ordering::SeqCst)
        }

        let before = nested_user(1);
        save(saved);
        assert_eq!(nested_user(1) - before, 900);
    }
}

/// It writes paths of the module itself, which companions would hide.
mod named_like_a_module {
    use super::entities::*;

    #[::larder::cached(ttl = 60, key = "hygiene:entity:<id>")]
    pub(super) async fn user(id: u64) -> u64 {
        let entity: user::Entity = user::Entity { id };
        entity.clone().id
    }
}

struct User {
    id: u64,
}

impl std::ops::Deref for User {
    type Target = u64;

    fn deref(&self) -> &u64 {
        &self.id
    }
}

#[tokio::test]
async fn an_argument_and_a_module_may_have_the_name_of_a_function() {
    use named_like_an_argument::{nested, nested_as_a_module, save, user};

    assert_eq!(user(1).await, 1);
    save(User { id: 1 }).await;
    assert_eq!(user(1).await, 11);
    entities::Repo.save(&User { id: 1 });
    assert_eq!(user(1).await, 101);
    nested(&User { id: 1 });
    nested_as_a_module().await;
    assert_eq!(named_like_a_module::user(7).await, 7);
}

/// Values that a pattern would name, called as locals of the expansion are.
#[expect(non_upper_case_globals, non_camel_case_types, reason = "the names are there to be in the way")]
mod named_like_locals {
    use larder::{cache_put, cached, cached_many, invalidate};
    use std::collections::HashMap;

    const key: u8 = 1;
    const kind: u8 = 1;
    const call: u8 = 1;
    const output: u8 = 1;
    const success: u8 = 1;
    const missing: u8 = 1;
    const text: u8 = 1;
    static cache: u8 = 1;
    static policy: u8 = 1;
    static guard: u8 = 1;
    static many: u8 = 1;
    static put: u8 = 1;
    struct function;
    struct value;
    struct computation;
    struct target;
    struct body;
    struct owned_0;
    struct owned_self;
    enum Unit {
        element,
        owned,
        cached,
        how,
    }
    #[expect(unused_imports, reason = "as the others")]
    use Unit::{cached as in_the_way, element, how, owned};

    #[cached(ttl = 60, when = id > 0, unless = |found| *found == 7)]
    pub(super) async fn plain(id: u8) -> Result<u8, String> {
        Ok(id + key)
    }

    #[cached(ttl = 60, stale_if_error = "1h", timeout = "1s")]
    pub(super) async fn in_the_background(name: &str) -> Result<usize, String> {
        Ok(name.len())
    }

    #[cached(ttl = 60)]
    pub(super) fn blocking(id: u8) -> u8 {
        id + kind
    }

    #[cached_many(ttl = 60, key = "named-like-locals:<id>", each = id in ids)]
    pub(super) async fn each(ids: &[u8]) -> HashMap<u8, u8> {
        ids.iter().map(|id| (*id, id + many)).collect()
    }

    #[invalidate(plain(id), "x:<id>", "x:<ids[]>", "y:<result>")]
    pub(super) async fn change(id: u8, ids: &[u8]) -> Result<u8, String> {
        Ok(id + guard + ids.len() as u8)
    }

    #[cache_put(ttl = 60, key = "named-like-locals:<id>")]
    pub(super) async fn put_one(id: u8) -> u8 {
        id + put
    }

    #[cached(ttl = 60, key = "underscores:<__key>:<__how>", skip(__cache, _cache))]
    pub(super) async fn underscores(__how: u8, __key: u8, __cache: u8, _cache: u8) -> u8 {
        __how + __key
    }
}

#[tokio::test]
async fn constants_are_not_taken_for_our_locals() {
    use named_like_locals as named;

    assert_eq!(named::plain(1).await, Ok(2));
    assert_eq!(named::plain::refresh(1).await, Ok(2));
    assert_eq!(named::in_the_background("four").await, Ok(4));
    assert_eq!(named::blocking(1), 2);
    assert_eq!(named::each(&[1]).await[&1], 2);
    assert_eq!(named::change(1, &[2]).await, Ok(3));
    assert_eq!(named::put_one(3).await, 4);
    assert_eq!(named::each(&[3]).await[&3], 4);
    assert_eq!(named::underscores(1, 2, 3, 4).await, 3);
    assert_eq!(named::underscores::with_outcome(1, 2, 3, 4).await.0, 3);
}
