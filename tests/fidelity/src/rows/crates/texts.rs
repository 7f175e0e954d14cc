//! Texts, bytes and names.

use arcstr::ArcStr;
use bstr::BString;
use bytes::{Bytes, BytesMut};
use camino::Utf8PathBuf;
use compact_str::CompactString;
use ecow::{EcoString, EcoVec};
use email_address::EmailAddress;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use smol_str::SmolStr;
use ulid::Ulid;
use uuid::Uuid;

use crate::table;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hexadecimal {
    #[serde(with = "hex")]
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WithBytes {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    option: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UuidForms {
    #[serde(with = "uuid::serde::simple")]
    simple: Uuid,
    #[serde(with = "uuid::serde::compact")]
    compact: Uuid,
}

const ID: Uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);

fn not_utf8() -> Vec<u8> {
    vec![0, b'"', 0x80, 0xff]
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is wrong"))
}

table! {
    pub(super) fn rows;
    concrete "uuid::Uuid": Uuid = [ID, Uuid::nil()];
    "Option<uuid::Uuid>": Option<Uuid> = [None, Some(ID)];
    "uuid in other forms": UuidForms = [UuidForms { simple: ID, compact: ID }];
    concrete "ulid::Ulid": Ulid = [Ulid(u128::MAX / 3)];
    concrete "bytes::Bytes": Bytes = [Bytes::new(), not_utf8().into()];
    "bytes::BytesMut": BytesMut = [BytesMut::from(&*not_utf8())];
    concrete "serde_bytes::ByteBuf": ByteBuf = [ByteBuf::new(), ByteBuf::from(not_utf8())];
    "serde_bytes::ByteArray": ByteArray<4> = [ByteArray::new([0, 1, 128, 255])];
    "serde_bytes with": WithBytes = [
        WithBytes { bytes: not_utf8(), option: None }, WithBytes { bytes: vec![], option: Some(not_utf8()) },
    ];
    concrete "hex with": Hexadecimal = [Hexadecimal { bytes: not_utf8() }];
    concrete "bstr::BString": BString = [BString::from(not_utf8())];
    concrete "smol_str::SmolStr": SmolStr = [SmolStr::new("short"), SmolStr::new("x".repeat(100))];
    concrete "compact_str::CompactString": CompactString = ["short".into(), "x".repeat(100).into()];
    concrete "ecow::EcoString": EcoString = ["short".into(), "x".repeat(100).into()];
    "ecow::EcoVec<u8>": EcoVec<u8> = [[1, 2].into()];
    concrete "arcstr::ArcStr": ArcStr = ["text".into()];
    concrete "camino::Utf8PathBuf": Utf8PathBuf = ["/a/ü".into()];
    concrete "semver::Version": Version = [parsed("1.2.3-rc.1+build.5")];
    "semver::VersionReq": VersionReq = [parsed(">=1.2.3, <2"), VersionReq::STAR];
    concrete "email_address::EmailAddress": EmailAddress = [parsed("ada@example.com")];
    "email_address::EmailAddress, with a name": EmailAddress = [parsed("Ada <ada@example.com>")];
}
