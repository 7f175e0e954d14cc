//! The names of scopes: entries and the log have only hashes.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use larder::{
    Scope, ScopeHash,
    internal::{
        inspect::{Inspector, mark_of},
        own_scopes, unnamed_scope,
    },
};

use crate::{failure::Failure, scan::Walk};

/// So many scopes are known by their names at most.
const MOST: usize = 200_000;

/// What is named on the command line: tags, keys with their prefixes, and prefixes that end with a `*`.
pub(crate) fn given(tags: &[String], keys: &[String]) -> Vec<(ScopeHash, String)> {
    let mut given: Vec<_> = tags.iter().map(|tag| (Scope::tag(tag).hash(), format!("tag {tag}"))).collect();
    for key in keys {
        match key.strip_suffix('*') {
            Some(prefix) => given.push((Scope::prefix(prefix).hash(), key.clone())),
            None => given.extend(own_scopes(key)),
        }
    }
    given
}

/// Looks for the names of some scopes among the keys that are in Redis, and their prefixes, for so long. What the servers
/// refuse stays without a name.
pub(crate) async fn find(
    inspector: &Inspector,
    mut wanted: HashSet<ScopeHash>,
    patience: Duration,
) -> Vec<(ScopeHash, String)> {
    let (mut found, end) = (Vec::new(), Instant::now() + patience);
    let mut walk = Walk::entries(inspector, "");
    while !wanted.is_empty() && Instant::now() < end {
        let Ok(Some(names)) = walk.next().await else { break };
        for (_, key) in names.iter().filter_map(|name| inspector.parse(name)) {
            let own = own_scopes(&String::from_utf8_lossy(key));
            found.extend(own.into_iter().filter(|(scope, _)| wanted.remove(scope)));
        }
    }
    found
}

/// Those that are known.
pub(crate) struct Names(HashMap<ScopeHash, String>);

impl Names {
    pub(crate) fn new(given: Vec<(ScopeHash, String)>) -> Self {
        let everything = (ScopeHash::ALL, "everything".to_owned());
        let with_marks = |(scope, name): (ScopeHash, String)| [(mark_of(scope), name.clone()), (scope, name)];
        Self(given.into_iter().chain([everything]).flat_map(with_marks).collect())
    }

    /// Learns the keys that are in Redis, and their prefixes.
    pub(crate) async fn learn(&mut self, inspector: &Inspector) -> Result<(), Failure> {
        let mut walk = Walk::entries(inspector, "");
        while let Some(names) = walk.next().await? {
            let keys = names.iter().filter_map(|name| inspector.parse(name));
            for (_, key) in keys {
                if self.0.len() >= MOST {
                    return Ok(());
                }
                for (scope, name) in own_scopes(&String::from_utf8_lossy(key)) {
                    self.0.entry(mark_of(scope)).or_insert_with(|| name.clone());
                    self.0.entry(scope).or_insert(name);
                }
            }
        }
        Ok(())
    }

    /// None of one that is not known.
    pub(crate) fn get(&self, scope: ScopeHash) -> Option<&String> {
        self.0.get(&scope)
    }

    pub(crate) fn of(&self, scope: ScopeHash) -> String {
        self.get(scope).cloned().unwrap_or_else(|| unnamed_scope(scope))
    }
}
