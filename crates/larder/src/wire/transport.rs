//! How values of a type travel: as messages, to a server and back.

use std::any::type_name;

use serde::{Serialize, de::DeserializeOwned};

use super::{Envelope, Header, Rejected, Unencodable, Wire};
use crate::value::{AnyValue, Transport, Value, comparison::Comparison};

#[diagnostic::do_not_recommend]
impl<V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Value for V {
    const TRANSPORT: Option<&'static Transport> =
        Some(&Transport(&Coding { name: type_name::<V>, encode: encode::<V>, decode: decode::<V> }));
}

type Encode = fn(&AnyValue, &Wire, &Envelope, Option<u32>) -> Result<Vec<u8>, Unencodable>;
type Decode = fn(&Wire, &Header, &[u8], Option<u32>) -> Result<Box<AnyValue>, Rejected>;

/// What is in a [`Transport`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coding {
    name: fn() -> &'static str,
    encode: Encode,
    decode: Decode,
}

impl Coding {
    pub(crate) fn of(transport: &'static Transport) -> Self {
        *transport.0.downcast_ref().expect("this is the one module that makes a `Transport`")
    }

    /// The name of the type, as the compiler gives it: for people.
    pub(crate) fn type_name(self) -> &'static str {
        (self.name)()
    }

    /// See [`Wire::encode`]. The value must be of the type that this is of.
    pub(crate) fn encode(
        self,
        value: &AnyValue,
        wire: &Wire,
        envelope: &Envelope,
        schema: Option<u32>,
    ) -> Result<Vec<u8>, Unencodable> {
        (self.encode)(value, wire, envelope, schema)
    }

    /// See [`Wire::decode_payload`].
    pub(crate) fn decode(
        self,
        wire: &Wire,
        header: &Header,
        message: &[u8],
        schema: Option<u32>,
    ) -> Result<Box<AnyValue>, Rejected> {
        (self.decode)(wire, header, message, schema)
    }
}

fn encode<V: Value>(
    value: &AnyValue,
    wire: &Wire,
    envelope: &Envelope,
    schema: Option<u32>,
) -> Result<Vec<u8>, Unencodable> {
    let value = value.downcast_ref::<V>().expect("an entry has the transport of its value's type");
    wire.encode_compared(value, envelope, schema, Comparison::of_type().as_deref())
}

fn decode<V: Value>(
    wire: &Wire,
    header: &Header,
    message: &[u8],
    schema: Option<u32>,
) -> Result<Box<AnyValue>, Rejected> {
    let value: V = wire.decode_payload(header, message, schema)?;
    Ok(Box::new(value))
}
