//! One server.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{
    Client, ClientTlsConfig, Connection, FromRedisValue, IntoConnectionInfo, RedisResult, TlsCertificates,
};
use tempfile::TempDir;

use super::builder::{Home, RedisServerBuilder};
use super::port::Port;
use super::process::Process;
use super::program::{self, has_cluster_port};
use super::tls::{self, Certificates};
use super::wait::{self, DEADLINE};

/// What a command of the tests' own may take.
const REPLY: Duration = Duration::from_secs(20);

/// What one probe of a server that is starting may take.
const PROBE: Duration = Duration::from_secs(2);

/// Ports that may turn out to be taken by strangers before a start is given up.
const ATTEMPTS: usize = 5;

/// How far above its port a node's bus is, unless that is set.
const BUS: u16 = 10_000;

/// What a shell says of a program that is not there.
const NOT_FOUND: i32 = 127;

/// What a restarted server finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// What it had on disk: everything it acknowledged with [`append_only`], otherwise its last
    /// snapshot, if it made any.
    ///
    /// [`append_only`]: RedisServerBuilder::append_only
    Kept,
    /// Nothing. (A node of a cluster is still the same node.)
    Lost,
}

/// A server of the test's own, killed when dropped.
///
/// ```no_run
/// use larder_servers::{Data, RedisServer};
///
/// let server = RedisServer::builder().append_only().start();
/// server.command::<()>(&["SET", "key", "value"]);
/// server.kill();
/// server.restart(Data::Kept);
/// assert_eq!(server.command::<String>(&["GET", "key"]), "value");
/// ```
#[derive(Debug)]
pub struct RedisServer {
    // The order of the fields is the order of their ends: the process before its directory and ports.
    state: Mutex<State>,
    setup: RedisServerBuilder,
    directory: TempDir,
    port: Port,
    bus: Option<Port>,
}

#[derive(Debug)]
enum State {
    Running(Process),
    Paused(Process),
    Dead,
}

impl RedisServerBuilder {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If the program is missing or does not start; the message ends with the server's log.
    #[must_use]
    pub fn start(self) -> RedisServer {
        RedisServer::start_with(self)
    }
}

