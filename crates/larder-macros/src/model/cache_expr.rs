//! The cache that a function uses, and the path of the library.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Expr, Ident, Path, parse_quote};

use super::owned;
use crate::args::Args;
use crate::crate_name;
use crate::function::Function;

/// What all macros have.
pub(crate) struct Common {
    pub(crate) krate: Path,
    pub(crate) cache: CacheExpr,
    /// Values stay in this process.
    pub(crate) is_local: bool,
}

/// The cache that a function uses.
pub(crate) enum CacheExpr {
    /// `larder::global()`
    Global,
    /// `cache = …`, as seen from inside the function.
    Given {
        expr: Expr,
        /// It names something that the body takes or changes: a clone is used.
        cloned: bool,
    },
}

impl CacheExpr {
    /// Its tokens, in which arguments may be named.
    pub(super) fn tokens(&self) -> TokenStream {
        match self {
            Self::Global => TokenStream::new(),
            Self::Given { expr, .. } => expr.to_token_stream(),
        }
    }
}

pub(super) fn common(args: &mut Args, function: &Function) -> Common {
    let krate = match args.krate.take() {
        Some(given) => given.value,
        None => larder(),
    };
    let cache = match args.cache.take() {
        None => CacheExpr::Global,
        Some(given) => {
            let expr = function.localized(with_named(given.value, &krate));
            let cloned = owned::mentions_owned(function, &expr);
            CacheExpr::Given { expr, cloned }
        }
    };
    let is_local = function.is_blocking() || args.local.take().is_some_and(|given| given.value);
    Common { krate, cache, is_local }
}

/// The library, by the name that it has in the user's `Cargo.toml`.
fn larder() -> Path {
    let renamed = crate_name::renamed().and_then(|name| syn::parse_str::<Ident>(&name).ok());
    match renamed {
        Some(name) => parse_quote!(::#name),
        None => parse_quote!(::larder),
    }
}

/// `named("sessions")` is larder's, whatever is in scope.
fn with_named(mut expr: Expr, krate: &Path) -> Expr {
    if let Expr::Call(call) = &mut expr
        && let Expr::Path(path) = &mut *call.func
        && path.path.is_ident("named")
    {
        path.path = parse_quote!(#krate::named);
    }
    expr
}
