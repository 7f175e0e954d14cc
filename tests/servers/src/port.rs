//! Ports that tests in parallel, in this process or in others, do not take from each other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// Below what systems hand out to outgoing connections (from 32768 on Linux, 49152 on macOS): a
/// server that was killed finds its port free when it comes back.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A TCP port on 127.0.0.1 that is ours until this is dropped, whether something listens there or not.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// The claim is the UDP port of the same number: nobody else can bind it, TCP stays free, and it
    /// ends with the process, however that ends.
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port on which nothing listens.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(super) fn claim() -> Self {
        for _ in 0..10_000 {
            let number = fastrand::u16(RANGE);
            let Ok(claim) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _claim: claim };
            }
        }
        panic!("no free port in {RANGE:?}");
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
