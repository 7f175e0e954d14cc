//! Integers as text, without a loop over their digits and without a copy of unknown length.

/// The digits of a number below 100,000,000 and how many there are; what follows them is to be cut off. None for a larger
/// number.
///
/// The parts of the number lie side by side in one word, and each step halves all of them at once: into two numbers of four
/// digits, four of two, and eight of one, the first digit in the lowest byte.
#[inline]
pub(super) fn digits(number: u32) -> Option<([u8; 8], usize)> {
    const ASCII: u64 = 0x3030_3030_3030_3030;

    if number < 10 {
        return Some(([b'0' | number as u8, 0, 0, 0, 0, 0, 0, 0], 1));
    }
    if number >= 100_000_000 {
        return None;
    }
    let number = u64::from(number);
    let fours = (number / 10_000) | (number % 10_000) << 32;
    // x / 100 is x * 10,486 / 2^20, for each x below 10,000.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    // x / 10 is x * 103 / 2^10, for each x below 100.
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - 10 * tens) << 8;
    // One of them is not zero.
    let zeros = ones.trailing_zeros() / 8;
    let digits = (ones | ASCII) >> (8 * zeros);
    Some((digits.to_le_bytes(), 8 - zeros as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_display() {
        let near = (0..8).flat_map(|power| {
            let power = 10_u32.pow(power);
            (power.saturating_sub(200)..power + 200).chain((1..10).map(move |n| n * power))
        });
        let all = (0..20_000).chain(near).chain((0..100_000_000).step_by(9_973)).chain([99_999_999]);
        for number in all.filter(|number| *number < 100_000_000) {
            let (digits, count) = digits(number).unwrap();
            assert_eq!(std::str::from_utf8(&digits[..count]).unwrap(), number.to_string());
        }
        assert_eq!(digits(100_000_000), None);
    }
}
