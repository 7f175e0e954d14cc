//! A server of PostgreSQL.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::getuid;
use tempfile::TempDir;

use super::port::Port;
use super::process::Process;
use super::wait::{DEADLINE, until};

/// `initdb` refuses to run as root: then this user runs it, who is everywhere.
const UNPRIVILEGED: u32 = 65_534;

/// What is called.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "createdb", "pg_isready"];

/// A server of the test's own, with one database `larder` and a user of that name without a password; killed when
/// dropped.
///
/// The programs are those of the newest release under `/usr/lib/postgresql` or Homebrew's, of the `PATH`, or those in the
/// folder that `LARDER_POSTGRES_BIN` names.
#[derive(Debug)]
pub struct PostgresServer {
    // The order of the fields is the order of their ends: the process before its directory and port.
    process: Mutex<Option<Process>>,
    programs: PathBuf,
    directory: TempDir,
    port: Port,
}

impl PostgresServer {
    /// Starts a server. None if there is none on this machine, and the environment variable
    /// `LARDER_WITHOUT_POSTGRES` says that its tests are to be skipped then: that is printed.
    ///
    /// # Panics
    ///
    /// If it does not start, or is not there and that variable is not set.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                env::var_os("LARDER_WITHOUT_POSTGRES").is_some(),
                "there is no PostgreSQL: scripts/test installs it; LARDER_WITHOUT_POSTGRES=1 skips its tests"
            );
            eprintln!("SKIPPED: there is no PostgreSQL on this machine");
            return None;
        };
        let directory = TempDir::with_prefix("larder-postgres-").expect("a directory can be made");
        if getuid().is_root() {
            chown(directory.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("root can give it away");
        }
        let server = Self { process: Mutex::new(None), programs, directory, port: Port::claim() };
        server.initialize();
        server.restart();
        let mut create = Command::new(server.program("createdb"));
        create.args(["-h", "127.0.0.1", "-p", &server.port.number().to_string(), "-U", "larder", "larder"]);
        let created = create.output().expect("it was installed with the server");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        Some(server)
    }

    fn initialize(&self) {
        let data = self.data();
        let mut arguments = vec![OsString::from("-D"), data.into()];
        arguments
            .extend(["-U", "larder", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"].map(Into::into));
        let (program, arguments) = self.unprivileged("initdb", arguments);
        let made = Command::new(program).args(arguments).current_dir("/").output().expect("it is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// How a program is called that refuses to run as root.
    fn unprivileged(&self, name: &str, mut arguments: Vec<OsString>) -> (OsString, Vec<OsString>) {
        let program = self.program(name).into_os_string();
        if !getuid().is_root() {
            return (program, arguments);
        }
        let user = UNPRIVILEGED.to_string();
        let mut all: Vec<OsString> =
            ["--reuid", &user, "--regid", &user, "--clear-groups", "--"].map(Into::into).to_vec();
        all.push(program);
        all.append(&mut arguments);
        ("setpriv".into(), all)
    }

    /// Starts it again after [`kill`](Self::kill), with what it has on disk.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&self) {
        let log = self.directory.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("the directory is ours");
        until("a server of PostgreSQL", || {
            let mut process = self.launch(&log);
            let begun = Instant::now();
            loop {
                if TcpStream::connect(self.address()).is_ok() && self.is_ready() {
                    *self.process() = Some(process);
                    return Some(());
                }
                // What is left of the one before may be in the way for a moment.
                if process.exited().is_some() || begun.elapsed() > DEADLINE {
                    return None;
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
    }

    fn launch(&self, log: &File) -> Process {
        let mut arguments = vec![OsString::from("-D"), self.data().into(), "-p".into()];
        arguments.push(self.port.number().to_string().into());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "shared_buffers=16MB",
            "max_connections=500",
        ] {
            arguments.extend(["-c".into(), OsString::from(setting)]);
        }
        let (program, arguments) = self.unprivileged("postgres", arguments);
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        Process::start(&program, &arguments, self.directory.path(), log).expect("there is a shell")
    }

    fn is_ready(&self) -> bool {
        let mut ready = Command::new(self.program("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.number().to_string()]);
        ready.status().is_ok_and(|status| status.success())
    }

    /// SIGKILL. On return it is gone; its connections end within moments.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// For sqlx.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The same for a proxy before it.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://larder@{address}/larder")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of the programs.
fn programs() -> Option<PathBuf> {
    if let Some(named) = env::var_os("LARDER_POSTGRES_BIN") {
        return Some(named.into());
    }
    let is_there = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    let on_path = env::var_os("PATH").and_then(|path| env::split_paths(&path).find(is_there));
    let releases = |root: &str, inside: &str| {
        let folders = fs::read_dir(Path::new(root)).into_iter().flatten().flatten();
        let folders = folders.map(|folder| folder.path());
        let mut folders: Vec<_> = folders.map(|folder| folder.join(inside)).filter(is_there).collect();
        // By the number of the release: 9 comes before 15.
        folders.sort_by_key(|folder| (folder.as_os_str().len(), folder.clone()));
        folders.pop()
    };
    on_path
        .or_else(|| releases("/usr/lib/postgresql", "bin"))
        .or_else(|| releases("/opt/homebrew/opt", "bin"))
        .or_else(|| releases("/usr/local/opt", "bin"))
}
