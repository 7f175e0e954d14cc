//! Which node of a cluster owns which keys.

use std::collections::HashSet;

use ::redis::Value;
use futures_util::{StreamExt, stream::FuturesUnordered};

use crate::{
    redis::{
        config::Config,
        connection::{
            ConnectError,
            address::Address,
            dial::ask,
            raw_commands::{text, words},
            server_kind::Urls,
        },
        url::Node,
    },
    sync::plain::lock,
};

pub(super) const SLOTS: usize = 16_384;

/// Nodes that are asked at once.
const ASKED: usize = 32;

/// The slot of a key: of the part in braces, if there is one that is not empty.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS as u16
}

/// CRC-16/XMODEM, as the cluster specification says.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// A range of slots, its master, and the replicas of that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) master: Node,
    pub(super) replicas: Vec<Node>,
}

/// Asks the nodes that are known, and those that are configured; the first answer counts. Where it was
/// outdated, `MOVED` says so.
pub(super) async fn ranges(config: &Config) -> Result<Vec<Range>, ConnectError> {
    let known = lock(&config.known).clone();
    let nodes = to_be_asked(known, config.nodes().to_vec());
    let mut answers: FuturesUnordered<_> = nodes.iter().map(|node| ask_one(config, node)).collect();
    let mut failure = ConnectError::transient("no node is known");
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(ranges) => return Ok(ranges),
            // What one node says of us is said by the others too, unless they cannot be reached.
            Err(error) if error.is_permanent() || !failure.is_permanent() => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Some of the nodes that are known and some of those that are configured, by chance: not always the same ones, which may be
/// down together, and never without the latter, which may have names that lead to addresses of today.
fn to_be_asked(mut known: Vec<Node>, mut configured: Vec<Node>) -> Vec<Node> {
    fastrand::shuffle(&mut known);
    fastrand::shuffle(&mut configured);
    let of_known = ASKED - configured.len().min(ASKED / 2);
    let (first, rest) = known.split_at(known.len().min(of_known));
    let mut seen = HashSet::new();
    let mut nodes: Vec<_> = first.iter().chain(&configured).chain(rest).cloned().collect();
    nodes.retain(|node| seen.insert(node.clone()));
    nodes.truncate(ASKED);
    nodes
}

async fn ask_one(config: &Config, node: &Node) -> Result<Vec<Range>, ConnectError> {
    let address = Address::Tcp(node.clone());
    let question = words(&["CLUSTER", "SLOTS"]);
    let answer = ask(config, node, config.credentials.as_ref(), question).await.map_err(|error| {
        let urls = Urls::of(config, &address);
        let is_alone = error.reply().is_some_and(|reply| reply.contains("cluster support disabled"));
        match () {
            () if is_alone => urls.is_no_cluster().of(&address),
            () if error.is_unknown_command() => urls.has_no_cluster_command().of(&address),
            () => error,
        }
    })?;
    match read(&answer, &node.0) {
        Some(ranges) if !ranges.is_empty() => Ok(ranges),
        _ => Err(ConnectError::transient("it knows of no owners of slots").of(address)),
    }
}

fn read(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(entries) = answer else { return None };
    let number = |value: &Value| match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let slot = |value: &Value| number(value).filter(|&slot| usize::from(slot) < SLOTS);
    let node = |node: &Value| {
        let Value::Array(parts) = node else { return None };
        let [host, port, ..] = parts.as_slice() else { return None };
        Some((named(&text(host), asked), number(port)?))
    };
    let range = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let [first, last, master, replicas @ ..] = parts.as_slice() else { return None };
        // One without an address is not to be reached, and no reason to do without the others.
        let replicas = replicas.iter().filter_map(node).collect();
        Some(Range { first: slot(first)?, last: slot(last)?, master: node(master)?, replicas })
    };
    entries.iter().map(range).collect()
}

/// The host in an answer. A node that does not know its own name leaves it out, and one that is to have a name and was given
/// none says `?`: it is the one that was asked.
fn named(host: &str, asked: &str) -> String {
    let host = if matches!(host, "" | "?") { asked } else { host };
    host.to_owned()
}

