//! A stream that sees when the other side ends it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::redis::server_findings::Findings;

/// A stream that sees when it is ended from the other side.
pub(super) struct WatchedStream<S> {
    stream: S,
    last: Instant,
    has_ended: bool,
    findings: Arc<Findings>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, findings: Arc<Findings>) -> Self {
        Self { stream, last: Instant::now(), has_ended: false, findings }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let now = Instant::now();
            self.findings.idle.ended(now, now.duration_since(self.last));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        match &outcome {
            Ok(()) if buffer.filled().len() > before => self.last = Instant::now(),
            Ok(()) if room == 0 => {}
            _ => self.end(),
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        // A failed write says nothing of when the other side ended it.
        if outcome.is_ok() {
            self.last = Instant::now();
        }
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        if outcome.is_ok() {
            self.last = Instant::now();
        }
        Poll::Ready(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
