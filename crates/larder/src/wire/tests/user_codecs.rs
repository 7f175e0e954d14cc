//! Codecs that programs bring.

use std::io::Write;

use serde::de::DeserializeSeed;

use super::{
    codec::{Codec as UserCodec, CodecError},
    *,
};

/// MessagePack with structs as arrays: misreads what serde leaves out, and would answer to "anything".
pub(super) struct Arrays;

impl UserCodec for Arrays {
    fn number(&self) -> u8 {
        130
    }

    fn name(&self) -> &'static str {
        "arrays"
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        Ok(value.serialize(&mut rmp_serde::Serializer::new(writer))?)
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        Ok(seed.deserialize(&mut rmp_serde::Deserializer::from_read_ref(payload))?)
    }
}

/// JSON, with all that a codec can say of itself.
struct Says {
    number: u8,
    name: &'static str,
    is_human_readable: bool,
    is_self_describing: bool,
    panics: bool,
}

impl Says {
    const JSON: Self =
        Self { number: 200, name: "says", is_human_readable: true, is_self_describing: true, panics: false };
}

impl UserCodec for Says {
    fn number(&self) -> u8 {
        self.number
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn is_human_readable(&self) -> bool {
        self.is_human_readable
    }

    fn is_self_describing(&self) -> bool {
        self.is_self_describing
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        assert!(!self.panics, "part of the test");
        codec::Json.encode(value, writer)
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        assert!(!self.panics, "part of the test");
        codec::Json.decode(payload, seed)
    }
}

fn fault(codec: Says, reads: Option<Says>) -> Option<String> {
    let mut codecs = Codecs::from(AnyCodec::new(codec));
    if let Some(codec) = reads {
        codecs.read(AnyCodec::new(codec));
    }
    codecs.fault()
}

#[test]
fn what_a_builder_refuses() {
    assert_eq!(fault(Says::JSON, None), None);
    for number in [0, 1, 4, 127] {
        let fault = fault(Says { number, ..Says::JSON }, None).unwrap();
        assert!(fault.contains(&format!("`says` has the number {number}, which is reserved")), "{fault}");
    }
    assert!((128..=255).all(|number| fault(Says { number, ..Says::JSON }, None).is_none()));
    let clash = fault(Says::JSON, Some(Says { name: "other", ..Says::JSON })).unwrap();
    assert!(clash.contains("number 200, `says` and `other`"), "{clash}");
    assert_eq!(fault(Says::JSON, Some(Says::JSON)), None, "it is the same");
    assert_eq!(fault(Says::JSON, Some(Says { number: 201, ..Says::JSON })), None);
    let wrong = fault(Says { is_human_readable: false, ..Says::JSON }, None).unwrap();
    assert!(wrong.contains("its serializer says true"), "{wrong}");
    assert!(fault(Says { name: "", ..Says::JSON }, None).unwrap().contains("has no name"));
}

#[test]
fn one_is_known_to_those_who_were_told_of_it() {
    let writes = wire(AnyCodec::new(Arrays));
    let message = writes.encode(&rich(), &envelope(), None).unwrap();
    assert_eq!(message[10], 130);
    assert_eq!(writes.decode::<Rich>(&message, None).unwrap().value, rich());
    assert_eq!(Wire::default().decode::<Rich>(&message, None), Err(Rejected::Codec(130)));
    let mut reads = Wire::default();
    reads.codecs.read(AnyCodec::new(Says::JSON));
    assert_eq!(reads.decode::<Rich>(&message, None), Err(Rejected::Codec(130)));
    reads.codecs.read(AnyCodec::new(Arrays));
    assert_eq!(reads.decode::<Rich>(&message, None).unwrap().value, rich());
    let own = Wire::default().encode(&rich(), &envelope(), None).unwrap();
    assert_eq!(writes.decode::<Rich>(&own, None).unwrap().value, rich(), "and larder's own to all");
}

/// Not even where one would read the other's bytes.
#[test]
fn two_of_one_number_do_not_read_each_other() {
    let (one, other) = (Says::JSON, Says { name: "another", ..Says::JSON });
    let [one, other] = [one, other].map(|codec| wire(AnyCodec::new(codec)));
    let message = one.encode(&ada(), &envelope(), None).unwrap();
    assert_eq!(one.decode::<User>(&message, None).unwrap().value, ada());
    assert_eq!(other.decode::<User>(&message, None), Err(Rejected::Shape));
}

#[test]
fn what_describes_itself_may_be_asked_for_anything() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
        Text(String),
    }
    // It could, and does not say so.
    refused(AnyCodec::new(Arrays), &Untagged::Text("a".into()));
    refused(AnyCodec::new(Says { is_self_describing: false, ..Says::JSON }), &Untagged::Number(1));
    kept(AnyCodec::new(Says::JSON), &Untagged::Number(1));
    kept(AnyCodec::new(Says::JSON), &serde_json::json!({ "a": [1, null] }));
    refused(AnyCodec::new(Says::JSON), &Some(None::<u8>));
}

#[test]
fn one_that_panics_is_a_reason() {
    let wire = wire(AnyCodec::new(Says { panics: true, ..Says::JSON }));
    assert!(matches!(wire.encode(&1_u8, &envelope(), None), Err(Unencodable::Panicked)));
    let sane = Wire { codecs: AnyCodec::new(Says::JSON).into(), ..Wire::default() };
    let message = sane.encode(&1_u8, &envelope(), None).unwrap();
    assert_eq!(wire.decode::<u8>(&message, None), Err(Rejected::Panicked));
}

/// Its calls take more of the stack: fewer levels are written here, and all that are allowed fit on the larger stack.
#[test]
fn deep_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Node {
        next: Option<Box<Node>>,
    }
    fn nested(nodes: usize) -> Node {
        (1..nodes).fold(Node { next: None }, |next, _| Node { next: Some(Box::new(next)) })
    }
    let here = wire(AnyCodec::new(Arrays));
    kept(AnyCodec::new(Arrays), &nested(15));
    let too_deep = here.encode(&nested(20), &envelope(), None);
    assert!(matches!(too_deep, Err(Unencodable::TooDeep { limit: 32, .. })), "{too_deep:?}");
    std::thread::Builder::new()
        // A quarter of what there is.
        .stack_size(Limits::STACK / 4)
        .spawn(move || {
            let deep = here.deep();
            let message = deep.encode(&nested(500), &envelope(), None).unwrap();
            assert_eq!(deep.decode::<Node>(&message, None).unwrap().value, nested(500));
            assert_eq!(here.decode::<Node>(&message, None), Err(Rejected::TooDeep));
            assert!(matches!(deep.encode(&nested(520), &envelope(), None), Err(Unencodable::TooDeep { .. })));
        })
        .unwrap()
        .join()
        .unwrap();
}
