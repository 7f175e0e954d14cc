//! Types of which a value could not stand in a key: each is reported once.

use std::{
    any::type_name,
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// Bounded by the number of types in the program.
static REPORTED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// Whether this is the first time for the type.
#[cold]
pub(super) fn first<T: ?Sized>() -> bool {
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    reported.get_or_insert_default().insert(type_name::<T>())
}
