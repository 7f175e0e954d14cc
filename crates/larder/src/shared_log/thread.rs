//! The log's thread: a runtime of its own, so that a stalled one of the user's stalls neither reader nor sender.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, thread, time::Duration};

use futures_util::FutureExt;
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
};

use super::{
    contract::LogError,
    reader::Reader,
    report::report,
    sender::{Sender, Wake},
    state::Shared,
};

/// How long the last invalidations may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Starts the thread. It ends soon after `open` is dropped on the other side.
pub(super) fn start(shared: &Arc<Shared>, wakes: mpsc::Receiver<Wake>, open: watch::Receiver<()>) {
    let started = thread::Builder::new().name("larder-log".to_owned()).spawn({
        let shared = shared.clone();
        move || run(&shared, wakes, open)
    });
    if let Err(error) = started {
        refuse(shared, error);
    }
}

fn run(shared: &Arc<Shared>, wakes: mpsc::Receiver<Wake>, mut open: watch::Receiver<()>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(shared, error),
    };
    runtime.block_on(async {
        let mut reader = Reader::new(shared.clone());
        let mut sender = Sender::new(shared.clone(), wakes);
        tokio::select! {
            never = unwinding(async || reader.run().await) => match never {},
            never = unwinding(async || sender.run().await) => match never {},
            // Nothing is ever sent.
            _ = open.changed() => {}
        }
        sender.finish(LAST_WORDS).await;
    });
}

/// Goes on after a panic, of a subscriber of traces, say: without its reader a process would never hear of any
/// change again.
async fn unwinding(mut run: impl AsyncFnMut() -> Infallible) -> Infallible {
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        match AssertUnwindSafe(run()).catch_unwind().await {
            Ok(never) => match never {},
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn refuse(shared: &Shared, error: std::io::Error) {
    report(|| {
        tracing::error!(log = shared.name, %error, "cannot start the thread that follows the invalidation log");
    });
    let failure = LogError::new("cannot start the log's thread").caused_by(error);
    shared.starts.send_modify(|starts| starts.failure = Some(failure));
}
