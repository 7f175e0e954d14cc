//! Which sequences have no order of their own. A serializer is given an iterator, and sees no more of it than the
//! name of its type.

/// Where hash tables are, and so the sets and iterators whose order differs from process to process.
const UNORDERED: &[&str] = &[
    "std::collections::hash::",
    "hashbrown::",
    "dashmap::",
    "im::hash::",
    "im_rc::hash::",
    "imbl::hash::",
    "papaya::",
    "rpds::set::hash_trie_set::",
    "scc::hash_set::",
];

/// Iterators over one half of a map. A type that writes both, one after the other, would be taken for every other one with
/// the same keys and the same values: in the order of the table, which keys belong to which values is told. It is another
/// one each time: that costs hits.
const HALVES: &[&str] = &["Keys", "Values", "ValuesMut", "IntoKeys", "IntoValues"];

/// Pointers, and adaptors that give the elements of one iterator in its order.
const TRANSPARENT: &[&str] = &[
    "&",
    "mut ",
    "alloc::boxed::Box<",
    "alloc::rc::Rc<",
    "alloc::sync::Arc<",
    "core::iter::adapters::cloned::Cloned<",
    "core::iter::adapters::copied::Copied<",
    "core::iter::adapters::filter::Filter<",
    "core::iter::adapters::filter_map::FilterMap<",
    "core::iter::adapters::inspect::Inspect<",
    "core::iter::adapters::map::Map<",
];

/// Whether what a type iterates over comes in the order of a hash table.
pub(super) fn iterates(ty: &str) -> bool {
    let mut ty = ty;
    while let Some(inner) = TRANSPARENT.iter().find_map(|outer| ty.strip_prefix(outer)) {
        ty = inner;
    }
    let name = ty.split('<').next().and_then(|path| path.rsplit("::").next());
    UNORDERED.iter().any(|path| ty.starts_with(path)) && !name.is_some_and(|name| HALVES.contains(&name))
}
