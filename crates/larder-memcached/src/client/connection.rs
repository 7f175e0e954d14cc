//! One connection to a node: what is written, and what comes back.

use std::{
    io::{Error, ErrorKind, Result, Write},
    time::Duration,
};

use larder::internal::shared::contained;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How much is asked for at once: what a node has not read yet never fills the buffers between, while it waits for its
/// replies to be read.
const MOST_ASKED: usize = 16 << 10;

/// How long one `gets` is at most. A server takes longer ones than of other commands, but not any.
const LONGEST_GETS: usize = 1_900;

/// How many values one `gets` asks for, and so how many have to come in time.
const MOST_VALUES: usize = 8;

/// How many items, and about how many bytes, are sent at once to be stored.
const MOST_STORED: usize = 64;
const MOST_SENT: usize = 256 << 10;

/// The longest line of a reply. One longer is none of memcached's.
const LONGEST_LINE: usize = 2_048;

/// The largest value that a server may send: what one reply may have us allocate.
const LARGEST_VALUE: usize = 128 << 20;

/// A connection, with all of the replies to what was written before read.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    limit: Duration,
    /// What was received and not read so far: `buffer[read..]`.
    buffer: Vec<u8>,
    read: usize,
}

/// What is stored under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) flags: u32,
    /// Another one after each change; zero if the server has none.
    pub(crate) cas: u64,
    pub(crate) data: Vec<u8>,
}

/// What is to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Storing<'a> {
    pub(crate) name: &'a str,
    pub(crate) flags: u32,
    /// In seconds; zero is without an end.
    pub(crate) expires: u32,
    pub(crate) data: &'a [u8],
}

