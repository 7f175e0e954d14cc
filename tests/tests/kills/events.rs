//! Processes that publish events and handle them are killed under load: each event that was published is handled by each
//! group, at least once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use larder::{
    RedisCache,
    events::{Event, Events},
};
use larder_servers::{Data, RedisServer};
use larder_tests::workers::Worker;
use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, LONG, WORKER, WORKERS, kills};

/// The same as the worker's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Happened {
    to: String,
    number: u64,
}

impl Event for Happened {
    const NAME: &str = "happened";
}

const GROUPS: [&str; 2] = ["mails", "stock"];

/// What processes said.
#[derive(Default)]
struct Said {
    published: BTreeSet<String>,
    /// By group, and how often.
    handled: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Said {
    fn note(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "acked" => _ = self.published.insert(rest.to_owned()),
            "handled" => {
                let (group, event) = rest.split_once(' ').unwrap();
                let group = self.handled.entry(group.to_owned()).or_default();
                *group.entry(event.to_owned()).or_default() += 1;
            }
            "joined" => {}
            _ => panic!("{line:?}"),
        }
    }

    fn missing(&self, groups: &[&'static str]) -> Vec<(&str, &str)> {
        let missing = |group: &'static str| {
            let handled = self.handled.get(group);
            let is_missing = move |event: &&String| handled.is_none_or(|events| !events.contains_key(*event));
            self.published.iter().filter(is_missing).map(move |event| (group, &**event))
        };
        groups.iter().flat_map(|group| missing(group)).collect()
    }
}

fn start(server: &RedisServer, name: &str) -> Worker {
    Worker::start(WORKER, &["events", &server.url(), name, ATTEMPTS, GROUPS[0], GROUPS[1]])
}

#[test]
fn no_published_event_is_lost_however_many_processes_are_killed() {
    let kills = kills();
    let server = RedisServer::builder().append_only().start();
    let mut started = 0;
    let mut begin = || {
        started += 1;
        start(&server, &format!("w{started}"))
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| begin()).collect();
    let mut said = Said::default();
    for number in 0..kills {
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
        let victim = workers.remove(fastrand::usize(..workers.len()));
        victim.kill_and_read().iter().for_each(|line| said.note(line));
        if number % 5 == 4 {
            server.kill();
            server.restart(Data::Kept);
        }
        workers.push(begin());
    }
    for worker in workers {
        worker.kill_and_read().iter().for_each(|line| said.note(line));
    }
    assert!(said.published.len() > kills * 5, "only {} events were published", said.published.len());

    // One that comes then handles what all the others left, in their hands or waiting.
    let heir = start(&server, "none");
    while !said.missing(&GROUPS).is_empty() {
        match heir.line_within(LONG) {
            Some(line) => said.note(&line),
            None => panic!("published and not handled: {:?}", said.missing(&GROUPS)),
        }
    }
    let again = said.handled.values().flat_map(BTreeMap::values).filter(|times| **times > 1).count();
    println!(
        "{kills} kills, {} events for {} groups, {again} handled more than once",
        said.published.len(),
        GROUPS.len()
    );
    for group in GROUPS {
        assert_eq!(server.command::<usize>(&["XLEN", &format!("kills:v:{{happened}}:dead:{group}")]), 0);
    }
}

/// What ends every process that handles it becomes a dead letter, and what those processes had besides does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_ends_its_process_becomes_a_dead_letter() {
    let server = RedisServer::start();
    let begin = || Worker::start(WORKER, &["events", &server.url(), "none", "2", "mails"]);
    // The group is there from here on.
    let first = begin();
    first.wait_for("joined");
    first.kill();
    let cache = RedisCache::builder().url(server.url()).prefix("kills").connect().await.unwrap();
    let group = || Events::redis(&cache).unwrap().group("mails");
    let event = |to: &str, number| Happened { to: to.to_owned(), number };
    for number in 0..4 {
        let event = event(if number == 1 { "deadly" } else { "other" }, number);
        Events::redis(&cache).unwrap().publish(&event).await.unwrap();
    }
    let mut said = Said::default();
    said.published.extend(["other 0", "other 2", "other 3"].map(str::to_owned));
    let (began, mut ends, mut letters) = (Instant::now(), 0, Vec::new());
    while letters.is_empty() || !said.missing(&["mails"]).is_empty() {
        let mut worker = begin();
        while worker.lives() && (letters.is_empty() || !said.missing(&["mails"]).is_empty()) {
            assert!(began.elapsed() < LONG, "{:?} after {ends} ends: {letters:?}", said.missing(&["mails"]));
            if let Some(line) = worker.line_within(Duration::from_millis(20)) {
                said.note(&line);
            }
            letters = group().dead::<Happened>(10).await.unwrap();
        }
        ends += usize::from(!worker.lives());
        worker.kill_and_read().iter().for_each(|line| said.note(line));
    }
    let letters = group().dead::<Happened>(10).await.unwrap();
    assert_eq!(
        letters.iter().map(|letter| letter.event.clone()).collect::<Vec<_>>(),
        [Some(event("deadly", 1))]
    );
    assert!(letters[0].reason.contains("ended"), "{letters:?}");
    assert_eq!(ends, 2, "attempts");
}
