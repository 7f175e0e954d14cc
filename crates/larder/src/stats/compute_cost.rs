//! What a value took to compute, in few bytes.

use std::time::Duration;

use super::histogram::nanos;

/// How long a value took to compute; nothing if it was not computed. In one word of 32 bits, since every entry has one: a
/// number of 26 bits, and below them how often it is doubled. So it is exact to a part in 2^25, and exact below 67 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComputeCost(u32);

impl ComputeCost {
    const DOUBLINGS_BITS: u32 = 6;
    const NUMBER_BITS: u32 = u32::BITS - Self::DOUBLINGS_BITS;

    pub(crate) fn from_nanos(nanos: u64) -> Self {
        let doublings = (u64::BITS - nanos.leading_zeros()).saturating_sub(Self::NUMBER_BITS);
        // The shift leaves `NUMBER_BITS` bits.
        Self(((nanos >> doublings) as u32) << Self::DOUBLINGS_BITS | doublings)
    }

    /// In nanoseconds.
    #[inline]
    pub(crate) fn nanos(self) -> u64 {
        u64::from(self.0 >> Self::DOUBLINGS_BITS) << (self.0 & ((1 << Self::DOUBLINGS_BITS) - 1))
    }
}

impl From<Duration> for ComputeCost {
    fn from(cost: Duration) -> Self {
        Self::from_nanos(nanos(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_where_it_is_small_and_nearly_so_elsewhere() {
        for nanos in (0..1 << 26).step_by(997).chain([1, (1 << 26) - 1]) {
            assert_eq!(ComputeCost::from_nanos(nanos).nanos(), nanos);
        }
        for nanos in
            (26..64).flat_map(|bit| [1 << bit, (1 << bit) + (1 << (bit - 1)) + 1, u64::MAX >> (63 - bit)])
        {
            let kept = ComputeCost::from_nanos(nanos).nanos();
            assert!(kept <= nanos && nanos - kept <= nanos >> 25, "{nanos}: {kept}");
        }
    }
}
