//! The user's body as a future, and the function around it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, FnArg, ItemFn, Pat, PatIdent, Stmt, parse_quote};

use super::names::{at, local_at, output_span, private};
use crate::function::{Argument, Form, Function, Ownership, async_block, has_impl_trait};
use crate::model::Common;
use crate::tokens;

/// A closure with the body of a function that is not async.
pub(super) fn closure(function: &Function) -> TokenStream {
    let (output, body) = (&function.output, function.body());
    match has_impl_trait(output) {
        true => quote!(move || { #(#body)* }),
        false => quote_spanned!(output_span(function)=> move || -> #output { #(#body)* }),
    }
}

/// `async move { body }`, whose `return` and `?` leave the body alone.
pub(super) fn future(common: &Common, function: &Function) -> TokenStream {
    let hint = type_hint(common, function);
    let body = function.body();
    quote!(async move { #hint #(#body)* })
}

/// The same of a `body`, after statements that bind what it uses.
pub(super) fn future_after(
    common: &Common,
    function: &Function,
    (before, body): (&TokenStream, &[Stmt]),
) -> TokenStream {
    let hint = type_hint(common, function);
    quote!(async move { #before #hint #(#body)* })
}

/// A return that is never reached, so that the block's type is inferred from the declared one.
fn type_hint(common: &Common, function: &Function) -> TokenStream {
    let output = &function.output;
    if has_impl_trait(output) {
        return TokenStream::new();
    }
    let private = private(common);
    quote_spanned! {output_span(function)=>
        if false {
            return #private::never::<#output>();
        }
    }
}

/// A closure that makes a `'static` future of the body, from owned copies of what it borrows.
pub(super) fn start(common: &Common, function: &Function) -> TokenStream {
    let Owned { copies, loans, body, .. } = Owned::new(common, function, None);
    let hint = type_hint(common, function);
    quote! {
        move || {
            #copies
            async move { #loans #hint #(#body)* }
        }
    }
}

/// The body of a computation that may outlive its caller.
pub(super) struct Owned {
    /// Makes owned copies of what the body borrows.
    pub(super) copies: TokenStream,
    /// What the copies are called.
    pub(super) names: Vec<Ident>,
    /// Lends them to the body.
    pub(super) loans: TokenStream,
    pub(super) body: Vec<Stmt>,
}

impl Owned {
    /// Of all arguments but the one at this place.
    pub(super) fn new(common: &Common, function: &Function, except: Option<usize>) -> Self {
        let private = private(common);
        let mut owned = Self {
            copies: TokenStream::new(),
            names: Vec::new(),
            loans: TokenStream::new(),
            body: function.body().to_vec(),
        };
        if let Some(receiver) = &function.receiver
            && receiver.ownership == Ownership::Shared
        {
            let source = &receiver.ident;
            let mut name = source.clone();
            if source == "self" {
                name = Ident::new("larder_self", source.span());
                owned.body = tokens::rename_self_in_body(&owned.body, &name);
            }
            let span = Span::mixed_site().located_at(receiver.span);
            let copy = local_at("owned_self", span);
            owned.copies.extend(own(&private, span, &copy, &quote!(#source)));
            owned.loans.extend(quote_spanned!(span=> let #name = #private::lend(&#copy);));
            owned.loans.extend(quote!(#private::used(&#name);));
            owned.names.push(copy);
        }
        let is_borrowed = |argument: &&Argument| argument.ownership == Ownership::Shared;
        let left_out = except.map(|index| function.arguments[index].index);
        let arguments = function.arguments.iter().filter(is_borrowed);
        for argument in arguments.filter(|argument| Some(argument.index) != left_out) {
            let span = Span::mixed_site().located_at(argument.ty.span());
            let copy = local_at(&format!("owned_{}", argument.index), span);
            let (source, pattern) = (source(function, argument), &argument.pattern);
            let cfgs = &argument.cfgs;
            owned.copies.extend(quote!(#(#cfgs)*));
            owned.copies.extend(own(&private, span, &copy, &quote!(#source)));
            owned.loans.extend(quote_spanned! {span=>
                #(#cfgs)*
                let #pattern = #private::lend(&#copy);
            });
            owned.loans.extend(uses(&private, argument));
            owned.names.push(copy);
        }
        owned
    }
}

fn own(private: &TokenStream, span: Span, copy: &Ident, source: &TokenStream) -> TokenStream {
    quote_spanned! {span=>
        let #copy = {
            #private::check_own(#source);
            (&#private::Loan(#source)).own()
        };
    }
}

/// What an argument is called in a signature that is ours: the documentation shows the name that the user wrote, but it
/// is not the user's, so that `_name` can be used.
pub(super) fn renamed(argument: &Argument) -> Ident {
    match argument.name() {
        Some(name) if !name.unraw().to_string().starts_with("__") => at_mixed_site(name),
        _ => format_ident!("__arg{}", argument.index, span = Span::mixed_site()),
    }
}

fn at_mixed_site(name: &Ident) -> Ident {
    at(name, Span::mixed_site().located_at(name.span()))
}

/// What an argument is called where the machinery stands, and where it must not meet names of ours, which begin with
/// `__`. What `#[async_trait]` wrote goes on using the names that it gave.
fn source(function: &Function, argument: &Argument) -> Ident {
    match argument.name() {
        Some(name) if function.is_boxed() || !is_unused(name) => name.clone(),
        _ => renamed(argument),
    }
}

fn is_unused(name: &Ident) -> bool {
    name.unraw().to_string().starts_with('_')
}

/// Uses what an argument binds, as its pattern stands where not all of it is needed.
pub(super) fn uses(private: &TokenStream, argument: &Argument) -> TokenStream {
    let mut uses = TokenStream::new();
    let cfgs = &argument.cfgs;
    for name in argument.bindings.iter().filter(|name| !is_unused(name)) {
        uses.extend(quote!(#(#cfgs)* #private::used(&#name);));
    }
    uses
}

/// The annotated function with other statements in the place of its body.
pub(super) fn with_statements(function: &Function, statements: TokenStream) -> ItemFn {
    let mut item = function.item.clone();
    let statements = Stmt::Expr(Expr::Verbatim(statements), None);
    match &function.form {
        Form::Async | Form::Blocking => item.block.stmts = vec![statements],
        Form::Boxed(boxed) => {
            if let Some(block) = async_block(&mut item.block) {
                block.block.stmts = boxed.prelude.clone();
                block.block.stmts.push(statements);
            }
        }
    }
    item
}

/// Arguments that are copied for the background and are more than a name: the signature has names of ours, and this
/// binds the patterns for the key and the options.
pub(super) fn name_borrowed_patterns(common: &Common, function: &Function, item: &mut ItemFn) -> TokenStream {
    let private = private(common);
    let mut bindings = TokenStream::new();
    for argument in function.arguments.iter().filter(|argument| argument.ownership == Ownership::Shared) {
        let name = source(function, argument);
        if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index) {
            *typed.pat = parse_quote!(#name);
        }
        if argument.name().is_some_and(|own| function.is_boxed() || !is_unused(own)) {
            continue;
        }
        let cfgs = &argument.cfgs;
        let pattern = without_mut(&argument.pattern);
        // In a tuple: Clippy takes a plain `let _name = …` for a mistake.
        bindings.extend(quote! {
            #(#cfgs)*
            let (#pattern,) = (#name,);
        });
        bindings.extend(uses(&private, argument));
    }
    bindings
}

/// The pattern of what is only read.
pub(super) fn without_mut(pattern: &Pat) -> Pat {
    struct WithoutMut;

    impl VisitMut for WithoutMut {
        fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
            if pattern.by_ref.is_none() {
                pattern.mutability = None;
            }
            visit_mut::visit_pat_ident_mut(self, pattern);
        }
    }

    let mut pattern = pattern.clone();
    WithoutMut.visit_pat_mut(&mut pattern);
    pattern
}
