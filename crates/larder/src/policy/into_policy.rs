//! What the verbs take for a policy.

use std::{
    borrow::{Borrow, Cow},
    sync::{Arc, LazyLock},
    time::Duration,
};

use super::Policy;

/// What the verbs of [`CacheExt`](crate::CacheExt) take: a [`Policy`], owned, borrowed or shared, or a [`Duration`], which
/// is a [`Policy::ttl`] of that length.
///
/// A borrowed policy costs nothing on the way; a `Duration` costs the making of a policy, a few words on the stack.
///
/// ```
/// # use std::{sync::LazyLock, time::Duration};
/// use larder::{CacheExt, MemoryCache, Policy};
///
/// static HOURLY: Policy = Policy::ttl(Duration::from_secs(3600));
/// static TAGGED: LazyLock<Policy> = LazyLock::new(|| {
///     let policy = Policy::builder().ttl(Duration::from_secs(60)).tag("users").build();
///     policy.expect("every option is valid")
/// });
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let cache = MemoryCache::new(100);
/// cache.insert("user:1", &"Ada".to_owned(), Duration::from_secs(60)).await?;
/// cache.insert("user:2", &"Grace".to_owned(), &HOURLY).await?;
/// cache.insert("user:3", &"Edith".to_owned(), &TAGGED).await?;
/// # assert_eq!(cache.kept().entries, 3);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no policy: it does not say how long a value lives",
    label = "neither a `Policy` nor a `Duration`",
    note = "give a `Duration`, `Policy::ttl(duration)`, or, for more than that, \
            `Policy::builder().ttl(duration). … .build()?`"
)]
pub trait IntoPolicy: Send + Sync {
    /// What holds the policy for as long as the call takes.
    type Policy: Borrow<Policy> + Send + Sync;

    /// The policy.
    fn into_policy(self) -> Self::Policy;
}

macro_rules! as_they_are {
    ($($holder:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl IntoPolicy for $holder {
            type Policy = Self;

            #[inline]
            fn into_policy(self) -> Self {
                self
            }
        }
    )*};
}

as_they_are!(Policy, &Policy, Arc<Policy>, Box<Policy>, Cow<'_, Policy>);

macro_rules! borrowed {
    ($($holder:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<'p> IntoPolicy for &'p $holder {
            type Policy = &'p Policy;

            #[inline]
            fn into_policy(self) -> &'p Policy {
                self
            }
        }
    )*};
}

borrowed!(&'p Policy, Arc<Policy>, Box<Policy>, Cow<'p, Policy>, LazyLock<Policy>);

/// Fresh for that long, then gone: [`Policy::ttl`].
#[diagnostic::do_not_recommend]
impl IntoPolicy for Duration {
    type Policy = Policy;

    #[inline]
    fn into_policy(self) -> Policy {
        Policy::ttl(self)
    }
}
