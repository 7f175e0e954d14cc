//! What the tables are called.

use larder::{Result, internal::shared::refused_setting};

/// The names of the tables of one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) prefix: String,
    /// Entries by key.
    pub(crate) entries: String,
    /// The records of the log.
    pub(crate) log: String,
    /// One row: the last epoch that was given, and which log it is.
    pub(crate) head: String,
    /// Records of transactions that were committed, on their way into the log.
    pub(crate) pending: String,
    /// Numbers by key.
    pub(crate) counters: String,
    /// Who computes, by key.
    pub(crate) leases: String,
    /// Who holds a lock, by name.
    pub(crate) locks: String,
}

impl Tables {
    /// # Errors
    ///
    /// If the prefix is not one.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let is_name = (1..=40).contains(&prefix.len())
            && prefix.starts_with(|first: char| first.is_ascii_lowercase())
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_name {
            return Err(refused_setting(format!(
                "the prefix {prefix:?} is not 1 to 40 of a-z, 0-9 and `_` that begin with a letter"
            )));
        }
        let name = |table: &str| format!("{prefix}_{table}");
        Ok(Self {
            prefix: prefix.to_owned(),
            entries: name("entries"),
            log: name("log"),
            head: name("head"),
            pending: name("pending"),
            counters: name("counters"),
            leases: name("leases"),
            locks: name("locks"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_needs_no_quotes() {
        assert_eq!(Tables::new("shop").unwrap().log, "shop_log");
        for prefix in ["", "1a", "Shop", "a-b", "a.b", "a\"; drop", "a b", &"x".repeat(41)] {
            assert!(Tables::new(prefix).is_err(), "{prefix}");
        }
    }
}
