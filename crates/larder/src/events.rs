#![doc = include_str!("../docs/events.md")]

mod bus;
mod consumer;
mod event;
mod group;
mod group_tasks;
mod memory;
#[cfg(feature = "redis")]
mod redis_store;
mod store;
mod subscription;

pub use self::{
    bus::Events,
    event::{DeadEvent, Event, EventId},
    group::{Consumers, Group, GroupStats},
    subscription::Subscription,
};
