//! `POST /invalidate`: the scopes of `larder invalidate`.

use http::StatusCode;
use larder::{Cache, CacheExt as _, Epoch, Invalidation, Scope, Scopes};
use serde::Deserialize;
use serde_json::json;

use super::{
    answer::{Answer, Problem},
    request::read_json,
};

/// What is to be invalidated, and what it is called.
pub(super) struct Asked {
    scopes: Scopes,
    /// Whether it is only marked stale.
    soft: bool,
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Keys, and prefixes that end in `:*`.
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    all: bool,
    /// Takes each of the `scopes` for a key, even with a `*` in it.
    #[serde(default)]
    exact: bool,
    /// Marks it stale.
    #[serde(default)]
    soft: bool,
}

impl Asked {
    /// All of it, or nothing: one mistake refuses the whole.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let Body { scopes, tags, all, exact, soft } = read_json(body)?;
        match (all, scopes.is_empty() && tags.is_empty()) {
            (true, true) => {
                return Ok(Self { scopes: Scope::all().into(), soft, names: vec!["everything".to_owned()] });
            }
            (true, false) => {
                return Err(Problem::bad(r#""all" is everything: leave out "scopes" and "tags", or "all""#));
            }
            (false, true) => {
                return Err(Problem::bad(
                    r#"name something: {"scopes": ["user:7", "user:*"]}, {"tags": ["news"]}, or {"all": true}"#,
                ));
            }
            (false, false) => {}
        }
        if scopes.iter().chain(&tags).any(String::is_empty) {
            return Err(Problem::bad(r#"a key, prefix or tag is empty: write {"all": true} for everything"#));
        }
        let named: Vec<_> = scopes.iter().map(|text| scope(text, exact)).collect::<Result<_, _>>()?;
        let names = scopes.into_iter().chain(tags.iter().map(|tag| format!("tag {tag}"))).collect();
        let scopes = named.into_iter().chain(tags.iter().map(Scope::tag)).collect();
        Ok(Self { scopes, soft, names })
    }
}

fn scope(text: &str, exact: bool) -> Result<Scope, Problem> {
    let before = text.strip_suffix('*').unwrap_or(text);
    match () {
        () if exact || !text.contains('*') => Ok(Scope::key(text)),
        () if before.ends_with(':') && !before.contains('*') => Ok(Scope::prefix(before)),
        () => Err(Problem::bad(format!(
            "{text:?}: a `*` stands only at the end, after a `:`; write PREFIX:*, or \"all\": true for everything, or \
             \"exact\": true for a key that has a `*` in it"
        ))),
    }
}

pub(super) async fn invalidate(cache: &dyn Cache, asked: Asked) -> Answer {
    let outcome = match asked.soft {
        true => cache.mark_stale(asked.scopes).await,
        false => cache.invalidate(asked.scopes).await,
    };
    let (status, outcome, epoch) = match outcome {
        Invalidation::Delivered(Epoch::ZERO) => (StatusCode::OK, "delivered", None),
        Invalidation::Delivered(epoch) => (StatusCode::OK, "delivered", Some(epoch.to_string())),
        // Done here, and not yet known to other processes.
        Invalidation::Queued => (StatusCode::ACCEPTED, "queued", None),
    };
    // How many, and not what: keys may name people.
    let (scopes, at) = (asked.names.len(), epoch.as_deref());
    tracing::info!(scopes, soft = asked.soft, outcome, epoch = at, "invalidated by the admin routes");
    let done = if asked.soft { "marked_stale" } else { "invalidated" };
    Answer::with(status, json!({ done: asked.names, "outcome": outcome, "epoch": epoch }))
}
