//! A model becomes tokens: thin calls by absolute path into `larder::private`.
//!
//! Every local is named at the mixed site, so that no argument can be called the same.
//!
//! Nothing allows a lint, which would be an error where the lint is forbidden. Generated code has spans of the expansion
//! ([`names::ours`]), where the compiler and Clippy are silent; what the user wrote keeps its own.

mod attributes;
mod body;
mod cached;
mod cached_calls;
mod companion_names;
mod companions;
mod errors;
mod hidden_function;
mod identity;
mod key_arguments;
mod key_builder;
mod limited;
mod many;
mod names;
mod policy;
mod prologue;
mod stream;
mod targets;
mod text;
mod warm;
mod writes;

use proc_macro2::TokenStream;

use crate::function::Function;
use crate::model::{Cached, Companions};

pub(crate) use companions::fallback_items;
pub(crate) use limited::limited;
pub(crate) use writes::{cache_put, invalidate};

pub(crate) fn cached(model: &Cached, function: &Function) -> TokenStream {
    match model.companions {
        Companions::None => cached::alone(model, function),
        Companions::Type | Companions::Siblings => companions::function(model, function),
    }
}
