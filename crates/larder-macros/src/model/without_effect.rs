//! Options that would do nothing where they are given.

use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;
use crate::tokens;

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
