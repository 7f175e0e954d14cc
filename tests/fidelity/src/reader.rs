//! The process that reads: see `src/bin/reader.rs`.

use std::io::{self, BufRead, Write};

use larder::TieredCache;

use crate::{
    codecs::CODECS,
    process::connect,
    row::{At, Found, Route, Row},
    rows,
    writer::key,
};

/// How many values are read at once: few enough for a slow machine within a deadline.
pub const BATCH: usize = 100;

/// Each line of the standard input is the index of a codec, that of a batch, and the number of the attempt. Reads the
/// batch, until the input ends.
///
/// # Errors
///
/// If the test is gone.
pub async fn run(url: &str) -> io::Result<()> {
    let rows = rows::all();
    let mut caches = Vec::new();
    for (name, codec) in CODECS {
        caches.push(connect(url, name, codec).await);
    }
    writeln!(io::stdout(), "ready")?;
    for line in io::stdin().lock().lines() {
        let numbers = line?.split(' ').map(str::parse).collect::<Result<Vec<usize>, _>>();
        let Ok(&[codec, batch, attempt]) = numbers.as_deref() else {
            return Err(io::Error::other("three numbers are wanted"));
        };
        let mut out = io::BufWriter::new(io::stdout());
        for at in places(&rows).skip(batch * BATCH).take(BATCH) {
            writeln!(out, "{}", line_of(read(&caches[codec], &rows, at, attempt).await))?;
        }
        writeln!(out, "done")?;
        out.flush()?;
    }
    Ok(())
}

/// All values of all rows by all routes: the order of a batch.
pub fn places(rows: &[Row]) -> impl Iterator<Item = (usize, usize, Route)> {
    let values = rows.iter().enumerate().flat_map(|(row, of)| (0..of.count()).map(move |value| (row, value)));
    values.flat_map(|(row, value)| Route::ALL.map(|route| (row, value, route)))
}

async fn read(cache: &TieredCache, rows: &[Row], place: (usize, usize, Route), attempt: usize) -> Found {
    let (key, (row, value, route)) = (key(place, attempt), place);
    rows[row].case.read(cache, At { value, key: &key, route }).await
}

fn line_of(found: Found) -> String {
    match found {
        Found::Same => "same".to_owned(),
        Found::Nothing => "nothing".to_owned(),
        Found::Other(value) => format!("other {}", value.replace(['\n', '\r'], " ")),
    }
}

/// What a line of the reader says.
///
/// # Panics
///
/// If it says something else.
#[must_use]
pub fn parse(line: &str) -> Found {
    match line.split_once(' ') {
        None if line == "same" => Found::Same,
        None if line == "nothing" => Found::Nothing,
        Some(("other", value)) => Found::Other(value.to_owned()),
        _ => panic!("the reader says {line:?}"),
    }
}
