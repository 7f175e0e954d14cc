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
        when: bool,
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
        when: bool,
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

mod renamed {
    /// As if `larder = { package = "larder" }` had another name in `Cargo.toml`.
    mod store {
        pub(crate) use ::larder::{Invalidating, named, private};
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