impl Connection {
    /// Opens one, within a limit of time that holds for each piece of what is asked later, too.
    pub(crate) async fn open(address: &str, limit: Duration) -> Result<Self> {
        let stream = in_time(limit, TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, limit, buffer: Vec::new(), read: 0 })
    }

    /// How long the next ones may take for each piece that is sent, and for each of a reply: a large request takes as long as
    /// it takes, if it goes on.
    pub(crate) fn limit_to(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Whether it is as it should be between two requests: open, with nothing to be read.
    pub(crate) fn is_idle(&self) -> bool {
        let nothing =
            self.stream.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        nothing && self.read == self.buffer.len()
    }

    /// Adds what is stored under these names, in no order; what is not there is left out. What had come before an error stays.
    pub(crate) async fn get(&mut self, names: &[String], into: &mut Vec<Item>) -> Result<()> {
        let mut asked = Vec::new();
        let (mut left, mut requests) = (names, 0);
        while !left.is_empty() {
            let mut line = b"gets".to_vec();
            let mut of_line = 0;
            while let [first, rest @ ..] = left
                && (of_line == 0 || of_line < MOST_VALUES && line.len() + first.len() < LONGEST_GETS)
            {
                line.push(b' ');
                line.extend_from_slice(first.as_bytes());
                (left, of_line) = (rest, of_line + 1);
            }
            asked.append(&mut line);
            asked.extend_from_slice(b"\r\n");
            requests += 1;
            if asked.len() >= MOST_ASKED || left.is_empty() {
                self.send(&asked).await?;
                asked.clear();
                for _ in 0..std::mem::take(&mut requests) {
                    in_time(self.limit, self.values(into)).await?;
                }
            }
        }
        Ok(())
    }

    /// Stores each, whatever is there. Adds of each whether it is stored; what is known before an error stays.
    pub(crate) async fn set(&mut self, all: &[Storing<'_>], stored: &mut Vec<bool>) -> Result<()> {
        let (mut left, mut unread) = (all, 0);
        while !left.is_empty() {
            let (mut request, mut count) = (Vec::new(), 0);
            while let [first, rest @ ..] = left
                && (count == 0 || count < MOST_STORED && request.len() + first.data.len() < MOST_SENT)
            {
                write_storing(&mut request, "set", first, None);
                (left, count) = (rest, count + 1);
            }
            // A server that refuses a value reads it to its end: no reply has to be read before the next piece is sent.
            self.send(&request).await?;
            in_time(self.limit, self.outcomes(unread, &[b"SERVER_ERROR"], stored)).await?;
            unread = count;
        }
        in_time(self.limit, self.outcomes(unread, &[b"SERVER_ERROR"], stored)).await
    }

    /// Stores it where there is nothing. False if there is something.
    pub(crate) async fn add(&mut self, storing: &Storing<'_>) -> Result<bool> {
        let mut request = Vec::new();
        write_storing(&mut request, "add", storing, None);
        self.send(&request).await?;
        in_time(self.limit, self.outcome(b"STORED", &[b"NOT_STORED", b"SERVER_ERROR"])).await
    }

    /// Stores each where there is nothing, and reads what is there then.
    pub(crate) async fn add_and_get(&mut self, all: &[Storing<'_>]) -> Result<Vec<Item>> {
        let (mut items, mut unread) = (Vec::with_capacity(all.len()), 0);
        for some in all.chunks(MOST_STORED) {
            let mut request = Vec::new();
            some.iter().for_each(|storing| write_storing(&mut request, "add", storing, None));
            some.iter().for_each(|storing| write(&mut request, format_args!("gets {}\r\n", storing.name)));
            self.send(&request).await?;
            in_time(self.limit, self.added(unread, &mut items)).await?;
            unread = some.len();
        }
        in_time(self.limit, self.added(unread, &mut items)).await?;
        Ok(items)
    }

    /// Stores it where there is nothing, and reads what is there then, and under another name: in this order.
    pub(crate) async fn add_and_get_both(&mut self, storing: &Storing<'_>, other: &str) -> Result<Vec<Item>> {
        let (mut request, mut items) = (Vec::new(), Vec::new());
        write_storing(&mut request, "add", storing, None);
        write(&mut request, format_args!("gets {} {other}\r\n", storing.name));
        self.send(&request).await?;
        in_time(self.limit, async {
            self.outcomes(1, &[b"NOT_STORED", b"SERVER_ERROR"], &mut Vec::new()).await?;
            self.values(&mut items).await
        })
        .await?;
        Ok(items)
    }

    /// Ends what was read, if nothing has happened to it since.
    pub(crate) async fn end(&mut self, name: &str, cas: u64) -> Result<bool> {
        let mut request = Vec::new();
        // What ends before now is over at once.
        write(&mut request, format_args!("cas {name} 0 -1 0 {cas}\r\n\r\n"));
        self.send(&request).await?;
        in_time(self.limit, self.outcome(b"STORED", &[b"EXISTS", b"NOT_FOUND", b"SERVER_ERROR"])).await
    }

    async fn added(&mut self, count: usize, items: &mut Vec<Item>) -> Result<()> {
        self.outcomes(count, &[b"NOT_STORED", b"SERVER_ERROR"], &mut Vec::new()).await?;
        for _ in 0..count {
            self.values(items).await?;
        }
        Ok(())
    }

    /// Stores each in the place of what was read, if nothing has happened to that since: `cas` is from this very
    /// connection. Says of each whether it is stored.
    pub(crate) async fn compare_and_set(&mut self, all: &[(Storing<'_>, u64)]) -> Result<Vec<bool>> {
        const NOT: [&[u8]; 3] = [b"EXISTS", b"NOT_FOUND", b"SERVER_ERROR"];
        let (mut stored, mut unread) = (Vec::with_capacity(all.len()), 0);
        for some in all.chunks(MOST_STORED) {
            let mut request = Vec::new();
            some.iter().for_each(|(storing, cas)| write_storing(&mut request, "cas", storing, Some(*cas)));
            self.send(&request).await?;
            in_time(self.limit, self.outcomes(unread, &NOT, &mut stored)).await?;
            unread = some.len();
        }
        in_time(self.limit, self.outcomes(unread, &NOT, &mut stored)).await?;
        Ok(stored)
    }

    /// Removes what is under each of these names, if anything is.
    pub(crate) async fn delete(&mut self, names: &[String]) -> Result<()> {
        for some in names.chunks(256) {
            let mut request = Vec::new();
            some.iter().for_each(|name| write(&mut request, format_args!("delete {name}\r\n")));
            self.send(&request).await?;
            in_time(self.limit, async {
                for _ in some {
                    self.outcome(b"DELETED", &[b"NOT_FOUND"]).await?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Adds one to a number, if it is there, and reads what is there then.
    pub(crate) async fn increment_and_get(&mut self, name: &str) -> Result<Option<Item>> {
        let mut request = Vec::new();
        write(&mut request, format_args!("incr {name} 1\r\ngets {name}\r\n"));
        self.send(&request).await?;
        in_time(self.limit, async {
            let line = self.line().await?;
            let is_number = !line.is_empty() && line.iter().all(u8::is_ascii_digit);
            if !is_number && line != b"NOT_FOUND" && !line.starts_with(b"CLIENT_ERROR") {
                return Err(unexpected(&line));
            }
            let mut items = Vec::new();
            self.values(&mut items).await?;
            Ok(items.pop().filter(|_| is_number))
        })
        .await
    }

    /// Whether it answers.
    pub(crate) async fn version(&mut self) -> Result<()> {
        self.send(b"version\r\n").await?;
        let line = in_time(self.limit, self.line()).await?;
        if line.starts_with(b"VERSION ") { Ok(()) } else { Err(unexpected(&line)) }
    }

    async fn send(&mut self, request: &[u8]) -> Result<()> {
        in_time(self.limit, self.stream.write_all(request)).await
    }

    /// The same of so many replies: stored, or not.
    async fn outcomes(&mut self, count: usize, not: &[&[u8]], stored: &mut Vec<bool>) -> Result<()> {
        for _ in 0..count {
            stored.push(self.outcome(b"STORED", not).await?);
        }
        Ok(())
    }

    /// Whether a reply says that it is done, and not one of these, which say that it is not.
    async fn outcome(&mut self, done: &[u8], not: &[&[u8]]) -> Result<bool> {
        let line = self.line().await?;
        if line == done {
            return Ok(true);
        }
        if not.iter().any(|not| line.starts_with(not)) {
            contained(
                || tracing::trace!(reply = %String::from_utf8_lossy(&line), "memcached does not do it"),
            );
            return Ok(false);
        }
        Err(unexpected(&line))
    }

    /// The reply to one `gets`.
    async fn values(&mut self, into: &mut Vec<Item>) -> Result<()> {
        loop {
            let line = self.line().await?;
            if line == b"END" {
                return Ok(());
            }
            let (mut item, length) = item(&line).ok_or_else(|| unexpected(&line))?;
            item.data = self.take(length + 2).await?;
            if !item.data.ends_with(b"\r\n") {
                return Err(unexpected(&line));
            }
            item.data.truncate(length);
            into.push(item);
        }
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        let mut searched = self.read;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.take(searched + end + 1 - self.read).await?;
                line.pop();
                if line.pop() != Some(b'\r') {
                    return Err(unexpected(&line));
                }
                return Ok(line);
            }
            if self.buffer.len() - self.read > LONGEST_LINE {
                return Err(unexpected(b"a line without an end"));
            }
            let known = self.buffer.len() - self.read;
            self.fill(1).await?;
            searched = self.read + known;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let missing = (self.read + length).saturating_sub(self.buffer.len());
        self.fill(missing).await?;
        let taken = self.buffer[self.read..self.read + length].to_vec();
        self.read += length;
        Ok(taken)
    }

    /// Reads so many bytes more at least.
    async fn fill(&mut self, missing: usize) -> Result<()> {
        if missing > 0 && self.read > 0 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        let wanted = self.buffer.len() + missing;
        while self.buffer.len() < wanted {
            self.buffer.reserve((wanted - self.buffer.len()).clamp(4 << 10, 1 << 20));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// What comes of it within a limit of time. After an error the connection is of no use.
async fn in_time<T>(limit: Duration, piece: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, piece).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// The line before a value, and the value's length.
fn item(line: &[u8]) -> Option<(Item, usize)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (is_value, name) = (words.next()? == "VALUE", words.next()?.to_owned());
    let flags = words.next()?.parse().ok()?;
    let length = words.next()?.parse().ok()?;
    let cas = words.next()?.parse().ok()?;
    let item = Item { name, flags, cas, data: Vec::new() };
    (is_value && words.next().is_none() && length <= LARGEST_VALUE).then_some((item, length))
}

fn write_storing(into: &mut Vec<u8>, command: &str, storing: &Storing<'_>, cas: Option<u64>) {
    let Storing { name, flags, expires, data } = storing;
    write(into, format_args!("{command} {name} {flags} {expires} {}", data.len()));
    if let Some(cas) = cas {
        write(into, format_args!(" {cas}"));
    }
    into.extend_from_slice(b"\r\n");
    into.extend_from_slice(data);
    into.extend_from_slice(b"\r\n");
}

fn write(into: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    into.write_fmt(what).expect("a vector takes all");
}

fn unexpected(line: &[u8]) -> Error {
    let start = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
    Error::new(ErrorKind::InvalidData, format!("an unexpected reply: {start:?}"))
}

#[cfg(test)]
mod tests;
