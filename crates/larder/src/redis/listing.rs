//! The entries in Redis, for a cache: walked through as `larder keys` does, and judged as they are on reading.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    inspect::{Inspector, Walk},
    remote::Remote,
};
use crate::{
    cache::{EntryInfo, Listing},
    cache_core::Core,
    error::{Kind, Result},
    scope::ScopeHash,
};

/// How many keys are looked at for each step: few enough for the deadline of a call.
const PAGE: usize = 200;

pub(super) struct EntriesInRedis {
    core: Core,
    remote: Arc<Remote>,
    inspector: Inspector,
    way: Way,
}

enum Way {
    Walk(Walk),
    Key(String),
    /// Keys cannot be told by how they begin.
    Hashed,
    End,
}

impl EntriesInRedis {
    pub(super) fn new(core: Core, remote: Arc<Remote>, text: &str, is_beginning: bool) -> Self {
        let inspector = Inspector::of(&remote);
        let way = match is_beginning {
            false => Way::Key(text.to_owned()),
            true if !text.is_empty() && inspector.hashes_keys() => Way::Hashed,
            true => Way::Walk(inspector.walk(text, PAGE)),
        };
        Self { core, remote, inspector, way }
    }

    /// What lies under these names; the key is given where a name does not say it.
    async fn listed(&self, names: &[Vec<u8>], key: Option<&str>) -> Result<Vec<EntryInfo>> {
        let peeks = self.inspector.peek(names).await?;
        let listed = names.iter().zip(peeks).filter_map(|(name, peek)| {
            let (peek, (_, text)) = (peek?, self.inspector.parse(name)?);
            let text = key.map_or_else(|| String::from_utf8_lossy(text), Into::into);
            let mut info = EntryInfo::in_shared_store(&*text, peek.size);
            if let Ok(entry) = &peek.entry {
                // What a hash stands for is known to the entry alone.
                let is_own = |scope: &ScopeHash| match self.inspector.hashes_keys() {
                    true => !scope.is_wide(),
                    false => *scope == ScopeHash::key(&text),
                };
                let standing = self.remote.entries.standing(self.core.now(), entry.envelope());
                info.age = standing.age;
                info.remaining_ttl = standing.remaining_ttl;
                info.is_servable = standing.is_servable && entry.scopes().iter().any(is_own);
            }
            Some(info)
        });
        Ok(listed.collect())
    }
}

#[async_trait]
impl Listing for EntriesInRedis {
    async fn next(&mut self) -> Result<Option<Vec<EntryInfo>>> {
        match &mut self.way {
            Way::Walk(walk) => match self.inspector.step(walk).await? {
                Some(names) => self.listed(&names, None).await.map(Some),
                None => Ok(None),
            },
            Way::Key(key) => {
                let (name, key) = (self.inspector.entry_name(key), std::mem::take(key));
                self.way = Way::End;
                self.listed(&[name.into_bytes()], Some(&key)).await.map(Some)
            }
            Way::Hashed => Err(Kind::configuration(
                "keys are hashed in Redis, and cannot be listed by how they begin: list all, `*`, or one key",
            )
            .into()),
            Way::End => Ok(None),
        }
    }
}
