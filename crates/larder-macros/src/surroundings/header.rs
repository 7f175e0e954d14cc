//! What stands in front of the braces of an `impl` or a trait.

use syn::visit::{self, Visit};
use syn::{GenericParam, Generics, Ident, Item, Path};

use super::place::TraitParameter;

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
            around.retain(|parameter| {
                let mut found = Mention { name: &parameter.name, found: false };
                found.visit_type(&item.self_ty);
                !found.found
            });
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

/// Looks for a parameter in a type.
struct Mention<'a> {
    name: &'a str,
    found: bool,
}

impl<'ast> Visit<'ast> for Mention<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        // `T::Row` is no `T`: another one can have the same.
        let is_named = |ident: &Ident| ident == self.name;
        self.found |= path.get_ident().is_some_and(is_named);
        visit::visit_path(self, path);
    }
}
