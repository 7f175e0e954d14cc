//! One hidden function writes the key, for the cached function and for its companions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use super::attributes::lints;
use super::companion_names::{Names, turbofish};
use super::names::{local, private};
use super::prologue::use_choices;
use super::text::{self, Arguments};
use crate::function::Function;
use crate::model::{CacheExpr, Cached, KeyInputs};

/// So many arguments and the key are more than Clippy lets a function have.
const MANY: usize = 7;

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
        let arguments: Vec<_> = inputs.arguments.iter().map(|index| &function.arguments[*index]).collect();
        let (names, types): (Vec<_>, Vec<_>) =
            arguments.iter().map(|argument| (argument.name(), borrowed(&private, &argument.ty))).unzip();
        // One tuple where Clippy would find that there are too many: the function is not the user's.
        let is_many = arguments.len() + usize::from(inputs.receiver) >= MANY;
        if is_many && arguments.iter().all(|argument| argument.cfgs.is_empty()) {
            parameters.extend(quote!(, (#(#names,)*): (#(#types,)*)));
            values.extend(quote!(, (#(&#names,)*)));
        } else {
            let cfgs: Vec<_> = arguments.iter().map(|argument| &argument.cfgs).collect();
            parameters.extend(quote!(#(, #(#cfgs)* #names: #types)*));
            values.extend(quote!(#(, #(#cfgs)* &#names)*));
        }
        let (generics, where_clause) = (&inputs.generics.params, &inputs.generics.where_clause);
        let (choices, turbofish) = (use_choices(&model.common), turbofish(generics));
        let statements = text::statements(&private, &model.key.0, Arguments::Borrowed);
        let (cfgs, lints) = (crate::function::cfgs(&function.item.attrs), lints(&function.item.attrs));
        Self {
            item: quote! {
                #(#cfgs)*
                #(#lints)*
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

/// `&T`. As an alias where Clippy would ask the user for another type in its place (`ptr_arg`, `ref_option`,
/// `ref_option_ref`): the function is not theirs.
fn borrowed(private: &TokenStream, ty: &Type) -> TokenStream {
    const ASKED_FOR_AS_OTHERS: [&str; 5] = ["Cow", "Option", "PathBuf", "String", "Vec"];
    match ty {
        Type::ImplTrait(bounds) if bounds.bounds.len() > 1 => quote!(&(#ty)),
        Type::Path(path)
            if path
                .path
                .segments
                .last()
                .is_some_and(|last| ASKED_FOR_AS_OTHERS.iter().any(|name| last.ident == name)) =>
        {
            quote!(#private::Borrowed<'_, #ty>)
        }
        _ => quote!(&#ty),
    }
}
