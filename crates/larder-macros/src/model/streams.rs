//! Functions that return a stream.

use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;

/// What a stream cannot have, and why.
const WITHOUT: [(&str, &str); 16] = [
    ("stale_while_revalidate", OLD),
    ("stale_if_error", OLD),
    ("refresh_ahead", OLD),
    ("retry_after", OLD),
    ("timeout", OLD),
    ("or", OLD),
    ("idle", "a hit would have to store all of its items again"),
    ("negative_ttl", "a list of no items is a list, and kept as any other"),
    ("share_err", JOINED),
    ("lock", JOINED),
    ("takeover_after", JOINED),
    ("spawn", "it is polled by its consumer alone"),
    ("deadline", "how long it takes is its consumer's matter: put a time-out around each item"),
    ("cache_err", FAILED),
    ("cache_err_if", FAILED),
    (
        "unless",
        "it is stored when all of its items are gone: decide inside of it, by `larder::context().no_store()`",
    ),
];

const OLD: &str =
    "its first items are gone by the time that it fails, so that no old ones can take their place";
const JOINED: &str =
    "each caller has a stream of its own, so that none waits for the consumer of another one";
const FAILED: &str = "it is stored only if none of its items is an error";

/// Reports what a function that returns a stream cannot have, and what only such a one can.
pub(super) fn check(args: &Args, function: &Function, errors: &mut Errors) {
    if function.stream.is_none() {
        if let Some(span) = args.written("max_items") {
            errors.push(
                span,
                "`max_items` is for a function that returns a stream, `impl Stream<Item = T>` or `BoxStream<'_, T>`: \
                 remove it",
            );
        }
        return;
    }
    for (option, why) in WITHOUT {
        if let Some(span) = args.written(option) {
            errors.push(span, format!("a stream has no `{option}`: {why}; remove it"));
        }
    }
    if let Some(adaptive) = &args.adaptive_to {
        errors.push(
            adaptive.name.span(),
            "the lifetime of a stream is not chosen: how long it takes is its consumer's matter; write one length of time",
        );
    }
}
