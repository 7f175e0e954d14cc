//! The same types in two releases.

/// The types of a release, by the names that have changed.
macro_rules! release {
    ($name:ident: $city:ident, $note:ident, $size:ty, $variant:ident) => {
        /// A release.
        pub mod $name {
            use std::collections::BTreeMap;

            use arbitrary::Arbitrary;
            use serde::{Deserialize, Serialize};

            /// The type that is stored.
            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            pub struct Stored {
                id: u64,
                places: Vec<Place>,
                kinds: Vec<Kind>,
                loose: Vec<Loose>,
                events: BTreeMap<u8, Event>,
                more: Option<Box<Stored>>,
            }

            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            struct Place {
                id: u8,
                #[serde(flatten)]
                address: Address,
            }

            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            struct Address {
                street: String,
                $city: Option<String>,
            }

            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            #[serde(tag = "kind")]
            enum Kind {
                A {
                    x: u8,
                    #[serde(skip_serializing_if = "Option::is_none")]
                    $note: Option<u8>,
                },
                B,
            }

            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            #[serde(untagged)]
            enum Loose {
                Point { x: $size, $note: Option<u8> },
                Text(String),
                Many(Vec<$size>),
            }

            #[derive(Debug, Arbitrary, Serialize, Deserialize)]
            enum Event {
                Begun,
                $variant(u8),
                Size(Option<$size>),
            }
        }
    };
}

release!(old: city, note, u8, Moved);
release!(renamed_inside: town, note, u8, Moved);
release!(renamed_in_variant: city, remark, u8, Moved);
release!(widened: city, note, u16, Moved);
release!(renamed_variant: city, note, u8, Gone);
