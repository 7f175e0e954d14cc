//! Cached functions in `#[invalidate]`: each is asked, by a hidden function of its companions, what to invalidate.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{ExprPath, Path, PathArguments};

use super::names::{local, respanned};
use crate::args::Callee;
use crate::model::{Argument, NamedFunction, When};

/// What is added to the guard before the body runs.
pub(super) fn early(private: &TokenStream, named: &NamedFunction) -> TokenStream {
    let values = named.arguments.iter().map(|argument| {
        let expr = &argument.expr;
        if argument.when == When::Before {
            return quote!(#expr);
        }
        let value = local("value");
        let let_value = let_value(argument, &value);
        quote!({ #let_value #value })
    });
    add(private, named, values.collect())
}

/// For a function that waits for the result: the arguments that do not. `count` numbers them.
pub(super) fn early_arguments(named: &NamedFunction, count: &mut usize) -> TokenStream {
    let early = named.arguments.iter().filter(|argument| argument.when != When::After);
    early.map(|argument| let_value(argument, &next(count))).collect()
}

fn let_value(argument: &Argument, name: &Ident) -> TokenStream {
    let expr = &argument.expr;
    let span = Span::mixed_site().located_at(expr.span());
    match argument.when {
        When::Cloned => quote_spanned!(span=> let #name = ::core::clone::Clone::clone(&#expr);),
        _ => quote_spanned!(span=> let #name = #expr;),
    }
}

/// What is added to the guard when there is a result, with the numbers that [`early_arguments`] gave.
pub(super) fn late(private: &TokenStream, named: &NamedFunction, count: &mut usize) -> TokenStream {
    let values = named.arguments.iter().map(|argument| match argument.when {
        When::After => {
            let expr = &argument.expr;
            quote!(#expr)
        }
        _ => {
            let value = next(count);
            quote!(#value)
        }
    });
    let add = add(private, named, values.collect());
    // The name that the user's expressions have for it.
    let (result, named) = (local("result"), Ident::new("result", Span::call_site()));
    quote!({ let #named = #result; #add })
}

fn next(count: &mut usize) -> Ident {
    *count += 1;
    local(&format!("argument_{count}"))
}

/// Asks the function, and adds what it says to the guard.
fn add(private: &TokenStream, named: &NamedFunction, values: Vec<TokenStream>) -> TokenStream {
    let (guard, target) = (local("guard"), local("target"));
    let at = Span::mixed_site().located_at(named.span);
    let what = if named.all { "all" } else { "target" };
    let (items, call) = match &named.callee {
        Callee::Function(path) => of_function(private, (named, path), what, at),
        Callee::Associated(path) => of_type(private, path, (what, named.all), at),
        Callee::Method { receiver, name, turbofish } => {
            // All keys are those of all types.
            let turbofish = turbofish.as_ref().filter(|_| !named.all);
            let method = sibling(name, what, at);
            let fallback = fallback(private, &method, &quote!(&self));
            (fallback, quote!((#receiver).#method #turbofish))
        }
    };
    // All of it at one place: the compiler shows no more than the name.
    let add = respanned(quote!(#guard.function(#target);), at);
    quote!({
        #items
        let #target = #call(#(#values),*);
        #add
    })
}

/// A function is imported under another name, with the type that has its companions. If there is no such type, that of
/// `not_cached` has the name, because it comes by a glob; and the error is one about that.
fn of_function(
    private: &TokenStream,
    (named, path): (&NamedFunction, &Path),
    what: &str,
    at: Span,
) -> (TokenStream, TokenStream) {
    let mut function = path.clone();
    let mut turbofish = PathArguments::None;
    if let Some(last) = function.segments.last_mut() {
        turbofish = std::mem::replace(&mut last.arguments, PathArguments::None);
    }
    if named.all {
        turbofish = PathArguments::None;
    }
    let (method, owner) = (Ident::new(&format!("__{what}"), at), Ident::new("__larder_function", at));
    // An import would find an argument, and in a body, it would not know the function from what a glob brings into the
    // module; a path finds types alone, and those of the body first.
    if named.by_path {
        return (TokenStream::new(), quote!(#function::#method #turbofish));
    }
    let items = quote! {
        use #private::not_cached::*;
        use #function as #owner;
    };
    (items, quote!(#owner::#method #turbofish))
}

fn of_type(
    private: &TokenStream,
    path: &ExprPath,
    (what, all): (&str, bool),
    at: Span,
) -> (TokenStream, TokenStream) {
    let mut path = path.clone();
    let Some(last) = path.path.segments.last_mut() else {
        return (TokenStream::new(), quote!(#path));
    };
    last.ident = sibling(&last.ident, what, at);
    if all {
        last.arguments = PathArguments::None;
    }
    (fallback(private, &last.ident, &TokenStream::new()), quote!(#path))
}

fn sibling(name: &Ident, what: &str, at: Span) -> Ident {
    format_ident!("__{}_{what}", name.unraw(), span = at)
}

/// What the compiler finds in the place of a companion that is not there, and says why it is none.
fn fallback(private: &TokenStream, method: &Ident, receiver: &TokenStream) -> TokenStream {
    let name = local("LarderNotCached");
    quote! {
        trait #name {
            fn #method(#receiver) {}
        }
        impl<T: ?::core::marker::Sized + #private::CachedWithCompanions> #name for T {}
    }
}