/// The node in `MOVED 3999 host:port` and `ASK 3999 host:port`, whose host may be left out.
pub(super) fn redirected(details: &str, asked: &str) -> Option<Node> {
    let (host, port) = details.split_whitespace().nth(1)?.rsplit_once(':')?;
    Some((named(host, asked), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::key_names::KeyNames;

    #[test]
    fn slots_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") % 16_384);
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
        assert_eq!(slot(b"{open"), crc16(b"{open") % 16_384);
    }

    #[test]
    fn a_lease_lies_in_the_slot_of_its_entry() {
        for prefix in ["p", "shop:eu", "{p}"] {
            let names = KeyNames::new(prefix).in_cluster(true);
            for key in ["", "user:7", "{user:7}:posts", "a{user}b{c}", "é", "a b", "x:l:y"] {
                let [entry, lease] = [names.entry(key), names.lease(key)];
                assert_eq!(slot(lease.as_bytes()), slot(entry.as_bytes()), "{lease}");
            }
        }
    }

    #[test]
    fn owners_are_read() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let node = |host: Value| Value::Array(vec![host, Value::Int(7000), bulk("id"), Value::Array(vec![])]);
        let range = |from, to, host| Value::Array(vec![Value::Int(from), Value::Int(to), node(host)]);
        let mut replicated = vec![Value::Int(0), Value::Int(99)];
        replicated.extend(["a", "b", "c"].map(|host| node(bulk(host))));
        let answer = Value::Array(vec![Value::Array(replicated), range(100, 16_383, Value::Nil)]);
        let named = |host: &str| (host.to_owned(), 7000);
        let expected = vec![
            Range { first: 0, last: 99, master: named("a"), replicas: vec![named("b"), named("c")] },
            Range { first: 100, last: 16_383, master: named("asked"), replicas: Vec::new() },
        ];
        assert_eq!(read(&answer, "asked"), Some(expected));
        assert_eq!(read(&Value::Array(vec![range(0, 16_384, bulk("a"))]), "asked"), None);
        assert_eq!(read(&Value::Okay, "asked"), None);
    }

    #[test]
    fn redirections_are_read() {
        assert_eq!(redirected("3999 a:7001", "x"), Some(("a".into(), 7001)));
        assert_eq!(redirected("3999 ::1:7001", "x"), Some(("::1".into(), 7001)));
        assert_eq!(redirected("3999 :7001", "x"), Some(("x".into(), 7001)));
        assert_eq!(redirected("3999 ?:7001", "x"), Some(("x".into(), 7001)));
        assert_eq!(redirected("3999", "x"), None);
    }

    #[test]
    fn nodes_to_ask_are_few_and_always_some_that_are_configured() {
        let nodes = |name: &str, count: u16| -> Vec<Node> {
            (0..count).map(|number| (name.to_owned(), 1 + number)).collect()
        };
        let of = |asked: &[Node], name: &str| asked.iter().filter(|node| node.0 == name).count();
        let asked = to_be_asked(nodes("known", 100), nodes("seed", 3));
        assert_eq!((of(&asked, "known"), of(&asked, "seed")), (29, 3));
        let asked = to_be_asked(nodes("known", 100), nodes("seed", 100));
        assert_eq!((of(&asked, "known"), of(&asked, "seed")), (16, 16));
        let asked = to_be_asked(nodes("known", 2), nodes("seed", 100));
        assert_eq!((of(&asked, "known"), of(&asked, "seed")), (2, 30));
        // Those that are both are asked once, and leave room for others.
        assert_eq!(to_be_asked(nodes("node", 40), nodes("node", 5)).len(), ASKED);
        assert_eq!(to_be_asked(nodes("node", 4), nodes("node", 2)).len(), 4);
        let many = || nodes("known", 1_000);
        let again = (0..100).any(|_| to_be_asked(many(), Vec::new()) != to_be_asked(many(), Vec::new()));
        assert!(again, "it is by chance");
    }
}
