//! How much each namespace takes in Redis, a page of keys at a time.

use std::collections::HashMap;

use larder::internal::inspect::Inspector;
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    scan::Walk,
    table::{Align, Rows},
    units,
};

/// So many namespaces are told apart.
const MOST: usize = 1_000;

/// Keys and bytes by namespace: what stands before the first `:`.
type Sums = HashMap<String, (u64, u64)>;

/// What was measured so far: it begins anew when it has seen all keys.
pub(super) struct Sizes<'i> {
    inspector: &'i Inspector,
    walk: Walk<'i>,
    /// Of this round.
    sums: Sums,
    looked_at: u64,
    /// Of the last whole round.
    whole: Option<(Sums, u64)>,
}

impl<'i> Sizes<'i> {
    pub(super) fn new(inspector: &'i Inspector) -> Self {
        let walk = Walk::entries(inspector, "");
        Self { inspector, walk, sums: Sums::new(), looked_at: 0, whole: None }
    }

    /// Whether all keys were looked at once.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Looks at the next page.
    pub(super) async fn measure_more(&mut self) -> Result<(), Failure> {
        let Some(names) = self.walk.next().await? else {
            self.whole = Some((std::mem::take(&mut self.sums), std::mem::take(&mut self.looked_at)));
            self.walk = Walk::entries(self.inspector, "");
            return Ok(());
        };
        let sizes = self.inspector.sizes(&names).await?;
        for (name, size) in names.iter().zip(sizes) {
            let Some((_, key)) = self.inspector.parse(name) else { continue };
            self.looked_at += 1;
            let namespace = namespace(key);
            let has_room = self.sums.len() < MOST || self.sums.contains_key(&namespace);
            let (keys, bytes) =
                self.sums.entry(if has_room { namespace } else { "(others)".to_owned() }).or_default();
            *keys += 1;
            *bytes += size;
        }
        Ok(())
    }

    /// The largest first.
    fn largest(&self) -> Vec<(&str, u64, u64)> {
        let sums = self.whole.as_ref().map_or(&self.sums, |(sums, _)| sums);
        let mut largest: Vec<_> =
            sums.iter().map(|(name, (keys, bytes))| (name.as_str(), *keys, *bytes)).collect();
        largest.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(other.0)));
        largest
    }

    pub(super) fn rows(&self, most: usize) -> Rows {
        let mut rows = vec![["SIZE", "KEYS", "NAMESPACE"].map(str::to_owned).to_vec()];
        for (name, keys, bytes) in self.largest().into_iter().take(most) {
            rows.push(vec![units::bytes(bytes), units::count(keys), units::printable(name.as_bytes())]);
        }
        Rows { columns: vec![Align::Right, Align::Right, Align::Left], rows }
    }

    /// What is to be said of the figures, if they are not of all keys.
    pub(super) fn note(&self) -> Option<String> {
        (!self.is_whole())
            .then(|| format!("of the {} keys that were looked at so far", units::count(self.looked_at)))
    }

    pub(super) fn json(&self) -> Value {
        let looked_at = self.whole.as_ref().map_or(self.looked_at, |(_, looked_at)| *looked_at);
        let largest = self.largest().into_iter();
        json!({
            "looked_at": looked_at,
            "all": self.is_whole(),
            "largest": largest
                .map(|(name, keys, bytes)| json!({ "namespace": name, "keys": keys, "bytes": bytes }))
                .collect::<Vec<_>>(),
        })
    }
}

fn namespace(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    match text.split_once(':') {
        Some((namespace, _)) => format!("{namespace}:*"),
        None if text.starts_with('#') => "(hashed)".to_owned(),
        None => "(none)".to_owned(),
    }
}
