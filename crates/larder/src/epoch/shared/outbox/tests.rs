use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{callers::MOST_UNDER_WAY, *};

fn scope(number: u64) -> ScopeHash {
    ScopeHash::from_number(number)
}

fn scopes(numbers: impl IntoIterator<Item = u64>) -> Vec<ScopeHash> {
    numbers.into_iter().map(scope).collect()
}

fn sorted(mut scopes: Vec<ScopeHash>) -> Vec<ScopeHash> {
    scopes.sort();
    scopes
}

/// What is there at once, without waiting.
fn now<R>(future: impl Future<Output = R>) -> Option<R> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Takes what waits, and has it read back.
fn deliver(outbox: &Outbox, epoch: u64) -> OutboxBatch {
    let batch = outbox.take(usize::MAX).expect("something waits");
    outbox.named(batch.attempt, &batch.scopes, Epoch(epoch));
    outbox.echo(batch.attempt, &batch.scopes, Epoch(epoch));
    batch
}

/// As if all that is remembered had happened so much earlier.
fn age(outbox: &Outbox, by: Duration) {
    let mut state = lock(&outbox.state);
    state.recent.iter_mut().for_each(|(then, _)| *then -= by);
    state.overflowed = state.overflowed.map(|then| then - by);
    state.progress = state.progress.map(|then| then - by);
}

#[test]
fn scopes_that_wait_are_coalesced() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1, 2]), []);
    outbox.add(&scopes([2, 3]), []);
    assert_eq!(outbox.len(), 3);
    assert_eq!(sorted(outbox.take(usize::MAX).unwrap().scopes), scopes([1, 2, 3]));
    assert!(outbox.take(usize::MAX).is_none());
}

#[test]
fn a_scope_is_inside_from_the_call_to_the_echo() {
    let outbox = Outbox::default();
    assert!(!outbox.covers(&scopes([1])));
    outbox.add(&scopes([1]), []);
    assert!(outbox.covers(&scopes([9, 1])) && !outbox.covers(&scopes([9])));
    let batch = outbox.take(usize::MAX).unwrap();
    assert!(outbox.covers(&scopes([1])), "under way");
    outbox.named(batch.attempt, &batch.scopes, Epoch(5));
    assert!(outbox.covers(&scopes([1])), "appended, and not read back");
    outbox.echo(batch.attempt, &batch.scopes, Epoch(5));
    assert!(!outbox.covers(&scopes([1])));
    assert_eq!(outbox.len(), 0);
}

#[test]
fn it_is_stalled_while_something_waits_and_nothing_is_read_back() {
    const LONG: Duration = Duration::from_secs(10);
    let outbox = Outbox::default();
    assert_eq!(outbox.stalled(), Duration::ZERO);
    outbox.add(&scopes([1]), []);
    assert!(outbox.stalled() < LONG, "it has just come");
    age(&outbox, LONG);
    assert!(outbox.stalled() >= LONG);
    let failed = outbox.take(usize::MAX).unwrap();
    outbox.failed([failed]);
    outbox.add(&scopes([1, 2]), []);
    outbox.append_again();
    assert!(outbox.stalled() >= LONG, "what comes later is no progress, nor is an attempt");

    let batch = outbox.take(usize::MAX).unwrap();
    outbox.add(&scopes([1, 2, 3]), []);
    outbox.echo(batch.attempt, &batch.scopes, Epoch(1));
    assert_eq!(outbox.len(), 3);
    assert!(outbox.stalled() < LONG, "scopes wait, as always under load, and are heard of");

    deliver(&outbox, 2);
    age(&outbox, LONG);
    assert_eq!(outbox.stalled(), Duration::ZERO);
    outbox.add(&scopes([4]), []);
    assert!(outbox.stalled() < LONG, "the quiet before it does not count");
}

