//! The hash that traces and digests are made of: the same on every platform, in every process and release.
//!
//! XXH3 hashes texts; what combines hashes and numbers is one multiplication to 128 bits, folded. It is part of
//! the wire format: see `docs/wire-format.md`.

use std::cell::Cell;

use xxhash_rust::xxh3::xxh3_64;

const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// The hash of two numbers, in this order.
#[inline]
pub(super) const fn mix(left: u64, right: u64) -> u64 {
    let product = ((left ^ LEFT) as u128) * ((right ^ RIGHT) as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The hash of a text.
#[inline]
pub(super) fn text(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The hash of several names, in their order.
pub(super) fn names(names: &[&str]) -> u64 {
    names.iter().fold(names.len() as u64, |hash, name| mix(hash, text(name)))
}

/// The lists that each thread has hashed last: which list, by where it lies and how long it is, and its hash.
const KNOWN: usize = 64;

thread_local! {
    static LISTS: [Cell<(usize, usize, u64)>; KNOWN] = const { [const { Cell::new((0, 0, 0)) }; KNOWN] };
}

/// The hash of a list of the program, which is found once as long as no other list takes its place.
pub(super) fn names_of_type(list: &'static [&'static str]) -> u64 {
    let (at, length) = (list.as_ptr().addr(), list.len());
    let known = |lists: &[Cell<(usize, usize, u64)>; KNOWN]| {
        let place = &lists[at / align_of::<&str>() % KNOWN];
        match place.get() {
            // What is empty lies anywhere.
            (known_at, known_length, hash) if (known_at, known_length) == (at, length) && length > 0 => hash,
            _ => {
                let hash = names(list);
                place.set((at, length, hash));
                hash
            }
        }
    };
    LISTS.with(known)
}
