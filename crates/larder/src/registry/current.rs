//! Whose caches the calling code uses: those of the process, or in a test perhaps its own.

use super::installed::Registry;

static OF_PROCESS: Registry = Registry::new();

#[cfg(not(any(test, feature = "test-util")))]
mod chosen {
    use super::{OF_PROCESS, Registry};

    #[inline]
    pub(crate) fn registry() -> &'static Registry {
        &OF_PROCESS
    }

    /// Has a task use the caches that the calling code uses.
    pub(crate) fn carry<F>(task: F) -> F {
        task
    }
}

#[cfg(any(test, feature = "test-util"))]
mod chosen {
    use super::{OF_PROCESS, Registry};
    use crate::testing::{self, InIsolation};

    #[inline]
    pub(crate) fn registry() -> &'static Registry {
        testing::registry().unwrap_or(&OF_PROCESS)
    }

    /// Has a task use the caches that the calling code uses.
    pub(crate) fn carry<F: Future>(task: F) -> InIsolation<F> {
        testing::in_isolation(task)
    }
}

pub(crate) use self::chosen::{carry, registry};
