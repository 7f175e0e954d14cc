//! README's blocks, in its own lines: rustfmt leaves them as they are.

#[rustfmt::skip]
mod attributes {
    use larder::{cached, invalidate};

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Order { id: u64 }

    #[cached(ttl = 300, key = "user:<id>")]
    async fn user(id: u64) -> u64 { id }

    #[cached(ttl = 300, key = "report:<year>")]
    async fn report(year: u16) -> u16 { year }

    #[invalidate(user(id), report(..))]     // cached functions: one call, and all calls
    async fn by_function(id: u64) {}

    #[invalidate("user:<id>", "dashboard:*", tags = ["org:<org>"])]
    async fn by_key(id: u64, org: u64) {}

    #[invalidate("order:<result.id>")]      // `result`: the Ok or Some value
    async fn by_result() -> Option<Order> { None }

    #[invalidate("user:<id>", on = ok)]     // only if the function succeeded
    async fn on_ok(id: u64) -> Result<(), String> { Ok(()) }

    #[invalidate("order:<result[].id>")]    // each element of a list, of the result or of an argument
    async fn by_elements() -> Vec<Order> { Vec::new() }

    #[invalidate("user:<id>", if = *result > 0)]
    async fn rows(id: u64) -> u64 { id }

    #[invalidate(soft, "price:*")]          // ends the ttl: served once more while it is computed again
    async fn softly() {}
}

#[rustfmt::skip]
mod functions {
    use std::{collections::HashMap, time::Duration};

    use larder::{cache_put, cached, cached_many};

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct User { id: u64, name: String }
    type DbError = String;
    struct Db;
    impl Db {
        async fn find(&self, id: u64) -> Result<User, DbError> { Ok(User { id, name: "Ada".into() }) }
        async fn find_all(&self, _ids: &[u64]) -> Result<HashMap<u64, User>, DbError> { Ok(HashMap::new()) }
        async fn set_name(&self, id: u64, name: &str) -> Result<User, DbError> { Ok(User { id, name: name.into() }) }
    }

    #[cached_many(ttl = 300, key = "user:<id>", each = id in ids, skip(db))]
    async fn users(db: &Db, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
        db.find_all(ids).await                       // only those that are not in the cache
    }

    #[cached(ttl = 300, key = "user:<id>", skip(db))]
    async fn user(db: &Db, id: u64) -> Result<User, DbError> { db.find(id).await }

    #[cached(ttl = 300, key = "rates")]
    async fn rates() -> Result<Vec<f64>, std::io::Error> { Ok(vec![1.1]) }

    async fn companions(db: Db, ids: Vec<u64>, every: Duration) -> Result<(), Box<dyn std::error::Error>> {
        assert_eq!(user::key(7), "user:7");
        user::invalidate(7).await;                       // drops that entry; `.await` waits until other processes can know, too
        user::mark_stale(7).await;                       // the same, but options may let it be served once more, while it is computed again
        user::refresh(&db, 7).await?;                    // computes and stores now
        let (found, outcome) = user::with_outcome(&db, 7).await;    // hit, stale, computed or joined; its age; why it was not stored

        // Before the first request: sixteen at a time, fresh ones skipped, errors collected.
        let warmed = larder::warm(ids, 16, |id| user::with_outcome(&db, id)).await;
        // On a schedule, in one process of all.
        let refreshing = larder::refresh_every(larder::global(), "rates", every, rates::refresh)?;
        println!("{:?} {outcome:?} {warmed:?} {refreshing:?}", found?.name);
        Ok(())
    }

    #[cache_put(ttl = 300, key = "user:<id>")]
    async fn rename(db: &Db, id: u64, name: &str) -> Result<User, DbError> {
        db.set_name(id, name).await                  // returns the new row, which is stored
    }
}

#[rustfmt::skip]
pub(super) mod transactions {
    use larder::{cached, invalidate};

    struct Pool;
    pub(crate) struct Tx;
    impl Pool {
        async fn begin(&self) -> Result<Tx, String> { Ok(Tx) }
    }
    impl Tx {
        async fn commit(self) -> Result<(), String> { Ok(()) }
    }

