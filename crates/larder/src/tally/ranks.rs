//! The members of one ranking: the algorithm Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent
//! and Top-k Elements in Data Streams", 2005).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::top::Top;

#[derive(Default)]
pub(super) struct Ranks {
    counts: HashMap<Arc<str>, u64>,
    /// The same, in order.
    order: BTreeSet<(u64, Arc<str>)>,
}

impl Ranks {
    pub(super) fn add(&mut self, member: &str, by: u64, capacity: usize) {
        let (member, before) = match self.counts.get_key_value(member) {
            Some((member, count)) => {
                let (member, count) = (member.clone(), *count);
                self.order.remove(&(count, member.clone()));
                (member, count)
            }
            None => (Arc::from(member), self.make_room(capacity)),
        };
        let count = before.saturating_add(by);
        self.counts.insert(member.clone(), count);
        self.order.insert((count, member));
    }

    /// What a new member begins with.
    fn make_room(&mut self, capacity: usize) -> u64 {
        let mut inherited = 0;
        while self.counts.len() >= capacity.max(1) {
            let Some((count, lowest)) = self.order.pop_first() else { break };
            self.counts.remove(&lowest);
            inherited = count;
        }
        inherited
    }

    pub(super) fn top(&self, members: usize, capacity: usize) -> Top {
        let highest = self.order.iter().rev().take(members);
        let is_full = self.counts.len() >= capacity.max(1);
        let lowest = self.order.first().filter(|_| is_full).map(|(count, _)| *count);
        Top::new(highest.map(|(count, member)| (member.to_string(), *count)).collect(), lowest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against exact counts.
        #[test]
        fn no_count_is_too_low_and_none_too_high_by_more_than_the_error(
            members in prop::collection::vec((0_u8..40, 1_u64..5), 0..400),
            capacity in 1_usize..30,
        ) {
            let (mut ranks, mut exact) = (Ranks::default(), HashMap::<String, u64>::new());
            for (member, by) in members {
                ranks.add(&member.to_string(), by, capacity);
                *exact.entry(member.to_string()).or_default() += by;
            }
            let total: u64 = exact.values().sum();
            let top = ranks.top(usize::MAX, capacity);
            prop_assert!(top.members.len() <= capacity);
            prop_assert!(top.error <= total / capacity as u64);
            prop_assert!(top.members.is_sorted_by(|left, right| left.1 >= right.1));
            for (member, count) in &top.members {
                prop_assert!((exact[member]..=exact[member] + top.error).contains(count));
            }
            for (member, count) in exact {
                prop_assert!(count <= top.error || top.members.iter().any(|(kept, _)| *kept == member));
            }
        }
    }
}
