//! Which computations wait for which: so that two computations that need each other both end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

/// Names a computation, or a batch of them, in all caches of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InFlightId(u64);

impl InFlightId {
    /// Before all others; the name of none.
    const NONE: Self = Self(0);

    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A computation, as something that is waited for.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: InFlightId,
    /// The batch that computes it together with others: it ends when that ends, and waits for what that waits for.
    batch: AtomicU64,
}

impl Node {
    pub(super) fn new() -> Self {
        Self { id: InFlightId::next(), batch: AtomicU64::new(InFlightId::NONE.0) }
    }

    /// A batch is about to compute it. If another one leads it later, it seems to wait for what either waits for: a cycle
    /// may be seen where there is none, and none is overlooked.
    pub(super) fn join(&self, batch: InFlightId) {
        // What the batch waits for is put on record under the lock, which orders this before it.
        self.batch.store(batch.0, Ordering::Relaxed);
    }

    /// What waits for this one waits for these.
    fn ids(&self) -> impl Iterator<Item = InFlightId> {
        let batch = InFlightId(self.batch.load(Ordering::Relaxed));
        [self.id].into_iter().chain((batch != InFlightId::NONE).then_some(batch))
    }
}

type Awaited = Arc<dyn AsRef<Node> + Send + Sync>;

/// How often one computation, or batch, waits for another computation, and that.
struct Waits {
    count: usize,
    awaited: Awaited,
}

/// What each computation's computation is waiting for at the moment: pairs of one that waits, and one that it waits for. One
/// for all caches: a cycle may run through several.
static WAITS: Mutex<BTreeMap<(InFlightId, InFlightId), Waits>> = Mutex::new(BTreeMap::new());

fn waits() -> MutexGuard<'static, BTreeMap<(InFlightId, InFlightId), Waits>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait of some computations for another one, on record while this lives.
pub(crate) struct Wait {
    waiting: SmallVec<[InFlightId; 2]>,
    awaited: InFlightId,
}

impl Wait {
    /// Puts on record that the computations of `waiting` (a caller's own computation, or batch, and those it is nested
    /// in) wait for `awaited`. None if that would close a cycle: nothing in it would ever end.
    pub(crate) fn begin<T>(waiting: SmallVec<[InFlightId; 2]>, awaited: &Arc<T>) -> Option<Self>
    where
        T: AsRef<Node> + Send + Sync + 'static,
    {
        let node = (**awaited).as_ref();
        if waiting.is_empty() {
            return Some(Self { waiting, awaited: node.id });
        }
        let mut waits = waits();
        let mut ahead: SmallVec<[InFlightId; 8]> = node.ids().collect();
        let mut seen = BTreeSet::new();
        while let Some(in_flight) = ahead.pop() {
            if waiting.contains(&in_flight) {
                return None;
            }
            if seen.insert(in_flight) {
                let from = (in_flight, InFlightId::NONE);
                let there = waits.range(from..).take_while(|((waiting, _), _)| *waiting == in_flight);
                ahead.extend(there.flat_map(|(_, waits)| (*waits.awaited).as_ref().ids()));
            }
        }
        for &in_flight in &waiting {
            let awaited = || Waits { count: 0, awaited: awaited.clone() };
            waits.entry((in_flight, node.id)).or_insert_with(awaited).count += 1;
        }
        Some(Self { waiting, awaited: node.id })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        // Dropped under no lock: it may be the last that keeps a value, which is its author's code.
        let mut over = SmallVec::<[Waits; 2]>::new();
        let mut waits = waits();
        for &in_flight in &self.waiting {
            let pair = (in_flight, self.awaited);
            let Some(there) = waits.get_mut(&pair) else { continue };
            there.count -= 1;
            if there.count == 0 {
                over.extend(waits.remove(&pair));
            }
        }
        drop(waits);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use smallvec::smallvec;

    use super::*;

    impl AsRef<Node> for Node {
        fn as_ref(&self) -> &Node {
            self
        }
    }

    fn nodes<const N: usize>() -> [Arc<Node>; N] {
        std::array::from_fn(|_| Arc::new(Node::new()))
    }

    #[test]
    fn a_wait_that_would_close_a_cycle_is_refused() {
        let [a, b, c] = nodes();
        let ab = Wait::begin(smallvec![a.id], &b).unwrap();
        let _bc = Wait::begin(smallvec![b.id], &c).unwrap();
        assert!(Wait::begin(smallvec![c.id], &a).is_none());
        assert!(Wait::begin(smallvec![a.id], &a).is_none());
        drop(ab);
        assert!(Wait::begin(smallvec![c.id], &a).is_some());
    }

    #[test]
    fn an_outer_computation_waits_for_what_the_inner_one_waits_for() {
        let [outer, inner, other] = nodes();
        let _wait = Wait::begin(smallvec![inner.id, outer.id], &other).unwrap();
        assert!(Wait::begin(smallvec![other.id], &outer).is_none());
    }

    #[test]
    fn a_part_of_a_batch_waits_for_what_the_batch_waits_for() {
        let [part, other, outside] = nodes();
        let batch = InFlightId::next();
        // That comes first, and the part becomes one of the batch after it.
        let _outside = Wait::begin(smallvec![outside.id], &part).unwrap();
        [&part, &other].iter().for_each(|part| part.join(batch));
        assert!(Wait::begin(smallvec![batch], &other).is_none(), "for a part of its own");
        assert!(Wait::begin(smallvec![batch], &outside).is_none(), "through a part of its own");
        let [awaited] = nodes();
        let _batch = Wait::begin(smallvec![batch], &awaited).unwrap();
        assert!(Wait::begin(smallvec![awaited.id], &other).is_none());
        assert!(Wait::begin(smallvec![awaited.id], &outside).is_none());
    }

    #[test]
    fn nothing_is_left_on_record() {
        let [a, b] = nodes();
        let both = [Wait::begin(smallvec![a.id], &b), Wait::begin(smallvec![a.id], &b)];
        let [first, second] = both.map(Option::unwrap);
        assert!(Wait::begin(smallvec![b.id], &a).is_none());
        drop(first);
        assert!(Wait::begin(smallvec![b.id], &a).is_none(), "there are two of them");
        drop(second);
        assert!(!waits().contains_key(&(a.id, b.id)));
        assert_eq!(Arc::strong_count(&b), 1);
    }

    #[test]
    fn a_batch_of_many_that_waits_for_many() {
        const MANY: usize = 20_000;
        let batch = InFlightId::next();
        let parts: Vec<_> = (0..MANY).map(|_| Arc::new(Node::new())).collect();
        parts.iter().for_each(|part| part.join(batch));
        let began = Instant::now();
        let mut waits: Vec<_> = (0..MANY).map(|_| Wait::begin(smallvec![batch], &nodes::<1>()[0])).collect();
        assert!(waits.iter().all(Option::is_some));
        waits.drain(..).for_each(drop);
        // Quadratic in the number of either, it would take minutes.
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
