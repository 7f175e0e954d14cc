//! Writes the client and the server of `src/grpc.rs`. With a `.proto` file, `tonic-prost-build` and `protoc` do this.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let price = Method::builder()
        .name("price")
        .route_name("Price")
        .input_type("crate::grpc::PriceRequest")
        .output_type("crate::grpc::PriceReply")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let prices = Service::builder().name("Prices").package("shop").method(price).build();
    Builder::new().compile(&[prices]);
}
