//! What the type's own `PartialEq` ignores, and its `Debug` shows. Each type by its own name: larder looks at the text
//! of the first values of a type, and of one in some after that.

use async_graphql_value::{ConstValue, Name};
use http::{HeaderMap, HeaderValue};
use ndarray::Array2;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

use crate::{
    row::{Expected, REFUSED},
    table,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Response {
    #[serde(with = "http_serde::header_map")]
    headers: HeaderMap,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AsFloat {
    #[serde(with = "rust_decimal::serde::float")]
    price: Decimal,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnixSeconds {
    #[serde(with = "time::serde::timestamp")]
    at: OffsetDateTime,
}

fn response() -> Response {
    let mut secret = HeaderValue::from_static("secret");
    secret.set_sensitive(true);
    Response { headers: [(http::header::AUTHORIZATION, secret)].into_iter().collect() }
}

fn half_past() -> OffsetDateTime {
    let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("it exists");
    at.to_offset(UtcOffset::from_hms(-3, -30, 0).expect("it exists"))
}

const fn lost(what: &'static str) -> Expected {
    REFUSED.unseen(what)
}

table! {
    pub(super) fn rows;
    concrete "http response, a sensitive header": Response = [response()] => lost("two headers are equal, sensitive or not");
    concrete "rust_decimal serde::float, a zero at the end": AsFloat = [AsFloat { price: Decimal::new(110, 2) }]
        => lost("1.1 and 1.10 are equal");
    concrete "time timestamp, another offset": UnixSeconds = [UnixSeconds { at: half_past() }]
        => lost("two points in time are equal, whatever their offsets");
    concrete "ndarray::Array2, transposed": Array2<u8> = [Array2::from_shape_fn((2, 3), |(row, _)| row as u8).reversed_axes()]
        => lost("the order in memory");
    concrete "async_graphql_value::ConstValue, an enum": ConstValue = [ConstValue::Enum(Name::new("RED"))]
        => lost("an enum equals the text of its name");
}
