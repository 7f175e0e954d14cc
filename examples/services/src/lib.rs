//! Services with larder in front of their database, each in a file of its own, with its test: small enough to copy. `cargo test
//! -p services` (Rust 1.89) calls them as clients do, over a socket.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`grpc`] | a service with tonic: the handler calls a cached function, and an error becomes a status |
//! | [`graphql`] | async-graphql behind axum: a dataloader collects the keys of a request, and what is not cached is one query |

pub mod graphql;
pub mod grpc;
