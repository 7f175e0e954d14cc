//! `larder status`: the servers, their memory, what is there under the prefix, and the log.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use larder::internal::inspect::{Inspector, Kind, LogExtent, Master};
use serde::Serialize;

use crate::{
    failure::{Answer, Failure},
    fleet::Fleet,
    output::Output,
    scan::PAGE,
    table::{Align, Rows, aligned, first_fitting},
    terminal, units,
};

/// For how long keys are counted before their number is estimated: an answer is due within a second.
const PATIENCE: Duration = Duration::from_millis(400);

/// What is left out of the servers where a terminal is narrow, the first one first: `--json` has all.
const SERVER_COLUMNS: [&str; 8] = ["EVICTED", "CLIENTS", "UP", "VERSION", "FOUND", "POLICY", "KEYS", "LIMIT"];

/// And of the processes.
pub(crate) const PROCESS_COLUMNS: [&str; 5] = ["PROCESS", "UP", "ENTRIES", "COMPUTED/S", "FOUND"];

/// What one server says of itself.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) clients: u64,
    pub(crate) used_memory: u64,
    /// 0: no limit.
    pub(crate) maxmemory: u64,
    pub(crate) policy: String,
    pub(crate) keyspace_hits: u64,
    pub(crate) keyspace_misses: u64,
    pub(crate) evicted: u64,
    pub(crate) keys: u64,
    pub(crate) replicas: u64,
}

impl Server {
    pub(crate) async fn ask(inspector: &Inspector, master: &Master) -> Result<Self, Failure> {
        let info = inspector.info(master).await?;
        let fields: BTreeMap<&str, &str> =
            info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let text = |name: &str| fields.get(name).copied().unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or(0);
        let version = match fields.get("valkey_version") {
            Some(version) => format!("Valkey {version}"),
            None => format!("Redis {}", text("redis_version")),
        };
        Ok(Self {
            name: master.name(),
            version,
            uptime_seconds: number("uptime_in_seconds"),
            clients: number("connected_clients"),
            used_memory: number("used_memory"),
            maxmemory: number("maxmemory"),
            policy: text("maxmemory_policy").to_owned(),
            keyspace_hits: number("keyspace_hits"),
            keyspace_misses: number("keyspace_misses"),
            evicted: number("evicted_keys"),
            keys: inspector.key_count(master).await?,
            replicas: number("connected_slaves"),
        })
    }
}

/// How many keys there are under the prefix.
#[derive(Debug, Default, Serialize)]
struct Counted {
    entries: u64,
    leases: u64,
    counters: u64,
    locks: u64,
    /// Keys of rate limits that have not their whole burst.
    limits: u64,
    /// Under the prefix, and nothing that larder writes.
    foreign: u64,
    /// Estimated from those that could be looked at in time.
    estimated: bool,
    looked_at: u64,
}

impl Counted {
    fn fields(&mut self) -> [&mut u64; 6] {
        let Self { entries, leases, counters, locks, limits, foreign, .. } = self;
        [entries, leases, counters, locks, limits, foreign]
    }

    fn add(&mut self, inspector: &Inspector, name: &[u8]) {
        match inspector.parse(name) {
            Some((Kind::Entry, _)) => self.entries += 1,
            Some((Kind::Lease, _)) => self.leases += 1,
            Some((Kind::Counter | Kind::Number | Kind::Ranking, _)) => self.counters += 1,
            Some((Kind::Lock, _)) => self.locks += 1,
            Some((Kind::Limit, _)) => self.limits += 1,
            Some((Kind::Log | Kind::Queue | Kind::Event | Kind::Heartbeat, _)) => {}
            None if is_under(inspector.prefix(), name) => self.foreign += 1,
            None => {}
        }
    }

    /// The keys of one server, by those that can be looked at until `end`.
    async fn of(inspector: &Inspector, master: &Master, keys: u64, end: Instant) -> Result<Self, Failure> {
        let (mut counted, mut cursor) = (Self::default(), 0);
        loop {
            let page = inspector.scan(master, cursor, None, PAGE).await?;
            counted.looked_at += page.names.len() as u64;
            page.names.iter().for_each(|name| counted.add(inspector, name));
            cursor = page.cursor;
            if cursor == 0 {
                return Ok(counted);
            }
            if Instant::now() >= end {
                break;
            }
        }
        // A scan goes through the keys in the order of their hashes: its beginning is a sample.
        let looked_at = counted.looked_at.max(1);
        for field in counted.fields() {
            *field = u64::try_from(u128::from(*field) * u128::from(keys) / u128::from(looked_at))
                .unwrap_or(u64::MAX);
        }
        counted.estimated = true;
        Ok(counted)
    }
}

fn is_under(prefix: &str, name: &[u8]) -> bool {
    name.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
}

/// The log, for programs.
#[derive(Serialize)]
pub(crate) struct Log {
    name: String,
    records: u64,
    first: Option<String>,
    last: String,
}

