//! Types that a name does not tell from others.

use std::any::type_name;

const CLOSURE: &str = "closures, and the futures of async blocks, have no names of their own";
const DYN: &str = "all types behind a `dyn Trait` have one name";
pub(super) const VALUE: &str =
    "values of several types can stand behind a `dyn Trait`, and two of them can have the same text";

/// What owns or borrows one value of a type.
const POINTERS: [&str; 6] =
    ["&mut ", "&", "alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<", "alloc::borrow::Cow<"];

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
    // A pointer to one is a type that has all that the function can see of it.
    let behind_pointer = |at: usize| POINTERS.iter().any(|pointer| name[..at].ends_with(pointer));
    name.match_indices("dyn ").any(|(at, _)| begins_word(name, at) && !behind_pointer(at)).then_some(DYN)
}

fn begins_word(name: &str, at: usize) -> bool {
    !name[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
}

/// Whether values of several types are one of this type: it is a `dyn Trait`, a pointer to one, or what ends in one.
#[inline]
pub(super) fn is_hidden<T: ?Sized>() -> bool {
    let mut name = type_name::<T>();
    let is_sized = size_of::<&T>() == size_of::<usize>();
    if !is_sized && reason_of(name).is_some() {
        return true;
    }
    while let Some(inner) = POINTERS.iter().find_map(|pointer| name.strip_prefix(pointer)) {
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
            (type_name::<(String, Of<[u8]>)>(), None),
            ("x::Odyn y", None),
            ("x::f::{{closure}}", Some(CLOSURE)),
        ] {
            assert_eq!(reason(name), expected, "{name}");
        }
    }

    #[test]
    fn values_behind_pointers_are_found() {
        struct Of<T: ?Sized>(#[expect(dead_code, reason = "a type alone")] T);

        assert!(
            is_hidden::<dyn Display>() && is_hidden::<&Box<dyn Display>>() && is_hidden::<Of<dyn Display>>()
        );
        assert!(is_hidden::<Arc<dyn Display + Send + Sync>>());
        assert!(!is_hidden::<str>() && !is_hidden::<&Of<[u8]>>() && !is_hidden::<f64>());
        assert!(!is_hidden::<PhantomData<dyn Display>>(), "no value of another type is in it");
    }
}
