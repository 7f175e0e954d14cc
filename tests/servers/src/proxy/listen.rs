//! Accepting, or refusing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time;

use super::board::{Board, Link};
use super::link;
use super::rules::Rules;

/// Listens while it may, until the proxy is dropped.
pub(super) async fn serve(
    address: SocketAddr,
    server: SocketAddr,
    mut rules: watch::Receiver<Rules>,
    board: Arc<Board>,
) {
    loop {
        let Some(listener) = listen(address, &mut rules).await else {
            return;
        };
        board.write(|notes| notes.listening = true);
        loop {
            // First the rules: what was ordered before a client came holds for it.
            tokio::select! {
                biased;
                changed = rules.changed() => match changed {
                    Ok(()) if rules.borrow().refuse => break,
                    Ok(()) => {},
                    Err(_) => return,
                },
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    begin(client, server, &rules, &board);
                },
            }
        }
        drop(listener);
        board.write(|notes| notes.listening = false);
    }
}

/// A listener, once the rules allow one; nothing when the proxy is dropped.
async fn listen(address: SocketAddr, rules: &mut watch::Receiver<Rules>) -> Option<TcpListener> {
    loop {
        rules.wait_for(|rules| !rules.refuse).await.ok()?;
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        time::sleep(Duration::from_millis(5)).await;
    }
}

fn begin(client: TcpStream, server: SocketAddr, rules: &watch::Receiver<Rules>, board: &Arc<Board>) {
    let id = board.write(|notes| {
        notes.last_link += 1;
        notes.links.insert(notes.last_link, Link::default());
        notes.last_link
    });
    let (rules, board) = (rules.clone(), Arc::clone(board));
    tokio::spawn(async move {
        link::run(id, client, server, rules, &board).await;
        // Only now are its sockets closed.
        board.write(|notes| notes.links.remove(&id));
    });
}
