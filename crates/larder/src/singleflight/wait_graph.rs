//! Which computations wait for which: so that two computations that need each other both end.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

/// Names a computation, or a batch of them, in all caches of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InFlightId(u64);

/// Computations: that which one is, and those that it is nested in.
pub(crate) type InFlightIds = SmallVec<[InFlightId; 2]>;

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
        let mut graph = graph();
        // What the batch waits for is put on record under the lock, which orders this before it.
        let before = InFlightId(self.batch.swap(batch.0, Ordering::Relaxed));
        if graph.behind.remove(&(before, self.id)) || graph.is_awaited(self.id) {
            graph.behind.insert((batch, self.id));
        }
    }

    fn batch(&self) -> Option<InFlightId> {
        Some(InFlightId(self.batch.load(Ordering::Relaxed))).filter(|batch| *batch != InFlightId::NONE)
    }

    /// What waits for this one waits for these.
    fn ids(&self) -> impl Iterator<Item = InFlightId> + use<> {
        [self.id].into_iter().chain(self.batch())
    }
}

type Awaited = Arc<dyn AsRef<Node> + Send + Sync>;

/// How often one computation, or batch, waits for another computation, and that.
struct Waits {
    count: usize,
    awaited: Awaited,
}

type Pair = (InFlightId, InFlightId);

/// Which computation waits for which at the moment.
struct WaitGraph {
    /// By one that waits, and one that it waits for.
    waits: BTreeMap<Pair, Waits>,
    /// The same pairs the other way round; and batches, each with those of its computations that others wait for.
    behind: BTreeSet<Pair>,
}

/// One for all caches: a cycle may run through several.
static GRAPH: Mutex<WaitGraph> = Mutex::new(WaitGraph::new());

fn graph() -> MutexGuard<'static, WaitGraph> {
    GRAPH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A search from one computation to the next.
struct Search {
    ahead: SmallVec<[InFlightId; 8]>,
    /// Where it is, and the last one that it has found from there.
    at: Option<Pair>,
    seen: BTreeSet<InFlightId>,
}

impl Search {
    fn from(ids: impl IntoIterator<Item = InFlightId>) -> Self {
        let ahead: SmallVec<_> = ids.into_iter().collect();
        Self { seen: ahead.iter().copied().collect(), ahead, at: None }
    }

    /// Where it goes on.
    fn next(&mut self) -> Option<Pair> {
        self.at.take().or_else(|| self.ahead.pop().map(|id| (id, InFlightId::NONE)))
    }

    fn find(&mut self, at: Pair, ids: impl IntoIterator<Item = InFlightId>) {
        self.at = Some(at);
        for id in ids {
            if self.seen.insert(id) {
                self.ahead.push(id);
            }
        }
    }
}

impl WaitGraph {
    const fn new() -> Self {
        Self { waits: BTreeMap::new(), behind: BTreeSet::new() }
    }

    fn is_awaited(&self, id: InFlightId) -> bool {
        self.next_behind((id, InFlightId::NONE)).is_some()
    }

    /// The next one behind the same, after this pair.
    fn next_behind(&self, after: Pair) -> Option<Pair> {
        let next = self.behind.range((Excluded(after), Unbounded)).next();
        next.copied().filter(|(id, _)| *id == after.0)
    }

    /// Whether `node` waits for one of `waiting`, and how many steps it took to find out.
    ///
    /// It is looked for from both ends, step by step: mostly one of them is soon at its own end, while a batch that many
    /// wait for may wait for many.
    fn is_reached(&self, waiting: &[InFlightId], node: &Node) -> (bool, usize) {
        let from: InFlightIds = node.ids().collect();
        let (mut forwards, mut backwards) = (Search::from(node.ids()), Search::from(waiting.iter().copied()));
        let mut steps = 0;
        loop {
            if waiting.iter().any(|id| forwards.seen.contains(id))
                || from.iter().any(|id| backwards.seen.contains(id))
            {
                return (true, steps);
            }
            steps += 1;
            if !self.step_forwards(&mut forwards) || !self.step_backwards(&mut backwards) {
                return (false, steps);
            }
        }
    }

    /// Goes on to one that is waited for. False if there is none left.
    fn step_forwards(&self, search: &mut Search) -> bool {
        let Some(at) = search.next() else { return false };
        let next = self.waits.range((Excluded(at), Unbounded)).next().filter(|((id, _), _)| *id == at.0);
        if let Some((&pair, Waits { awaited, .. })) = next {
            search.find(pair, (**awaited).as_ref().ids());
        }
        true
    }

    /// Goes on to one that waits. False if there is none left.
    fn step_backwards(&self, search: &mut Search) -> bool {
        let Some(at) = search.next() else { return false };
        if let Some(pair) = self.next_behind(at) {
            search.find(pair, [pair.1]);
        }
        true
    }

    fn add(&mut self, waits: InFlightId, node: &Node, awaited: impl FnOnce() -> Awaited) {
        let there = self.waits.entry((waits, node.id));
        there.or_insert_with(|| Waits { count: 0, awaited: awaited() }).count += 1;
        self.behind.insert((node.id, waits));
        self.behind.extend(node.batch().map(|batch| (batch, node.id)));
    }

