//! What stands in front of the braces of an `impl` or a trait.

use syn::{GenericParam, Generics, Item, Type};

use super::place::TraitParameter;
use crate::walk::{self, Node};

/// The type and const parameters of an `impl` or a trait.
pub(super) struct Header {
    pub(super) parameters: Vec<String>,
    /// Those that the trait has and `Self` has not: `T` of `impl<T> Repo<T> for Db`, and of `trait Repo<T>`.
    pub(super) of_trait: Vec<TraitParameter>,
}

/// None if it is no header that can be read.
pub(super) fn read(header: &str) -> Option<Header> {
    let (all, of_trait) = match syn::parse_str::<Item>(&format!("{header}{{}}")).ok()? {
        Item::Impl(item) => {
            let all = parameters(&item.generics);
            let mut around = all.clone();
            around.retain(|parameter| !mentions(&item.self_ty, &parameter.name));
            let of_trait = if item.trait_.is_some() { around } else { Vec::new() };
            (all, of_trait)
        }
        Item::Trait(item) => {
            let all = parameters(&item.generics);
            (all.clone(), all)
        }
        _ => return None,
    };
    Some(Header { parameters: all.into_iter().map(|parameter| parameter.name).collect(), of_trait })
}

fn parameters(generics: &Generics) -> Vec<TraitParameter> {
    let parameters = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some((&parameter.ident, false)),
        GenericParam::Const(parameter) => Some((&parameter.ident, true)),
        GenericParam::Lifetime(_) => None,
    });
    parameters.map(|(name, is_const)| TraitParameter { name: name.to_string(), is_const }).collect()
}

/// Whether a parameter is in a type.
fn mentions(ty: &Type, name: &str) -> bool {
    let mut found = false;
    walk::in_type(ty, |node| {
        if let Node::Path(path) = node {
            // `T::Row` is no `T`: another one can have the same.
            found |= path.get_ident().is_some_and(|ident| ident == name);
        }
        true
    });
    found
}
