//! What is done once for each number, and the values that it is done with.

use std::{future::Future, ops::Range, pin::Pin, sync::Arc};

use larder_benches::IDS;
use serde::{Deserialize, Serialize};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does something once for each number, one after the other.
pub(crate) type Run = Arc<dyn Fn(Range<u64>) -> Boxed<()> + Send + Sync>;

/// The ids of a batch.
pub(crate) fn batch(number: u64) -> std::ops::Range<u64> {
    let first = number * BATCH % IDS;
    first..first + BATCH
}

/// How many keys a batch has.
const BATCH: u64 = 100;

/// How long what is stored lives, in seconds: nothing expires while a bench runs.
pub(crate) const LIFETIME: u64 = 3600;

/// A value of about a hundred bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    id: u64,
    name: String,
    email: String,
    roles: Vec<String>,
    balance: i64,
    active: bool,
}

impl Account {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            name: format!("User of the number {id}"),
            email: format!("user-{id}@example.com"),
            roles: vec!["reader".to_owned(), "writer".to_owned()],
            balance: -7,
            active: true,
        }
    }

    pub(crate) fn encoded(id: u64) -> Vec<u8> {
        rmp_serde::to_vec_named(&Self::new(id)).expect("it can be encoded")
    }

    pub(crate) fn decoded(bytes: &[u8]) -> Self {
        rmp_serde::from_slice(bytes).expect("it was encoded from one")
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.id == id
    }
}

/// The run that does this for every number.
pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
    run: impl Fn(Range<u64>) -> F + Send + Sync + 'static,
) -> Run {
    Arc::new(move |numbers| Box::pin(run(numbers)))
}