#[test]
fn everything_covers_every_entry() {
    let outbox = Outbox::default();
    outbox.add(&[ScopeHash::ALL], []);
    assert!(outbox.covers(&scopes([7])) && outbox.covers(&[]));
}

#[test]
fn an_older_echo_or_reply_takes_out_nothing_that_was_added_since() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1, 2]), []);
    let first = outbox.take(usize::MAX).unwrap();
    let told = outbox.add(&scopes([1]), []);
    outbox.named(first.attempt, &first.scopes, Epoch(5));
    outbox.echo(first.attempt, &first.scopes, Epoch(5));
    assert!(outbox.covers(&scopes([1])) && !outbox.covers(&scopes([2])));
    assert_eq!(now(told.named()), None);

    let second = deliver(&outbox, 6);
    assert_eq!(second.scopes, scopes([1]));
    assert!(!outbox.covers(&scopes([1])));
    assert_eq!(now(told.named()), Some(Epoch(6)));
}

#[test]
fn a_failed_attempt_waits_again() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1]), []);
    let first = outbox.take(usize::MAX).unwrap();
    let (attempt, carried) = (first.attempt, first.scopes.clone());
    outbox.failed([first]);
    assert!(outbox.covers(&scopes([1])));

    let second = outbox.take(usize::MAX).unwrap();
    assert_eq!(second.scopes, carried);
    // It had arrived after all.
    outbox.echo(attempt, &carried, Epoch(5));
    assert!(outbox.covers(&scopes([1])), "only the attempt that carries it takes it out");
    assert!(now(told.echoed()).is_none());
    outbox.echo(second.attempt, &second.scopes, Epoch(6));
    assert!(!outbox.covers(&scopes([1])));
    assert!(now(told.echoed()).is_some());
    assert_eq!(now(told.named()), None);
    outbox.failed([second]);
    assert_eq!(now(told.named()), Some(Epoch(6)), "the reply was lost, and the record was not");
}

#[test]
fn a_reply_may_come_after_the_echo() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1]), []);
    let batch = outbox.take(usize::MAX).unwrap();
    outbox.echo(batch.attempt, &batch.scopes, Epoch(5));
    assert_eq!((now(told.echoed()), now(told.named())), (Some(()), None));
    outbox.named(batch.attempt, &batch.scopes, Epoch(5));
    assert_eq!(now(told.named()), Some(Epoch(5)));
    assert!(lock(&outbox.state).callers.under_way.is_empty());
}

#[test]
fn what_failed_after_its_echo_waits_no_longer() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1]), []);
    let batch = outbox.take(usize::MAX).unwrap();
    outbox.echo(batch.attempt, &batch.scopes, Epoch(5));
    outbox.failed([batch]);
    assert!(!outbox.covers(&scopes([1])));
    assert!(outbox.take(usize::MAX).is_none());
}

#[test]
fn too_much_becomes_everything() {
    let outbox = Outbox::default();
    let most = MOST_SCOPES as u64;
    outbox.add(&scopes(0..most), []);
    assert_eq!(outbox.len(), most);
    assert!(!outbox.covers(&scopes([most])));
    let told = outbox.add(&scopes([most]), []);
    assert_eq!(outbox.len(), 1);
    assert!(outbox.covers(&scopes([most + 1])));
    assert_eq!(deliver(&outbox, 5).scopes, [ScopeHash::ALL]);
    assert!(!outbox.covers(&scopes([0, most])));
    assert!(now(told.echoed()).is_some());
}

#[test]
fn one_attempt_takes_so_much_and_no_more() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes(0..2 * MOST_AT_ONCE as u64 + 1), []);
    for part in 0..2 {
        assert_eq!(deliver(&outbox, 5 + part).scopes.len(), MOST_AT_ONCE);
        assert!(now(told.named()).is_none(), "not all of it is on its way");
    }
    assert_eq!(deliver(&outbox, 7).scopes.len(), 1);
    assert_eq!(now(told.named()), Some(Epoch(7)));
    assert_eq!(outbox.len(), 0);
}

