//! Processes that write to a queue and consume it are killed under load: nothing that was acknowledged is lost, and the
//! writes of a key arrive in their order.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use larder::{RedisCache, write_behind::WriteBehind};
use larder_servers::{Data, RedisServer};
use larder_tests::workers::Worker;
use rusqlite::Connection;

use super::{ATTEMPTS, LONG, WORKER, WORKERS, kills};

const KEYS: &str = "4";

/// The numbers of each key that were acknowledged.
type Acknowledged = HashMap<String, Vec<u64>>;

fn start(server: &RedisServer, database: &Path, number: usize) -> Worker {
    let words = ["writes", &server.url(), database.to_str().unwrap(), &format!("w{number}"), KEYS, ATTEMPTS];
    Worker::start(WORKER, &words)
}

/// A database without rows.
fn create(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(LONG).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE history (place INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, number INTEGER NOT NULL);
             CREATE TABLE rows (key TEXT PRIMARY KEY, number INTEGER NOT NULL);",
        )
        .unwrap();
    connection
}

fn note(line: &str, acknowledged: &mut Acknowledged) {
    let words: Vec<_> = line.split(' ').collect();
    let ["acked", key, number] = words[..] else { panic!("{line:?}") };
    acknowledged.entry(key.to_owned()).or_default().push(number.parse().unwrap());
}

fn kill(worker: Worker, acknowledged: &mut Acknowledged) {
    worker.kill_and_read().iter().for_each(|line| note(line, acknowledged));
}

fn histories(connection: &Connection) -> HashMap<String, Vec<u64>> {
    let mut statement = connection.prepare("SELECT key, number FROM history ORDER BY place").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    let mut histories: HashMap<String, Vec<u64>> = HashMap::new();
    for row in rows {
        let (key, number) = row.unwrap();
        histories.entry(key).or_default().push(u64::try_from(number).unwrap());
    }
    histories
}

/// Says what is wrong with the history of a key, as far as something is. What was not acknowledged may be there or not,
/// and promises nothing.
fn fault(history: &[u64], acknowledged: &[u64]) -> Option<String> {
    let mut unseen: BTreeSet<u64> = acknowledged.iter().copied().collect();
    let mut last = None;
    for number in history.iter().filter(|number| acknowledged.binary_search(number).is_ok()) {
        if unseen.remove(number) && unseen.range(..number).next().is_some() {
            return Some(format!("{number} arrived before {:?}", unseen.first()));
        }
        last = Some(number);
    }
    if !unseen.is_empty() {
        return Some(format!("acknowledged and lost: {unseen:?}"));
    }
    // What was written twice is written again up to the end: the row is what came last.
    (last != acknowledged.last()).then(|| format!("the row is {last:?} and not {:?}", acknowledged.last()))
}

#[test]
fn a_history_that_is_wrong_is_found() {
    assert_eq!(fault(&[0, 1, 2, 1, 2, 3], &[0, 1, 2]), None, "a crash has some written again");
    assert_eq!(fault(&[0, 3, 2, 4], &[0, 2, 4]), None, "what was not acknowledged promises nothing");
    let wrong: [(&[u64], &[u64]); 4] =
        [(&[0, 2], &[0, 1, 2]), (&[0, 2, 1, 2], &[0, 1, 2]), (&[0, 1, 2, 1], &[0, 1, 2]), (&[], &[0])];
    for (history, acknowledged) in wrong {
        assert!(fault(history, acknowledged).is_some(), "{history:?}");
    }
}

#[test]
fn no_acknowledged_write_is_lost_however_many_processes_are_killed() {
    let kills = kills();
    let server = RedisServer::builder().append_only().start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.db");
    let connection = create(&file);
    let mut started = 0;
    let mut begin = || {
        started += 1;
        start(&server, &file, started)
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| begin()).collect();
    let mut acknowledged = Acknowledged::new();
    for number in 0..kills {
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
        // The oldest is the one that consumes, most of the time. The others take over after half a second.
        let victim = if number % 2 == 0 { 0 } else { fastrand::usize(..workers.len()) };
        let victim = workers.remove(victim);
        kill(victim, &mut acknowledged);
        if number % 5 == 4 {
            server.kill();
            server.restart(Data::Kept);
        }
        workers.push(begin());
    }
    // The last one that lives writes what all the others left.
    let last = workers.remove(0);
    workers.into_iter().for_each(|worker| kill(worker, &mut acknowledged));
    let end = Instant::now() + Duration::from_millis(500);
    while let Some(line) = last.line_within(end.saturating_duration_since(Instant::now())) {
        note(&line, &mut acknowledged);
    }
    let (mut start, mut written) = (Instant::now(), 0);
    loop {
        let histories = histories(&connection);
        let now = histories.values().map(Vec::len).sum();
        if now > written {
            // As long as there is something new, it is a slow machine.
            (start, written) = (Instant::now(), now);
        }
        let faults: Vec<_> = acknowledged
            .iter()
            .filter_map(|(key, numbers)| {
                fault(histories.get(key).map_or(&[], Vec::as_slice), numbers)
                    .map(|fault| format!("{key}: {fault}"))
            })
            .collect();
        if faults.is_empty() {
            break;
        }
        // What comes too late is a fault that goes; what came in the wrong order is one that stays.
        assert!(start.elapsed() < LONG, "{faults:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let writes: usize = acknowledged.values().map(Vec::len).sum();
    assert!(writes > kills * 20, "only {writes} writes were acknowledged");
    println!("{kills} kills, {writes} acknowledged writes of {} keys", acknowledged.len());
    assert_eq!(server.command::<usize>(&["XLEN", "kills:w:{rows}:dead"]), 0);
}

/// What ends every process that writes it does not keep the others from the database for ever, and is not lost: it is
/// found by writing each alone, and set aside.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_ends_its_process_becomes_a_dead_letter() {
    let server = RedisServer::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.db");
    let connection = create(&file);
    let cache = RedisCache::builder().url(server.url()).prefix("kills").connect().await.unwrap();
    let queue = WriteBehind::<u64>::builder("rows").redis(&cache).producer().unwrap();
    for number in 0..3 {
        queue.write("before", &number).await.unwrap();
    }
    let deadly = queue.write("deadly", &7).await.unwrap();
    for number in 0..3 {
        queue.write("after", &number).await.unwrap();
    }
    queue.write("deadly", &8).await.unwrap();
    let mut ends = 0;
    let start_of_all = Instant::now();
    while queue.depth().await.unwrap().waiting > 0 {
        assert!(start_of_all.elapsed() < LONG, "{:?} after {ends} ends", queue.depth().await);
        let mut worker =
            Worker::start(WORKER, &["writes", &server.url(), file.to_str().unwrap(), "none", "0", "2"]);
        while worker.lives() && queue.depth().await.unwrap().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ends += usize::from(!worker.lives());
    }
    // Three until each is written alone, and then two for each.
    assert_eq!((queue.depth().await.unwrap().dead, ends), (2, 3 + 2 * 2));
    let letters = queue.dead_letters(10).await.unwrap();
    assert_eq!((letters[0].write, letters[0].value), (deadly, Some(7)));
    assert!(letters.iter().all(|letter| letter.key == "deadly" && letter.reason.contains("process ended")));
    let histories = histories(&connection);
    assert_eq!(histories["before"], [0, 1, 2]);
    assert_eq!(histories["after"], [0, 1, 2]);
    // Nothing is left of the count.
    assert_eq!(server.command::<usize>(&["HLEN", "kills:w:{rows}:keys"]), 0);
}
