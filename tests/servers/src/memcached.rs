//! A server of memcached.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::getuid;
use tempfile::TempDir;

use super::{
    port::Port,
    process::Process,
    wait::{DEADLINE, until},
};

/// A server of the test's own, killed when dropped.
///
/// The program is `memcached`, or what `LARDER_MEMCACHED` names.
#[derive(Debug)]
pub struct MemcachedServer {
    // The order of the fields is the order of their ends: the process before its directory and port.
    process: Mutex<Option<Process>>,
    directory: TempDir,
    port: Port,
    options: Vec<String>,
}

impl MemcachedServer {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with options of its own: `-m 1` for a mebibyte of memory.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn with(options: &[&str]) -> Self {
        let directory = TempDir::with_prefix("larder-memcached-").expect("a directory can be made");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let server = Self { process: Mutex::new(None), directory, port: Port::claim(), options };
        server.restart();
        server
    }

    /// Starts it again after [`kill`](Self::kill): empty.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&self) {
        let log = self.directory.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("the directory is ours");
        until("a server of memcached (scripts/test installs it)", || {
            let mut process = self.launch(&log);
            let begun = Instant::now();
            loop {
                if self.answers() {
                    *self.process() = Some(process);
                    return Some(());
                }
                // What is left of the one before may be in the way for a moment.
                if process.exited().is_some() || begun.elapsed() > DEADLINE {
                    return None;
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
    }

    fn launch(&self, log: &File) -> Process {
        let program = env::var_os("LARDER_MEMCACHED").unwrap_or_else(|| "memcached".into());
        let port = self.port.number().to_string();
        let mut arguments: Vec<OsString> =
            ["-l", "127.0.0.1", "-p", &port, "-U", "0", "-t", "2"].map(Into::into).to_vec();
        if getuid().is_root() {
            arguments.extend(["-u", "nobody"].map(Into::into));
        }
        arguments.extend(self.options.iter().map(Into::into));
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        Process::start(&program, &arguments, self.directory.path(), log).expect("there is a shell")
    }

    fn answers(&self) -> bool {
        TcpStream::connect(self.address()).is_ok_and(|stream| exchange(&stream, "version").is_some())
    }

    /// Sends one command, and gives the first line of the reply.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn tell(&self, command: &str) -> String {
        let stream = TcpStream::connect(self.address()).expect("it listens");
        exchange(&stream, command).expect("it answers")
    }

    /// One of the numbers that `stats` tells.
    ///
    /// # Panics
    ///
    /// If it does not tell it.
    pub fn statistic(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(self.address()).expect("it listens");
        stream.write_all(b"stats\r\n").expect("it listens");
        let lines = BufReader::new(stream).lines().map(|line| line.expect("it answers"));
        let mut lines = lines.take_while(|line| line != "END");
        let start = format!("STAT {name} ");
        let number = lines.find_map(|line| line.strip_prefix(&start)?.parse().ok());
        number.unwrap_or_else(|| panic!("it tells no number called {name:?}"))
    }

    /// SIGKILL. On return it is gone.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// SIGSTOP: it accepts connections, and answers nothing.
    pub fn pause(&self) {
        self.process().iter().for_each(Process::pause);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process().iter().for_each(Process::resume);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exchange(mut stream: &TcpStream, command: &str) -> Option<String> {
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    write!(stream, "{command}\r\n").ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.ends_with("\r\n").then(|| line.trim_end().to_owned())
}
