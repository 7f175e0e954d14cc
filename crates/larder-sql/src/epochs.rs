//! Epochs as numbers of SQL, which have a sign: in the same order.

use larder::{
    Epoch,
    internal::shared::{epoch_of, number_of},
};

const SIGN: u64 = 1 << 63;

/// The number of an epoch in a column.
pub(crate) fn column(epoch: Epoch) -> i64 {
    (number_of(epoch) ^ SIGN).cast_signed()
}

/// The epoch of a number in a column.
pub(crate) fn epoch(column: i64) -> Epoch {
    epoch_of(column.cast_unsigned() ^ SIGN)
}

/// The expression for the first epoch of a millisecond, as a column has it: `milliseconds` is an expression.
pub(crate) fn first_of(milliseconds: &str) -> String {
    format!("(({milliseconds} - 2199023255552) * 4194304)")
}

#[cfg(test)]
mod tests {
    use larder::internal::shared::first_epoch_of;

    use super::*;

    #[test]
    fn the_order_is_that_of_epochs() {
        let epochs = [0, 1, 1 << 22, (1 << 63) - 1, 1 << 63, u64::MAX].map(epoch_of);
        assert!(epochs.map(column).is_sorted());
        assert_eq!(epochs.map(column).map(epoch), epochs);
    }

    #[test]
    fn the_expression_is_that_of_a_millisecond() {
        for milliseconds in [0, 1_764_456_789_123, 2_199_023_255_552, 4_000_000_000_000_i64] {
            let expected = column(first_epoch_of(milliseconds.cast_unsigned()).unwrap());
            assert_eq!((milliseconds - 2_199_023_255_552) * 4_194_304, expected);
        }
        assert_eq!(first_of("x"), "((x - 2199023255552) * 4194304)");
    }
}
