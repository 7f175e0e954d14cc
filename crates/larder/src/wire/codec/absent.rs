//! In place of a codec whose feature is off.

use super::MessagePack;

pub(super) const CODEC: Option<MessagePack> = None;
