//! One connection through the proxy.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::board::Board;
use super::fault::{Direction, Fault};
use super::pump::Pump;
use super::rules::Rules;
use super::severed::Severed;

/// Carries bytes both ways until both have ended, or the link is severed. On return its sockets are
/// closed.
pub(super) async fn run(
    id: u64,
    mut client: TcpStream,
    server: SocketAddr,
    mut rules: watch::Receiver<Rules>,
    board: &Board,
) {
    let connected = tokio::select! {
        biased;
        () = severed(id, rules.clone()) => None,
        server = connect(id, &mut client, server, &mut rules, board) => server,
    };
    let Some(mut server) = connected else {
        reset(&client);
        return;
    };
    // What is written is to go out at once: no waiting for more.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let requests = Pump::new(id, Direction::ToServer, from_client, to_server, rules.clone(), board);
    let replies = Pump::new(id, Direction::ToClient, from_server, to_client, rules, board);
    if let Err(Severed::Reset) = tokio::try_join!(requests.run(), replies.run()) {
        reset(&client);
        reset(&server);
    }
}

/// The connection to the server. In a black hole none is made, since the server may be gone, which the
/// client must not notice.
async fn connect(
    id: u64,
    client: &mut TcpStream,
    server: SocketAddr,
    rules: &mut watch::Receiver<Rules>,
    board: &Board,
) -> Option<TcpStream> {
    let way = Direction::ToServer;
    if rules.borrow().way(way).fault != Fault::Swallow {
        return TcpStream::connect(server).await.ok();
    }
    let note = |bytes: usize| {
        board.write(|notes| {
            notes.received[way as usize] += bytes as u64;
            notes.links.entry(id).or_default().lost[way as usize] = true;
        });
    };
    note(0);
    let mut buffer = [0; 4096];
    let mut open = true;
    loop {
        let now = *rules.borrow_and_update();
        let closed = [way, Direction::ToClient].iter().any(|way| now.way(*way).closed_through >= id);
        if closed || now.way(way).fault != Fault::Swallow {
            return None;
        }
        tokio::select! {
            biased;
            changed = rules.changed() => changed.ok()?,
            read = client.read(&mut buffer), if open => match read {
                Ok(0) | Err(_) => open = false,
                Ok(bytes) => note(bytes),
            },
        }
    }
}

/// Until the link is ordered to be cut, or the proxy is dropped.
async fn severed(id: u64, mut rules: watch::Receiver<Rules>) {
    let _ = rules.wait_for(|rules| rules.cut_through >= id).await;
}

fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
