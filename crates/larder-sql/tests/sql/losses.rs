//! A log that is lost is found out, and everything is invalid.

use larder::{CacheExt, internal::shared::number_of};

use crate::places::{Place, eventually, gone, policy};

/// Loses the log in some way, and expects that what is in memory is dropped, and that the caches work afterwards.
async fn after(place: Place, loss: &str) {
    let (a, b) = (place.tiered().await, place.tiered().await);
    a.insert("k", &1_u64, policy()).await.unwrap();
    eventually("a value is shared", async || b.get::<u64>("k").await.unwrap() == Some(1)).await;
    // Something that is newer than what the loss leaves.
    a.invalidate("other").await;
    eventually("it is heard of", async || b.link().position == a.link().position).await;
    let restarts = [&a, &b].map(|cache| cache.link().restarts);
    place.execute(loss).await;
    eventually("both find out", async || a.link().restarts > restarts[0] && b.link().restarts > restarts[1])
        .await;
    gone(&a, "k").await;
    gone(&b, "k").await;
    eventually("values are shared again", async || {
        a.insert("k", &2_u64, policy()).await.unwrap();
        b.get::<u64>("k").await.unwrap() == Some(2)
    })
    .await;
    a.invalidate("k").await;
    gone(&b, "k").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_are_dropped() {
    for place in Place::all() {
        let tables = ["log", "head", "pending", "entries", "counters", "leases", "locks"]
            .map(|name| format!("DROP TABLE {{}}_{name};"));
        after(place, &tables.concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_emptied() {
    for place in Place::all() {
        after(place, "DELETE FROM {}_head; DELETE FROM {}_log;").await;
    }
}

/// As a backup would that was made before the last records.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_set_back() {
    for place in Place::all() {
        let back = "DELETE FROM {}_log WHERE id = (SELECT max(id) FROM {}_log);
                    UPDATE {}_head SET last = (SELECT max(id) FROM {}_log);";
        after(place, back).await;
    }
}

/// The same, and others have appended since: the last epoch is above all that was seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_was_set_back_and_has_gone_on() {
    for place in Place::all() {
        let other = "DELETE FROM {}_log WHERE id = (SELECT last FROM {}_head);
                     UPDATE {}_head SET last = last + 1000;";
        after(place, other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_trimmed_before_they_are_read() {
    for place in Place::all() {
        let other = place.plain().await;
        // As if it had been away while so much came.
        let gap = "DELETE FROM {}_log; UPDATE {}_head SET last = last + 5000;
                   INSERT INTO {}_log (id, record) SELECT last, 'x' FROM {}_head;";
        let gap = if place.is_sqlite() { gap.to_owned() } else { gap.replace("'x'", "'x'::bytea") };
        let begun = other.link().position;
        after(place, &gap).await;
        // Nothing was lost for those who were not away: no process makes the log anew, far above its clock.
        let link = other.link();
        assert!(link.resets <= 1, "the first one made it: {link:?}");
        let [before, after] = [begun, link.position].map(|epoch| number_of(epoch) >> 22);
        let leap = after.saturating_sub(before);
        assert!(leap < 59_000, "{leap} ms");
    }
}

/// A file that was put in the place of another one.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_replaced() {
    let place = Place::sqlite();
    let path = place.url.trim_start_matches("sqlite://").to_owned();
    let cache = place.tiered().await;
    cache.insert("k", &1_u64, policy()).await.unwrap();
    let restarts = cache.link().restarts;
    for end in ["", "-wal", "-shm"] {
        _ = std::fs::remove_file(format!("{path}{end}"));
    }
    eventually("it finds out", async || cache.link().restarts > restarts).await;
    gone(&cache, "k").await;
}
