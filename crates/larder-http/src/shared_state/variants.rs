//! The variants of each URL, beside the first one: so many are stored, and the oldest makes room for one more.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use crate::digest::Digest;

/// Number of URLs whose variants are known. The one that got its first variant before all others is forgotten; its
/// variants are then counted from zero.
const URLS: usize = 4096;

/// Digests alone are kept: URLs are as long as clients like.
#[derive(Debug, Default)]
pub(crate) struct Variants(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The digests in the keys of variants, the oldest one first, by a digest of the key of the first variant.
    by_url: HashMap<Digest, VecDeque<Digest>>,
    /// In the order in which they came.
    urls: VecDeque<Digest>,
}

impl Variants {
    /// Adds a variant; returns the one that is to be dropped for it.
    pub(crate) fn add(&self, first: &str, variant: Digest, most: usize) -> Option<Digest> {
        let first = Digest::of(&[first.as_bytes()]);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        if !known.by_url.contains_key(&first) {
            if known.urls.len() >= URLS
                && let Some(oldest) = known.urls.pop_front()
            {
                known.by_url.remove(&oldest);
            }
            known.urls.push_back(first);
        }
        let variants = known.by_url.entry(first).or_default();
        variants.retain(|known| *known != variant);
        variants.push_back(variant);
        if variants.len() > most { variants.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(&[text.as_bytes()])
    }

    #[test]
    fn the_oldest_variant_makes_room() {
        let variants = Variants::default();
        assert_eq!(variants.add("url", digest("a"), 2), None);
        assert_eq!(variants.add("url", digest("b"), 2), None);
        assert_eq!(variants.add("url", digest("a"), 2), None);
        assert_eq!(variants.add("other", digest("x"), 2), None);
        assert_eq!(variants.add("url", digest("c"), 2), Some(digest("b")));
        assert_eq!(variants.add("url", digest("d"), 0), Some(digest("a")));
    }

    #[test]
    fn only_so_many_urls_are_known() {
        let variants = Variants::default();
        for n in 0..2 * URLS {
            variants.add(&n.to_string(), digest("a"), 1);
        }
        let known = variants.0.lock().unwrap();
        assert_eq!((known.by_url.len(), known.urls.len()), (URLS, URLS));
    }
}