impl RedisServer {
    /// Starts a server that keeps its data in memory only.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Sets up a server.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    pub(super) fn start_with(setup: RedisServerBuilder) -> Self {
        match Self::try_start_with(setup, ATTEMPTS) {
            Ok(server) => server,
            Err(failure) => panic!("{failure}"),
        }
    }

    pub(super) fn try_start_with(setup: RedisServerBuilder, attempts: usize) -> Result<Self, String> {
        if setup.certificates().is_some() {
            tls::choose_cryptography();
        }
        let mut failure = String::new();
        for _ in 0..attempts {
            let (port, bus) = match setup.is_cluster() {
                true if has_cluster_port() => (Port::claim(), Some(Port::claim())),
                true => {
                    let (port, bus) = Port::claim_two(BUS);
                    (port, Some(bus))
                }
                false => (Port::claim(), None),
            };
            let server = Self {
                state: Mutex::new(State::Dead),
                directory: TempDir::with_prefix("larder-redis-").expect("a directory can be made"),
                port,
                bus,
                setup: setup.clone(),
            };
            fs::create_dir(server.home().data()).expect("a directory can be made");
            server
                .setup
                .write(&server.home(), &server.port, server.bus.as_ref())
                .expect("files can be written");
            match server.launch() {
                Ok(process) => {
                    *server.state() = State::Running(process);
                    return Ok(server);
                }
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    /// The port, which stays the same.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address, which stays the same.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL for the user `default`, with its password if it has one.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with(None, self.setup.default_password())
    }

    /// The URL for a user.
    #[must_use]
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url_with(Some(user), Some(password))
    }

    fn url_with(&self, user: Option<&str>, password: Option<&str>) -> String {
        let scheme = if self.setup.certificates().is_some() { "rediss" } else { "redis" };
        let user = user.unwrap_or_default();
        let secret = password.map(|word| format!("{user}:{word}@")).unwrap_or_default();
        format!("{scheme}://{secret}{}", self.address())
    }

    /// The certificates of a server with TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.setup.certificates()
    }

    /// A client for one of this server's URLs that trusts its certificate, and has one of its own.
    ///
    /// # Errors
    ///
    /// If the URL cannot be parsed.
    pub fn client(&self, url: &str) -> RedisResult<Client> {
        match self.setup.certificates() {
            Some(certificates) => {
                let root_cert = Some(certificates.authority().as_bytes().to_vec());
                let client = certificates.client();
                let client_tls = Some(ClientTlsConfig {
                    client_cert: client.certificate.clone().into_bytes(),
                    client_key: client.key.clone().into_bytes(),
                });
                Client::build_with_tls(url, TlsCertificates { client_tls, root_cert })
            }
            None => Client::open(url.into_connection_info()?),
        }
    }

    /// Sends a command on a new connection, as a user who may do everything.
    ///
    /// # Panics
    ///
    /// If there is no reply, or another than expected.
    #[track_caller]
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        match self.try_command(words) {
            Ok(reply) => reply,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    /// Sends a command on a new connection, as a user who may do everything.
    ///
    /// # Errors
    ///
    /// If there is no reply, or another than expected.
    pub fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        query(&mut self.connect(REPLY)?, words)
    }

    fn connect(&self, limit: Duration) -> RedisResult<Connection> {
        let (user, password) = self.setup.keeper();
        let client = self.client(&self.url_with(user, password))?;
        let connection = client.get_connection_with_timeout(limit)?;
        connection.set_read_timeout(Some(limit))?;
        connection.set_write_timeout(Some(limit))?;
        Ok(connection)
    }

    /// The value of a field of `INFO`, or nothing where the server does not tell.
    #[must_use]
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let text: String = self.try_command(&["INFO", section]).ok()?;
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
    }

    /// The number of the process, while there is one.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        match &*self.state() {
            State::Running(process) | State::Paused(process) => Some(process.id()),
            State::Dead => None,
        }
    }

    /// Whether it is neither killed nor paused.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(*self.state(), State::Running(_))
    }

    /// SIGKILL. On return it is gone, and connections to its port are refused.
    pub fn kill(&self) {
        *self.state() = State::Dead;
    }

    /// Starts it again, on the same port, after a SIGKILL if it is alive. Waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&self, data: Data) {
        let mut state = self.state();
        *state = State::Dead;
        if data == Data::Lost {
            fs::remove_dir_all(self.home().data()).expect("our directory can be removed");
            fs::create_dir(self.home().data()).expect("a directory can be made");
        }
        match self.launch() {
            Ok(process) => *state = State::Running(process),
            Err(reason) => panic!("{reason}"),
        }
    }

    /// SIGSTOP: connections stay, and new ones are accepted by the system, but nothing answers.
    ///
    /// # Panics
    ///
    /// If it is dead.
    pub fn pause(&self) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Dead) {
            State::Running(process) | State::Paused(process) => {
                process.pause();
                State::Paused(process)
            }
            State::Dead => panic!("a dead server cannot be paused"),
        };
    }

    /// SIGCONT.
    ///
    /// # Panics
    ///
    /// If it is dead.
    pub fn resume(&self) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Dead) {
            State::Running(process) | State::Paused(process) => {
                process.resume();
                State::Running(process)
            }
            State::Dead => panic!("a dead server cannot be resumed"),
        };
    }

    /// Whether a replica has received all that this server has sent until now. Being linked is not
    /// enough: after a full copy the master holds its stream back until the replica's first report, for
    /// up to a second.
    pub(super) fn has_reached(&self, replica: &Self) -> Option<()> {
        let sent = self.info("replication", "master_repl_offset")?;
        let received = replica.info("replication", "slave_repl_offset")?;
        (received.parse::<u64>().ok()? >= sent.parse::<u64>().ok()?).then_some(())
    }

    pub(super) fn bus_port(&self) -> Option<u16> {
        self.bus.as_ref().map(Port::number)
    }

    fn launch(&self) -> Result<Process, String> {
        let log = self.open_log();
        let configuration = self.home().configuration();
        let mut arguments: Vec<&OsStr> = vec![configuration.as_os_str()];
        arguments.extend(self.setup.arguments().iter().map(OsStr::new));
        let mut process = Process::start(&program::path(), &arguments, self.directory.path(), &log)
            .map_err(|error| format!("a shell did not start: {error}"))?;
        let ready = wait::within(DEADLINE, || {
            if let Some(status) = process.exited() {
                let hint = if status.code() == Some(NOT_FOUND) {
                    " (install it, or name it in LARDER_REDIS_SERVER)"
                } else {
                    ""
                };
                return Some(Err(format!("the server ended with {status}{hint}:\n{}", self.log())));
            }
            self.answers().then_some(Ok(()))
        });
        match ready {
            Some(Ok(())) => Ok(process),
            Some(Err(reason)) => Err(reason),
            None => Err(format!("the server does not answer:\n{}", self.log())),
        }
    }

    /// A server that is still loading its data refuses a PING.
    fn answers(&self) -> bool {
        let ping = |mut connection| query::<String>(&mut connection, &["PING"]);
        self.connect(PROBE).and_then(ping).is_ok()
    }

    fn open_log(&self) -> File {
        let path = self.home().log();
        OpenOptions::new().create(true).append(true).open(path).expect("our file can be opened")
    }

    /// What the server has printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home().log()).unwrap_or_default()
    }

    fn home(&self) -> Home<'_> {
        Home(self.directory.path())
    }

    /// A test that panicked elsewhere must not keep its servers alive.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn query<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> RedisResult<T> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query(connection)
}
