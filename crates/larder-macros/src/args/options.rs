//! The options of all macros, and what is said of a name that is none.

use syn::Ident;
use syn::ext::IdentExt as _;

use super::foreign_options;
use super::given_option::Macro;
use crate::suggest;

/// An option's name, how it is written, and where it may be given.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
    macros: &'static [Macro],
}

const EVERYWHERE: &[Macro] = &[Macro::Cached, Macro::CachedMany, Macro::CachePut, Macro::Invalidate];
const STORING: &[Macro] = &[Macro::Cached, Macro::CachedMany, Macro::CachePut];
const COMPUTING: &[Macro] = &[Macro::Cached, Macro::CachedMany];
const CACHED: &[Macro] = &[Macro::Cached];
const LIMITED: &[Macro] = &[Macro::Limited];
const ALL: &[Macro] = &[Macro::Cached, Macro::CachedMany, Macro::CachePut, Macro::Invalidate, Macro::Limited];

const fn known(name: &'static str, example: &'static str, macros: &'static [Macro]) -> Known {
    Known { name, example, macros }
}

const OPTIONS: &[Known] = &[
    known("ttl", "ttl = 300", STORING),
    known("key", "key = \"user:<id>\"", STORING),
    known("each", "each = id in ids", &[Macro::CachedMany]),
    known("skip", "skip(db)", COMPUTING),
    known("tags", "tags = [\"org:<org>\"]", EVERYWHERE),
    known("namespace", "namespace = \"users\"", EVERYWHERE),
    known("schema", "schema = 2", EVERYWHERE),
    known("cache", "cache = self.cache", ALL),
    known("jitter", "jitter = 0.1", STORING),
    known("stale_while_revalidate", "stale_while_revalidate = \"1m\"", STORING),
    known("stale_if_error", "stale_if_error = \"1h\"", STORING),
    known("refresh_ahead", "refresh_ahead = 0.8", STORING),
    known("idle", "idle = 60", STORING),
    known("memory_ttl", "memory_ttl = 10", STORING),
    known("negative_ttl", "negative_ttl = 10", STORING),
    known("share_err", "share_err = Error::shared", COMPUTING),
    known("cache_err", "cache_err = 30", CACHED),
    known("cache_err_if", "cache_err_if = |error| error.is_not_found()", CACHED),
    known("timeout", "timeout = \"200ms\"", COMPUTING),
    known("deadline", "deadline = \"2s\"", COMPUTING),
    known("or", "or = Vec::new()", CACHED),
    known("retry_after", "retry_after = \"5s\"", COMPUTING),
    known("lock", "lock = larder::Lock::Process", COMPUTING),
    known("when", "when = !fresh", COMPUTING),
    known("max_items", "max_items = 1_000", CACHED),
    known("max_batch_size", "max_batch_size = 500", &[Macro::CachedMany]),
    known("unless", "unless = |value| value.is_empty()", COMPUTING),
    known("if", "if = *result > 0", &[Macro::Invalidate]),
    known("local", "local", &[Macro::Cached, Macro::CachedMany, Macro::CachePut, Macro::Limited]),
    known("spawn", "spawn", COMPUTING),
    known("takeover_after", "takeover_after = \"1s\"", COMPUTING),
    known("detached", "detached", COMPUTING),
    known("companions", "companions", COMPUTING),
    known("shared_key", "shared_key", COMPUTING),
    known("on", "on = ok", &[Macro::Invalidate]),
    known("per", "per = \"ip:<ip>\"", LIMITED),
    known("rate", "rate = \"100/min\"", LIMITED),
    known("burst", "burst = 20", LIMITED),
    known("cost", "cost = 5", LIMITED),
    known("failure", "failure = larder::limit::FailureMode::Closed", LIMITED),
    known("soft", "soft", &[Macro::Invalidate]),
    known("crate", "crate = my_larder", ALL),
];

/// A name that is no option.
pub(super) struct Unknown {
    pub(super) message: String,
    /// The option that was meant, so that it is not reported as missing too.
    pub(super) meant: Option<&'static str>,
}

/// Whether any of the macros for caches has an option of that name.
pub(super) fn is_option(name: &Ident) -> bool {
    OPTIONS.iter().any(|option| name.unraw() == option.name && option.macros != LIMITED)
}

/// The option of that name, or what there is.
pub(super) fn find(name: &Ident, of: Macro) -> Result<&'static Known, Unknown> {
    let text = name.unraw().to_string();
    if let Some(option) = OPTIONS.iter().find(|option| option.name == text) {
        if option.macros.contains(&of) {
            return Ok(option);
        }
        let message = match (of, option.name) {
            (Macro::Invalidate, "key") => {
                "`#[invalidate]` takes keys without a name: `#[invalidate(\"user:<id>\")]`".to_owned()
            }
            (Macro::Limited, "key") => {
                "`#[limited]` counts by what `per` says: write `per = …` in place of `key`".to_owned()
            }
            (Macro::CachedMany, "or") => "a batch has no `or`: what takes the place of an error is a value for each \
                 element, which the caller knows better (`.await.unwrap_or_default()`); remove it"
                .to_owned(),
            (Macro::CachedMany, "cache_err" | "cache_err_if") => format!(
                "a batch has no `{text}`: an error is that of the whole call, and says nothing about one element; for \
                 what was not found, return a `Vec<Option<_>>` and write `negative_ttl = 30`"
            ),
            (Macro::CachedMany, "max_items") => {
                "a batch has no `max_items`, which is for streams: each element is an entry of its own; for how many the body \
                 is given at once, write `max_batch_size = 500`"
                    .to_owned()
            }
            (_, "skip") => {
                format!("`{}` has no `skip`: remove it, arguments need not be in a key here", of.name())
            }
            _ => {
                let places = suggest::list(option.macros.iter().map(|place| place.name()));
                format!("`{text}` is an option of {places}, not of `{}`", of.name())
            }
        };
        // It names what the key has, or whom calls are counted by.
        let meant = match (of, option.name) {
            (Macro::Limited, "key") => Some("per"),
            (_, "each") => Some("each"),
            _ => None,
        };
        return Err(Unknown { message, meant });
    }
    let here = || OPTIONS.iter().filter(|option| option.macros.contains(&of)).map(|option| option.name);
    if let Some((help, meant)) = foreign_options::counterpart(&text)
        && STORING.contains(&of)
    {
        return Err(Unknown { message: format!("unknown option `{text}`: {help}"), meant });
    }
    let meant = suggest::nearest(&text, here());
    let help = match meant {
        _ if text == "refresh_every" => {
            "nothing would start it before the first call: remove it, and start `larder::refresh_every(…)` in `main`"
                .to_owned()
        }
        Some(near) => format!("did you mean `{near}`?"),
        None if of == Macro::Invalidate => format!(
            "a cached function is named with its arguments, `{text}(…)`, or with `{text}(..)` for all its keys; \
             `{}` takes {}",
            of.name(),
            suggest::list(here())
        ),
        None => format!("`{}` takes {}", of.name(), suggest::list(here())),
    };
    Err(Unknown { message: format!("unknown option `{text}`: {help}"), meant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_foreign_option_is_one_here() {
        let (_, meant) = foreign_options::counterpart("ttl_secs").expect("it is one of another crate");
        assert_eq!(meant, Some("ttl"));
        for option in OPTIONS {
            assert!(foreign_options::counterpart(option.name).is_none(), "`{}` is an option", option.name);
        }
    }
}
