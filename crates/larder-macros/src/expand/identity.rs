//! What tells a cached function from another one that has its key.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::names::private;
use super::text;
use crate::function::Function;
use crate::model::{Cached, Piece, Root, Text};
use crate::template::Step;

/// The expression that names the function, with what its key looks like: `user:<>`.
pub(super) fn function(model: &Cached, function: &Function) -> TokenStream {
    let private = private(&model.common);
    let name = function.name();
    let form = match model.shares_key {
        true => quote!(""),
        false => {
            let form = form(&model.key, model.keyed(function));
            // Batches share their keys with a function of one element, and with no other batch.
            model.list.as_ref().map_or(form.clone(), |_| quote!(::core::concat!("batches of ", #form)))
        }
    };
    let site = quote!(#private::function!(#name, #form));
    let of_type = function.associated.then(|| owner(&private, &model.key, function));
    let of_self_alone = model.self_alone.then(|| quote!(.of_self_alone()));
    quote!(#site #of_type #of_self_alone)
}

/// The key with `<>` for each argument. What belongs to `self` and its type keeps its name.
fn form(key: &Text, function: &Function) -> TokenStream {
    let own = |name: &Ident| function.parameters().any(|(parameter, _)| parameter == name);
    let mut parts = TokenStream::new();
    let mut form = String::new();
    let mut last: Option<&Piece> = None;
    for piece in &key.0 {
        let before = last.replace(piece);
        match piece {
            Piece::Literal(text) => form += text,
            Piece::Separator(_) => form.push(':'),
            Piece::ModulePath => {
                let before = std::mem::take(&mut form);
                parts.extend(quote!(#before, ::core::module_path!(),));
            }
            Piece::TypeName { path, .. } if !own(&path[0]) => form += &format!("<{}>", quote!(#(#path)::*)),
            Piece::Value(value) if value.root == Root::Receiver => {
                let steps: Vec<_> = value.steps.iter().map(step).collect();
                form += &format!("<self.{}>", steps.join("."));
            }
            Piece::Value(value) if value.root == Root::Type && !own(&value.ident) => {
                let (ident, path) = (&value.ident, &value.path);
                form += &format!("<{}>", quote!(#ident #(::#path)*));
            }
            // An alternative to the argument before it.
            Piece::Value(_) if matches!(before, Some(Piece::Value(_))) => {}
            Piece::TypeName { .. } | Piece::Value(_) => form += "<>",
        }
    }
    match parts.is_empty() {
        true => quote!(#form),
        false => quote!(::core::concat!(#parts #form)),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::Field(name) => name.to_string(),
        Step::Index(index) => index.to_string(),
        Step::Call(name) => format!("{name}()"),
        Step::Each => "[]".to_owned(),
    }
}

/// What tells functions of different types apart that can have different keys which look alike: `<self.table>:<id>`.
fn owner(private: &TokenStream, key: &Text, function: &Function) -> TokenStream {
    let itself = quote!(#private::owner::<Self>);
    let names_receiver = key.values().any(|value| value.root == Root::Receiver);
    let is_unknown = function.surroundings.parameters.is_none();
    if is_unknown && key.names_parameter_around(function) {
        let mut pieces = Vec::new();
        for piece in key.pieces_around(function) {
            pieces.extend([piece.clone(), Piece::Literal(":".to_owned())]);
        }
        if names_receiver {
            pieces.push(Piece::TypeName {
                path: vec![Ident::new("Self", Span::call_site())],
                span: Span::call_site(),
            });
        }
        let write = text::build(private, &Text(pieces));
        return quote!(.of(|| #private::owner_of(#write)));
    }
    match names_receiver || key.names_type_around(function) {
        true => quote!(.of(#itself)),
        false => TokenStream::new(),
    }
}
