//! The statements for PostgreSQL, with the names of the tables in them.

use super::schema::create_tables;
use crate::{
    database::{MOST_RECORDS, PIECE},
    epochs::first_of,
    statements::CommonStatements,
    tables::Tables,
};

/// The time of the server in milliseconds since 1970: of the moment.
const NOW: &str = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

/// The same when the statement began: the same one throughout it, and so a value that an index can be asked for.
const THEN: &str = "(extract(epoch from statement_timestamp()) * 1000)::bigint";

/// For how long a statement of the log waits for a lock: a backend whose client is gone does not notice before it has it.
/// To be true in a `WHERE`: it is set before a row is locked, for this transaction alone.
const IS_PATIENT: &str = "(SELECT set_config('lock_timeout', '2s', true)) IS NOT NULL";

/// A table is missing.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|said| said.code().as_deref() == Some("42P01"))
}

/// The same as a statement.
const PATIENT: &str = "SELECT set_config('lock_timeout', '2s', true);";

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) common: CommonStatements,
    pub(super) create_tables: String,
    pub(super) server: String,
    pub(super) read_log: String,
    tables: Tables,
    pub(super) mark: String,
    pub(super) append: String,
    pub(super) take_pending: String,
    pub(super) delete_entries: String,
    pub(super) delete_counters: String,
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
        let Tables { prefix, entries, log, head, pending, counters, leases, locks } = tables;
        let first_now = first_of(NOW);
        // The names of locks are numbers: those of the log, and of upkeep.
        let lock = format!("hashtextextended('{prefix}_log', 0)");
        let trim = format!(
            "DELETE FROM {log} WHERE id IN
                   (SELECT id FROM {log}
                    WHERE id < (SELECT id FROM {log} ORDER BY id DESC OFFSET {MOST_RECORDS} LIMIT 1)
                    ORDER BY id LIMIT {PIECE})
                 AND pg_try_advisory_xact_lock({lock} + 1)"
        );
        let expire = format!(
            "DELETE FROM {entries} WHERE key IN
                   (SELECT key FROM {entries} WHERE expires <= {THEN} LIMIT {PIECE} FOR UPDATE SKIP LOCKED)"
        );
        Self {
            common: CommonStatements::new(tables, THEN, "FOR UPDATE SKIP LOCKED", (trim, expire)),
            tables: tables.clone(),
            create_tables: create_tables(tables, &lock),
            server: format!("SELECT {NOW}, pg_backend_pid()"),
            // One statement, and so one moment. From the position on: see `Seen`.
            read_log: format!(
                "SELECT h.last, (SELECT min(id) FROM {log}) AS first, (SELECT min(id) FROM {pending}) AS oldest,
                        (SELECT max(id) FROM {pending}) AS latest, {NOW} AS now, l.id, l.record
                 FROM {head} h LEFT JOIN
                      (SELECT id, record FROM {log} WHERE id >= $1 ORDER BY id LIMIT $2) l ON true
                 ORDER BY l.id"
            ),
            mark: format!(
                "WITH h AS (UPDATE {head} SET last = $1 WHERE last < $1 AND {IS_PATIENT} RETURNING last),
                      i AS (INSERT INTO {log} (id, record) SELECT last, $2 FROM h)
                 SELECT (SELECT count(*) FROM h) AS marked, (SELECT count(*) FROM {head}) AS heads"
            ),
            // Who updates the one row of the head waits for all that did so before, until what they appended can be seen:
            // the order of the epochs is the order in which they become visible.
            append: format!(
                "WITH h AS (UPDATE {head} SET last = GREATEST(last + 1, $2, {first_now}) + $3
                            WHERE {IS_PATIENT} RETURNING last),
                      i AS (INSERT INTO {log} (id, record)
                            SELECT h.last - $3 + r.number - 1, r.record
                            FROM h, unnest($1::bytea[]) WITH ORDINALITY AS r (record, number)),
                      n AS (SELECT pg_notify('{log}', '') FROM h)
                 SELECT h.last, (SELECT count(*) FROM n) FROM h"
            ),
            // Waits for others that take the same: what is committed is in the log when this ends. All lock these rows
            // first and the head then, and so wait in no circle.
            take_pending: format!(
                "WITH t AS (DELETE FROM {pending} WHERE id IN
                              (SELECT id FROM {pending} WHERE {IS_PATIENT} ORDER BY id LIMIT {PIECE} FOR UPDATE)
                            RETURNING id, record),
                      h AS (UPDATE {head} SET last = GREATEST(last + 1, {first_now}) + (SELECT count(*) FROM t) - 1
                            WHERE EXISTS (SELECT 1 FROM t) RETURNING last),
                      i AS (INSERT INTO {log} (id, record)
                            SELECT h.last - row_number() OVER (ORDER BY t.id DESC) + 1, t.record FROM h, t),
                      n AS (SELECT pg_notify('{log}', '') FROM h)
                 SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM n), (SELECT count(*) FROM h)"
            ),
            delete_entries: format!("DELETE FROM {entries} WHERE key = ANY($1)"),
            delete_counters: format!("DELETE FROM {counters} WHERE key = ANY($1)"),
            read: format!("SELECT key, message FROM {entries} WHERE key = ANY($1) AND expires > {THEN}"),
            write: format!(
                "INSERT INTO {entries} AS e (key, epoch, expires, message)
                 SELECT key, epoch, {THEN} + lifetime, message
                 FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[]) AS r (key, epoch, lifetime, message)
                 ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, expires = excluded.expires,
                   message = excluded.message
                 WHERE e.epoch <= excluded.epoch OR e.epoch > $5 OR e.expires <= {THEN}
                 RETURNING key"
            ),
            count: format!(
                "INSERT INTO {counters} AS c (key, number, expires) VALUES ($1, $2, {THEN} + $3::bigint)
                 ON CONFLICT (key) DO UPDATE SET
                   number = CASE WHEN c.expires <= {THEN} THEN excluded.number ELSE c.number + excluded.number END,
                   expires = CASE WHEN c.expires <= {THEN} THEN excluded.expires ELSE c.expires END
                 RETURNING number"
            ),
            #[cfg(feature = "limit")]
            take_units: crate::statements::take_units(counters, THEN, ("greatest", "least")),
            // Who has the lease afterwards, what is stored, and whether there was one; of these, as it was when the
            // statement began.
            lease: format!(
                "WITH l AS (
                   INSERT INTO {leases} AS l (key, holder, waited, expires) VALUES ($1, $2, false, {THEN} + $3)
                   ON CONFLICT (key) DO UPDATE SET
                     holder = CASE WHEN l.expires <= {THEN} OR l.holder = $4 THEN excluded.holder ELSE l.holder END,
                     waited = CASE WHEN l.expires <= {THEN} OR l.holder = $4 THEN false ELSE l.waited OR $5 END,
                     expires = CASE WHEN l.expires <= {THEN} OR l.holder = $4 THEN excluded.expires ELSE l.expires END
                   RETURNING holder)
                 SELECT l.holder, (SELECT message FROM {entries} WHERE key = $1 AND expires > {THEN}),
                        EXISTS (SELECT 1 FROM {leases} WHERE key = $1)
                 FROM l"
            ),
            take_lock: format!(
                "INSERT INTO {locks} AS l (name, token, ends, number)
                 VALUES ($1, $2, {THEN} + $3, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
                 ON CONFLICT (name) DO UPDATE SET token = excluded.token, ends = excluded.ends,
                   number = GREATEST(l.number + 1, excluded.number)
                 WHERE l.ends <= {THEN}
                 RETURNING number"
            ),
        }
    }

    /// Makes the log, with this record, or puts it above what is there: all in one message, so that nothing is locked while
    /// a client is waited for. The row that comes back says whether it did.
    pub(super) fn make(&self, id: i64, record: &[u8]) -> String {
        let Tables { head, .. } = &self.tables;
        let put = self.put(
            &format!(
                "INSERT INTO {head} AS h (one, last) VALUES (1, {id})
                 ON CONFLICT (one) DO UPDATE SET last = excluded.last WHERE h.last < excluded.last"
            ),
            (id, record),
            id,
        );
        format!("{PATIENT} {} {put}", self.create_tables)
    }

    /// Puts a log with this record in the place of one whose last is `above` or higher, as [`make`](Self::make) does.
    pub(super) fn lower(&self, above: i64, id: i64, record: &[u8]) -> String {
        let Tables { head, .. } = &self.tables;
        let lower = format!("UPDATE {head} SET last = {id} WHERE last >= {above}");
        format!("{PATIENT} {}", self.put(&lower, (id, record), i64::MIN))
    }

    /// If a statement changes the head: no other records from `cleared` on, and this one.
    fn put(&self, head: &str, (id, record): (i64, &[u8]), cleared: i64) -> String {
        let Tables { head: table, log, .. } = &self.tables;
        let record: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "DO $$ BEGIN
               {head};
               IF FOUND THEN
                 DELETE FROM {log} WHERE id >= '{cleared}'::bigint;
                 INSERT INTO {log} (id, record) VALUES ({id}, '\\x{record}');
               END IF;
             END $$;
             SELECT EXISTS (SELECT 1 FROM {table} WHERE last = {id});"
        )
    }
}

#[cfg(test)]
mod tests {
    use larder_servers::PostgresServer;
    use sqlx::{Connection, Executor, PgConnection, Row};

    use super::*;
    use crate::database::Excess;

    /// What has expired is found without a look at all that has not.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_expired_is_found_by_an_index() {
        let Some(server) = PostgresServer::start() else { return };
        let statements = Statements::new(&Tables::new("larder").unwrap());
        let mut link = PgConnection::connect(&server.url()).await.unwrap();
        link.execute(&*statements.create_tables).await.unwrap();
        // Where an index can be used at all, however small the table is.
        link.execute("SET enable_seqscan = off").await.unwrap();
        for (statement, index) in [
            (statements.common.delete(Excess::Entries), "larder_entries_expires"),
            (statements.common.delete(Excess::Counters), "larder_counters_expires"),
            (statements.common.delete(Excess::Locks), "larder_locks_ends"),
        ] {
            let plan = link.fetch_all(&*format!("EXPLAIN {statement}")).await.unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{}", plan.join("\n"));
        }
    }
}
