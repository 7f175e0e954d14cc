//! A value that would come back as another one is not written.

use super::*;

#[test]
fn an_option_in_an_option() {
    for codec in [Codec::MessagePack, Codec::Json] {
        refused(codec, &Some(None::<u8>));
        refused(codec, &vec![Some(Some(1)), Some(None)]);
        refused(codec, &Some(()));
        refused(codec, &Some(serde_json::Value::Null));
        kept(codec, &Some(Some(1_u8)));
        kept(codec, &None::<Option<u8>>);
        kept(codec, &Some(serde_json::json!([null])));
    }
}

#[test]
fn what_serde_buffers() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Small(u8),
        Large(u64),
        Point { x: Option<Option<u8>> },
    }
    for codec in [Codec::MessagePack, Codec::Json] {
        kept(codec, &Untagged::Small(1));
        kept(codec, &Untagged::Large(256));
        refused(codec, &Untagged::Large(1));
        kept(codec, &Untagged::Point { x: Some(Some(1)) });
        refused(codec, &Untagged::Point { x: Some(None) });
    }
}

/// The `Option` behind it is never asked for.
#[test]
fn what_is_behind_something_that_was_not_understood() {
    #[derive(Debug, PartialEq, Serialize)]
    struct Strange(String);
    impl<'de> Deserialize<'de> for Strange {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            if text == "unheard of" {
                Ok(Self(text))
            } else {
                Err(serde::de::Error::custom("something else"))
            }
        }
    }
    let strange = || "unheard of".to_owned();
    for codec in [Codec::MessagePack, Codec::Json] {
        kept(codec, &(Strange(strange()), Some(Some(1))));
        refused(codec, &(Strange(strange()), Some(None::<u8>)));
    }
}

#[test]
fn a_float_that_is_no_number_in_json() {
    refused(Codec::Json, &Some(f64::NAN));
    refused(Codec::Json, &(1, Some(f32::INFINITY)));
    kept(Codec::Json, &Some(1.5));
    kept(Codec::MessagePack, &Some(f64::INFINITY));
}

/// Formats without names and types, which misread what serde leaves out: those of larder, and a program's.
mod compact {
    use super::{super::user_codecs::Arrays, *};

    fn compact() -> impl Iterator<Item = AnyCodec> {
        let built_in = [Codec::Bincode, Codec::Postcard].into_iter().filter(|codec| codec.is_available());
        built_in.map(AnyCodec::from).chain([AnyCodec::new(Arrays)])
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skips {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        b: Vec<u8>,
    }

    #[test]
    fn what_is_skipped() {
        for codec in compact() {
            refused(codec.clone(), &Skips { a: None, b: vec![1] });
            // Nothing is skipped in this one.
            kept(codec, &Skips { a: Some(1), b: vec![1] });
        }
    }

    /// All bytes are used up, and the value that was misread encodes to the same ones: only its digest
    /// tells.
    #[cfg(feature = "bincode")]
    #[test]
    fn what_is_skipped_and_fits_by_chance() {
        let value = (Skips { a: None, b: vec![9] }, Some(513_u64));
        let config = ::bincode::config::standard();
        let written = ::bincode::serde::encode_to_vec(&value, config).unwrap();
        let (misread, read): ((Skips, Option<u64>), _) =
            ::bincode::serde::decode_from_slice(&written, config).unwrap();
        assert_eq!(read, written.len());
        assert_ne!(misread, value);
        assert_eq!(::bincode::serde::encode_to_vec(&misread, config).unwrap(), written);

        refused(Codec::Bincode, &value);
    }

    /// The same in postcard.
    #[cfg(feature = "postcard")]
    #[test]
    fn what_is_skipped_and_fits_by_chance_in_postcard() {
        let value = (Skips { a: None, b: vec![9] }, Some((7_u8, 0_u8)));
        let written = ::postcard::to_stdvec(&value).unwrap();
        let (misread, rest): ((Skips, Option<(u8, u8)>), _) = ::postcard::take_from_bytes(&written).unwrap();
        assert!(rest.is_empty(), "{rest:?}");
        assert_ne!(misread, value);
        assert_eq!(::postcard::to_stdvec(&misread).unwrap(), written);

        refused(Codec::Postcard, &value);
    }

    #[test]
    fn what_has_another_number() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        enum Shifted {
            #[serde(skip_deserializing)]
            A,
            B,
            C,
        }
        for codec in [Codec::Bincode, Codec::Postcard].into_iter().filter(|codec| codec.is_available()) {
            refused(codec, &Shifted::A);
            refused(codec, &Shifted::B);
            kept(codec, &Vec::<Shifted>::new());
        }
    }

    #[test]
    fn what_does_not_say_what_it_is() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Untagged {
            A(u8),
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            A { x: u8 },
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Flat {
            #[serde(flatten)]
            user: User,
        }
        for codec in compact() {
            refused(codec.clone(), &Untagged::A(1));
            refused(codec.clone(), &Tagged::A { x: 1 });
            refused(codec.clone(), &Flat { user: ada() });
            refused(codec, &serde_json::json!(1));
        }
    }

    #[test]
    fn all_else_is_kept() {
        for codec in compact() {
            kept(codec.clone(), &rich());
            let many: HashMap<String, u32> = (0..100).map(|n| (n.to_string(), n)).collect();
            kept(codec.clone(), &many);
            kept(codec.clone(), &many.keys().cloned().collect::<std::collections::HashSet<_>>());
            assert!(wire(codec).encode(&f64::NAN, &envelope(), None).is_ok());
        }
        for codec in [Codec::Bincode, Codec::Postcard].into_iter().filter(|codec| codec.is_available()) {
            kept(codec, &Some(None::<u8>));
            kept(codec, &Some(()));
        }
    }
}