    /// Returns what is no longer waited for, to be dropped under no lock.
    fn remove(&mut self, waits: InFlightId, id: InFlightId) -> Option<Waits> {
        let there = self.waits.get_mut(&(waits, id))?;
        there.count -= 1;
        if there.count > 0 {
            return None;
        }
        let over = self.waits.remove(&(waits, id))?;
        self.behind.remove(&(id, waits));
        if !self.is_awaited(id)
            && let Some(batch) = (*over.awaited).as_ref().batch()
        {
            self.behind.remove(&(batch, id));
        }
        Some(over)
    }
}

/// A wait of some computations for another one, on record while this lives.
pub(crate) struct Wait {
    waiting: InFlightIds,
    awaited: InFlightId,
}

impl Wait {
    /// Puts on record that the computations of `waiting` (a caller's own computation, or batch, and those it is nested
    /// in) wait for `awaited`. None if that would close a cycle: nothing in it would ever end.
    pub(crate) fn begin<T>(waiting: InFlightIds, awaited: &Arc<T>) -> Option<Self>
    where
        T: AsRef<Node> + Send + Sync + 'static,
    {
        let node = (**awaited).as_ref();
        if waiting.is_empty() {
            return Some(Self { waiting, awaited: node.id });
        }
        let mut graph = graph();
        let (closes, _) = graph.is_reached(&waiting, node);
        if closes {
            return None;
        }
        for &in_flight in &waiting {
            graph.add(in_flight, node, || awaited.clone());
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
        let mut graph = graph();
        over.extend(self.waiting.iter().filter_map(|&in_flight| graph.remove(in_flight, self.awaited)));
        drop(graph);
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
        {
            let graph = graph();
            assert!(!graph.waits.contains_key(&(a.id, b.id)) && !graph.is_awaited(b.id));
        }
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
    /// Steps of a search, by who would wait and for what.
    fn steps(waiting: InFlightId, awaited: &Node) -> usize {
        let (closes, steps) = graph().is_reached(&[waiting], awaited);
        assert!(!closes);
        steps
    }

    /// However many there are, or each search would be as long as all of them.
    #[test]
    fn a_step_finds_one() {
        const MANY: usize = 100;
        let (waiting, [awaited]) = (InFlightId::next(), nodes());
        let waits = (0..MANY).flat_map(|_| {
            [(waiting, nodes::<1>()[0].clone()), (InFlightId::next(), awaited.clone())]
                .map(|(waiting, awaited)| Wait::begin(smallvec![waiting], &awaited).unwrap())
        });
        let _waits: Vec<_> = waits.collect();
        let graph = graph();
        let (mut forwards, mut backwards) = (Search::from([waiting]), Search::from([awaited.id]));
        for found in 1..=MANY {
            assert!(graph.step_forwards(&mut forwards) && graph.step_backwards(&mut backwards));
            assert_eq!((forwards.seen.len(), backwards.seen.len()), (1 + found, 1 + found));
        }
    }

    #[test]
    fn many_that_wait_for_parts_of_a_batch_that_waits_for_many() {
        const MANY: usize = 2_000;
        let batch = InFlightId::next();
        let parts: Vec<_> = (0..MANY).map(|_| Arc::new(Node::new())).collect();
        parts.iter().for_each(|part| part.join(batch));
        let waits = (0..MANY).map(|_| Wait::begin(smallvec![batch], &nodes::<1>()[0]).unwrap());
        let _waits: Vec<_> = waits.collect();
        // Computations, each of which is waited for itself; and those of another batch, parts of which are waited for.
        let (other, mut callers) = (InFlightId::next(), Vec::new());
        for part in &parts {
            let [caller, of_other] = nodes();
            of_other.join(other);
            callers.push(Wait::begin(smallvec![InFlightId::next()], &caller).unwrap());
            for waiting in [caller.id, InFlightId::next()] {
                assert!(steps(waiting, part) < 16, "{}", steps(waiting, part));
                callers.push(Wait::begin(smallvec![waiting], part).unwrap());
            }
            assert!(steps(other, part) < 16, "{}", steps(other, part));
            callers.push(Wait::begin(smallvec![other], part).unwrap());
        }
    }

    #[test]
    fn one_that_many_wait_for_waits_for_one_that_waits_for_none() {
        const MANY: usize = 100;
        let [popular, last] = nodes();
        let waits = (0..MANY).map(|_| Wait::begin(smallvec![InFlightId::next()], &popular).unwrap());
        let _waits: Vec<_> = waits.collect();
        assert!(steps(popular.id, &last) < 16, "{}", steps(popular.id, &last));
    }

    #[test]
    fn what_waits_for_a_part_is_found_from_either_end() {
        let (batch, [part, outside, last]) = (InFlightId::next(), nodes());
        let waits = [Wait::begin(smallvec![outside.id], &part), Wait::begin(smallvec![last.id], &outside)];
        assert!(waits.iter().all(Option::is_some));
        part.join(InFlightId::next());
        // It is led by another batch later.
        part.join(batch);
        assert!(graph().behind.contains(&(batch, part.id)));
        assert!(Wait::begin(smallvec![batch], &last).is_none());
        drop(waits);
        assert!(!graph().is_awaited(batch));
        assert!(Wait::begin(smallvec![batch], &last).is_some());
    }
}
