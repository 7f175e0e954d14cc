//! How fast handlers may be called.

#[cfg(feature = "actix")]
mod actix;
mod client_address;
mod fields;
mod policy;
mod refusal;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "actix")]
pub use self::actix::RateLimitMiddleware;
#[cfg(feature = "tower")]
pub use self::tower::{RateLimitBody, RateLimitService};
pub use self::{
    client_address::{ClientAddress, InvalidNetwork, address_key},
    policy::RateLimit,
};
