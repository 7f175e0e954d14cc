//! The tables in PostgreSQL: creating them, and migrating those of earlier releases.

use crate::tables::Tables;

/// Makes the tables that are missing, and brings those that are there up to date: in one message, and so in one transaction.
///
/// Where all is as it should be, no right to make anything is needed, and no lock is taken on a table. What needs the rights of
/// a table's owner, or a lock that is not to be had at once, is left to the next process that begins: larder does without it.
pub(super) fn create_tables(tables: &Tables, lock: &str) -> String {
    // One at a time: `IF NOT EXISTS` does not look at what others are about to make.
    format!("SELECT pg_advisory_xact_lock({lock}); DO $$ BEGIN {} {} END $$;", missing(tables), steps(tables))
}

fn missing(tables: &Tables) -> String {
    let Tables { entries, log, head, pending, counters, leases, locks, .. } = tables;
    format!(
        "IF to_regclass('{log}') IS NULL OR to_regclass('{head}') IS NULL OR to_regclass('{pending}') IS NULL
             OR to_regclass('{counters}') IS NULL OR to_regclass('{locks}') IS NULL THEN
           CREATE TABLE IF NOT EXISTS {log} (id BIGINT PRIMARY KEY, record BYTEA NOT NULL);
           CREATE TABLE IF NOT EXISTS {head} (one INT PRIMARY KEY CHECK (one = 1), last BIGINT NOT NULL)
             WITH (fillfactor = 10);
           -- An identity, and no serial: that needs a right to its sequence too.
           CREATE TABLE IF NOT EXISTS {pending}
             (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record BYTEA NOT NULL);
           CREATE TABLE IF NOT EXISTS {counters} (key BYTEA PRIMARY KEY, number BIGINT NOT NULL, expires BIGINT);
           CREATE TABLE IF NOT EXISTS {locks}
             (name BYTEA PRIMARY KEY, token TEXT NOT NULL, ends BIGINT NOT NULL, number BIGINT NOT NULL);
         END IF;
         IF to_regclass('{leases}') IS NULL THEN
           CREATE UNLOGGED TABLE {leases}
             (key BYTEA PRIMARY KEY, holder BYTEA NOT NULL, waited BOOLEAN NOT NULL, expires BIGINT NOT NULL);
         END IF;
         IF to_regclass('{entries}') IS NULL THEN
           CREATE UNLOGGED TABLE {entries}
             (key BYTEA PRIMARY KEY, epoch BIGINT NOT NULL, expires BIGINT NOT NULL, message BYTEA NOT NULL);
           -- Large messages are compressed already.
           ALTER TABLE {entries} ALTER COLUMN message SET STORAGE EXTERNAL;
           CREATE INDEX {entries}_expires ON {entries} (expires);
         END IF;"
    )
}

/// What has changed since there were tables, oldest first: each where it was not done so far. Add to the end, and never change
/// one.
fn steps(tables: &Tables) -> String {
    let Tables { pending, counters, locks, .. } = tables;
    let is_serial = format!(
        "EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('{pending}') AND attname = 'id'
                 AND attidentity = '')"
    );
    // Ids go on growing. It does not wait for an open transaction that has put a record there: all others would wait behind it.
    let identity = format!(
        "LOCK TABLE {pending} IN ACCESS EXCLUSIVE MODE NOWAIT;
         EXECUTE format('ALTER TABLE {pending} ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id ADD GENERATED ALWAYS AS
                         IDENTITY (SEQUENCE NAME {pending}_identity START WITH %s)', nextval('{pending}_id_seq'));
         DROP SEQUENCE {pending}_id_seq;"
    );
    let is_no_index = |index: &str| format!("to_regclass('{index}') IS NULL");
    let index =
        |table: &str, on: &str| format!("LOCK TABLE {table} IN SHARE MODE NOWAIT; CREATE INDEX {on};");
    [
        (is_serial, identity),
        (
            is_no_index(&format!("{counters}_expires")),
            index(counters, &format!("{counters}_expires ON {counters} (expires) WHERE expires IS NOT NULL")),
        ),
        (is_no_index(&format!("{locks}_ends")), index(locks, &format!("{locks}_ends ON {locks} (ends)"))),
    ]
    .map(|(is_due, step)| {
        format!(
            "IF {is_due} THEN
               BEGIN {step} EXCEPTION WHEN insufficient_privilege OR lock_not_available THEN NULL; END;
             END IF;"
        )
    })
    .concat()
}

