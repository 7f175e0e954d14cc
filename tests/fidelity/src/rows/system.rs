//! Time, addresses and paths of std.

use std::{
    collections::HashMap,
    ffi::{CString, OsString},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{row::Expected, table};

const LOCALHOST: Ipv6Addr = Ipv6Addr::LOCALHOST;

/// What a text of an address leaves out.
const SCOPE: Expected =
    Expected::shared([false; 3]).unseen("serde leaves out the scope and the flow of an address");

fn bytes() -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(b"f\xffo".to_vec())
}

table! {
    pub(super) fn rows;
    "Duration": Duration = [Duration::ZERO, Duration::new(1, 999_999_999), Duration::MAX];
    "Option<Duration>": Option<Duration> = [None, Some(Duration::ZERO)];
    concrete "SystemTime": SystemTime = [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 1)];
    concrete "SystemTime before 1970": SystemTime = [SystemTime::UNIX_EPOCH - Duration::from_secs(1)]
        => Expected::shared([false; 3]);
    "Ipv4Addr": Ipv4Addr = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST];
    "Ipv6Addr": Ipv6Addr = [LOCALHOST, Ipv4Addr::LOCALHOST.to_ipv6_mapped()];
    "IpAddr": IpAddr = [Ipv4Addr::LOCALHOST.into(), LOCALHOST.into(), Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()];
    "SocketAddr": SocketAddr = [([127, 0, 0, 1], 0).into(), (LOCALHOST, 65_535).into()];
    "SocketAddrV4": SocketAddrV4 = [SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80)];
    concrete "SocketAddrV6": SocketAddrV6 = [SocketAddrV6::new(LOCALHOST, 80, 0, 0)];
    concrete "SocketAddrV6 with a scope": SocketAddrV6 = [SocketAddrV6::new(LOCALHOST, 80, 0, 3)]
        => Expected::shared([false, true, false]).unseen("compactly, serde leaves out the scope of an address");
    "SocketAddrV6 with a flow": SocketAddrV6 = [SocketAddrV6::new(LOCALHOST, 80, 5, 0)] => SCOPE;
    "HashMap<IpAddr, u8>": HashMap<IpAddr, u8> = [HashMap::from([(LOCALHOST.into(), 1)])];
    concrete "PathBuf": PathBuf = [PathBuf::new(), "/a/b".into(), "a/../ü".into()];
    concrete "PathBuf that is no text": PathBuf = [bytes().into()] => Expected::shared([false; 3]);
    "Arc<Path>": Box<Path> = [Path::new("/a/b").into()];
    "OsString": OsString = ["text".into(), bytes()];
    "CString": CString = [c"text".into(), CString::new(b"\xff".to_vec()).expect("it has no zero")];
    "Arc<CString>": Arc<CString> = [Arc::new(c"text".into())];
}
