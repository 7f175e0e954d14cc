//! The statements for SQLite, with the names of the tables in them.

use crate::{
    database::{MOST_RECORDS, PIECE},
    epochs::first_of,
    statements::CommonStatements,
    tables::Tables,
};

/// The time in milliseconds since 1970.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// A table is missing.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|said| said.message().starts_with("no such table"))
}

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) common: CommonStatements,
    pub(super) create_tables: String,
    pub(super) now: String,
    pub(super) read_log: String,
    pub(super) make: String,
    pub(super) lower: String,
    pub(super) clear: String,
    pub(super) insert: String,
    pub(super) mark: String,
    pub(super) advance: String,
    pub(super) first_pending: String,
    pub(super) delete_pending: String,
    pub(super) delete_entry: String,
    pub(super) delete_counter: String,
    pub(super) read: String,
    pub(super) write: String,
    pub(super) count: String,
    #[cfg(feature = "limit")]
    pub(super) take_units: String,
    pub(super) lease: String,
    pub(super) take_lock: String,
}

impl Statements {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables { entries, log, head, pending, counters, leases, locks, .. } = tables;
        let first_now = first_of(NOW);
        let trim = format!(
            "DELETE FROM {log} WHERE id IN
                   (SELECT id FROM {log}
                    WHERE id < (SELECT id FROM {log} ORDER BY id DESC LIMIT 1 OFFSET {MOST_RECORDS})
                    ORDER BY id LIMIT {PIECE})"
        );
        let expire = format!(
            "DELETE FROM {entries} WHERE rowid IN
                   (SELECT rowid FROM {entries} WHERE expires <= {NOW} LIMIT {PIECE})"
        );
        Self {
            common: CommonStatements::new(tables, NOW, "", (trim, expire)),
            create_tables: format!(
                "CREATE TABLE IF NOT EXISTS {log} (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
                 CREATE TABLE IF NOT EXISTS {head} (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
                 CREATE TABLE IF NOT EXISTS {pending} (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
                 CREATE TABLE IF NOT EXISTS {entries}
                   (key BLOB PRIMARY KEY, epoch INTEGER NOT NULL, expires INTEGER NOT NULL, message BLOB NOT NULL);
                 CREATE INDEX IF NOT EXISTS {entries}_expires ON {entries} (expires);
                 CREATE TABLE IF NOT EXISTS {counters}
                   (key BLOB PRIMARY KEY, number INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS {counters}_expires ON {counters} (expires) WHERE expires IS NOT NULL;
                 CREATE TABLE IF NOT EXISTS {leases}
                   (key BLOB PRIMARY KEY, holder BLOB NOT NULL, waited INTEGER NOT NULL, expires INTEGER NOT NULL)
                   WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS {locks}
                   (name BLOB PRIMARY KEY, token TEXT NOT NULL, ends INTEGER NOT NULL, number INTEGER NOT NULL)
                   WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS {locks}_ends ON {locks} (ends);"
            ),
            now: format!("SELECT {NOW}"),
            // One statement, and so one moment. From the position on: see `Seen`.
            read_log: format!(
                "SELECT h.last, (SELECT min(id) FROM {log}), (SELECT min(id) FROM {pending}),
                        (SELECT max(id) FROM {pending}), {NOW}, l.id, l.record
                 FROM {head} h LEFT JOIN
                      (SELECT id, record FROM {log} WHERE id >= ?1 ORDER BY id LIMIT ?2) l ON true
                 ORDER BY l.id"
            ),
            make: format!(
                "INSERT INTO {head} (one, last) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET last = excluded.last WHERE last < excluded.last"
            ),
            lower: format!("UPDATE {head} SET last = ?1 WHERE last >= ?2"),
            clear: format!("DELETE FROM {log} WHERE id >= ?1"),
            insert: format!("INSERT INTO {log} (id, record) VALUES (?1, ?2)"),
            mark: format!("UPDATE {head} SET last = ?1 WHERE last < ?1"),
            advance: format!("UPDATE {head} SET last = max(last + 1, ?1, {first_now}) + ?2 RETURNING last"),
            first_pending: format!("SELECT id, record FROM {pending} ORDER BY id LIMIT {PIECE}"),
            delete_pending: format!("DELETE FROM {pending} WHERE id <= ?1"),
            delete_entry: format!("DELETE FROM {entries} WHERE key = ?1"),
            delete_counter: format!("DELETE FROM {counters} WHERE key = ?1"),
            read: format!("SELECT message FROM {entries} WHERE key = ?1 AND expires > {NOW}"),
            write: format!(
                "INSERT INTO {entries} (key, epoch, expires, message) VALUES (?1, ?2, {NOW} + ?3, ?4)
                 ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, expires = excluded.expires,
                   message = excluded.message
                 WHERE epoch <= excluded.epoch OR epoch > ?5 OR expires <= {NOW}"
            ),
            // What is no integer any longer has overflowed.
            count: format!(
                "INSERT INTO {counters} (key, number, expires) VALUES (?1, ?2, {NOW} + ?3)
                 ON CONFLICT (key) DO UPDATE SET
                   number = CASE WHEN expires <= {NOW} THEN excluded.number ELSE number + excluded.number END,
                   expires = CASE WHEN expires <= {NOW} THEN excluded.expires ELSE expires END
                   WHERE typeof(CASE WHEN expires <= {NOW} THEN 0 ELSE number END + excluded.number) = 'integer'
                 RETURNING number"
            ),
            #[cfg(feature = "limit")]
            take_units: crate::statements::take_units(counters, NOW, ("max", "min")),
            // Who has the lease afterwards.
            lease: format!(
                "INSERT INTO {leases} (key, holder, waited, expires) VALUES (?1, ?2, 0, {NOW} + ?3)
                 ON CONFLICT (key) DO UPDATE SET
                   holder = CASE WHEN expires <= {NOW} OR holder = ?4 THEN excluded.holder ELSE holder END,
                   waited = CASE WHEN expires <= {NOW} OR holder = ?4 THEN 0 ELSE waited OR ?5 END,
                   expires = CASE WHEN expires <= {NOW} OR holder = ?4 THEN excluded.expires ELSE expires END
                 RETURNING holder"
            ),
            take_lock: format!(
                "INSERT INTO {locks} (name, token, ends, number) VALUES (?1, ?2, {NOW} + ?3, {NOW} * 1000)
                 ON CONFLICT (name) DO UPDATE SET token = excluded.token, ends = excluded.ends,
                   number = max(number + 1, excluded.number)
                 WHERE ends <= {NOW}
                 RETURNING number"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor, Row, SqliteConnection};

    use super::*;
    use crate::database::Excess;

    /// Of the first release that had any.
    const OLDEST: &str = "
        CREATE TABLE larder_log (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
        CREATE TABLE larder_head (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
        CREATE TABLE larder_pending (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
        CREATE TABLE larder_entries
          (key BLOB PRIMARY KEY, epoch INTEGER NOT NULL, expires INTEGER NOT NULL, message BLOB NOT NULL);
        CREATE INDEX larder_entries_expires ON larder_entries (expires);
        CREATE TABLE larder_counters (key BLOB PRIMARY KEY, number INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;";

    #[tokio::test]
    async fn the_oldest_tables_become_what_new_ones_are() {
        let create = Statements::new(&Tables::new("larder").unwrap()).create_tables;
        let mut schemas = Vec::new();
        for before in ["", OLDEST] {
            let mut link = SqliteConnection::connect("sqlite::memory:").await.unwrap();
            link.execute(before).await.unwrap();
            link.execute(&*create).await.unwrap();
            let columns = "SELECT m.type || m.name || coalesce(group_concat(c.name || c.type || c.pk), '')
                           FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c GROUP BY m.name";
            let rows = link.fetch_all(columns).await.unwrap();
            schemas.push(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>());
        }
        assert_eq!(schemas[0], schemas[1]);
        assert!(schemas[0].len() > 10, "{schemas:?}");
    }

    /// What is over is found without a look at all that is not: other writers wait for as long as it takes.
    #[tokio::test]
    async fn what_is_over_is_found_by_an_index() {
        let statements = Statements::new(&Tables::new("larder").unwrap());
        let mut link = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        link.execute(&*statements.create_tables).await.unwrap();
        for (excess, index) in [
            (Excess::Entries, "larder_entries_expires"),
            (Excess::Counters, "larder_counters_expires"),
            (Excess::Locks, "larder_locks_ends"),
        ] {
            let statement = format!("EXPLAIN QUERY PLAN {}", statements.common.delete(excess));
            let plan = link.fetch_all(&*statement).await.unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{}", plan.join("\n"));
        }
    }
}
