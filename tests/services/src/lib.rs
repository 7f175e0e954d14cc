//! What the gRPC service of `tests/grpc.rs` says and is asked.

/// What is asked.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PriceRequest {
    /// The number of an article.
    #[prost(uint64, tag = "1")]
    pub article: u64,
}

/// What is said.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PriceReply {
    /// Its price, in cents.
    #[prost(uint64, tag = "1")]
    pub cents: u64,
}

include!(concat!(env!("OUT_DIR"), "/shop.Prices.rs"));
