//! What one process stores, another one reads as it was, or not at all: and then the first one says so.

use std::collections::BTreeMap;

use larder::TieredCache;
use larder_fidelity::{
    Outcome, Row,
    codecs::CODECS,
    erased,
    process::connect,
    reader::{BATCH, parse, places},
    rows,
    writer::{outcome, store},
};
use larder_servers::RedisServer;
use larder_tests::{warnings, workers::Worker};

/// Stores a batch, has it read, and tells what is not as expected.
async fn failures(
    (cache, reader): (&TieredCache, &mut Worker),
    rows: &[Row],
    (codec, batch, attempt): (usize, usize, usize),
) -> Vec<(Outcome, String)> {
    let mut stored = Vec::new();
    for place in places(rows).skip(batch * BATCH).take(BATCH) {
        stored.push((place, store(cache, rows, place, attempt).await));
    }
    reader.order(&format!("{codec} {batch} {attempt}"));
    let read = reader.lines_to("done");
    assert_eq!(read.len(), stored.len() + 1, "the reader has the same rows");
    let mut failures = Vec::new();
    for (((row, value, route), stored), read) in stored.iter().zip(&read) {
        let row = &rows[*row];
        let outcome = outcome(row, stored, &parse(read));
        if row.expected.of(codec, *route).is_some_and(|expected| expected != outcome) {
            let name = CODECS[codec].0;
            let failure = format!("{name}: {} #{value} by {}: {outcome}", row.name, route.name());
            failures.push((outcome, failure));
        }
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_is_the_same_or_refused() {
    warnings::listen();
    let _turn = erased::turn().await;
    let rows = rows::all();
    let server = RedisServer::start();
    let mut reader = Worker::start(env!("CARGO_BIN_EXE_reader"), &[&server.url()]);
    let mut failed = Vec::new();
    for (codec, (name, of)) in CODECS.into_iter().enumerate() {
        let cache = connect(&server.url(), name, of).await;
        for batch in 0..places(&rows).count().div_ceil(BATCH) {
            let mut found = failures((&cache, &mut reader), &rows, (codec, batch, 0)).await;
            // What cannot be told from something invalidated is a miss, by chance; what is never found is missed again.
            if found.iter().any(|(outcome, _)| matches!(outcome, Outcome::NeverHit(_))) {
                found = failures((&cache, &mut reader), &rows, (codec, batch, 1)).await;
            }
            failed.extend(found.into_iter().map(|(_, failure)| failure));
        }
    }
    assert!(failed.is_empty(), "{} in {} rows:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// Each row can be talked about by its name.
#[test]
fn names_are_unique() {
    let mut rows_of = BTreeMap::new();
    for row in rows::all() {
        *rows_of.entry(row.name).or_insert(0) += 1;
    }
    rows_of.retain(|_, rows| *rows > 1);
    assert!(rows_of.is_empty(), "{rows_of:?}");
}
