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
    UNORDERED.iter().any(|path| ty.starts_with(path))
}
