//! `larder largest`: the entries that take most room.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use larder::internal::inspect::Inspector;

use super::keys::listed;
use crate::{
    failure::{Answer, Failure},
    output::Output,
    scan::{State, Walk},
    table::{Align, Rows, aligned},
    terminal, units,
};

pub(crate) async fn run(inspector: &Inspector, n: usize, output: &mut Output) -> Result<Answer, Failure> {
    let history = inspector.history(&[]).await?;
    // The smallest of the largest is on top: no more than these are kept, however many there are.
    let mut largest = BinaryHeap::with_capacity(n + 1);
    let mut kept = HashSet::new();
    let mut walk = Walk::entries(inspector, "").shown().await;
    while let Some(names) = walk.next().await? {
        let sizes = inspector.sizes(&names).await?;
        for (name, size) in names.into_iter().zip(sizes) {
            // A scan may give a name twice.
            if size == 0 || !kept.insert(name.clone()) {
                continue;
            }
            largest.push(Reverse((size, name)));
            if largest.len() > n
                && let Some(Reverse((_, name))) = largest.pop()
            {
                kept.remove(&name);
            }
        }
    }
    let names: Vec<_> = largest.into_sorted_vec().into_iter().map(|Reverse((_, name))| name).collect();
    let mut rows =
        vec![["SIZE", "VALUE", "TTL", "CODEC", "COMPRESS", "STATE", "KEY"].map(str::to_owned).to_vec()];
    for (name, peek) in names.iter().zip(inspector.peek(&names).await?) {
        let (Some((_, key)), Some(peek)) = (inspector.parse(name), peek) else { continue };
        let text = String::from_utf8_lossy(key);
        let state = State::of(&history, &text, &peek);
        if output.json {
            output.json(&listed(&history, &text, &peek, &state))?;
            continue;
        }
        let entry = peek.entry.as_ref().ok();
        let value = entry.map(|entry| entry.lengths().0);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![
            units::bytes(peek.size),
            or_none(value.map(units::bytes)),
            or_none(peek.ttl.map(units::duration)),
            or_none(entry.map(|entry| entry.codec().to_owned())),
            or_none(entry.map(|entry| entry.compression().to_owned())),
            state.name,
            units::printable(key),
        ]);
    }
    if !output.json {
        use Align::{Left, Right};
        let table = Rows { columns: vec![Right, Right, Right, Left, Left, Left, Left], rows };
        let table = table.fitting(terminal::columns(), &["COMPRESS", "CODEC", "TTL", "VALUE", "STATE"]);
        output.text(&aligned(&table.columns, &table.rows))?;
    }
    Ok(Answer::Yes)
}
