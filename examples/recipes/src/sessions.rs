//! Sessions: who is signed in, in all processes, until they sign out here or everywhere, or go away.
//!
//! A session has no other source than the cache: an entry that is evicted, or lost with Redis, is a sign-out. Where
//! that matters, keep sessions in a Redis of their own (`noeviction`), and not in memory alone.

use std::time::Duration;

use anyhow::Result;
use larder::{Cache, CacheExt as _, Namespace, Policy, Scope};
use serde::{Deserialize, Serialize};

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The user's number.
    pub user: u64,
}

/// All sessions.
pub struct Sessions {
    sessions: Namespace,
    idle: Duration,
}

impl Sessions {
    /// Kept in this cache; a session ends when it was not used for so long.
    #[must_use]
    pub fn new(cache: &dyn Cache, idle: Duration) -> Self {
        Self { sessions: cache.namespace("session"), idle }
    }

    /// Signs a user in. The token is for the cookie.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub async fn sign_in(&self, user: u64) -> Result<String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let token = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.store(&token, &Session { user }).await?;
        Ok(token)
    }

    /// The session of a token, and half of its time later the same for as long again.
    ///
    /// # Errors
    ///
    /// If the token is no key: empty, or far too long.
    pub async fn find(&self, token: &str) -> Result<Option<Session>> {
        // What is read here is stored again below, unless it was invalidated in between: no one stays signed in who
        // signs out at the same time.
        let since = self.sessions.begin();
        let Some(session) = self.sessions.get::<Session>(token).await? else { return Ok(None) };
        let left = self.sessions.remaining_ttl(token).await?;
        if left.is_some_and(|left| left < self.idle / 2) {
            self.sessions.insert_since(since, token, &session, self.policy(&session)?).await?;
        }
        Ok(Some(session))
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) {
        self.sessions.invalidate(token).await;
    }

    /// Ends all sessions of a user: after a change of the password, say.
    pub async fn sign_out_everywhere(&self, user: u64) {
        self.sessions.invalidate(Scope::tag(tag(user))).await;
    }

    async fn store(&self, token: &str, session: &Session) -> Result<()> {
        Ok(self.sessions.insert(token, session, self.policy(session)?).await?)
    }

    fn policy(&self, session: &Session) -> Result<Policy> {
        Ok(Policy::builder().ttl(self.idle).tags([tag(session.user)]).build()?)
    }
}

fn tag(user: u64) -> String {
    format!("sessions-of:{user}")
}

#[cfg(test)]
mod tests {
    use larder::MemoryCache;

    use super::*;

    #[tokio::test]
    async fn until_they_sign_out_or_go_away() -> Result<()> {
        const HOUR: Duration = Duration::from_secs(3_600);
        let cache = MemoryCache::new(1_000);
        let sessions = Sessions::new(&cache, HOUR);
        let (here, there, other) =
            (sessions.sign_in(7).await?, sessions.sign_in(7).await?, sessions.sign_in(8).await?);
        assert_eq!(sessions.find(&here).await?, Some(Session { user: 7 }));
        assert_eq!(sessions.find("made up").await?, None);

        for _ in 0..3 {
            cache.core().advance(HOUR * 2 / 3);
            assert!(sessions.find(&here).await?.is_some(), "it is used");
            assert!(sessions.find(&other).await?.is_some());
        }
        assert_eq!(sessions.find(&there).await?, None, "it is not");

        let again = sessions.sign_in(7).await?;
        sessions.sign_out(&again).await;
        assert_eq!(sessions.find(&again).await?, None);
        sessions.sign_out_everywhere(7).await;
        assert_eq!(sessions.find(&here).await?, None);
        assert!(sessions.find(&other).await?.is_some(), "another user's");
        Ok(())
    }
}
