//! The attribute macros of [larder](https://docs.rs/larder): [`#[cached]`](macro@cached),
//! [`#[cached_many]`](macro@cached_many), [`#[invalidate]`](macro@invalidate), [`#[cache_put]`](macro@cache_put) and
//! [`#[limited]`](macro@limited). Use them through `larder`, which exports them: what they write calls into it.

mod args;
mod crate_name;
mod errors;
mod expand;
mod function;
mod model;
mod suggest;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod tokens;
mod walk;

use args::{Args, Macro};
use errors::Errors;
use function::Function;
use model::{CachePut, Cached, Invalidate, Limited};
use proc_macro2::TokenStream;
use quote::quote;

#[doc = include_str!("../docs/cached.md")]
#[proc_macro_attribute]
pub fn cached(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_cached(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/cached_many.md")]
#[proc_macro_attribute]
pub fn cached_many(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_caching(args.into(), item.into(), Macro::CachedMany).into()
}

#[doc = include_str!("../docs/invalidate.md")]
#[proc_macro_attribute]
pub fn invalidate(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_invalidate(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/cache_put.md")]
#[proc_macro_attribute]
pub fn cache_put(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_cache_put(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/limited.md")]
#[proc_macro_attribute]
pub fn limited(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_limited(args.into(), item.into()).into()
}

fn expand_cached(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_caching(args, item, Macro::Cached)
}

fn expand_caching(args: TokenStream, item: TokenStream, of: Macro) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, of, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), of.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match Cached::new(args, &function, of, &mut errors) {
        Ok(model) => expand::cached(&model, &function),
        Err(known) => {
            let untouched = untouched(&errors, item);
            let companions = expand::fallback_items(&known, &function);
            quote!(#untouched #companions)
        }
    }
}

fn expand_invalidate(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_with((args, item), Macro::Invalidate, Invalidate::new, expand::invalidate)
}

fn expand_cache_put(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_with((args, item), Macro::CachePut, CachePut::new, expand::cache_put)
}

fn expand_limited(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_with((args, item), Macro::Limited, Limited::new, expand::limited)
}

fn expand_with<M>(
    (args, item): (TokenStream, TokenStream),
    of: Macro,
    model: fn(Args, &Function, &mut Errors) -> Option<M>,
    expand: fn(&M, &Function) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, of, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), of.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match model(args, &function, &mut errors) {
        Some(model) if errors.is_empty() => expand(&model, &function),
        _ => untouched(&errors, item),
    }
}

/// The errors, and the item as it was: it exists, so nothing else fails for want of it.
fn untouched(errors: &Errors, item: TokenStream) -> TokenStream {
    let errors = errors.to_tokens();
    quote!(#errors #item)
}
