//! Numbers.

use bigdecimal::BigDecimal;
use bytesize::ByteSize;
use half::{bf16, f16};
use num_bigint::{BigInt, BigUint};
use num_rational::Ratio;
use ordered_float::{NotNan, OrderedFloat};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    row::{Expected, REFUSED},
    table,
};

/// They are read as whatever comes.
const NOT_BINCODE: Expected = Expected::shared([true, true, false]);

/// JSON has no form for it.
const NOT_JSON: Expected = Expected::shared([true, false, true]);

macro_rules! with {
    ($($name:ident: $type:ty, $with:literal;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct $name {
            #[serde(with = $with)]
            price: $type,
        }
    )*};
}

with! {
    AsFloat: Decimal, "rust_decimal::serde::float";
    AsText: Decimal, "rust_decimal::serde::str";
    AsFloatOption: Option<Decimal>, "rust_decimal::serde::float_option";
    AsTextOption: Option<Decimal>, "rust_decimal::serde::str_option";
}

/// An amount with a currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Money {
    amount: Decimal,
    currency: iso_currency::Currency,
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("it is a number")
}

fn big(text: &str) -> BigDecimal {
    text.parse().expect("it is a number")
}

table! {
    pub(super) fn rows;
    concrete "rust_decimal::Decimal": Decimal = [decimal("19.99"), decimal("1.00"), Decimal::MAX, decimal("-0.0")]
        => NOT_BINCODE;
    "rust_decimal serde::str": AsText = [AsText { price: decimal("1.10") }];
    "rust_decimal serde::str_option": AsTextOption = [
        AsTextOption { price: None }, AsTextOption { price: Some(decimal("1.10")) },
    ];
    concrete "rust_decimal serde::float": AsFloat = [AsFloat { price: decimal("19.99") }] => NOT_BINCODE;
    concrete "rust_decimal serde::float, many digits": AsFloat = [AsFloat { price: decimal("1234567890.123456789012345678") }]
        => REFUSED.unseen("a float has 15 digits");
    "rust_decimal serde::float_option": AsFloatOption = [AsFloatOption { price: Some(decimal("19.99")) }]
        => NOT_BINCODE;
    "rust_decimal serde::float_option, None": AsFloatOption = [AsFloatOption { price: None }];
    "money": Money = [Money { amount: decimal("19.90"), currency: iso_currency::Currency::EUR }] => NOT_BINCODE;
    concrete "iso_currency::Currency": iso_currency::Currency = [iso_currency::Currency::JPY];
    concrete "bigdecimal::BigDecimal": BigDecimal = [big("19.99"), big("1.00"), big("123456789012345678901234567890.5")]
        => NOT_BINCODE;
    "bigdecimal::BigDecimal, large exponents": BigDecimal = [big("1E+100"), big("1E-100")] => NOT_BINCODE;
    concrete "num_bigint::BigInt": BigInt = [BigInt::from(0), BigInt::from(i128::MIN), BigInt::from(-1) << 200];
    "num_bigint::BigUint": BigUint = [BigUint::from(0_u8), BigUint::from(1_u8) << 200];
    "num_rational::Ratio<i64>": Ratio<i64> = [Ratio::new(-1, 3)];
    "num_rational::Ratio<i64>, not reduced": Ratio<i64> = [Ratio::new_raw(2, 6)];
    concrete "ordered_float::OrderedFloat<f64>": OrderedFloat<f64> = [OrderedFloat(0.1), OrderedFloat(-0.0)];
    "ordered_float::OrderedFloat<f64>, not a number": OrderedFloat<f64> = [OrderedFloat(f64::NAN)] => NOT_JSON;
    "ordered_float::NotNan<f32>": NotNan<f32> = [NotNan::new(0.1).expect("it is a number")];
    concrete "half::f16": f16 = [f16::from_f32(0.1), f16::INFINITY];
    "half::bf16": bf16 = [bf16::from_f32(0.1)];
    "bytesize::ByteSize": ByteSize = [ByteSize(0), ByteSize(512)];
    concrete "bytesize::ByteSize, many digits": ByteSize = [ByteSize(1_234_567)]
        => Expected::shared([true, false, true]).unseen("for people it is written with one digit after the point");
    "euclid::Point2D": euclid::default::Point2D<f64> = [euclid::default::Point2D::new(0.1, -0.0)];
    "euclid::Rect": euclid::default::Rect<i32> = [euclid::default::Rect::zero()];
}
