//! A connection to the log: what the contract of all logs asks, in commands of Redis.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::{Pipeline, Value, aio::MultiplexedConnection, cmd, pipe};
use async_trait::async_trait;
use tokio::time::timeout;

use super::{
    appending::{FIELD, MOST_RECORDS, append},
    connect::{KeptAlive, refused},
    reply,
    server_check::check_server,
    settings::Unlink,
};
use crate::{
    epoch::Epoch,
    redis::{key_names::KeyNames, server_findings::Findings, server_info::ServerInfo},
    shared_log::contract::{
        Appended, Appending, LogConnection, LogEnds, LogEntry, LogError, LogRead, LogReply, LogServer, Placed,
    },
};

/// Replaces a log whose last ID is above `ARGV[1]` milliseconds by one with a single record, `ARGV[3]` in field
/// `ARGV[2]` under the ID `ARGV[4]`: in one step, so that nothing is lost that was appended to a log that is new
/// already.
const LOWER: &str = r"
    local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info - 1, 2 do
      if info[i] == 'last-generated-id'
          and tonumber(string.match(info[i + 1], '^%d+')) > tonumber(ARGV[1]) then
        redis.call('UNLINK', KEYS[1])
        redis.call('XADD', KEYS[1], ARGV[4], ARGV[2], ARGV[3])
        return 1
      end
    end
    return 0";

/// How often a connection is asked whether its server is still the one that it was. A server that becomes a replica
/// says so to a blocked reader at once, and would otherwise not tell.
const SERVER_CHECK: Duration = Duration::from_millis(100);

/// How often the server's clock is compared.
const TIME_CHECK: Duration = Duration::from_secs(60);

/// How long records wait for deletions on other servers.
const UNLINK: Duration = Duration::from_millis(50);

/// A connection, and the server that it leads to.
pub(super) struct RedisLogConnection {
    link: Link,
    server: LogServer,
    server_info: ServerInfo,
    objection: Option<LogError>,
    key: String,
    names: KeyNames,
    unlink: Option<Arc<Unlink>>,
    findings: Arc<Findings>,
    server_checked: Instant,
    time_checked: Instant,
}

/// What carries commands.
struct Link {
    connection: MultiplexedConnection,
    /// Whether each command needs an `ASKING` before it.
    asking: bool,
    _alive: KeptAlive,
}

/// What stands in the way of appending, by the answer to [`question`](super::connect::question).
pub(super) fn objection(answer: &Value) -> Option<LogError> {
    match answer {
        Value::ServerError(error) => Some(refused(error)).filter(|failure| failure.mend().is_some()),
        _ => None,
    }
}

impl RedisLogConnection {
    pub(super) fn new(
        (connection, asking, alive): (MultiplexedConnection, bool, KeptAlive),
        (server, server_info, objection): (LogServer, ServerInfo, Option<LogError>),
        (key, names): (String, KeyNames),
        (unlink, findings): (Option<Arc<Unlink>>, Arc<Findings>),
    ) -> Self {
        let now = Instant::now();
        let link = Link { connection, asking, _alive: alive };
        Self {
            link,
            server,
            server_info,
            objection,
            key,
            names,
            unlink,
            findings,
            server_checked: now,
            time_checked: now,
        }
    }

    /// The reply to one command.
    async fn ask_one(&mut self, commands: &Pipeline, limit: Duration) -> Result<Value, LogError> {
        Ok(self.link.ask(commands, limit).await?.pop().unwrap_or_default())
    }

    /// The keys of the entries that are invalid now, and of the counters of that name.
    fn deleted_keys(&self, keys: &[Arc<str>]) -> Vec<String> {
        keys.iter().flat_map(|key| [self.names.entry(key), self.names.counter(key)]).collect()
    }
}

impl Link {
    /// Sends commands together, and returns their replies, errors among them.
    async fn ask(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, LogError> {
        if self.asking {
            return self.ask_there(commands, limit).await;
        }
        let replies = self.connection.send_packed_commands(commands, 0, commands.len());
        Ok(timeout(limit, replies).await.map_err(|_| LogError::new("no reply in time"))??)
    }

    /// The same where the log's slot is on its way.
    async fn ask_there(&mut self, commands: &Pipeline, limit: Duration) -> Result<Vec<Value>, LogError> {
        let mut each = Pipeline::with_capacity(commands.len() * 2);
        for command in commands.cmd_iter() {
            each.add_command(cmd("ASKING")).add_command(command.clone());
        }
        let replies = self.connection.send_packed_commands(&each, 0, each.len());
        let replies = timeout(limit, replies).await.map_err(|_| LogError::new("no reply in time"))??;
        Ok(replies.into_iter().skip(1).step_by(2).collect())
    }
}

fn missing() -> LogError {
    LogError::new("replies are missing")
}

/// What came of an `XADD`.
fn placed(reply: Value) -> Result<Placed, LogError> {
    if reply::is_overtaken(&reply) {
        return Ok(Placed::Overtaken);
    }
    match reply::said(reply)? {
        id @ Value::BulkString(_) => reply::epoch(&id).map(Placed::At),
        _ => Ok(Placed::NoLog),
    }
}

#[async_trait]
impl LogConnection for RedisLogConnection {
    fn server(&self) -> &LogServer {
        &self.server
    }

    fn objection(&self) -> Option<&LogError> {
        self.objection.as_ref()
    }

    fn tried_appending(&self) -> bool {
        true
    }

