//! Finding the stored response that a request is answered by.
//!
//! There is no index of variants. A URI has one place; the page that lies there says by its `Vary` whether it
//! was chosen by what this request says, and if not, where one that was would lie: in the place that follows
//! from the fields it names and what this request says in them. A page there may name other fields, and lead on
//! in the same way.

use larder::{Cache, private::uncounted};

use super::Wish;
use crate::{key::Hash, page::Page};

/// So many pages are looked at on the way. Handlers vary by the same fields for all of a URI, which takes two.
const STEPS: usize = 4;

pub(super) enum Found {
    /// The page that was chosen by what the request says, and where it lies.
    Page(Key, Page),
    /// Nothing, where such a page would lie.
    Nothing(Key),
    /// Only pages for others, and no place for one more.
    TooMany,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    /// Whether there is a page of the same URI for others.
    pub(super) is_variant: bool,
}

pub(super) async fn find(cache: &dyn Cache, wish: &Wish) -> Found {
    let mut place = wish.additions;
    for step in 0..STEPS {
        let key = Key { text: wish.target.slot(&place), is_variant: step > 0 };
        let Some(page) = uncounted::find::<Page>(cache, &key.text).await else { return Found::Nothing(key) };
        let headers = &wish.headers;
        if page.vary.matches(headers) {
            return Found::Page(key, page);
        }
        place = Hash::of(&[place.bytes(), page.vary.chosen_by(headers).bytes()]);
    }
    Found::TooMany
}