#[test]
fn keys_are_deleted_once_whatever_becomes_of_the_record() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1]), [Arc::from("one")]);
    assert!(outbox.has_deletions());
    let batch = outbox.take(usize::MAX).unwrap();
    assert_eq!(outbox.take_deletions(usize::MAX), [Arc::from("one")]);
    outbox.failed([batch]);
    outbox.append_again();
    assert!(outbox.has_work() && !outbox.has_deletions());
    assert!(outbox.take_deletions(usize::MAX).is_empty());
}

#[test]
fn a_scope_waits_once_however_often_it_is_invalidated() {
    let outbox = Outbox::default();
    for _ in 0..100_000 {
        drop(outbox.add(&scopes([1]), [Arc::from("one")]));
    }
    let state = lock(&outbox.state);
    assert_eq!((state.waiting.len(), state.pending.len()), (1, 1));
    drop(state);
    assert_eq!(outbox.take_deletions(usize::MAX).len(), 1);
}

#[test]
fn what_covers_everything_waits_alone() {
    let outbox = Outbox::default();
    outbox.add(&scopes(0..10), []);
    outbox.add(&[ScopeHash::ALL], []);
    let told = outbox.add(&scopes(20..30), []);
    assert_eq!(outbox.len(), 1);
    let batch = outbox.take(usize::MAX).unwrap();
    assert_eq!(batch.scopes, [ScopeHash::ALL]);
    // From here on it covers no longer what comes.
    outbox.add(&scopes([7]), []);
    outbox.echo(batch.attempt, &batch.scopes, Epoch(5));
    assert!(now(told.echoed()).is_some());
    assert_eq!(deliver(&outbox, 6).scopes, scopes([7]));
}

#[test]
fn what_is_disowned_goes_out_as_another_attempt() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1]), []);
    let first = outbox.take(usize::MAX).unwrap();
    outbox.disown();
    outbox.echo(first.attempt, &first.scopes, Epoch(5));
    assert!(outbox.covers(&scopes([1])));
    outbox.failed([first]);
    assert_eq!(deliver(&outbox, 6).scopes, scopes([1]));
    assert!(now(told.echoed()).is_some());
    assert!(outbox.take(usize::MAX).is_none());
}

/// By its exact epoch, for the number of an attempt may be that of a machine with the same memory.
#[test]
fn what_has_an_epoch_is_not_disowned_and_recognised_by_it() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1, 2]), []);
    let first = outbox.take(usize::MAX).unwrap();
    assert!(!outbox.is_at(first.attempt, &first.scopes, Epoch(5)));
    outbox.named(first.attempt, &first.scopes, Epoch(5));
    outbox.disown();
    assert!(outbox.take(usize::MAX).is_none(), "it is in the log");
    assert!(outbox.is_at(first.attempt, &first.scopes, Epoch(5)));
    assert!(!outbox.is_at(first.attempt, &first.scopes, Epoch(6)), "of another machine");
    assert!(!outbox.is_at(first.attempt + 1, &first.scopes, Epoch(5)));
    // What was added since goes out again, and the rest of the attempt is still its own.
    outbox.add(&scopes([2]), []);
    assert!(outbox.is_at(first.attempt, &first.scopes, Epoch(5)));
    outbox.echo(first.attempt, &first.scopes, Epoch(5));
    assert!(!outbox.covers(&scopes([1])) && outbox.covers(&scopes([2])));
    assert!(now(told.echoed()).is_some(), "its caller waits for no other record");
    assert!(lock(&outbox.state).callers.under_way.is_empty());

    let second = outbox.take(usize::MAX).unwrap();
    outbox.named(second.attempt, &second.scopes, Epoch(7));
    outbox.append_again();
    assert!(!outbox.is_at(second.attempt, &second.scopes, Epoch(7)), "it may be lost with that log");
    assert_eq!(sorted(deliver(&outbox, 8).scopes), scopes([1, 2]));
}

