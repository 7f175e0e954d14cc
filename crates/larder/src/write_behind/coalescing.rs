//! From the records of one key to the one write that stands for them.

use std::sync::Arc;

use super::{
    backlog::Group,
    options::{Coalesce, Merge},
    write::Write,
};
use crate::panic_guard;

/// The write of a group; an error if the merge function panicked.
pub(super) fn write_of<T: Clone>(group: &Group<T>, coalesce: &Coalesce<T>) -> Result<Write<T>, &'static str> {
    let last = &group.records[group.records.len() - 1];
    let value = match coalesce {
        Coalesce::Merge(merge) if group.records.len() > 1 => {
            let merged = panic_guard::contain(|| merged(group, merge));
            Arc::new(merged.ok_or("the merge function panicked")?)
        }
        _ => last.value.clone(),
    };
    Ok(Write {
        id: last.id,
        key: last.key.clone(),
        value,
        coalesced: group.records.len() as u64,
        attempts: group.attempts,
    })
}

fn merged<T: Clone>(group: &Group<T>, merge: &Merge<T>) -> T {
    let mut values = group.records.iter().map(|record| T::clone(&record.value));
    let first = values.next().expect("a group has a record");
    values.fold(first, |older, newer| merge(older, newer))
}
