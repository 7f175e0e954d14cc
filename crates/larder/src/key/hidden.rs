//! Types that a name does not tell from others.

use std::any::type_name;

const CLOSURE: &str = "closures, and the futures of async blocks, have no names of their own";
const DYN: &str = "all types behind a `dyn Trait` have one name";
pub(super) const VALUE: &str =
    "values of several types can stand behind a `dyn Trait`, and two of them can have the same text";

/// What owns one value of a type.
const OWNERS: [&str; 4] =
    ["alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<", "alloc::borrow::Cow<"];

/// Why a type of this name cannot be told from others, if it cannot.
#[inline]
pub(super) fn reason(name: &str) -> Option<&'static str> {
    // Looks at all bytes, whatever it finds: that way many are looked at in one instruction.
    let plain = name.bytes().fold(true, |plain, byte| plain & !matches!(byte, b' ' | b'{'));
    if plain { None } else { reason_of(name) }
}

#[cold]
fn reason_of(name: &str) -> Option<&'static str> {
    if name.contains("{{") {
        return Some(CLOSURE);
    }
    // A pointer is another matter: which value it points to is that of the value, which has a text or is skipped.
    let is_behind = |at: usize| ends_in_pointer(&name[..at]);
    name.match_indices("dyn ").any(|(at, _)| begins_word(name, at) && !is_behind(at)).then_some(DYN)
}

/// `&`, `&mut (` or `&'_ mut (` in front of a type; or an owner.
fn ends_in_pointer(before: &str) -> bool {
    let before = before.trim_end_matches('(');
    let before = before.strip_suffix("mut ").unwrap_or(before);
    let before = before.strip_suffix("'_ ").unwrap_or(before);
    before.ends_with('&') || OWNERS.iter().any(|owner| before.ends_with(owner))
}

fn begins_word(name: &str, at: usize) -> bool {
    !name[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
}

/// Whether values of several types are one of this type: it is a `dyn Trait`, a pointer to one, or what ends in one.
#[inline]
pub(super) fn is_hidden<T: ?Sized>() -> bool {
    let name = type_name::<T>().trim_start_matches(['&', '(']);
    let may_be_pointer = ["mut ", "dyn ", "alloc::"].iter().any(|start| name.starts_with(start));
    let is_sized = size_of::<&T>() == size_of::<usize>();
    (may_be_pointer && points_to_dyn(name)) || (!is_sized && reason_of(name).is_some())
}

#[cold]
fn points_to_dyn(mut name: &str) -> bool {
    let pointers = || OWNERS.iter().chain(&["mut ", "&", "("]);
    while let Some(inner) = pointers().find_map(|pointer| name.strip_prefix(pointer)) {
        name = inner;
    }
    name.starts_with("dyn ")
}

#[cfg(test)]
mod tests {
    use std::{fmt::Display, marker::PhantomData, sync::Arc};

    use super::*;

    #[test]
    fn names_that_several_types_have_are_found() {
        struct Of<T: ?Sized>(PhantomData<T>, T);

        for (name, expected) in [
            (type_name::<dyn Display>(), Some(DYN)),
            (type_name::<Of<dyn Display + Send>>(), Some(DYN)),
            (type_name::<(u8, PhantomData<dyn Display>)>(), Some(DYN)),
            (type_name::<(&dyn Display, Arc<dyn Display>, Box<dyn Fn(&mut dyn Display)>)>(), None),
            (type_name::<Of<&mut (dyn Display + Send)>>(), None),
            (type_name::<(String, Of<[u8]>)>(), None),
            ("x::Odyn y", None),
            ("x::f::{{closure}}", Some(CLOSURE)),
        ] {
            assert_eq!(reason(name), expected, "{name}");
        }
    }

    #[test]
    fn values_behind_pointers_are_found() {
        struct Of<T: ?Sized>(T);

        assert!(
            is_hidden::<dyn Display>() && is_hidden::<&Box<dyn Display>>() && is_hidden::<Of<dyn Display>>()
        );
        assert!(is_hidden::<Arc<dyn Display + Send + Sync>>() && is_hidden::<&(dyn Display + Send)>());
        assert!(is_hidden::<&mut (dyn Display + Send)>() && is_hidden::<Box<&&mut dyn Display>>());
        assert!(!is_hidden::<str>() && !is_hidden::<&Of<[u8]>>() && !is_hidden::<f64>());
        assert!(!is_hidden::<PhantomData<dyn Display>>(), "no value of another type is in it");
    }
}
