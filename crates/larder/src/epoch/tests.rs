use super::*;
use crate::scope::Scope;

/// So many slots that nothing is forgotten.
const MANY: usize = 1 << 20;

fn epochs() -> Epochs {
    Epochs::new(Arc::new(LocalOrder::new()), MANY)
}

fn hashes<const N: usize>(scopes: [Scope; N]) -> [ScopeHash; N] {
    scopes.map(|scope| scope.hash())
}

#[test]
fn an_entry_is_valid_until_something_that_covers_it_changes() {
    for change in [Scope::key("a:b"), Scope::prefix("a"), Scope::tag("t"), Scope::all()] {
        let epochs = epochs();
        let entry = hashes([Scope::key("a:b"), Scope::prefix("a"), Scope::tag("t")]);
        let since = epochs.begin();
        epochs.apply(&hashes([Scope::key("c"), Scope::prefix("c"), Scope::tag("u")]), []);
        assert!(epochs.unchanged(&entry, since));
        epochs.apply(&[change.hash()], []);
        assert!(!epochs.unchanged(&entry, since));
        assert!(epochs.unchanged(&entry, epochs.begin()));
    }
}

#[test]
fn a_replacement_stands_unless_something_changed_since() {
    let epochs = epochs();
    let [key] = hashes([Scope::key("k")]);
    let before = epochs.begin();
    let judge = |replacement: Replacement| (epochs.unchanged(&[key], before), replacement.since);
    let (stands, stamp) = epochs.replace(&[key], judge);
    assert!(stands);
    assert!(epochs.unchanged(&[key], stamp));
    assert!(!epochs.unchanged(&[key], before), "what was computed from the old value goes");

    assert!(!epochs.replace(&[key], judge).0);
    assert!(!epochs.unchanged(&[key], stamp), "a value that does not stand invalidates all the same");
}

#[test]
fn a_replacement_that_has_to_stand_changes_nothing_if_it_does_not() {
    let epochs = epochs();
    let [key] = hashes([Scope::key("k")]);
    let before = epochs.begin();
    let stands = |since: &_| epochs.unchanged(&[key], *since);
    let mut stamp = before;
    let place = |stamp: &mut _, replacement: Replacement| *stamp = replacement.since;
    assert!(epochs.replace_if(&[key], &mut stamp, stands, place).is_some());
    assert!(epochs.unchanged(&[key], stamp));
    assert!(!epochs.unchanged(&[key], before), "what was computed from the old value goes");

    let mut late = before;
    assert!(epochs.replace_if(&[key], &mut late, stands, place).is_none());
    assert!(epochs.unchanged(&[key], stamp), "what is there stays");
}

#[test]
fn what_is_forgotten_makes_an_entry_stale_and_never_fresh() {
    let epochs = Epochs::new(Arc::new(LocalOrder::new()), 1);
    let [key, prefix] = hashes([Scope::key("a"), Scope::prefix("a")]);
    let since = epochs.begin();
    epochs.apply(&[key], []);
    let changed = epochs.begin();
    (0..100).for_each(|other| _ = epochs.apply(&hashes([Scope::key(format!("b{other}"))]), []));
    assert!(!epochs.unchanged(&[key], since));
    assert!(!epochs.unchanged(&[key], changed), "it may have changed again");
    assert!(epochs.unchanged(&[key], epochs.begin()));
    assert!(epochs.unchanged(&[prefix], since), "keys drive out no wider scope");
}

#[test]
fn one_order_serves_several_caches() {
    let order = Arc::new(LocalOrder::new());
    let [one, other] = [(); 2].map(|()| Epochs::new(order.clone(), 64));
    let [key] = hashes([Scope::key("k")]);
    let since = one.begin();
    other.apply(&[key], []);
    assert!(one.unchanged(&[key], since));
    assert!(!other.unchanged(&[key], since));
}

#[test]
fn an_epoch_reads_like_a_stream_id() {
    assert_eq!(Epoch::ZERO.to_string(), "0-0");
    assert_eq!(Epoch((1_700_000_000_000 << 22) | 5).to_string(), "1700000000000-5");
}

/// Of the same log, whose last records the later one may not know.
#[test]
fn a_later_mark_is_above_an_earlier_one() {
    let mark = |last, at| Epoch::mark(last, at).unwrap();
    let id = |milliseconds| Epoch::from_id(milliseconds, 7).unwrap();
    let now = 1_700_000_000_000;
    let (mut total, mut below, mut below_many) = (0, 0, 0);
    // Logs ahead of the clock and behind it, at each remainder.
    for last in (0..200_000_u64).map(|ahead| id(now - 100_000 + ahead)) {
        let lost = mark(last, now);
        assert!(lost > last && lost.milliseconds() > now);
        assert!(lost.milliseconds() - last.milliseconds().max(now) <= 8_192);
        assert_eq!(lost.sequence(), 0);
        total += 3;
        below += [100, 1_000, 2_000].iter().filter(|&later| mark(last, now + later) <= lost).count();
        // However many were lost.
        let lost = (1..5).fold(lost, |lost, n| mark(lost, now + 100 * n));
        below_many += usize::from(mark(last, now + 600) <= lost);
    }
    // The remainders begin again every nine minutes.
    assert!(below * 300 < total && below_many * 300 < total, "{below}, {below_many} of {total}");
}

/// For an entry of many scopes too: it stays valid, and does not move its stamp past the mark.
#[test]
fn a_mark_is_a_change_of_other_scopes() {
    let (epochs, now) = (epochs(), Clock::default().now());
    let mut many: Vec<_> = (0..1_000).map(|number| Scope::key(format!("a:{number}")).hash()).collect();
    many.sort_unstable();
    let [key, prefix] = hashes([Scope::key("a:7"), Scope::prefix("a")]);
    for scopes in [&many[..], &[key, prefix]] {
        let since = epochs.begin();
        let stamp = ValidAt::new(since);
        assert!(epochs.holds(&stamp, |since| epochs.is_current(scopes, since)));
        epochs.mark(&[key], now);
        for _ in 0..3 {
            assert!(epochs.unchanged(scopes, since) && !epochs.unmarked(scopes, since));
            assert!(!epochs.holds(&stamp, |since| epochs.is_current(scopes, since)));
            epochs.apply(&hashes([Scope::key("b")]), []);
        }
        assert_eq!(stamp.read_version(), since);
        assert_eq!(epochs.marked_since(scopes, since), Marked(Some(now)));
        assert!(epochs.unmarked(scopes, epochs.begin()));
        assert!(epochs.unmarked(&[prefix], since), "a mark covers what it names");
    }
}
