//! Pieces become statements that write them into a key.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::names::{local, method_at, ours};
use crate::model::{Piece, Root, Text, Value};
use crate::template::Step;

/// How the arguments in a text can be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// By their names.
    InScope,
    /// Their names are references to them.
    Borrowed,
}

/// A closure that writes the text into a `Key`.
pub(super) fn build(private: &TokenStream, text: &Text) -> TokenStream {
    let key = local("key");
    if let [Piece::Literal(text)] = &text.0[..] {
        return quote!(|#key| #key.literal(#text));
    }
    let statements = statements(private, &text.0, Arguments::InScope);
    quote!(|#key| { #statements })
}

/// The statements that write pieces into the local `key`. The traits of `choices` are in scope.
pub(super) fn statements(private: &TokenStream, pieces: &[Piece], arguments: Arguments) -> TokenStream {
    let mut statements = TokenStream::new();
    let mut literal = String::new();
    let flush = |literal: &mut String| {
        let text = std::mem::take(literal);
        let key = local("key");
        (!text.is_empty()).then(|| quote!(#key.literal(#text);))
    };
    for piece in pieces {
        if let Piece::Literal(text) = piece {
            literal += text;
            continue;
        }
        statements.extend(flush(&mut literal));
        statements.extend(write(private, piece, arguments));
    }
    statements.extend(flush(&mut literal));
    statements
}

fn write(private: &TokenStream, piece: &Piece, arguments: Arguments) -> TokenStream {
    let key = local("key");
    match piece {
        Piece::Literal(text) => quote!(#key.literal(#text);),
        Piece::Separator(cfgs) => quote!(#(#cfgs)* #key.literal(":");),
        Piece::ModulePath => quote! {
            {
                const PATH: #private::Dotted<{ ::core::module_path!().len() }> =
                    #private::Dotted::new(::core::module_path!());
                #key.literal(PATH.as_str());
            }
        },
        Piece::TypeName { path, span } => {
            let span = Span::mixed_site().located_at(*span);
            quote_spanned!(span=> #key.type_name::<#(#path)::*>();)
        }
        Piece::Value(value) => {
            let cfgs = &value.cfgs;
            let span = Span::mixed_site().located_at(value.span);
            let expr = reference(value, arguments);
            match value.digest {
                Some(digest) => {
                    let digest = method_at(digest.name(), span);
                    quote_spanned!(span=> #(#cfgs)* #private::digest::#digest(#expr, #key);)
                }
                None => quote_spanned!(span=> #(#cfgs)* (&&#private::Arg(#expr)).write(#key);),
            }
        }
    }
}

/// A reference to the value.
fn reference(value: &Value, arguments: Arguments) -> TokenStream {
    let borrowed = arguments == Arguments::Borrowed && matches!(value.root, Root::Argument(_));
    let place = place(value, arguments);
    if borrowed && value.steps.is_empty() { place } else { quote!(&#place) }
}

/// The value, as an expression.
pub(super) fn place(value: &Value, arguments: Arguments) -> TokenStream {
    let mut ident = value.ident.clone();
    ident.set_span(value.span.resolved_at(value.ident.span()));
    let borrowed = arguments == Arguments::Borrowed && matches!(value.root, Root::Argument(_));
    let path = &value.path;
    let mut expr = match (borrowed, value.steps.is_empty()) {
        (true, true) => return quote!(#ident),
        (true, false) => quote!((*#ident)),
        (false, _) => quote!(#ident #(::#path)*),
    };
    if value.called {
        expr.extend(quote!(()));
    }
    // The names are generated ones, so that the compiler does not propose to write another name over the whole key.
    for step in &value.steps {
        expr.extend(match step {
            Step::Field(name) => {
                let name = ours(name);
                quote!(.#name)
            }
            Step::Index(index) => {
                let index = proc_macro2::Literal::u32_unsuffixed(*index);
                quote!(.#index)
            }
            Step::Call(name) => {
                let name = ours(name);
                quote!(.#name())
            }
            Step::Each => {
                let iter = ours(&Ident::new("iter", value.span));
                quote!(.#iter())
            }
        });
    }
    expr
}
