//! Values whose code panics, and values that nest deep.

use super::*;

#[test]
fn a_panic_is_a_reason() {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    #[serde(from = "u8")]
    struct Panics(u8);
    impl From<u8> for Panics {
        fn from(number: u8) -> Self {
            assert_ne!(number, 13, "part of the test");
            Self(number)
        }
    }
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Unequal(u8);
    impl PartialEq for Unequal {
        fn eq(&self, _: &Self) -> bool {
            panic!("part of the test")
        }
    }
    for codec in TEXTS {
        let comparison = Comparison::new().by_eq();
        let encoded = wire(codec).encode_compared(&Unequal(1), &envelope(), None, Some(&comparison));
        assert!(matches!(encoded, Err(Unencodable::Panicked)), "{encoded:?}");
    }
    let written = wire(Codec::Json).encode(&Wrapped(Panics(13)), &envelope(), None);
    assert!(matches!(written, Err(Unencodable::Panicked)), "{written:?}");

    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Wrapped(Panics);
    let payload = b"13";
    assert_eq!(
        wire(Codec::Json).decode::<u8>(&message::<u8>(Codec::Json, payload), None).map(|it| it.value),
        Ok(13)
    );
}

#[test]
fn deep_values_are_shared_as_deep_as_the_codec_reads() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Node {
        next: Option<Box<Node>>,
    }
    fn nested(nodes: usize) -> Node {
        (1..nodes).fold(Node { next: None }, |next, _| Node { next: Some(Box::new(next)) })
    }
    std::thread::Builder::new()
        .stack_size(Limits::STACK)
        .spawn(|| {
            for (codec, most) in [(Codec::Json, 127), (Codec::MessagePack, 1_023)] {
                assert!(matches!(
                    wire(codec).encode(&nested(80), &envelope(), None),
                    Err(Unencodable::TooDeep { limit: 128, .. })
                ));
                let deep = wire(codec).deep();
                let message = deep.encode(&nested(most), &envelope(), None).unwrap();
                assert_eq!(deep.decode::<Node>(&message, None).unwrap().value, nested(most));
                assert!(wire(codec).decode::<Node>(&message, None).is_err());
                let refused = deep.encode(&nested(most + 2), &envelope(), None);
                assert!(
                    matches!(refused, Err(Unencodable::TooDeep { limit, .. }) if limit == most),
                    "{codec:?}: {refused:?}"
                );
            }
        })
        .unwrap()
        .join()
        .unwrap();
}
