//! Servers that do not speak Redis' protocol.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::ConnectError;

/// A stream that remembers the first bytes that are read from it.
pub(super) struct Head<S> {
    stream: S,
    bytes: Vec<u8>,
}

impl<S> Head<S> {
    const LONGEST: usize = 64;

    pub(super) fn new(stream: S) -> Self {
        Self { stream, bytes: Vec::with_capacity(Self::LONGEST) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Head<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let left = Self::LONGEST - self.bytes.len();
        self.bytes.extend(buffer.filled()[before..].iter().take(left));
        Poll::Ready(Ok(()))
    }
}

/// What answers otherwise than Redis does. Its words are not repeated: they may be ours, a password among them.
pub(super) fn not_redis(head: &[u8]) -> ConnectError {
    const OTHER_PORT: &str = "check the host and the port of the URL: Redis mostly listens on port 6379";
    let begin = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| begin.starts_with(word));
    let (seems, mend) = if begins(&["http/", "<!doctype", "<html", "<?xml"]) {
        (": it seems to be an HTTP server", OTHER_PORT)
    } else if head.first() == Some(&0x15) {
        // The type of a TLS alert.
        (": it seems to use TLS", "write rediss:// in place of redis://")
    } else if begins(&["ssh-"]) {
        (": it seems to be an SSH server", OTHER_PORT)
    } else {
        ("", OTHER_PORT)
    };
    ConnectError::permanent(format!("the server does not speak Redis' protocol{seems}")).mended_by(mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_seems_to_be() {
        for (head, word) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "HTTP"),
            (b"\r\n<!DOCTYPE HTML>", "HTTP"),
            (b"\x15\x03\x01\x00\x02\x02\x0a", "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            (b"ERROR\r\n", "protocol"),
        ] {
            let error = not_redis(head);
            assert!(error.reason().contains(word), "{error:?}");
            assert!(error.is_permanent() && error.mend().is_some());
        }
    }
}
