//! Walking through the entries on all masters.

use std::collections::HashSet;

use super::inspector::Inspector;
use crate::{
    error::Result,
    redis::{connection::Master, key_names::Kind},
};

/// A way through the names of entries, a page at a time.
pub struct Walk {
    masters: Vec<Master>,
    pattern: String,
    cursor: u64,
    page: usize,
}

impl Walk {
    /// The servers that are still to be asked.
    #[must_use]
    pub fn masters(&self) -> &[Master] {
        &self.masters
    }
}

impl Inspector {
    /// A walk through the entries whose keys (their hashes, where they are hashed) begin with a text. The servers look at about
    /// `page` keys for each step.
    #[must_use]
    pub fn walk(&self, begin: &str, page: usize) -> Walk {
        Walk { masters: self.masters(), pattern: self.pattern(Some(begin)), cursor: 0, page }
    }

    /// The next names of entries, none of them twice; none at the end. While keys come and go, a name may come twice in the
    /// whole walk.
    ///
    /// # Errors
    ///
    /// If it is refused, or there is no answer.
    pub async fn step(&self, walk: &mut Walk) -> Result<Option<Vec<Vec<u8>>>> {
        let Some(master) = walk.masters.last() else { return Ok(None) };
        let page = self.scan(master, walk.cursor, Some(&walk.pattern), walk.page).await?;
        walk.cursor = page.cursor;
        if page.cursor == 0 {
            walk.masters.pop();
        }
        let mut seen = HashSet::new();
        let mut names = page.names;
        names.retain(|name| {
            let is_entry = matches!(self.parse(name), Some((Kind::Entry, _)));
            is_entry && seen.insert(name.clone())
        });
        Ok(Some(names))
    }
}
