//! The servers, as one who only looks sees them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use ::redis::Value;

use super::{
    failure::refused,
    reply::{bytes, is_of_another_type, number, text},
    stored::StoredEntry,
};
use crate::{
    error::{Kind as ErrorKind, Result},
    link::{Operation, Refusal},
    redis::{
        config::{Config, RedisCacheBuilder},
        connection::{Command, CommandFailure, Connections, Master, Reply},
        key_names::{KeyNames, Kind},
        refusal,
        remote::Remote,
        server_findings::Findings,
        server_info,
    },
    shared_entries::Sealing,
};

/// Bytes of an entry that are read for its header: that of an entry with 64 scopes.
const BEGINNING: usize = 80 + 8 * 64;

/// A look at the servers of one prefix.
pub struct Inspector {
    pub(super) config: Arc<Config>,
    pub(super) connections: Connections,
    pub(super) names: KeyNames,
    pub(super) sealing: Sealing,
}

/// Some keys of one server, and where the next ones are.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What to ask for next; 0 at the end.
    pub cursor: u64,
    /// The names of keys. A name may come twice.
    pub names: Vec<Vec<u8>>,
}

/// What lies under a name.
#[derive(Debug, Clone)]
pub struct Peek {
    /// Its length in bytes.
    pub size: u64,
    /// How long it still lives; none without an end.
    pub ttl: Option<Duration>,
    /// Its header, or the short name of why no reader accepts it: see `docs/wire-format.md`.
    pub entry: Result<StoredEntry, &'static str>,
}

impl Inspector {
    /// Connects to all masters, as a cache with these settings would.
    ///
    /// # Errors
    ///
    /// As [`RedisCacheBuilder::connect`].
    pub async fn connect(builder: RedisCacheBuilder) -> Result<Self> {
        builder.settings.check()?;
        let sealing = builder.settings.sealing.clone();
        let config = Arc::new(builder.config()?);
        let connections = Connections::new(config.clone(), None);
        connections.ready().await?;
        let names = KeyNames::new(&config.prefix).hashed(sealing.names());
        Ok(Self { names, sealing, connections, config })
    }

    /// As a cache that is connected.
    pub(in crate::redis) fn of(remote: &Remote) -> Self {
        Self {
            config: remote.config.clone(),
            connections: remote.connections.clone(),
            names: remote.names.clone(),
            sealing: remote.sealing.clone(),
        }
    }