    #[invalidate("user:<id>")]
    async fn rename(tx: &mut Tx, id: u64, name: &str) -> Result<(), String> { Ok(()) }

    #[cached(ttl = 300, key = "user:<id>", skip(tx))]
    async fn user(tx: &mut Tx, id: u64) -> Result<u64, String> { Ok(id) }

    pub(crate) async fn transaction() -> Result<(), String> {
        let pool = Pool;
        let scope = larder::deferred();
        scope.run(async {
            let mut tx = pool.begin().await?;
            rename(&mut tx, 7, "Ann").await?;      // #[invalidate("user:<id>", …)]: waits for the scope
            user(&mut tx, 7).await?;               // #[cached(…)]: computed, and not stored
            tx.commit().await
        }).await?;                                 // an error drops the scope, which invalidates too
        scope.commit().await;                      // invalidates all at once
        Ok(())
    }
}

#[rustfmt::skip]
mod own_cache {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct User { name: String }

    #[larder::cached(ttl = 300, key = "user:<id>")]
    async fn user(id: u64) -> Result<User, String> { Ok(User { name: "Ada".into() }) }

    use larder::CacheExt as _;                           // for `stats`

    #[tokio::test]
    async fn a_user_is_cached() {
        let _own = larder::testing::isolate();       // nothing is installed here, and nothing kept
        assert_eq!(user(7).await.unwrap().name, "Ada");
        assert_eq!(larder::global().stats().stores, 1);
    }
}

#[rustfmt::skip]
pub(super) mod limits {
    use std::net::IpAddr;

    async fn find(words: &str) -> Vec<String> { vec![words.to_owned()] }

    use larder::limit::{Limited, Limiter, Rate};
    use larder::limited;

    #[derive(Debug)]
    enum AppError {
        TooMany(Limited),
    }

    impl From<Limited> for AppError {                // what the attribute needs
        fn from(limited: Limited) -> Self {
            Self::TooMany(limited)                   // `limited.retry_after()`
        }
    }

    #[limited(per = "search:<ip>", rate = "100/min", burst = 20)]
    async fn search(ip: IpAddr, words: &str) -> Result<Vec<String>, AppError> {
        Ok(find(words).await)
    }

    async fn by_hand() -> Result<(), Limited> {
        let limiter = Limiter::new(larder::global(), Rate::per_minute(100));             // by hand
        limiter.admit("search:192.0.2.7").await?;
        Ok(())
    }

    pub(crate) async fn calls(count: usize) -> Result<(), Limited> {
        for _ in 0..count {
            by_hand().await?;
        }
        Ok(())
    }
}

#[rustfmt::skip]
mod writes {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct User { id: u64, name: String }
    #[derive(Clone)]
    struct Db;
    impl Db {
        async fn upsert_all(&self, users: &Batch<User>) -> Result<(), std::io::Error> { Ok(()) }
    }

    use std::time::Duration;

    use larder::write_behind::{Batch, SinkError, WriteBehind};
    use larder::{Policy, TieredCache};

    /// `Db` is a client of yours, whose errors are `std::error::Error`.
    async fn save_users(cache: &TieredCache, db: Db) -> larder::Result<()> {
        let queue = WriteBehind::builder("users")
            .tiered(cache)                           // the queue is in Redis; with `.cache(cache)`, in this process' memory
            .max_batch(500)
            .max_delay(Duration::from_millis(50))
            .start(move |batch: Batch<User>| {
                let db = db.clone();
                async move { Ok::<_, SinkError>(db.upsert_all(&batch).await?) }
            })?;

        let user = User { id: 7, name: "Grace".into() };
        let policy = Policy::ttl(Duration::from_secs(300));
        queue.write_cached("7", &user, "user:7", &policy).await?;    // now it is safe, and the cache shows it

        let left = queue.stop(Duration::from_secs(10)).await?;       // at the end of the program: writes what waits
        println!("{left} writes are left to other processes");
        Ok(())
    }
}
