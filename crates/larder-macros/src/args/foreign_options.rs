//! Options of other crates and languages: what is written here in their place.

/// What takes the place of an option that has another name elsewhere, or that there is no need for; and the option that was
/// meant, so that it is not reported as missing too.
pub(super) fn counterpart(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    let (help, meant) = match name {
        "ttl_secs" | "ttl_seconds" | "time" | "time_to_live" | "expire" | "expires_in" | "max_age" => {
            ("write `ttl = 300` (seconds) or `ttl = \"5m\"`", Some("ttl"))
        }
        "ttl_millis" | "ttl_ms" => ("write `ttl = \"300ms\"`", Some("ttl")),
        "expires" => (
            "write the longest `ttl`, and call `larder::context().ttl(…)` in the function where it is shorter",
            Some("ttl"),
        ),
        "time_to_idle" | "tti" => ("write `idle = 60`", Some("idle")),
        "refresh" => (
            "write `idle = 60` if each hit is to prolong a value, `refresh_ahead = 0.8` if it is to be computed before it ends",
            None,
        ),
        "size" | "max_size" | "max_entries" | "capacity" | "max_capacity" => (
            "functions share a cache, and its size is said once, in `main`: `larder::install(MemoryCache::new(100_000))?`",
            None,
        ),
        "convert" => ("the key is a text with the arguments in it: write `key = \"user:<id>\"`", Some("key")),
        "sync_writes" | "sync" => {
            ("of all calls for a key one computes and the others wait, always: remove it", None)
        }
        "result" | "option" => {
            ("of a `Result` the `Ok` is stored, and of an `Option` the `Some`, always: remove it", None)
        }
        "cache_none" => ("write how long a `None` is kept: `negative_ttl = 60`", Some("negative_ttl")),
        "result_fallback" => ("write for how long: `stale_if_error = \"1h\"`", Some("stale_if_error")),
        "swr" => ("write `stale_while_revalidate = \"1m\"`", Some("stale_while_revalidate")),
        "condition" => ("write `when = …`", Some("when")),
        "with_cached_flag" => {
            ("call `user::with_outcome(…)` of the function `user`: it says whether the value was there", None)
        }
        "force_refresh" => {
            ("call `user::refresh(…)` of the function `user` where the value has to be new", None)
        }
        "redis" | "disk" | "ty" | "create" | "map_error" => (
            "where values are kept is said once, in `main`: `larder::install(…)`; its errors reach no function",
            None,
        ),
        "name" => (
            "there is no static to name: `user::invalidate(7)`, or `#[invalidate(user(id))]` over what changes it, drops a value of the function `user`",
            None,
        ),
        "cache_prefix_block" | "cache_prefix" | "key_prefix" | "prefix" => (
            "write `namespace = \"orders\"`, and what all keys of a program begin with in the URL: `?prefix=shop`",
            None,
        ),
        "shards" | "sync_lock" | "unsync_reads" | "sync_writes_buckets" => {
            ("there is no lock to choose: remove it", None)
        }
        "in_impl" => {
            ("a method needs none: its key names what of `self` it depends on, or it has `skip(self)`", None)
        }
        _ => return None,
    };
    Some((help, meant))
}
