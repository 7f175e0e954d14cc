//! What the environment sets by features that this build may not have: an error without them, and never silently left aside.

use super::variables::{Variables, invalid, variable};
use crate::{MemoryCacheBuilder, error::Result, redis::RedisCacheBuilder};

/// Variables by which a feature sets up builders of one kind.
pub(super) struct Feature<B: 'static> {
    name: &'static str,
    variables: &'static [&'static str],
    /// Whether they are secrets: they stand in no error, and an empty one did not arrive.
    are_secret: bool,
    /// Takes what they say. None where the feature is off.
    take: Option<fn(B, Variables<'_>) -> Result<B>>,
}

/// A folder in which entries outlive the process.
pub(super) const DISK: Feature<MemoryCacheBuilder> = Feature {
    name: "disk",
    variables: &["LARDER_DISK"],
    are_secret: false,
    #[cfg(feature = "disk")]
    take: Some(super::disk::with_disk),
    #[cfg(not(feature = "disk"))]
    take: None,
};

/// Secret keys.
pub(super) const SEAL: Feature<RedisCacheBuilder> = Feature {
    name: "seal",
    variables: &["LARDER_SEAL_KEYS", "LARDER_NAME_KEY"],
    are_secret: true,
    #[cfg(feature = "seal")]
    take: Some(super::seal::with_keys),
    #[cfg(not(feature = "seal"))]
    take: None,
};

impl<B> Feature<B> {
    /// A builder with what the variables say.
    ///
    /// # Errors
    ///
    /// If one of them makes no sense, or is set while the feature is off.
    pub(super) fn on(&self, builder: B, variables: Variables<'_>) -> Result<B> {
        if let Some(take) = self.take {
            return take(builder, variables);
        }
        for name in self.variables {
            let Some(value) = variables(name)? else { continue };
            if self.are_secret || !value.trim().is_empty() {
                let shown = if self.are_secret { "…" } else { &value };
                let why = format!("it needs larder's feature `{}`, which is not enabled", self.name);
                return Err(invalid(name, shown, why));
            }
        }
        Ok(builder)
    }
}

impl RedisCacheBuilder {
    /// Takes the keys in `LARDER_SEAL_KEYS` and `LARDER_NAME_KEY`, if there are any, as [`from_env`](crate::from_env) does.
    ///
    /// # Errors
    ///
    /// If one of them is no key, or if there are keys and the feature `seal` is off. The error names the variable, and does
    /// not repeat it.
    pub fn seal_from_env(self) -> Result<Self> {
        SEAL.on(self, &variable)
    }
}
