//! Handlers whose bodies come as a test sends them.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc::UnboundedSender;

use super::{Handler, Said, handler};

type Sender = UnboundedSender<io::Result<Bytes>>;

/// A handler of streams, and what it has begun.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Vec<Sender>>>);

impl Streams {
    pub(crate) fn handler(&self, headers: &'static [(&'static str, &'static str)]) -> Handler {
        let streams = self.clone();
        handler(move |_| {
            let (said, sender) = Said::stream(headers);
            streams.0.lock().unwrap().push(sender);
            std::future::ready(said)
        })
    }

    pub(crate) fn begun(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The stream that was begun `n`th; dropping it ends it.
    pub(crate) fn take(&self, n: usize) -> Sender {
        std::mem::replace(&mut self.0.lock().unwrap()[n], tokio::sync::mpsc::unbounded_channel().0)
    }
}

/// The next part of a body; none after its end.
pub(crate) async fn chunk(body: &mut Incoming) -> Option<Bytes> {
    let frame =
        tokio::time::timeout(Duration::from_secs(10), body.frame()).await.expect("a chunk in time")?;
    Some(frame.unwrap().into_data().unwrap())
}
