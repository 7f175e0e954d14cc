//! Options that would do nothing where they are given.

use crate::args::{Args, Given, Macro, Time};
use crate::errors::Errors;
use crate::function::Function;
use crate::tokens;

/// What takes a task, a timer or a server, none of which a thread has.
const NEEDS_ASYNC: [&str; 9] = [
    "stale_while_revalidate",
    "refresh_ahead",
    "timeout",
    "deadline",
    "spawn",
    "takeover_after",
    "lock",
    "memory_ttl",
    "adaptive",
];

/// Reports options of `#[cached]` that a function which is not async cannot have.
pub(super) fn check_blocking(args: &Args, function: &Function, errors: &mut Errors) {
    if !function.is_blocking() {
        return;
    }
    for option in NEEDS_ASYNC {
        let Some(span) = args.span_of(option) else { continue };
        let why = match option {
            "adaptive" => "its values need no serde, by which it would be seen that one changed",
            "memory_ttl" => "memory is all that its values lie in",
            "lock" => "other processes are not asked for its values",
            "deadline" => "its body cannot be left half way",
            "takeover_after" => "its body cannot be left half way",
            _ => "there is no task that could compute in the background",
        };
        let name = function.name();
        let message = format!(
            "`{option}` needs an async function: this one runs on its caller's thread, and {why}; write \
             `async fn {name}`, or remove `{option}`"
        );
        errors.push(span, message);
    }
}

/// Reports what `local` makes useless, or cannot be switched off.
pub(super) fn check_local(args: &Args, function: &Function, errors: &mut Errors) {
    let Some(local) = &args.local else { return };
    if let Some(adaptive) = args.adaptive_to.as_ref().filter(|_| local.value) {
        errors.push(
            adaptive.name.span(),
            "a `local` value needs no serde, by which it would be seen that one changed, so that all would live shortest: \
             write one length of time, or remove `local`",
        );
    }
    if function.is_blocking() && !local.value {
        errors.push(
            local.name.span(),
            "the values of a function that is not async stay in this process: write an `async fn` to share them, or \
             remove `local = false`",
        );
    }
    if let Some(lock) = &args.lock
        && local.value
        && !function.is_blocking()
    {
        errors.push(
            lock.name.span(),
            "with `local` each process computes a value of its own: remove `lock`, or remove `local`",
        );
    }
}

/// Reports a `memory_ttl` behind which there is nothing, or that is never over.
pub(super) fn check_memory_ttl(args: &Args, errors: &mut Errors) {
    let Some(limit) = &args.memory_ttl else { return };
    if let Some(local) = &args.local
        && local.value
    {
        errors.push(
            limit.name.span(),
            "a `local` value lies in memory alone, and nothing could be asked after `memory_ttl`: remove it, or remove `local`",
        );
    }
    if let (Time::Literal(limit_time), Some(Given { value: Time::Literal(ttl), .. })) =
        (&limit.value, &args.ttl)
        && limit_time >= ttl
    {
        errors.push(
            limit.name.span(),
            "memory answers until the end of `ttl` anyhow: make `memory_ttl` shorter than `ttl`, or remove it",
        );
    }
}

/// Reports what the options show among themselves. What depends on the type that is returned, the compiler reports.
pub(super) fn check(args: &Args, of: Macro, errors: &mut Errors) {
    if let Some(timeout) = &args.timeout
        && !args.attempted("stale_if_error")
    {
        errors.push(
            timeout.name.span(),
            "`timeout` serves the old result, which `stale_if_error` keeps for it: add `stale_if_error = \"1h\"`; to \
             limit the call itself, write `deadline` instead",
        );
    }
    let windows = ["stale_if_error", "stale_while_revalidate", "refresh_ahead"];
    if let Some(retry_after) = &args.retry_after
        && !windows.into_iter().any(|window| args.attempted(window))
    {
        errors.push(
            retry_after.name.span(),
            "`retry_after` is a pause in which the old result is served, which `stale_if_error` keeps for it: add \
             `stale_if_error = \"1h\"`, or remove `retry_after`",
        );
    }
    let task =
        ["stale_while_revalidate", "refresh_ahead", "timeout"].into_iter().find(|task| args.attempted(task));
    if let (Some(task), Some(spawn)) = (task, &args.spawn)
        && of == Macro::Cached
        && !spawn.value
    {
        let message =
            format!("`{task}` computes in a task of its own: remove `spawn = false`, or remove `{task}`");
        errors.push(spawn.name.span(), message);
    }
}

/// Reports what `cache_err` and its condition need of each other, and of the other options.
pub(super) fn check_cache_err(args: &Args, errors: &mut Errors) {
    if let Some(condition) = &args.cache_err_if
        && !args.attempted("cache_err")
    {
        errors.push(
            condition.name.span(),
            "`cache_err_if` says which errors are kept, and `cache_err` for how long: add `cache_err = 30`",
        );
    }
    if let Some(stale_if_error) = &args.stale_if_error
        && args.attempted("cache_err")
        && !args.attempted("cache_err_if")
        && !args.attempted("timeout")
    {
        errors.push(
            stale_if_error.name.span(),
            "`cache_err` keeps each error in place of the old result, so that `stale_if_error` has none to serve: say \
             which errors are kept (`cache_err_if = |error| error.is_not_found()`), or remove `stale_if_error`",
        );
    }
}

/// Reports an `adaptive` that another option contradicts.
pub(super) fn check_adaptive(args: &Args, errors: &mut Errors) {
    let Some(adaptive) = &args.adaptive_to else { return };
    if args.attempted("idle") {
        errors.push(
            adaptive.name.span(),
            "`idle` ends a result that is not asked for, and `adaptive` chooses when it ends: choose one of them",
        );
    }
}

/// Reports an `idle` that does nothing, or that another option contradicts.
pub(super) fn check_idle(args: &Args, errors: &mut Errors) {
    let Some(idle) = &args.idle else { return };
    if args.attempted("refresh_ahead") {
        errors.push(
            idle.name.span(),
            "`idle` ends a result that is not asked for, and `refresh_ahead` computes one anew that is: choose one of them",
        );
    }
    if let (Time::Literal(limit), Some(Given { value: Time::Literal(ttl), .. })) = (&idle.value, &args.ttl)
        && limit >= ttl
    {
        errors.push(
            idle.name.span(),
            "a result ends with its `ttl` at the latest: make `idle` shorter than `ttl`, or `ttl` longer",
        );
    }
}

/// Whether the compiler knows where the function stands what it returns: in a generic one, that can differ from call to
/// call. A `plain` function stands in no generic `impl`.
pub(super) fn knows_value(function: &Function, plain: bool) -> bool {
    let generic = function.parameters().any(|(name, _)| tokens::mention(&function.output, &name.to_string()));
    !generic && (plain || !function.associated)
}
