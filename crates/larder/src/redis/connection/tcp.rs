//! A TCP connection to a host, of whose addresses some may lead nowhere.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use ::redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};

use super::ConnectError;

/// How long a connection is idle before the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How long an address is tried alone, as RFC 8305 recommends.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to a host.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = found
        .map_err(|error| {
            ConnectError::transient("the name of the host leads to no address").caused_by(error)
        })?
        .collect();
    let stream = connect(&addresses).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(stream)
}

/// The first connection that comes about. The addresses are tried in their order, each once those before it have failed. One
/// that does not answer at all holds up the next one for a moment only, and goes on being tried.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    let mut attempts = FuturesUnordered::new();
    let (last, others) = match addresses {
        [others @ .., last] => (last, others),
        [] => return Err(failure),
    };
    for address in others {
        attempts.push(TcpStream::connect(address));
        if let Ok(Some(stream)) = timeout(STAGGER, first(&mut attempts, &mut failure)).await {
            return Ok(stream);
        }
    }
    attempts.push(TcpStream::connect(last));
    first(&mut attempts, &mut failure).await.ok_or(failure)
}

/// The first attempt that succeeds; none if all fail.
async fn first(
    attempts: &mut FuturesUnordered<impl Future<Output = io::Result<TcpStream>>>,
    failure: &mut io::Error,
) -> Option<TcpStream> {
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(stream) => return Some(stream),
            Err(error) => *failure = error,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Nothing listens there.
    async fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// Accepts no more connections, and refuses none: an attempt waits, as for a network that leads nowhere.
    async fn silent() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) =
            timeout(Duration::from_millis(100), TcpStream::connect(listener.local_addr().unwrap())).await
        {
            waiting.push(stream.unwrap());
            assert!(waiting.len() < 100, "it accepts all");
        }
        (listener, waiting)
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_holds_up_no_other() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (there, (nowhere, _waiting)) =
            (there.local_addr().map(|address| (address, there)).unwrap(), silent().await);
        let nowhere = (nowhere.local_addr().unwrap(), nowhere);
        let to = |addresses: [SocketAddr; 3]| async move {
            // Far less than the system's own limit, which is minutes.
            timeout(Duration::from_secs(20), connect(&addresses)).await.expect("it goes on to the next")
        };
        let refusing = refusing().await;
        for addresses in [
            [there.0, nowhere.0, refusing],
            [nowhere.0, there.0, refusing],
            [refusing, nowhere.0, there.0],
            [nowhere.0, refusing, there.0],
        ] {
            assert_eq!(to(addresses).await.unwrap().peer_addr().unwrap(), there.0);
        }
        assert_eq!(to([refusing; 3]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect(&[]).await.is_err());
    }
}
