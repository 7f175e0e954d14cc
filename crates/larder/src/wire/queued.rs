//! Values in a queue: their MessagePack, without a header.
//!
//! What lies in a queue is not judged by age or epoch, and a value of another release is not a miss but a write that
//! must not be lost: the type's own `Deserialize` decides whether it is one, and no fingerprint.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    BuiltIn, Wire,
    codec::AnyCodec,
    guard::DecodeBudget,
    reason::{Rejected, Unencodable},
    trace::Trace,
};
use crate::value::comparison::Comparison;

impl Wire {
    /// The bytes of a value, once it is sure that they are read as the value that they were made of.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded so that it can be read back as it is, or is too large.
    pub(crate) fn encode_queued<V>(&self, value: &V) -> Result<Vec<u8>, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        let encode = || {
            let comparison = Comparison::of_type();
            let original = self.walk_original(value, comparison.is_none())?;
            let payload =
                self.payload(value, 0).map_err(|reason| original.explained(self.codec(), reason))?;
            self.read_back(value, &payload, &original, None, comparison.as_deref())?;
            Ok(payload)
        };
        // Traits of the user's type run in here.
        catch_unwind(AssertUnwindSafe(encode)).unwrap_or(Err(Unencodable::Panicked))
    }

    /// The value of such bytes.
    ///
    /// # Errors
    ///
    /// If they are not exactly what the type's `Deserialize` takes.
    pub(crate) fn decode_queued<V: DeserializeOwned>(&self, payload: &[u8]) -> Result<V, Rejected> {
        if payload.len() > self.limits.largest_raw {
            return Err(Rejected::TooLarge);
        }
        let budget =
            DecodeBudget::new(payload.len(), self.limits.deepest, true, Trace::new(None, None, None));
        // A `Deserialize` of the user's runs in here.
        let decode = || AnyCodec::BuiltIn(BuiltIn::MessagePack).decode(payload, &budget);
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(Rejected::Panicked))
    }
}
