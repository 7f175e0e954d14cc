//! A stored value as text for people, whatever its type: JSON.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use super::{AnyCodec, BuiltIn, Limits, compression::Compression, header::Header, reason::Rejected};

/// The value of a message as a JSON text; none if its codec does not say what its bytes mean (bincode, postcard,
/// those of programs).
///
/// A JSON payload is the text itself. Of MessagePack, bytes become `{"$bytes": "<hexadecimal>"}`, and keys of maps that
/// are no text become their JSON text.
///
/// # Errors
///
/// If the payload is harmed, or is not one value of its codec within the limits.
pub(crate) fn json_text(
    header: &Header,
    message: &[u8],
    limits: &Limits,
) -> Result<Option<String>, Rejected> {
    let payload = header.payload(message)?;
    match header.compression {
        Compression::None => shown(header.codec, payload, limits),
        compression => shown(header.codec, &compression.decompress(payload, header.raw_length())?, limits),
    }
}

fn shown(number: u8, payload: &[u8], limits: &Limits) -> Result<Option<String>, Rejected> {
    let Some(built_in) = BuiltIn::from_number(number) else { return Ok(None) };
    let codec = AnyCodec::from(built_in);
    let budget = codec.budget(payload.len(), limits, None, None);
    match built_in {
        BuiltIn::Json => {
            let _: IgnoredAny = codec.decode(payload, &budget)?;
            let text = std::str::from_utf8(payload).map_err(|_| Rejected::Decode)?;
            Ok(Some(text.to_owned()))
        }
        BuiltIn::MessagePack => {
            let value: Shown = codec.decode(payload, &budget)?;
            serde_json::to_string(&value).map(Some).map_err(|_| Rejected::Decode)
        }
        BuiltIn::Bincode | BuiltIn::Postcard => Ok(None),
    }
}

/// A value of any type, with its fields in their order.
enum Shown {
    Nothing,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Shown>),
    Map(Vec<(Shown, Shown)>),
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Shown, E> {
        Ok(Shown::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Shown, E> {
        Ok(Shown::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Shown, D::Error> {
        Shown::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Shown, D::Error> {
        Shown::deserialize(inner)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Shown, E> {
        Ok(Shown::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Shown, E> {
        Ok(Shown::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Shown, E> {
        Ok(Shown::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Shown, E> {
        Ok(Shown::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Shown, E> {
        Ok(Shown::Text(text.to_owned()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Shown, E> {
        Ok(Shown::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shown, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Shown::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Shown, A::Error> {
        let mut map = Vec::new();
        while let Some(item) = items.next_entry()? {
            map.push(item);
        }
        Ok(Shown::Map(map))
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$bytes", &digits)?;
                map.end()
            }
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(items) => serializer.collect_map(items.iter().map(|(key, value)| (name(key), value))),
        }
    }
}

/// A key of a map as JSON has them.
fn name(key: &Shown) -> String {
    match key {
        Shown::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        epoch::Epoch,
        scope::ScopeSet,
        wire::{Envelope, Times, Wire},
    };

    fn text_of<V: Serialize + serde::de::DeserializeOwned + 'static>(
        codec: BuiltIn,
        value: &V,
    ) -> Option<String> {
        let wire = Wire { codecs: codec.into(), ..Wire::default() };
        let second = std::time::Duration::from_secs(1);
        let times = Times { created: 1, prompt: second, fresh: second, revalidate: second, on_error: second };
        let envelope = Envelope { epoch: Epoch::ZERO, times, scopes: ScopeSet::default() };
        let message = wire.encode(value, &envelope, None).expect("it is encoded");
        let header = Header::parse(&message, &wire.limits).expect("it is a message");
        json_text(&header, &message, &wire.limits).expect("it is shown")
    }

    #[test]
    fn values_are_shown_with_their_fields_in_order() {
        #[derive(Serialize, Deserialize)]
        struct User {
            name: String,
            id: u64,
            score: f64,
            tags: Vec<Option<i8>>,
        }
        let user = User { name: "Ada \"A\"".into(), id: u64::MAX, score: 1.5, tags: vec![Some(-1), None] };
        let expected = r#"{"name":"Ada \"A\"","id":18446744073709551615,"score":1.5,"tags":[-1,null]}"#;
        for codec in [BuiltIn::Json, BuiltIn::MessagePack] {
            assert_eq!(text_of(codec, &user).as_deref(), Some(expected), "{codec:?}");
        }
    }

    #[test]
    fn what_json_has_no_form_for() {
        let map = BTreeMap::from([(7u8, u128::MAX)]);
        let expected = format!(r#"{{"7":{{"$bytes":"{}"}}}}"#, "f".repeat(32));
        assert_eq!(text_of(BuiltIn::MessagePack, &map), Some(expected));
    }

    #[test]
    fn what_is_compressed() {
        let text = "a".repeat(5_000);
        assert_eq!(text_of(BuiltIn::MessagePack, &text), Some(format!("\"{text}\"")));
    }

    #[test]
    fn other_codecs_do_not_say_what_their_bytes_mean() {
        for codec in [BuiltIn::Bincode, BuiltIn::Postcard] {
            if codec.is_available() {
                assert_eq!(text_of(codec, &7u8), None);
            }
        }
    }
}
