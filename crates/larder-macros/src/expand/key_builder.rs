//! One hidden function writes the key, for the cached function and for its companions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use super::companion_names::{Names, turbofish};
use super::names::{local, private};
use super::prologue::use_choices;
use super::text::{self, Arguments};
use crate::function::Function;
use crate::model::{CacheExpr, Cached, KeyInputs};

pub(super) struct KeyBuilder {
    /// The hidden function, if there is one.
    pub(super) item: TokenStream,
    /// The closure that writes the key, where its arguments are in scope.
    pub(super) closure: TokenStream,
}

impl KeyBuilder {
    pub(super) fn new(model: &Cached, function: &Function, names: &Names) -> Self {
        let private = private(&model.common);
        let inputs = KeyInputs::new(function, &model.key, &CacheExpr::Global);
        // The parts that a pattern takes an argument apart into have no types that could be written.
        let whole = inputs.arguments.iter().all(|index| function.arguments[*index].name().is_some());
        if !whole {
            return Self { item: TokenStream::new(), closure: text::build(&private, &model.key) };
        }
        let (key, owner, name) = (local("key"), &names.owner, &names.write_key);
        let (mut parameters, mut values) = (TokenStream::new(), TokenStream::new());
        if inputs.receiver {
            parameters.extend(quote!(&self,));
            let receiver = function.receiver.as_ref().map(|receiver| &receiver.ident);
            values.extend(quote!(&#receiver,));
        }
        parameters.extend(quote!(#key: &mut #private::Key));
        values.extend(quote!(#key));
        for index in &inputs.arguments {
            let argument = &function.arguments[*index];
            let (cfgs, name, ty) = (&argument.cfgs, argument.name(), borrowed(&argument.ty));
            parameters.extend(quote!(, #(#cfgs)* #name: #ty));
            values.extend(quote!(, #(#cfgs)* &#name));
        }
        let (generics, where_clause) = (&inputs.generics.params, &inputs.generics.where_clause);
        let (choices, turbofish) = (use_choices(&model.common), turbofish(generics));
        let statements = text::statements(&private, &model.key.0, Arguments::Borrowed);
        let cfgs = crate::function::cfgs(&function.item.attrs);
        Self {
            item: quote! {
                #(#cfgs)*
                #[inline(always)]
                fn #name<#generics>(#parameters) #where_clause {
                    #choices
                    #statements
                }
            },
            closure: quote!(|#key| #owner::#name #turbofish(#values)),
        }
    }
}

/// `&T`
fn borrowed(ty: &Type) -> TokenStream {
    match ty {
        Type::ImplTrait(bounds) if bounds.bounds.len() > 1 => quote!(&(#ty)),
        _ => quote!(&#ty),
    }
}
