//! Threads of larder's own, of which the whole process has one of a kind.

use std::process;

/// Whether such a thread runs in this process. A process that was forked has what this says, and not the thread.
#[derive(Debug)]
pub(crate) struct OwnThread {
    /// The process that it runs in; zero is none.
    process: u32,
}

impl OwnThread {
    pub(crate) const NONE: Self = Self { process: 0 };

    /// Whether the caller has to start it: from here on it is taken to run.
    pub(crate) fn is_missing(&mut self) -> bool {
        let process = process::id();
        std::mem::replace(&mut self.process, process) != process
    }

    /// It could not be started: the next one tries again.
    pub(crate) fn failed(&mut self) {
        *self = Self::NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_started_once_a_process_and_again_after_a_failure() {
        let mut thread = OwnThread::NONE;
        assert!(thread.is_missing() && !thread.is_missing());
        thread.failed();
        assert!(thread.is_missing() && !thread.is_missing());
        let mut forked = OwnThread { process: process::id() + 1 };
        assert!(forked.is_missing() && !forked.is_missing());
    }
}
