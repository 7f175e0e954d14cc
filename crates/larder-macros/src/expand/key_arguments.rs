//! What the companions that need no more than the key take.

use syn::{FnArg, parse_quote};

use super::body;
use crate::function::Function;
use crate::model::KeyInputs;

/// The arguments of `key` and `invalidate`.
pub(super) fn signature(function: &Function, inputs: &KeyInputs) -> Vec<FnArg> {
    let all = &function.item.sig.inputs;
    let receiver = inputs.receiver.then(|| parse_quote!(&self));
    let arguments = inputs.arguments.iter().filter_map(|index| {
        let mut input = all.get(function.arguments[*index].index)?.clone();
        if let FnArg::Typed(typed) = &mut input {
            *typed.pat = body::without_mut(&typed.pat);
        }
        Some(input)
    });
    receiver.into_iter().chain(arguments).collect()
}
