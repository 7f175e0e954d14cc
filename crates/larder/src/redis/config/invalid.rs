//! A setting that is refused.

#[cfg(feature = "tls")]
use std::sync::Arc;

use crate::error::{Cause, Error, Kind};

/// A setting that is refused.
#[derive(Debug)]
pub(crate) struct Invalid {
    reason: String,
    cause: Option<Cause>,
}

impl Invalid {
    /// The same, of the variable of the environment that has the setting.
    pub(crate) fn of(self, variable: &str) -> Self {
        Self { reason: format!("{variable}: {}", self.reason), ..self }
    }

    /// A setting that is refused because of an error.
    #[cfg(feature = "tls")]
    pub(super) fn because(reason: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { reason: reason.to_owned(), cause: Some(Arc::new(cause)) }
    }
}

impl From<String> for Invalid {
    fn from(reason: String) -> Self {
        Self { reason, cause: None }
    }
}

impl From<&str> for Invalid {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

impl From<Invalid> for Error {
    fn from(Invalid { reason, cause }: Invalid) -> Self {
        Kind::Configuration { reason, cause }.into()
    }
}
