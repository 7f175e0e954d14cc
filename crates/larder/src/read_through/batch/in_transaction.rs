//! A batch inside of a transaction: it stores nothing, and joins no other one.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
};

use super::items::Asked;
use crate::{
    cache::Cache,
    dependencies,
    entry::Freshness,
    outcome::{NotStored, Source, Tier},
    read_through::lookup::{find, serve},
    value::LocalValue,
};

/// The values of what is `asked` for: what is missing is computed for this caller alone.
pub(super) async fn compute_in_transaction<I, V, E, C, F, Fut>(
    cache: &C,
    asked: Vec<Asked<I>>,
    mut compute: F,
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    C: Cache + ?Sized,
    F: FnMut(Vec<I>) -> Fut,
    Fut: Future<Output = Result<HashMap<I, V>, E>>,
{
    let core = cache.core();
    let mut values = HashMap::with_capacity(asked.len());
    let mut missing = Vec::new();
    let mut seen = HashSet::with_capacity(asked.len());
    for Asked { item, key, observer } in asked {
        if !seen.insert(item.clone()) {
            continue;
        }
        match find::<V>(cache, core.lookup(&key)) {
            Some((entry, Freshness::Fresh)) => {
                observer.tell(|| entry.0.outcome(Source::Hit, Some(Tier::Memory), core.now()));
                values.insert(item, serve(core, &entry, Freshness::Fresh, Tier::Memory));
            }
            _ => {
                observer.computed(Some(NotStored::InTransaction));
                missing.push(item);
            }
        }
    }
    if !missing.is_empty() {
        values.extend(dependencies::bypass(async { compute(missing).await }).await?);
    }
    Ok(values)
}