impl Log {
    pub(crate) fn of(name: String, extent: LogExtent) -> Self {
        let LogExtent { first, last, records, .. } = extent;
        Self { name, records, first: first.map(|epoch| epoch.to_string()), last: last.to_string() }
    }
}

pub(crate) async fn run(inspector: &Inspector, output: &mut Output) -> Result<Answer, Failure> {
    let mut servers = Vec::new();
    for master in inspector.masters() {
        servers.push((Server::ask(inspector, &master).await?, master));
    }
    let mut counted = Counted::default();
    let share = PATIENCE / u32::try_from(servers.len().max(1)).unwrap_or(u32::MAX);
    for (server, master) in &servers {
        let mut part = Counted::of(inspector, master, server.keys, Instant::now() + share).await?;
        counted.estimated |= part.estimated;
        counted.looked_at += part.looked_at;
        for (sum, part) in counted.fields().into_iter().zip(part.fields()) {
            *sum += *part;
        }
    }
    let extent = inspector.log_extent().await?;
    let fleet = Fleet::read(inspector).await?;
    let servers: Vec<_> = servers.into_iter().map(|(server, _)| server).collect();
    if output.json {
        let log = extent.map(|extent| Log::of(inspector.log_name(), extent));
        output.json(&serde_json::json!({
            "prefix": inspector.prefix(),
            "cluster": inspector.is_cluster(),
            "servers": servers,
            "keys": counted,
            "log": log,
            "processes": fleet.json()["processes"],
        }))?;
    } else {
        people(inspector, &servers, &counted, extent, output)?;
        if !fleet.0.is_empty() {
            let Rows { columns, rows } = fleet.process_rows().fitting(terminal::columns(), &PROCESS_COLUMNS);
            output.line("")?;
            output.text(&aligned(&columns, &rows))?;
        }
    }
    Ok(Answer::Yes)
}

/// A table of the servers.
pub(crate) fn server_rows(servers: &[Server]) -> Rows {
    use Align::{Left, Right};
    let head =
        ["SERVER", "VERSION", "UP", "CLIENTS", "MEMORY", "LIMIT", "POLICY", "KEYS", "FOUND", "EVICTED"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for server in servers {
        let asked = server.keyspace_hits + server.keyspace_misses;
        rows.push(vec![
            server.name.clone(),
            server.version.clone(),
            units::duration(Duration::from_secs(server.uptime_seconds)),
            units::count(server.clients),
            units::bytes(server.used_memory),
            if server.maxmemory == 0 { "none".to_owned() } else { units::bytes(server.maxmemory) },
            server.policy.clone(),
            units::count(server.keys),
            if asked == 0 { "-".to_owned() } else { percent(server.keyspace_hits, asked) },
            units::count(server.evicted),
        ]);
    }
    Rows { columns: vec![Left, Left, Right, Right, Right, Right, Left, Right, Right, Right], rows }
}

fn people(
    inspector: &Inspector,
    servers: &[Server],
    counted: &Counted,
    extent: Option<LogExtent>,
    output: &mut Output,
) -> Result<(), Failure> {
    let Rows { columns, rows } = server_rows(servers).fitting(terminal::columns(), &SERVER_COLUMNS);
    output.text(&aligned(&columns, &rows))?;
    output.line("")?;
    let about = if counted.estimated { "about " } else { "" };
    let mut kinds = vec![format!("{about}{}", units::so_many(counted.entries, ["entry", "entries"]))];
    let others = [
        (counted.leases, ["lease", "leases"]),
        (counted.counters, ["counter", "counters"]),
        (counted.locks, ["lock", "locks"]),
        (counted.limits, ["key of a rate limit", "keys of rate limits"]),
        (counted.foreign, ["key that is not larder's", "keys that are not larder's"]),
    ];
    for (number, names) in others.into_iter().filter(|(number, _)| *number > 0) {
        kinds.push(format!("{about}{}", units::so_many(number, names)));
    }
    output.line(format!("{}:  {}", inspector.prefix(), kinds.join(", ")))?;
    if counted.estimated {
        output.line(format!("  estimated from {} keys", units::count(counted.looked_at)))?;
    }
    output.line(log_line(extent, terminal::columns()))
}

/// What there is of the log, in so many columns if that can be.
pub(crate) fn log_line(extent: Option<LogExtent>, room: usize) -> String {
    let Some(LogExtent { first, last, records, .. }) = extent else {
        let none = "log:  none: no process has used this prefix so far, or it was lost";
        return first_fitting([none, "log:  none, or it was lost"].map(str::to_owned), room);
    };
    let first = first.map_or_else(|| "-".to_owned(), |first| first.to_string());
    let records = units::so_many(records, ["record", "records"]);
    let ways = [
        format!("log:  {records}, {first} to {last}"),
        format!("log:  {records}, to {last}"),
        format!("log:  to {last}"),
    ];
    first_fitting(ways, room)
}

pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}
