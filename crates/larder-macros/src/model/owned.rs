//! What a computation needs of its arguments when it may outlive its caller.

use syn::Expr;
use syn::spanned::Spanned as _;

use crate::args::{Args, Macro};
use crate::errors::Errors;
use crate::function::{Function, Ownership, pins_or_borrows};
use crate::tokens;

/// Whether an option asks for the background form; if so, the arguments must allow it.
pub(super) fn background(args: &Args, of: Macro, function: &Function, errors: &mut Errors) -> bool {
    let spawn = args.spawn.as_ref().is_none_or(|given| given.value);
    let options = ["spawn", "stale_while_revalidate", "refresh_ahead", "timeout"];
    // A batch computes old values anew in its caller, unless it is a task as a whole.
    let options = if of == Macro::CachedMany { &options[..1] } else { &options[..] };
    let option =
        options.iter().copied().find(|&option| args.attempted(option) && (spawn || option != "spawn"));
    let Some(option) = option else {
        return false;
    };
    let reason = format!("with `{option}` a computation can outlive its caller");
    if let Some(receiver) = &function.receiver {
        let borrows = receiver.ty.as_ref().is_some_and(pins_or_borrows);
        match receiver.ownership {
            Ownership::Exclusive => errors.push(receiver.span, exclusive(&reason, "self")),
            _ if borrows => errors.push(receiver.span, nested(&reason, "self: Arc<Self>")),
            Ownership::Owned | Ownership::Shared => {}
        }
    }
    for argument in &function.arguments {
        let span = argument.ty.span();
        match argument.ownership {
            Ownership::Exclusive => errors.push(span, exclusive(&reason, "it")),
            _ if pins_or_borrows(&argument.ty) => {
                errors.push(span, nested(&reason, "an owned value, or an `Arc` of it"));
            }
            Ownership::Owned | Ownership::Shared => {}
        }
    }
    true
}

fn exclusive(reason: &str, what: &str) -> String {
    let share = match what {
        "self" => "take `&self` and keep what changes in an `Arc<Mutex<…>>`",
        _ => "share it as an `Arc<Mutex<…>>`",
    };
    format!("{reason}, which cannot lend it a `&mut`: {share}")
}

fn nested(reason: &str, instead: &str) -> String {
    let instead = match instead.starts_with("self") {
        true => format!("`{instead}`"),
        false => instead.to_owned(),
    };
    format!("{reason}, so it cannot borrow from its caller: take {instead}")
}

/// Whether an expression names an argument that the body takes or changes.
pub(super) fn mentions_owned(function: &Function, expr: &Expr) -> bool {
    let receiver = function.receiver.as_ref().is_some_and(|receiver| {
        receiver.ownership != Ownership::Shared && tokens::mention(expr, &receiver.ident.to_string())
    });
    receiver
        || function.arguments.iter().any(|argument| {
            argument.ownership != Ownership::Shared
                && argument.bindings.iter().any(|name| tokens::mention(expr, &name.to_string()))
        })
}
