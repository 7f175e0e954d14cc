//! The primitives that the model checker replaces: `--cfg larder_loom` swaps them for loom's, so
//! that the code under test is the code that ships.

#[cfg(larder_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

#[cfg(all(larder_loom, feature = "shared"))]
pub(crate) use loom::sync::atomic::AtomicBool;

#[cfg(all(not(larder_loom), feature = "shared"))]
pub(crate) use std::sync::atomic::AtomicBool;

#[cfg(not(larder_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Locks `mutex`, also after a panic in another holder: what larder guards is consistent between
/// any two statements, because no user code runs under its locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What no model looks at: the primitives as they are.
pub(crate) mod plain {
    pub(crate) use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

    /// See [`lock`](super::lock).
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The same for one of several readers.
    #[inline]
    pub(crate) fn read<T>(shared: &RwLock<T>) -> RwLockReadGuard<'_, T> {
        shared.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The same for the one writer.
    #[inline]
    pub(crate) fn write<T>(shared: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
        shared.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
