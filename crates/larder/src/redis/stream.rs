//! Streams that are read by consumer groups: what write-behind queues and events share.

mod listener;
pub(super) mod reply;

pub(crate) use self::{listener::Listener, reply::RawRecord};
