//! CPU time and memory, as Linux counts them.

use std::{fs, path::Path, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far.
pub(crate) fn of_thread() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("it does not run backwards")
}

/// CPU time of all threads of this process so far.
pub(crate) fn of_this_process() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("it does not run backwards")
}

/// CPU time of a process' first thread so far. It is the one that serves commands in a server.
pub(crate) fn of_process(process: u32) -> Duration {
    in_schedule(Path::new(&format!("/proc/{process}")))
}

/// CPU time of the thread that this directory of `/proc` is about.
pub(crate) fn in_schedule(directory: &Path) -> Duration {
    let text = fs::read_to_string(directory.join("schedstat")).expect("this is Linux");
    let first = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(first.expect("its first field is nanoseconds"))
}

/// Bytes of a process that are in memory.
pub(crate) fn memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).expect("this is Linux");
    let pages = text.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    pages.expect("its second field is pages") * 4096
}

/// Nanoseconds of this thread's CPU time for each of so many.
pub(crate) fn each(times: u64, run: impl FnOnce()) -> f64 {
    let before = of_thread();
    run();
    per(of_thread() - before, times)
}

/// Nanoseconds for each of so many.
#[expect(clippy::cast_precision_loss, reason = "what is measured is not as exact")]
pub(crate) fn per(took: Duration, times: u64) -> f64 {
    took.as_secs_f64() * 1e9 / times as f64
}
