//! Ports that tests in parallel, in this process or in others, do not take from each other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// Below what systems hand out to outgoing connections (from 32768 on Linux, 49152 on macOS): a
/// server that was killed finds its port free when it comes back.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A TCP port on 127.0.0.1 that is ours until this is dropped, whether something listens there or not.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// The claim is the UDP port of the same number: no other process can bind it, TCP stays free, and it
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
        let port = (0..10_000).find_map(|_| Self::try_claim(fastrand::u16(RANGE)));
        port.unwrap_or_else(|| panic!("no free port in {RANGE:?}"))
    }

    /// Claims two ports so far from each other.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub(super) fn claim_two(apart: u16) -> (Self, Self) {
        let two = (0..10_000).find_map(|_| {
            let first = fastrand::u16(RANGE.start..RANGE.end - apart);
            Some((Self::try_claim(first)?, Self::try_claim(first + apart)?))
        });
        two.unwrap_or_else(|| panic!("no two free ports in {RANGE:?}"))
    }

    fn try_claim(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _claim: claim })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
