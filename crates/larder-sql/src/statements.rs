//! The statements that both databases understand.

use crate::{
    database::{Excess, PIECE, REMEMBERED},
    tables::Tables,
};

#[derive(Debug)]
pub(crate) struct CommonStatements {
    pub(crate) newest: String,
    pub(crate) counter: String,
    pub(crate) renew: String,
    pub(crate) release: String,
    pub(crate) prolong_lock: String,
    trim: String,
    expire: String,
    expire_counters: String,
    expire_leases: String,
    expire_locks: String,
}

impl CommonStatements {
    /// With what gives the time in milliseconds since 1970, what leaves out rows that others have locked, and the statements
    /// that delete what is too much of the log, and entries that have expired.
    pub(crate) fn new(
        tables: &Tables,
        now: &str,
        skip_locked: &str,
        (trim, expire): (String, String),
    ) -> Self {
        let Tables { log, counters, leases, locks, .. } = tables;
        let delete = |table: &str, key: &str, is_over: &str| {
            format!(
                "DELETE FROM {table} WHERE {key} IN
                   (SELECT {key} FROM {table} WHERE {is_over} LIMIT {PIECE} {skip_locked})"
            )
        };
        let has_expired = format!("expires <= {now}");
        Self {
            newest: format!(
                "SELECT id, record FROM {log} WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3"
            ),
            counter: format!(
                "SELECT number FROM {counters} WHERE key = $1 AND (expires IS NULL OR expires > {now})"
            ),
            renew: format!("UPDATE {leases} SET expires = {now} + $3 WHERE key = $1 AND holder = $2"),
            release: format!("DELETE FROM {leases} WHERE key = $1 AND holder = $2 RETURNING waited"),
            prolong_lock: format!(
                "UPDATE {locks} SET ends = {now} + $3 WHERE name = $1 AND token = $2 AND ends > {now}"
            ),
            trim,
            expire,
            expire_counters: delete(counters, "key", &has_expired),
            expire_leases: delete(leases, "key", &has_expired),
            expire_locks: delete(locks, "name", &format!("ends <= {now} - {REMEMBERED}")),
        }
    }

    /// What deletes a piece of what is of no use any longer.
    pub(crate) fn delete(&self, excess: Excess) -> &str {
        match excess {
            Excess::Records => &self.trim,
            Excess::Entries => &self.expire,
            Excess::Counters => &self.expire_counters,
            Excess::Leases => &self.expire_leases,
            Excess::Locks => &self.expire_locks,
        }
    }
}

/// Takes from a rate limit, in one step: `number` is the point in time from which on the key has its whole burst, in microseconds
/// since 1970. It says how far from now that is, and how much too far it would be. What a statement returns is what a row is
/// after it: so `expires`, which nothing else looks at that closely, is odd if the units were taken.
#[cfg(feature = "limit")]
pub(crate) fn take_units(counters: &str, now: &str, (greatest, least): (&str, &str)) -> String {
    let now = format!("({now} * 1000)");
    let found = format!("{greatest}({now}, {least}(c.number, {now} + $2))");
    let taken =
        |found: &str| format!("CASE WHEN {found} + $3 <= {now} + $2 THEN {found} + $3 ELSE {found} END");
    let expires = |found: &str| {
        let taken = taken(found);
        format!("({taken}) / 2000 * 2 + 2 + CASE WHEN {found} + $3 <= {now} + $2 THEN 1 ELSE 0 END")
    };
    format!(
        "INSERT INTO {counters} AS c (key, number, expires) VALUES ($1, {}, {})
         ON CONFLICT (key) DO UPDATE SET number = {}, expires = {}
         RETURNING number - {now},
                   CASE WHEN expires % 2 = 1 THEN 0 ELSE number + $3 - {now} - $2 END",
        taken(&now),
        expires(&now),
        taken(&found),
        expires(&found)
    )
}