/// A caller is known to the last attempt of all that it asked for.
#[test]
fn what_was_named_and_is_not_read_back_goes_out_again() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1]), []);
    let lost = outbox.take(usize::MAX).unwrap();
    let sent = outbox.last_named();
    outbox.named(lost.attempt, &lost.scopes, Epoch(5));
    outbox.append_unread(sent);
    assert!(outbox.take(usize::MAX).is_none(), "the read may have been too early for it");
    let sent = outbox.last_named();
    outbox.add(&scopes([2]), []);
    let later = outbox.take(usize::MAX).unwrap();
    outbox.named(later.attempt, &later.scopes, Epoch(7));
    outbox.append_unread(sent);
    let again = outbox.take(usize::MAX).unwrap();
    assert_eq!(again.scopes, scopes([1]));
    assert!(again.attempt > later.attempt && outbox.covers(&scopes([1])));
    // Each scope waits once.
    outbox.append_unread(sent);
    assert!(outbox.take(usize::MAX).is_none());
}

#[test]
fn callers_are_told_of_nothing_while_a_part_of_it_failed() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes(0..MOST_AT_ONCE as u64 + 1), []);
    let [first, second] = [(); 2].map(|()| outbox.take(usize::MAX).unwrap());
    // The server refused the first one, and took the second one.
    outbox.echo(second.attempt, &second.scopes, Epoch(5));
    outbox.failed([first, second]);
    assert_eq!(now(told.named()), None);
    let again = deliver(&outbox, 6);
    assert_eq!(again.scopes.len(), MOST_AT_ONCE);
    assert_eq!(now(told.named()), Some(Epoch(6)));
    assert_eq!(outbox.len(), 0);
}

/// The waker of a caller is that of his executor, and may panic.
#[test]
fn a_waker_that_panics_harms_nothing() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this waker always does");
        }
    }
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1]), []);
    let waker = Waker::from(Arc::new(Panics));
    let mut waiting = pin!(told.echoed());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    deliver(&outbox, 5);
    assert_eq!(outbox.len(), 0);
    assert_eq!(waiting.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn the_last_minute_is_appended_again() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1]), []);
    assert!(lock(&outbox.state).recent.is_empty(), "inside; it is remembered from when it leaves");
    deliver(&outbox, 5);
    age(&outbox, REMEMBERED / 2);
    outbox.add(&scopes([2]), []);
    deliver(&outbox, 6);
    outbox.add(&scopes([3]), []);
    let under_way = outbox.take(usize::MAX).unwrap();

    outbox.append_again();
    assert!([1, 2, 3].into_iter().all(|number| outbox.covers(&scopes([number]))));
    outbox.echo(under_way.attempt, &under_way.scopes, Epoch(7));
    assert!(outbox.covers(&scopes([3])), "what was appended before is in doubt");
    assert_eq!(sorted(deliver(&outbox, 8).scopes), scopes([1, 2, 3]));
    assert_eq!(outbox.len(), 0);
}

#[test]
fn what_is_older_than_a_minute_is_not() {
    let outbox = Outbox::default();
    outbox.add(&scopes([1]), []);
    deliver(&outbox, 5);
    age(&outbox, REMEMBERED + Duration::from_secs(1));
    outbox.append_again();
    assert!(outbox.take(usize::MAX).is_none());
}

#[test]
fn too_much_to_remember_is_everything() {
    let outbox = Outbox::default();
    for round in 0..=(MOST_SCOPES / MOST_AT_ONCE) as u64 {
        let first = round * MOST_AT_ONCE as u64;
        outbox.add(&scopes(first..first + MOST_AT_ONCE as u64), []);
        deliver(&outbox, 5 + round);
    }
    assert_eq!(lock(&outbox.state).recent.len(), MOST_SCOPES);
    outbox.append_again();
    assert!(outbox.covers(&scopes([u64::MAX - 5])), "everything");
}

