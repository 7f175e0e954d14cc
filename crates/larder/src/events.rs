#![doc = include_str!("../docs/events.md")]

mod bus;
mod consumer;
mod group;
mod memory;
#[cfg(feature = "redis")]
mod redis_store;
mod store;
mod subscription;

pub use self::{
    bus::{Event, EventId, Events},
    group::{Consumers, DeadEvent, Group, GroupStats},
    subscription::Subscription,
};
