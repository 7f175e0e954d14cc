//! The variants of each URL, beside the first one: so many are stored, and the oldest makes room for one more.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Number of URLs whose variants are known. The one that got its first variant before all others is forgotten; its
/// variants are then counted from zero.
const URLS: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Variants(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The keys of variants, the oldest one first, by the key of the first variant.
    by_url: HashMap<String, VecDeque<String>>,
    /// In the order in which they came.
    urls: VecDeque<String>,
}

impl Variants {
    /// Adds a variant; returns the one that is to be dropped for it.
    pub(crate) fn add(&self, first: &str, variant: &str, most: usize) -> Option<String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        if !known.by_url.contains_key(first) {
            if known.urls.len() >= URLS
                && let Some(oldest) = known.urls.pop_front()
            {
                known.by_url.remove(&oldest);
            }
            known.urls.push_back(first.to_owned());
        }
        let variants = known.by_url.entry(first.to_owned()).or_default();
        variants.retain(|known| known != variant);
        variants.push_back(variant.to_owned());
        if variants.len() > most { variants.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_variant_makes_room() {
        let variants = Variants::default();
        assert_eq!(variants.add("url", "a", 2), None);
        assert_eq!(variants.add("url", "b", 2), None);
        assert_eq!(variants.add("url", "a", 2), None);
        assert_eq!(variants.add("other", "x", 2), None);
        assert_eq!(variants.add("url", "c", 2), Some("b".into()));
        assert_eq!(variants.add("url", "d", 0), Some("a".into()));
    }

    #[test]
    fn only_so_many_urls_are_known() {
        let variants = Variants::default();
        for n in 0..2 * URLS {
            variants.add(&n.to_string(), "a", 1);
        }
        let known = variants.0.lock().unwrap();
        assert_eq!((known.by_url.len(), known.urls.len()), (URLS, URLS));
    }
}