#[test]
fn those_who_asked_are_told_after_a_new_start() {
    let outbox = Outbox::default();
    let told = outbox.add(&scopes([1]), []);
    outbox.take(usize::MAX).unwrap();
    outbox.append_again();
    assert!(now(told.named()).is_none());
    deliver(&outbox, 6);
    assert_eq!(now(told.named()), Some(Epoch(6)));
}

#[test]
fn those_who_do_not_wait_are_let_go() {
    let outbox = Outbox::default();
    let waits = outbox.add(&scopes([1]), []);
    for number in 0..1_000 {
        drop(outbox.add(&scopes([number]), []));
        let batch = outbox.take(usize::MAX).unwrap();
        outbox.failed([batch]);
    }
    assert_eq!(lock(&outbox.state).callers.failed.len(), 1);
    while outbox.len() > 0 {
        deliver(&outbox, 5);
    }
    assert!(now(waits.echoed()).is_some());
}

#[test]
fn the_sender_is_woken() {
    let outbox = Outbox::default();
    assert!(now(outbox.wait()).is_none());
    outbox.add(&scopes([1]), []);
    outbox.ring();
    assert!(now(outbox.wait()).is_some());
    let batch = outbox.take(usize::MAX).unwrap();
    outbox.failed([batch]);
    assert!(now(outbox.wait()).is_some());
}

#[test]
fn attempts_that_are_never_read_back_do_not_pile_up() {
    let outbox = Outbox::default();
    for _ in 0..2 * MOST_UNDER_WAY {
        outbox.add(&scopes([1]), []);
        outbox.take(usize::MAX).unwrap();
    }
    assert_eq!(lock(&outbox.state).callers.under_way.len(), MOST_UNDER_WAY);
    deliver_last(&outbox);
    assert_eq!(outbox.len(), 0);
}

fn deliver_last(outbox: &Outbox) {
    outbox.add(&scopes([1]), []);
    deliver(outbox, 5);
}

#[test]
fn callers_of_what_is_refused_wait_no_longer() {
    let outbox = Outbox::default();
    let sent = outbox.add(&scopes([1]), []);
    let batch = outbox.take(usize::MAX).unwrap();
    let next = outbox.add(&scopes([2]), []);
    outbox.failed([batch]);
    assert_eq!([&sent, &next].map(|call| now(call.named_or_refused())), [None, None], "it may be no refusal");
    outbox.refused();
    assert_eq!([&sent, &next].map(|call| now(call.named_or_refused())), [Some(None), Some(None)]);
    // What goes out once more may be accepted.
    let batch = outbox.take(usize::MAX).unwrap();
    assert_eq!([&sent, &next].map(|call| now(call.named_or_refused())), [None, None]);
    outbox.named(batch.attempt, &batch.scopes, Epoch(7));
    let named = Some(Some(Epoch(7)));
    assert_eq!([&sent, &next].map(|call| now(call.named_or_refused())), [named, named]);
}

#[test]
fn an_echo_is_awaited_while_a_caller_waits_for_it() {
    let outbox = Outbox::default();
    let mut number = 0;
    let mut set_out = || {
        number += 1;
        let told = outbox.add(&scopes([number]), []);
        (told, outbox.take(usize::MAX).unwrap())
    };
    let named = |batch: &OutboxBatch| outbox.named(batch.attempt, &batch.scopes, Epoch(batch.attempt));
    let (_told, batch) = set_out();
    assert!(named(&batch));
    let (told, batch) = set_out();
    drop(told);
    assert!(!named(&batch), "its caller does not wait");
    let (_told, batch) = set_out();
    outbox.echo(batch.attempt, &batch.scopes, Epoch(batch.attempt));
    assert!(!named(&batch), "it was read back before");
}
