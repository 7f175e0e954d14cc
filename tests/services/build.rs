//! The service in `src/lib.rs`, without `protoc`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let price = Method::builder()
        .name("price")
        .route_name("Price")
        .input_type("crate::PriceRequest")
        .output_type("crate::PriceReply")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    Builder::new().compile(&[Service::builder().name("Prices").package("shop").method(price).build()]);
}
