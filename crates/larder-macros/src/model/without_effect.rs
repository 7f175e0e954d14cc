//! Options that would do nothing where they are given.

use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;
use crate::tokens;

/// What takes a task, a timer or a server, none of which a thread has.
const NEEDS_ASYNC: [&str; 6] =
    ["stale_while_revalidate", "refresh_ahead", "timeout", "spawn", "takeover_after", "lock"];

/// Reports options of `#[cached]` that a function which is not async cannot have.
pub(super) fn check_blocking(args: &Args, function: &Function, errors: &mut Errors) {
    if !function.is_blocking() {
        return;
    }
    for option in NEEDS_ASYNC {
        let Some(span) = args.span_of(option) else { continue };
        let why = match option {
            "lock" => "other processes are not asked for its values",
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

/// Reports what the options show among themselves. What depends on the type that is returned, the compiler reports.
pub(super) fn check(args: &Args, errors: &mut Errors) {
    if let Some(timeout) = &args.timeout
        && !args.attempted("stale_if_error")
    {
        errors.push(
            timeout.name.span(),
            "`timeout` serves the old result, which `stale_if_error` keeps for it: add `stale_if_error = \"1h\"`; to \
             limit the function itself, put a `tokio::time::timeout` into its body instead",
        );
    }
    let task =
        ["stale_while_revalidate", "refresh_ahead", "timeout"].into_iter().find(|task| args.attempted(task));
    if let (Some(task), Some(spawn)) = (task, &args.spawn)
        && !spawn.value
    {
        let message =
            format!("`{task}` computes in a task of its own: remove `spawn = false`, or remove `{task}`");
        errors.push(spawn.name.span(), message);
    }
}

/// Whether the compiler knows where the function stands what it returns: in a generic one, that can differ from call to
/// call. A `plain` function stands in no generic `impl`.
pub(super) fn knows_value(function: &Function, plain: bool) -> bool {
    let generic = function.parameters().any(|(name, _)| tokens::mention(&function.output, &name.to_string()));
    !generic && (plain || !function.associated)
}
