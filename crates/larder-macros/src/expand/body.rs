//! The user's body as a future, and the function around it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, FnArg, ItemFn, Pat, Stmt, parse_quote};

use super::{local, local_at, output_span, private};
use crate::function::{Argument, Form, Function, Hold, async_block, has_impl_trait};
use crate::model::Common;
use crate::tokens;

/// `async move { body }`, whose `return` and `?` leave the body alone.
pub(super) fn future(function: &Function) -> TokenStream {
    let edge = edge(function);
    let body = function.body();
    quote!(async move { #edge #(#body)* })
}

/// A return that is never reached, so that the block's type is inferred from the declared one.
fn edge(function: &Function) -> TokenStream {
    let output = &function.output;
    if has_impl_trait(output) {
        return TokenStream::new();
    }
    let value = local("value");
    quote_spanned! {output_span(function)=>
        #[allow(
            unknown_lints,
            unreachable_code,
            clippy::diverging_sub_expression,
            clippy::empty_loop,
            clippy::let_unit_value,
            clippy::let_with_type_underscore,
            clippy::needless_return,
            clippy::unreachable
        )]
        if false {
            let #value: #output = loop {};
            return #value;
        }
    }
}

/// A closure that makes a `'static` future of the body, from owned copies of what it borrows.
pub(super) fn start(common: &Common, function: &Function) -> TokenStream {
    let private = private(common);
    let mut body = function.body().to_vec();
    let mut copies = TokenStream::new();
    let mut loans = TokenStream::new();
    if let Some(receiver) = &function.receiver
        && receiver.hold == Hold::Shared
    {
        let source = &receiver.ident;
        let mut name = source.clone();
        if source == "self" {
            name = Ident::new("larder_self", source.span());
            body = tokens::rename_self_in_body(&body, &name);
        }
        let span = Span::mixed_site().located_at(receiver.span);
        let copy = local_at("owned_self", span);
        copies.extend(own(&private, span, &copy, &quote!(#source)));
        loans.extend(quote_spanned!(span=> let #name = #private::lend(&#copy);));
    }
    for argument in function.arguments.iter().filter(|argument| argument.hold == Hold::Shared) {
        let span = Span::mixed_site().located_at(argument.ty.span());
        let copy = local_at(&format!("owned_{}", argument.index), span);
        let (source, pattern) = (renamed(argument), &argument.pattern);
        let cfgs = &argument.cfgs;
        copies.extend(quote!(#(#cfgs)*));
        copies.extend(own(&private, span, &copy, &quote!(#source)));
        loans.extend(quote_spanned! {span=>
            #(#cfgs)*
            #[allow(unused_variables)]
            let #pattern = #private::lend(&#copy);
        });
    }
    let edge = edge(function);
    quote! {
        move || {
            #copies
            async move { #loans #edge #(#body)* }
        }
    }
}

fn own(private: &TokenStream, span: Span, copy: &Ident, source: &TokenStream) -> TokenStream {
    quote_spanned! {span=>
        #[allow(unknown_lints, clippy::used_underscore_binding)]
        let #copy = {
            #[allow(unused_imports)]
            use #private::{OwnCopy as _, OwnNothing as _};
            #private::check_own(#source);
            (&#private::Loan(#source)).own()
        };
    }
}

/// What an argument is called in a signature that cannot have its pattern.
pub(super) fn renamed(argument: &Argument) -> Ident {
    match argument.name() {
        Some(name) => name.clone(),
        None => format_ident!("__arg{}", argument.index, span = Span::mixed_site()),
    }
}

/// The annotated function with other statements in the place of its body.
pub(super) fn with_statements(function: &Function, statements: TokenStream) -> ItemFn {
    let mut item = function.item.clone();
    let statements = Stmt::Expr(Expr::Verbatim(statements), None);
    match &function.form {
        Form::Async => item.block.stmts = vec![statements],
        Form::Boxed(boxed) => {
            if let Some(block) = async_block(&mut item.block) {
                block.block.stmts = boxed.prelude.clone();
                block.block.stmts.push(statements);
            }
        }
    }
    item
}

/// Arguments that are copied for the background and have a pattern: the signature names them, and
/// this binds the pattern for the key and the options.
pub(super) fn name_borrowed_patterns(function: &Function, item: &mut ItemFn) -> TokenStream {
    let mut bindings = TokenStream::new();
    for argument in &function.arguments {
        if argument.hold != Hold::Shared || is_simple(argument) {
            continue;
        }
        let name = renamed(argument);
        if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index) {
            *typed.pat = parse_quote!(#name);
        }
        let (pattern, cfgs) = (&argument.pattern, &argument.cfgs);
        if argument.name().is_none() {
            bindings.extend(quote! {
                #(#cfgs)*
                #[allow(unused_variables)]
                let #pattern = #name;
            });
        }
    }
    bindings
}

/// A plain name, without `mut`.
fn is_simple(argument: &Argument) -> bool {
    argument.name().is_some()
        && matches!(&argument.pattern, Pat::Ident(pattern) if pattern.mutability.is_none())
}
