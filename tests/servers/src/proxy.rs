//! A TCP proxy that misbehaves on demand.

mod board;
mod fault;
mod link;
mod listen;
mod pump;
mod rules;
mod severed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::watch;

use self::board::Board;
pub use self::fault::{Direction, Fault};
use self::rules::Rules;
use super::port::Port;

/// A proxy before a server, on a port and a thread of its own.
///
/// A fault holds for every byte that is sent after the method that sets it has returned. Methods that
/// end connections return when they have ended.
///
/// ```no_run
/// use larder_servers::{Direction, Fault, Proxy, RedisServer};
///
/// let server = RedisServer::start();
/// let proxy = Proxy::start(server.address());
/// proxy.set(Direction::ToClient, Fault::Hold);
/// // A command sent through `proxy.url()` is executed now, and its reply does not arrive …
/// proxy.heal();
/// // … until here.
/// ```
#[derive(Debug)]
pub struct Proxy {
    rules: Option<watch::Sender<Rules>>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
    port: Port,
}

impl Proxy {
    /// Starts a proxy before a server, which need not be there.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(server: SocketAddr) -> Self {
        let port = Port::claim();
        let board = Arc::new(Board::default());
        let (rules, receiver) = watch::channel(Rules::default());
        let task = listen::serve(port.address(), server, receiver, Arc::clone(&board));
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(task);
        });
        let thread = Some(thread.expect("a thread can be started"));
        board.wait("the proxy listens", |notes| notes.listening);
        Self { rules: Some(rules), board, thread, port }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its URL for a Redis server without password and TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Sets what happens on one way. The other way stays as it is.
    pub fn set(&self, way: Direction, fault: Fault) {
        self.change(|rules| rules.way_mut(way).set(fault));
    }

    /// Sets what happens on both ways.
    pub fn set_both(&self, fault: Fault) {
        self.change(|rules| {
            rules.way_mut(Direction::ToServer).set(fault);
            rules.way_mut(Direction::ToClient).set(fault);
        });
    }

    /// Swallows everything on both ways; new connections are accepted, and lead nowhere.
    pub fn blackhole(&self) {
        self.set_both(Fault::Swallow);
    }

    /// Resets all connections on both sides. New ones are as good as before.
    ///
    /// # Panics
    ///
    /// If they do not end.
    pub fn cut(&self) {
        let last = self.board.last_link();
        self.change(|rules| rules.cut_through = last);
        self.board.wait("all connections are cut", |notes| notes.links.keys().all(|link| *link > last));
    }

    /// Ends one way of all connections: the receiver reads an end of file, the other way stays open. What
    /// was on its way arrives before the end; what is sent afterwards is lost.
    ///
    /// # Panics
    ///
    /// If the way does not end.
    pub fn half_close(&self, way: Direction) {
        let last = self.board.last_link();
        self.change(|rules| rules.way_mut(way).closed_through = last);
        self.board.wait("all connections are half closed", |notes| {
            notes.links.range(..=last).all(|(_, link)| link.closed[way as usize])
        });
    }

    /// Refuses new connections. Those that exist stay.
    ///
    /// # Panics
    ///
    /// If it goes on listening.
    pub fn refuse(&self) {
        self.change(|rules| rules.refuse = true);
        self.board.wait("the proxy refuses", |notes| !notes.listening);
    }

    /// Lifts all faults. Connections that lost something are cut.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub fn heal(&self) {
        self.change(|rules| {
            rules.way_mut(Direction::ToServer).set(Fault::None);
            rules.way_mut(Direction::ToClient).set(Fault::None);
            rules.refuse = false;
        });
        self.board.wait("the proxy is healed", |notes| {
            notes.listening && !notes.links.values().any(|link| link.lost[0] || link.lost[1])
        });
    }

    /// Connections that exist.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.board.read(|notes| notes.links.len())
    }

    /// Bytes that have come in on one way, whatever became of them.
    #[must_use]
    pub fn received(&self, way: Direction) -> u64 {
        self.board.read(|notes| notes.received[way as usize])
    }

    /// Bytes that have gone out on one way.
    #[must_use]
    pub fn delivered(&self, way: Direction) -> u64 {
        self.board.read(|notes| notes.delivered[way as usize])
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        if let Some(rules) = &self.rules {
            rules.send_modify(change);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its tasks end with the last handle that could change their rules.
        self.rules = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
