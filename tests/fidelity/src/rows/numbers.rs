//! Numbers, characters and texts of std.

use std::{
    cmp::Reverse,
    num::{NonZero, Saturating, Wrapping},
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU8},
};

use crate::{
    row::{Expected, SAME},
    table,
};

/// JSON has no form for them.
const NO_JSON: Expected = Expected::shared([true, false, true]);

table! {
    pub(super) fn rows;
    "bool": bool = [false, true];
    "u8": u8 = [0, 127, 128, u8::MAX];
    "u16": u16 = [0, 256, u16::MAX];
    "u32": u32 = [0, 65_536, u32::MAX];
    "u64": u64 = [0, 1 << 32, 1 << 53, (1 << 53) + 1, u64::MAX];
    concrete "u128": u128 = [0, u128::from(u64::MAX), u128::from(u64::MAX) + 1, u128::MAX];
    "usize": usize = [0, usize::MAX];
    "i8": i8 = [i8::MIN, -33, -32, -1, 0, i8::MAX];
    "i16": i16 = [i16::MIN, -129, 0, i16::MAX];
    "i32": i32 = [i32::MIN, -1, 0, i32::MAX];
    "i64": i64 = [i64::MIN, -(1 << 53) - 1, -1, 0, i64::MAX];
    "i128": i128 = [i128::MIN, i128::from(i64::MIN) - 1, -1, 0, i128::MAX];
    "isize": isize = [isize::MIN, 0, isize::MAX];
    "f32": f32 = [0.0, -0.0, 0.1, f32::MIN_POSITIVE, f32::MAX, f32::from_bits(1)];
    concrete "f64": f64 = [0.0, -0.0, 0.1, 1e23, 5e-324, f64::MAX, f64::MIN, f64::from_bits(0x000f_ffff_ffff_ffff), 1.0 / 3.0];
    "f32, not a number": f32 = [f32::NAN] => NO_JSON;
    concrete "f64, not a number": f64 = [f64::NAN] => NO_JSON;
    "f32, infinite": f32 = [f32::INFINITY, f32::NEG_INFINITY] => NO_JSON;
    "f64, infinite": f64 = [f64::INFINITY, f64::NEG_INFINITY] => NO_JSON;
    "Vec<f64>, not a number": Vec<f64> = [vec![1.0, f64::NAN]] => NO_JSON;
    "Option<f64>": Option<f64> = [Some(0.5), Some(-0.0), None];
    "Option<f64>, not a number": Option<f64> = [Some(f64::NAN), Some(f64::INFINITY)] => NO_JSON;
    "(f32, f64)": (f32, f64) = [(0.1, 0.1), (16_777_216.0, 9_007_199_254_740_993.0)];
    "char": char = ['a', '\0', '"', 'ß', '\u{10ffff}'];
    "String": String = [
        String::new(),
        "text".to_owned(),
        "\0\u{1f}\"\\/\u{7f}\u{2028}\u{feff}\u{10ffff}".to_owned(),
        "x".repeat(31), "x".repeat(32), "x".repeat(256), "x".repeat(70_000),
    ];
    "Box<str>": Box<str> = ["".into(), "text".into()];
    "Arc<str>": Arc<str> = ["text".into()];
    "()": () = [()];
    "NonZero<u8>": NonZero<u8> = [NonZero::<u8>::MIN, NonZero::<u8>::MAX];
    "NonZero<i64>": NonZero<i64> = [NonZero::<i64>::MIN, NonZero::<i64>::MAX];
    "NonZero<u128>": NonZero<u128> = [NonZero::<u128>::MAX];
    "Option<NonZero<u32>>": Option<NonZero<u32>> = [None, NonZero::new(1)];
    "Wrapping<u8>": Wrapping<u8> = [Wrapping(255)];
    "Saturating<i16>": Saturating<i16> = [Saturating(-1)];
    "Reverse<u32>": Reverse<u32> = [Reverse(1)];
    "Arc<AtomicU8>": Arc<AtomicU8> = [Arc::new(AtomicU8::new(1))];
    "Arc<AtomicI64>": Arc<AtomicI64> = [Arc::new(AtomicI64::new(i64::MIN))];
    "Arc<AtomicBool>": Arc<AtomicBool> = [Arc::new(AtomicBool::new(true))];
    "u64 and i64 in one": (u64, i64, u64, i64) = [(u64::MAX, i64::MIN, 0, -1)];
    "[u8; 0]": [u8; 0] = [[]];
    "[u8; 32]": [u8; 32] = [[0; 32], [255; 32]];
    "[f64; 3]": [f64; 3] = [[0.1, 0.2, 0.3]];
    "[Option<u8>; 3]": [Option<u8>; 3] = [[None, Some(0), None]];
    "[[i32; 4]; 4]": [[i32; 4]; 4] = [[[1, 2, 3, 4]; 4]];
    "(u8,)": (u8,) = [(1,)];
    "(u8, String)": (u8, String) = [(1, "a".to_owned())];
    "tuple of 16": (u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool, char, String, (), Option<u8>, [u8; 2]) = [
        (1, 2, 3, 4, -5, -6, -7, -8, 9.5, 10.5, true, 'l', "m".to_owned(), (), None, [1, 2]),
    ];
    "nested tuples": ((u8, (u8, u8)), ((), ((u8,),))) = [((1, (2, 3)), ((), ((4,),)))] => SAME;
}