    /// All in one round trip. The server runs what comes after a blocked XREAD when that has ended: the ends of the
    /// log are those after the read.
    async fn read(&mut self, read: &LogRead, limit: Duration) -> Result<LogReply, LogError> {
        let now = Instant::now();
        let asks_server = now.duration_since(self.server_checked) >= SERVER_CHECK;
        let asks_time = now.duration_since(self.time_checked) >= TIME_CHECK;
        let mut commands = pipe();
        commands.cmd("XREAD").arg("COUNT").arg(read.most);
        if let Some(wait) = read.wait {
            commands.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        commands.arg("STREAMS").arg(&self.key).arg(read.after.to_string());
        commands.cmd("XINFO").arg("STREAM").arg(&self.key);
        if let Some(known) = &read.known {
            let id = known.epoch.to_string();
            commands.cmd("XREVRANGE").arg(&self.key).arg(&id).arg(&id);
        }
        if let Some(below) = read.older_than {
            commands.cmd("XREVRANGE").arg(&self.key).arg(format!("({below}")).arg("-");
            commands.arg("COUNT").arg(read.most);
        }
        if asks_server {
            commands.cmd("INFO").arg("replication");
        }
        if asks_time {
            commands.cmd("TIME");
        }
        let replies = self.link.ask(&commands, read.wait.unwrap_or_default() + limit).await?;
        let mut replies = replies.into_iter();
        let mut next = || replies.next().ok_or_else(missing);
        let (news, ends) = (reply::news(next()?)?, reply::ends(next()?)?);
        let is_set_back = match &read.known {
            Some(known) => reply::entries(next()?)?.first() != Some(known),
            None => false,
        };
        let older = if read.older_than.is_some() { reply::entries(next()?)? } else { Vec::new() };
        if asks_server {
            self.server_checked = now;
            check_server(&self.server_info, next()?)?;
        }
        let mut time_ms = None;
        if asks_time {
            self.time_checked = now;
            time_ms = Some(reply::time_ms(next()?)?);
        }
        Ok(LogReply { news, ends, older, time_ms, is_set_back })
    }

    async fn look(&mut self, limit: Duration) -> Result<(Option<LogEnds>, u64), LogError> {
        let mut commands = pipe();
        commands.cmd("XINFO").arg("STREAM").arg(&self.key).cmd("TIME");
        let replies = self.link.ask(&commands, limit).await?;
        let [ends, time] = <[_; 2]>::try_from(replies).map_err(|_| missing())?;
        Ok((reply::ends(ends)?, reply::time_ms(time)?))
    }

    async fn newest(
        &mut self,
        from: Epoch,
        below: Option<Epoch>,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<LogEntry>, LogError> {
        let below = below.map_or_else(|| "+".to_owned(), |below| format!("({below}"));
        let mut commands = pipe();
        commands.cmd("XREVRANGE").arg(&self.key).arg(below).arg(from.to_string()).arg("COUNT").arg(most);
        reply::entries(self.ask_one(&commands, limit).await?)
    }

    async fn create(&mut self, epoch: Epoch, record: Vec<u8>, limit: Duration) -> Result<bool, LogError> {
        let mut commands = pipe();
        commands.cmd("XADD").arg(&self.key).arg("MAXLEN").arg("~").arg(MOST_RECORDS).arg(epoch.to_string());
        commands.arg(FIELD).arg(record);
        let reply = self.ask_one(&commands, limit).await?;
        if reply::is_overtaken(&reply) {
            return Ok(false);
        }
        reply::said(reply)?;
        Ok(true)
    }

    async fn lower(
        &mut self,
        above_ms: u64,
        epoch: Epoch,
        record: Vec<u8>,
        limit: Duration,
    ) -> Result<bool, LogError> {
        let mut commands = pipe();
        commands.cmd("EVAL").arg(LOWER).arg(1).arg(&self.key).arg(above_ms);
        commands.arg(FIELD).arg(record).arg(epoch.to_string());
        Ok(reply::said(self.ask_one(&commands, limit).await?)? == Value::Int(1))
    }

    async fn append(&mut self, appending: Appending<'_>, limit: Duration) -> Result<Appended, LogError> {
        let Appending { start, mut first, records, wakes, keys } = appending;
        let mut commands = pipe();
        let has_start = start.is_some();
        if let Some((epoch, record)) = start {
            append(&mut commands, &self.key, epoch, record);
        }
        let count = records.len();
        for record in records {
            append(&mut commands, &self.key, first.take(), record);
        }
        for record in wakes {
            append(&mut commands, &self.key, None, record);
        }
        let keys = self.deleted_keys(keys);
        let mut elsewhere = None;
        match &self.unlink {
            _ if keys.is_empty() => {}
            Some(unlink) => elsewhere = Some(unlink(keys)),
            None => _ = commands.cmd(self.findings.capabilities.deletion()).arg(keys),
        }
        let appended = async {
            match commands.is_empty() {
                true => Ok(Vec::new()),
                false => self.link.ask(&commands, limit).await,
            }
        };
        // What is deleted elsewhere is no part of the promise: a server that is slow holds up no record for long. It goes on
        // in a task of its own until its deadline: it is sent once, and a counter that it was to delete would stay.
        let deleted = async {
            if let Some(unlink) = elsewhere {
                _ = timeout(limit.min(UNLINK), tokio::spawn(unlink)).await;
            }
        };
        let (replies, ()) = tokio::join!(appended, deleted);
        let mut replies = replies?.into_iter();
        let start = if has_start { replies.next().map(placed) } else { None };
        Ok(Appended { start, records: replies.take(count).map(placed).collect() })
    }

    async fn nudge(&mut self, limit: Duration) -> Result<(), LogError> {
        let mut commands = pipe();
        commands.cmd("TIME");
        self.link.ask(&commands, limit).await.map(drop)
    }
}
