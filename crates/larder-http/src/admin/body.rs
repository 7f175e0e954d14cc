//! Reading a body, up to a limit.

use std::{future::poll_fn, pin::pin};

use bytes::{Buf as _, Bytes};
use http::StatusCode;
use http_body::Body;

use super::answer::Problem;

/// The largest body that is read, in bytes.
const MOST: usize = 64 << 10;

/// The chunks of a body so far.
#[derive(Default)]
pub(super) struct Chunks(Vec<u8>);

impl Chunks {
    /// One more.
    pub(super) fn add(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        if chunk.len() > MOST - self.0.len() {
            let text = format!("a body has at most {MOST} bytes: send several requests");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

/// A body that broke off.
pub(super) fn broken() -> Problem {
    Problem::bad("the body broke off")
}

pub(super) async fn read(body: impl Body) -> Result<Bytes, Problem> {
    let mut body = pin!(body);
    let mut chunks = Chunks::default();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(mut data) = frame.map_err(|_| broken())?.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            chunks.add(chunk)?;
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(chunks.into_bytes())
}