    /// What all keys begin with, without the `:` after it.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.config.prefix
    }

    /// Whether the prefix was chosen, and is not the one of every program that chose none.
    #[must_use]
    pub fn has_own_prefix(&self) -> bool {
        self.config.has_own_prefix
    }

    /// Whether it is a Cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.config.is_cluster()
    }

    /// The servers that have the data.
    #[must_use]
    pub fn masters(&self) -> Vec<Master> {
        self.connections.masters()
    }

    /// What of larder's needs was refused when the connections were made.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.findings().refusals.list()
    }

    /// What a name stands for, and the key in it; none if it is no name of this prefix'.
    #[must_use]
    pub fn parse<'n>(&self, name: &'n [u8]) -> Option<(Kind, &'n [u8])> {
        self.names.parse(name)
    }

    /// The name of the entry of a key.
    #[must_use]
    pub fn entry_name(&self, key: &str) -> String {
        self.names.entry(key)
    }

    /// The name of the log.
    #[must_use]
    pub fn log_name(&self) -> String {
        self.names.log()
    }

    /// Whether names of keys are hashed with a secret that is known here.
    #[must_use]
    pub fn hashes_keys(&self) -> bool {
        self.names.are_hashed()
    }

    /// The pattern of the names of all keys of this prefix, or of the entries whose keys (their hashes, where they are
    /// hashed) begin with a text.
    #[must_use]
    pub fn pattern(&self, entries: Option<&str>) -> String {
        let beginning = match entries {
            Some(key) => self.names.entries_from(key),
            None => self.names.beginning(),
        };
        let mut pattern = String::with_capacity(beginning.len() + 1);
        for symbol in beginning.chars() {
            if matches!(symbol, '*' | '?' | '[' | ']' | '^' | '\\') {
                pattern.push('\\');
            }
            pattern.push(symbol);
        }
        pattern.push('*');
        pattern
    }

    /// What a server says of itself: the text of `INFO`.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn info(&self, master: &Master) -> Result<String> {
        let reply = master.call(&Command::new("INFO").arg("everything")).await;
        Ok(text(&self.accepted("INFO", reply)?))
    }

    /// The clock of the server that has the log, in milliseconds since 1970: what ends is judged by that, and the nodes of a
    /// cluster may differ.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn server_time_ms(&self) -> Result<u64> {
        let reply = self.connections.call(&Command::new("TIME").beside(self.names.log())).await;
        let reply = self.accepted("TIME", reply)?;
        server_info::time_ms(&reply).ok_or_else(|| ErrorKind::unavailable("it does not tell the time").into())
    }

    /// How many keys a server has, of whatever prefix.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn key_count(&self, master: &Master) -> Result<u64> {
        let reply = master.call(&Command::new("DBSIZE")).await;
        Ok(number(&self.accepted("DBSIZE", reply)?))
    }

    /// The next keys of a server: about `count`, of those whose names match a pattern.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn scan(
        &self,
        master: &Master,
        cursor: u64,
        pattern: Option<&str>,
        count: usize,
    ) -> Result<Page> {
        let mut command = Command::new("SCAN").arg(cursor);
        if let Some(pattern) = pattern {
            command = command.arg("MATCH").arg(pattern);
        }
        let reply = master.call(&command.arg("COUNT").arg(count)).await;
        let page = self.accepted("SCAN", reply)?;
        let Value::Array(parts) = page else { return Ok(Page::default()) };
        let [cursor, names] = parts.as_slice() else { return Ok(Page::default()) };
        let names = match names {
            Value::Array(names) => names.iter().filter_map(bytes).map(<[u8]>::to_vec).collect(),
            _ => Vec::new(),
        };
        Ok(Page { cursor: text(cursor).parse().unwrap_or(0), names })
    }

    /// What lies under each of these names; none where nothing does any more.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn peek(&self, names: &[Vec<u8>]) -> Result<Vec<Option<Peek>>> {
        let commands = names.iter().flat_map(|name| {
            [
                Command::new("STRLEN").key(name),
                Command::new("PTTL").key(name),
                Command::new("GETRANGE").key(name).arg(0).arg(BEGINNING - 1),
            ]
        });
        let replies = self.connections.call_many(commands.collect()).await;
        let (replies, _) = replies.as_chunks::<3>();
        let mut peeks = Vec::with_capacity(names.len());
        for (name, [size, ttl, beginning]) in names.iter().zip(replies) {
            peeks.push(self.peeked(name, size, ttl, beginning).await?);
        }
        Ok(peeks)
    }

    async fn peeked(
        &self,
        name: &[u8],
        size: &Reply,
        ttl: &Reply,
        beginning: &Reply,
    ) -> Result<Option<Peek>> {
        let ttl = match self.accepted("PTTL", ttl.clone())? {
            Value::Int(-2) => return Ok(None),
            Value::Int(left) => u64::try_from(left).ok().map(Duration::from_millis),
            _ => None,
        };
        if is_of_another_type(size) {
            return Ok(Some(Peek { size: 0, ttl, entry: Err("type") }));
        }
        let size = number(&self.accepted("STRLEN", size.clone())?);
        let beginning = self.accepted("GETRANGE", beginning.clone())?;
        let beginning = bytes(&beginning).unwrap_or_default();
        let mut entry = StoredEntry::read(beginning, size);
        if self.sealing.is_on() {
            let entry = match entry {
                // The whole of it is needed to know that it is authentic.
                Err("sealed") => {
                    let get = Command::new("GET").key(name);
                    let whole = self.accepted("GET", self.connections.call(&get).await)?;
                    let opened = self.sealing.open(&String::from_utf8_lossy(name), bytes(&whole));
                    opened.and_then(|message| StoredEntry::read(&message, message.len() as u64))
                }
                Ok(_) => Err("unsealed"),
                Err(reason) => Err(reason),
            };
            return Ok(Some(Peek { size, ttl, entry }));
        }
        let length = beginning.get(8..10).map_or(0, |at| usize::from(u16::from_be_bytes([at[0], at[1]])));
        if entry.is_err() && length > beginning.len() && size >= length as u64 {
            let command = Command::new("GETRANGE").key(name).arg(0).arg(length - 1);
            let whole = self.accepted("GETRANGE", self.connections.call(&command).await)?;
            entry = StoredEntry::read(bytes(&whole).unwrap_or_default(), size);
        }
        Ok(Some(Peek { size, ttl, entry }))
    }

    /// The lengths of what lies under these names: 0 where nothing does, or something that is no value.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn sizes(&self, names: &[Vec<u8>]) -> Result<Vec<u64>> {
        let commands = names.iter().map(|name| Command::new("STRLEN").key(name)).collect();
        let mut sizes = Vec::with_capacity(names.len());
        for reply in self.connections.call_many(commands).await {
            sizes.push(match is_of_another_type(&reply) {
                true => 0,
                false => number(&self.accepted("STRLEN", reply)?),
            });
        }
        Ok(sizes)
    }

    /// The whole message under a name; what is in it, if it is sealed and can be opened here.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn message(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let reply = self.connections.call(&Command::get(name)).await;
        let stored = self.accepted("GET", reply)?;
        let Some(stored) = bytes(&stored) else { return Ok(None) };
        Ok(Some(self.sealing.open(name, Some(stored)).unwrap_or_else(|_| stored.to_vec())))
    }

    /// Deletes keys, and tells how many there were. Those of another prefix are left alone.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn delete(&self, names: &[Vec<u8>]) -> Result<u64> {
        let own = names.iter().filter(|name| name.starts_with(self.names.beginning().as_bytes()));
        let commands = own.map(|name| Command::new("UNLINK").key(name)).collect();
        let mut deleted = 0;
        for reply in self.connections.call_many(commands).await {
            deleted += number(&self.accepted("UNLINK", reply)?);
        }
        Ok(deleted)
    }

    /// What the servers refuse for good of a command on a key, whose words stand before and after it. Give it only
    /// commands that change nothing.
    pub async fn objection(&self, before: &[&str], key: &str, after: &[&str]) -> Option<Refusal> {
        let (name, options) = before.split_first()?;
        let command = options.iter().fold(Command::new(name), |command, word| command.arg(*word)).key(key);
        let command = after.iter().fold(command, |command, word| command.arg(*word));
        let Err(CommandFailure::Refused(error)) = self.connections.call(&command).await else { return None };
        let reply = refusal::plain(&error);
        let mend = refusal::mend(&reply)?;
        let mend = self.findings().refusals.completed(&reply, mend).into_owned();
        Some(Refusal { operation: Operation::Connect, reply, mend, since: SystemTime::now(), count: 1 })
    }

    /// How long what lies under a name still lives; none without an end, or where nothing does.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn lifetime(&self, name: &str) -> Result<Option<Duration>> {
        let reply = self.connections.call(&Command::new("PTTL").key(name)).await;
        Ok(match self.accepted("PTTL", reply)? {
            Value::Int(left) => u64::try_from(left).ok().map(Duration::from_millis),
            _ => None,
        })
    }

    pub(super) fn findings(&self) -> &Findings {
        &self.config.findings
    }

    pub(super) fn accepted(&self, what: &str, reply: Reply) -> Result<Value> {
        reply.map_err(|failure| refused(self.findings(), what, &failure))
    }
}
