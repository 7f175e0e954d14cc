//! A child process that does not outlive us.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// The shell becomes the server, after leaving a watcher behind: it reads from a pipe whose other end
/// only we hold. A line means that all is well; its end without a line means that we are dead. Signals
/// are ignored because our death may send one: a process group that it orphans gets a SIGHUP if one of
/// its processes is stopped.
const WATCHED: &str = r#"
directory=$1
shift
exec 3<&0 </dev/null
watch() {
    trap '' HUP INT TERM
    read -r _ <&3 && exit
    kill -KILL "$$"
    rm -rf "$directory"
}
( watch >/dev/null 2>&1 & )
exec "$@" 3<&-
"#;

/// A child process, killed when dropped, and also when our own process is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program, with everything that it prints appended to a log. If we are killed, its
    /// directory is removed with it.
    ///
    /// # Errors
    ///
    /// If there is no shell.
    pub fn start(program: &OsStr, arguments: &[&OsStr], directory: &Path, log: &File) -> io::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(directory)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            // What is typed at a terminal, or sent to our group, must not reach the watcher.
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGSTOP. On return it runs no more.
    ///
    /// # Panics
    ///
    /// If it has ended and that was seen.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        // A signal is only sent by then. Both ends are waited for, lest a dead one be waited for forever,
        // and neither is consumed: the death belongs to `child`.
        let states = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), states).expect("our child can be waited for");
    }

    /// SIGCONT.
    ///
    /// # Panics
    ///
    /// If it has ended and that was seen.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM: it may still do something about it.
    ///
    /// # Panics
    ///
    /// If it has ended and that was seen.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL. On return it is gone, and its sockets with it.
    pub fn kill(&mut self) {
        // Fails where the process has ended already, which is as good.
        let _ = self.child.kill();
        if let Some(mut watcher) = self.child.stdin.take() {
            let _ = watcher.write_all(b"well\n");
        }
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our child can be signalled");
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
