use super::*;

#[test]
fn thousands_of_invalidations_a_second_arrive() {
    const SECONDS: u64 = 3;
    const EACH: u64 = 100;
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let since = b.begin();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        for _ in 0..EACH {
            a.0.epochs().apply(&[ScopeHash::from_number(sent)], []);
            sent += 1;
        }
        let due = Duration::from_millis(10) * u32::try_from(sent / EACH).unwrap();
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    until("echoes", || (a.0.status().outbox == 0).then_some(()));
    until("delivery", || (b.position() >= a.position()).then_some(()));
    let took = begun.elapsed();
    let lost = (0..sent).filter(|n| b.0.epochs().unchanged(&[ScopeHash::from_number(*n)], since)).count();
    assert_eq!(lost, 0);
    assert_eq!(b.0.status().gaps, 0);
    println!("{sent} invalidations, delivered after {took:?} in {} records", b.0.status().applied);
    assert!(sent >= SECONDS * 5_000, "{sent}");
    assert!(took < Duration::from_secs(2 * SECONDS));
}

#[test]
fn delivery_takes_no_time_on_a_quiet_server() {
    let server = RedisServer::start();
    let [a, b] = two(&server);
    let key = ScopeHash::from_number(7);
    let mut took: Vec<_> = (0..500)
        .map(|_| {
            let since = b.begin();
            let begun = Instant::now();
            a.0.epochs().apply(&[key], []);
            while b.0.epochs().unchanged(&[key], since) {
                std::thread::yield_now();
            }
            let took = begun.elapsed();
            // Slow enough to be quiet.
            std::thread::sleep(Duration::from_millis(2));
            took
        })
        .collect();
    took.sort();
    println!("delivery: p50 {:?}, p99 {:?}", took[250], took[495]);
    // A reader that pauses up to 20 ms takes longer; a machine that is busy with other things spoils the median.
    assert!(took[125] < Duration::from_millis(4), "{:?}", took[125]);
}
