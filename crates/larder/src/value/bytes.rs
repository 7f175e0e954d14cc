//! On their way to and from a server, values are bytes.

use std::any::type_name;

use super::{Comparison, Held, Value};
use crate::wire::{Envelope, Header, Rejected, Unencodable, Wire};

/// A value that can become a message.
pub(crate) trait ToBytes {
    /// See [`Wire::encode`].
    fn to_bytes(&self, wire: &Wire, envelope: &Envelope, schema: Option<u32>)
    -> Result<Vec<u8>, Unencodable>;

    /// The name of the value's type, as the compiler gives it: for people.
    fn type_name(&self) -> &'static str;
}

impl<V: Value> ToBytes for V {
    fn to_bytes(
        &self,
        wire: &Wire,
        envelope: &Envelope,
        schema: Option<u32>,
    ) -> Result<Vec<u8>, Unencodable> {
        wire.encode_compared(self, envelope, schema, Comparison::of_type().as_ref())
    }

    fn type_name(&self) -> &'static str {
        type_name::<V>()
    }
}

type Decode = fn(&Wire, &Header, &[u8], Option<u32>) -> Result<Box<dyn Held>, Rejected>;

/// How a message becomes a value of one type.
#[derive(Clone, Copy)]
pub(crate) struct FromBytes(Decode);

impl FromBytes {
    pub(crate) fn of<V: Value>() -> Self {
        Self(|wire, header, message, schema| {
            let value: V = wire.decode_payload(header, message, schema)?;
            Ok(Box::new(value))
        })
    }

    /// Does without the value.
    pub(crate) fn skip() -> Self {
        Self(|_, _, _, _| Ok(Box::new(())))
    }

    /// See [`Wire::decode_payload`].
    pub(crate) fn decode(
        self,
        wire: &Wire,
        header: &Header,
        message: &[u8],
        schema: Option<u32>,
    ) -> Result<Box<dyn Held>, Rejected> {
        (self.0)(wire, header, message, schema)
    }
}
