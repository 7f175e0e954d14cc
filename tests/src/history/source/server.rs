//! The side of the test.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{ASKS, Ask, Phase, REPLY, REQUEST};

/// Serves the source until the test is over.
#[derive(Debug, Clone)]
pub struct SourceServer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    versions: Vec<AtomicU64>,
    told: AtomicU64,
    phase: AtomicU64,
    /// For each process, the phases that it is done with.
    done: Mutex<Vec<(u8, Phase)>>,
}

impl SourceServer {
    /// For so many keys, at a path that does not exist yet. Its threads live as long as their clients, or the
    /// process.
    ///
    /// # Errors
    ///
    /// If it cannot listen there.
    pub fn start(path: &Path, keys: usize) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let server = Self(Arc::new(Shared {
            versions: (0..keys).map(|_| AtomicU64::new(1)).collect(),
            told: AtomicU64::new(0),
            phase: AtomicU64::new(Phase::Live as u64),
            done: Mutex::default(),
        }));
        let shared = Arc::downgrade(&server.0);
        thread::Builder::new().name("source".to_owned()).spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Some(shared)) = (client, shared.upgrade()) else { return };
                let serve = move || {
                    // A client that is gone has nothing more to ask.
                    let _ = shared.serve(client);
                };
                let _ = thread::Builder::new().name("source client".to_owned()).spawn(serve);
            }
        })?;
        Ok(server)
    }

    /// What the workers are to do from now on.
    pub fn set_phase(&self, phase: Phase) {
        self.0.phase.store(phase as u64, Ordering::SeqCst);
    }

    /// Whether a process said that it is done with a phase.
    #[must_use]
    pub fn is_done(&self, process: u8, phase: Phase) -> bool {
        self.0.done.lock().unwrap_or_else(PoisonError::into_inner).contains(&(process, phase))
    }
}

impl Shared {
    fn serve(&self, client: UnixStream) -> io::Result<()> {
        let mut requests = BufReader::new(client.try_clone()?);
        let mut replies = client;
        let mut request = [0; REQUEST];
        loop {
            requests.read_exact(&mut request)?;
            let [ask, number @ ..] = request;
            let reply: [u8; REPLY] =
                self.answer(ASKS[usize::from(ask)], u64::from_le_bytes(number)).to_le_bytes();
            replies.write_all(&reply)?;
        }
    }

    fn answer(&self, ask: Ask, number: u64) -> u64 {
        let version = |key| &self.versions[usize::try_from(key).expect("a key's number")];
        match ask {
            Ask::Read => version(number).load(Ordering::SeqCst),
            Ask::Raise => version(number).fetch_add(1, Ordering::SeqCst) + 1,
            Ask::Tell => self.told.fetch_max(number, Ordering::SeqCst).max(number),
            Ask::Phase => self.phase.load(Ordering::SeqCst),
            Ask::Done => {
                let process = u8::try_from(number & 0xff).expect("eight bits");
                let phase = Phase::from_number(number >> 8).expect("a phase's number");
                self.done.lock().unwrap_or_else(PoisonError::into_inner).push((process, phase));
                0
            }
        }
    }
}
