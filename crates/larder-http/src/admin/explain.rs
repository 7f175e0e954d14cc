//! `GET /explain/{key}`: why this process serves an entry, or does not.

use larder::{
    Cache, CacheExt as _, Scope, ScopeHash,
    internal::{MemoryState, explain_in_memory, own_scopes, unnamed_scope},
};
use serde_json::{Value, json};

use super::{
    answer::Problem,
    keys::{is_served, state},
    percent::unknown_parameter,
    units::millis,
};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    key: String,
    /// Scopes that are known by more than their hashes.
    tags: Vec<String>,
    sources: Vec<String>,
}

impl Asked {
    pub(super) fn of(key: String, parameters: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut asked = Self { key, tags: Vec::new(), sources: Vec::new() };
        for (name, value) in parameters {
            match name.as_str() {
                "tag" => asked.tags.push(value),
                "from" => asked.sources.push(value),
                _ => return Err(unknown_parameter(&name, "tag and from")),
            }
        }
        Ok(asked)
    }

    /// Names of scopes, those of keys within the handle's prefix.
    fn known(&self, prefix: &str) -> Vec<(ScopeHash, String)> {
        let mut known = own_scopes(&format!("{prefix}{}", self.key));
        known.extend(self.tags.iter().map(|tag| (Scope::tag(tag).hash(), format!("tag {tag}"))));
        for source in &self.sources {
            let full = format!("{prefix}{source}");
            match full.strip_suffix('*') {
                Some(begin) => known.push((Scope::prefix(begin).hash(), full.clone())),
                None => known.extend(own_scopes(&full)),
            }
        }
        known
    }
}

pub(super) async fn explain(cache: &dyn Cache, asked: &Asked) -> Result<Value, Problem> {
    // Asked first: it refuses what is no key. Of what is not in memory, it tells whether it is on a server.
    let is_fresh = cache.contains(&asked.key).await;
    let is_fresh = is_fresh.map_err(|error| Problem::bad(format!("{:?} is no key: {error}", asked.key)))?;
    let is_enabled = cache.is_enabled();
    let Some((entry, scopes)) = explain_in_memory(cache, &asked.key) else {
        return Ok(absent(cache, asked, is_fresh));
    };
    let known = asked.known(cache.prefix());
    let name = |scope: ScopeHash| {
        let known = known.iter().find(|(hash, _)| *hash == scope).map(|(_, name)| name.clone());
        known.unwrap_or_else(|| unnamed_scope(scope))
    };
    let mut scopes: Vec<_> = scopes.into_iter().map(|(scope, since)| (scope, name(scope), since)).collect();
    // What drops it first: of thousands of scopes, only that is read.
    scopes.sort_by_key(|(.., since)| !since);
    let since: Vec<_> =
        scopes.iter().filter(|(.., since)| *since).map(|(_, name, _)| name.as_str()).collect();
    let why = match entry.state {
        _ if !is_enabled => Some(DISABLED.to_owned()),
        MemoryState::Invalidated => Some(format!(
            "invalidated since: {}",
            since.iter().take(4).copied().collect::<Vec<_>>().join(", ")
        )),
        MemoryState::Stale => Some("its TTL has ended, and it is within a stale window".to_owned()),
        MemoryState::Expired => Some("its TTL and its stale windows have ended".to_owned()),
        MemoryState::OutOfTouch => {
            Some("this process does not hear of what others invalidate: see /health".to_owned())
        }
        _ => None,
    };
    let is_elsewhere = is_fresh && !is_served(entry.state);
    let scope = |(scope, name, since): &(ScopeHash, String, bool)| json!({ "scope": format!("{:016x}", scope.get()), "name": name, "since_computed": since });
    Ok(json!({
        "key": asked.key,
        "served": is_enabled && (is_elsewhere || is_served(entry.state)),
        "state": state(entry.state),
        "why": if is_elsewhere && is_enabled { Some(ELSEWHERE.to_owned()) } else { why },
        "tier": if is_elsewhere { "redis" } else { "memory" },
        "ttl_ms": millis(entry.remaining_ttl),
        "age_ms": millis(entry.age),
        "shared": !entry.is_unshared,
        "scopes": scopes.iter().map(scope).collect::<Vec<_>>(),
    }))
}

const DISABLED: &str = "the cache is disabled in this process: POST /enable";
const ELSEWHERE: &str =
    "not served from this process' memory, but from the shared server: see `larder explain`";

/// What is not in this process' memory.
fn absent(cache: &dyn Cache, asked: &Asked, is_fresh: bool) -> Value {
    let why = match () {
        () if !cache.is_enabled() => DISABLED,
        () if is_fresh => ELSEWHERE,
        () if cache.link().is_some() => {
            "neither in this process' memory nor fresh on the shared server: `larder explain` tells more"
        }
        () => {
            "it was not computed, its time has ended, it was invalidated, it was evicted, or its value is not kept"
        }
    };
    json!({
        "key": asked.key, "served": is_fresh, "state": if is_fresh { "valid" } else { "absent" }, "why": why,
        "tier": is_fresh.then_some("redis"), "ttl_ms": null, "age_ms": null, "shared": is_fresh.then_some(true),
        "scopes": [],
    })
}
