//! Sets of bits.

use bitvec::{array::BitArray, order::Msb0, vec::BitVec};
use fixedbitset::FixedBitSet;
use roaring::{RoaringBitmap, RoaringTreemap};

use crate::{
    row::{Expected, SAME},
    table,
};

/// JSON has no bytes.
const NOT_JSON: Expected = Expected::shared([true, false, true]);

const ADDRESS: &str = "`Debug` shows where the bits lie";

mod flags {
    use serde::{Deserialize, Serialize};

    bitflags::bitflags! {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) struct Permissions: u32 {
            const READ = 1;
            const WRITE = 2;
        }
    }
}
use flags::Permissions;

table! {
    pub(super) fn rows;
    concrete "bitflags": Permissions = [Permissions::empty(), Permissions::all(), Permissions::WRITE];
    "bitflags, unknown bits": Permissions = [Permissions::from_bits_retain(0x8000_0001)];
    concrete "fixedbitset::FixedBitSet": FixedBitSet = [
        FixedBitSet::with_capacity(0), FixedBitSet::with_capacity_and_blocks(100, [5]),
    ] => NOT_JSON.by_equality(ADDRESS);
    concrete "bitvec::BitVec": BitVec = [BitVec::new(), BitVec::repeat(true, 70)] => SAME.by_equality(ADDRESS);
    "bitvec::BitVec<u8, Msb0>": BitVec<u8, Msb0> = [BitVec::from_slice(&[0b1010_0000])] => SAME.by_equality(ADDRESS);
    "bitvec::BitArray": BitArray<[u8; 2]> = [BitArray::new([1, 2])] => SAME.by_equality(ADDRESS);
    concrete "roaring::RoaringBitmap": RoaringBitmap = [RoaringBitmap::new(), (0..1_000).step_by(3).collect()];
    "roaring::RoaringTreemap": RoaringTreemap = [[1, u64::MAX].into_iter().collect()];
}