#[cfg(test)]
mod tests {
    use larder_servers::PostgresServer;
    use sqlx::{Connection, Executor, PgConnection, Row};

    use super::*;

    /// Of the first release that had any.
    const OLDEST: &str = "
        CREATE TABLE larder_log (id BIGINT PRIMARY KEY, record BYTEA NOT NULL);
        CREATE TABLE larder_head (one INT PRIMARY KEY CHECK (one = 1), last BIGINT NOT NULL) WITH (fillfactor = 10);
        CREATE TABLE larder_pending (id BIGSERIAL PRIMARY KEY, record BYTEA NOT NULL);
        CREATE UNLOGGED TABLE larder_entries
          (key BYTEA PRIMARY KEY, epoch BIGINT NOT NULL, expires BIGINT NOT NULL, message BYTEA NOT NULL);
        ALTER TABLE larder_entries ALTER COLUMN message SET STORAGE EXTERNAL;
        CREATE INDEX larder_entries_expires ON larder_entries (expires);
        CREATE TABLE larder_counters (key BYTEA PRIMARY KEY, number BIGINT NOT NULL, expires BIGINT);
        INSERT INTO larder_pending (record) VALUES ('a'), ('b');
        INSERT INTO larder_counters VALUES ('kn', 7, NULL);";

    /// All columns and indexes, as text.
    const SCHEMA: &str = "
        SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
          SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || is_identity
                 || ' ' || coalesce(column_default, '') AS line
          FROM information_schema.columns WHERE table_schema = 'public'
          UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public') AS lines";

    async fn schema(link: &mut PgConnection) -> String {
        link.fetch_one(SCHEMA).await.unwrap().get(0)
    }

    async fn number(link: &mut PgConnection, what: &str) -> i64 {
        link.fetch_one(what).await.unwrap().get(0)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_oldest_tables_become_what_new_ones_are() {
        let Some(server) = PostgresServer::start() else { return };
        let create = create_tables(&Tables::new("larder").unwrap(), "1");
        let mut link = PgConnection::connect(&server.url()).await.unwrap();
        link.execute(&*create).await.unwrap();
        let new = schema(&mut link).await;
        assert!(new.contains("larder_locks_ends") && new.contains("larder_counters_expires"), "{new}");
        link.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        link.execute(OLDEST).await.unwrap();

        // A transaction that is not committed holds up nothing: what it keeps from being done is done another time.
        let mut other = PgConnection::connect(&server.url()).await.unwrap();
        let mut open = other.begin().await.unwrap();
        open.execute("INSERT INTO larder_pending (record) VALUES ('c')").await.unwrap();
        link.execute(&*create).await.unwrap();
        open.commit().await.unwrap();
        assert!(schema(&mut link).await.contains("larder_locks_ends"), "all else is done");
        link.execute(&*create).await.unwrap();
        assert_eq!(schema(&mut link).await, new);
        link.execute(&*create).await.unwrap();

        // What was there stays, and ids go on.
        let last = "INSERT INTO larder_pending (record) VALUES ('d') RETURNING id";
        let last = number(&mut link, last).await;
        assert_eq!(number(&mut link, "SELECT count(*) FROM larder_pending").await, 4);
        assert_eq!(number(&mut link, "SELECT max(id) FROM larder_pending").await, last);
        assert_eq!(number(&mut link, "SELECT number FROM larder_counters").await, 7);
    }

    /// Who may only read and write is not in the way of itself.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_owns_no_table_leaves_them_as_they_are() {
        let Some(server) = PostgresServer::start() else { return };
        let create = create_tables(&Tables::new("larder").unwrap(), "1");
        let mut link = PgConnection::connect(&server.url()).await.unwrap();
        link.execute(&*create).await.unwrap();
        link.execute("DROP INDEX larder_locks_ends; CREATE ROLE worker LOGIN").await.unwrap();
        let mut worker = PgConnection::connect(&server.url().replace("larder@", "worker@")).await.unwrap();
        worker.execute(&*create).await.unwrap();
        assert!(!schema(&mut link).await.contains("larder_locks_ends"));
        link.execute(&*create).await.unwrap();
        assert!(schema(&mut link).await.contains("larder_locks_ends"));
    }
}
