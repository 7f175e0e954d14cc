use std::{sync::Arc, time::Duration};

use super::{GenerationEpochs, Lanes};
use crate::{
    epoch::{Epoch, SharedOrder},
    scope::ScopeHash,
};

fn epochs() -> GenerationEpochs {
    let of = |scope: ScopeHash| usize::from(scope != ScopeHash::ALL && scope.get() % 2 == 1);
    let beneath = Box::new(|key: &str| usize::from(key.ends_with('0')));
    GenerationEpochs::new(1 << 10, Lanes { count: 2, of: Box::new(of), beneath })
}

/// Scopes of the lane of odd numbers, or of even ones.
fn scopes(odd: bool) -> impl Iterator<Item = ScopeHash> {
    let all = (0..).map(|number: u32| ScopeHash::key(&format!("k:{number}")));
    all.filter(move |scope| (scope.get() % 2 == 1) == odd)
}

fn scope(odd: bool) -> ScopeHash {
    scopes(odd).next().expect("there is no end of them")
}

#[test]
fn what_was_invalidated_counts_until_it_is_settled_and_what_is_older_after_that() {
    let epochs = epochs();
    let of = [scope(true)];
    let accepts = |epoch| epochs.judge(&of, Epoch(epoch)).is_some();
    assert!(accepts(1));
    let (call, again) = (epochs.local.apply(&of, []).unwrap(), epochs.local.apply(&of, []).unwrap());
    assert!(!accepts(1) && !accepts(u64::MAX - 1), "nothing is accepted meanwhile");
    assert_eq!(epochs.take(0, 10).len(), 0, "another lane");
    let taken = epochs.take(1, 10);
    assert_eq!((taken.len(), epochs.take(1, 10).len()), (1, 0));
    epochs.order.queue().tell(&taken, Epoch(3));
    assert!(!accepts(u64::MAX - 1));
    epochs.order.settle(&taken, Epoch(7));
    assert!(!accepts(6) && accepts(7));
    assert_eq!((epochs.order.queue().len(), epochs.order.position()), (0, Epoch(7)));
    drop((call, again));
}

#[test]
fn it_is_stalled_while_a_scope_is_not_delivered() {
    let epochs = epochs();
    let queue = epochs.order.queue();
    let stalled = || queue.stalled() >= Duration::from_secs(10);
    epochs.local.apply(&[scope(true), scope(false)], []);
    assert!(!stalled());
    queue.age(Duration::from_secs(10));
    let taken = epochs.take(0, 10);
    epochs.order.settle(&taken, Epoch(1));
    assert!(stalled(), "one lane delivers, the other one does not");
    let taken = epochs.take(1, 10);
    epochs.local.apply(&[scope(true)], []);
    assert!(stalled());
    epochs.order.settle(&taken, Epoch(2));
    assert_eq!(queue.len(), 1);
    assert!(!stalled(), "it was delivered once");
    queue.age(Duration::from_secs(10));
    epochs.local.apply(&scopes(true).take(1 << 17).collect::<Vec<_>>(), []);
    assert_eq!(queue.len(), 1);
    assert!(stalled(), "what is covered by everything has waited as long");
    let taken = [epochs.take(0, 10), epochs.take(1, 10)].concat();
    epochs.order.settle(&taken, Epoch(3));
    assert_eq!((queue.len(), queue.stalled()), (0, Duration::ZERO));
}

#[test]
fn what_is_invalidated_again_on_its_way_stays() {
    let epochs = epochs();
    let of = [scope(true)];
    epochs.local.apply(&of, []);
    let first = epochs.take(1, 10);
    epochs.local.apply(&of, []);
    epochs.order.queue().tell(&first, Epoch(1));
    epochs.order.settle(&first, Epoch(2));
    assert!(epochs.judge(&of, Epoch(100)).is_none(), "the second one is not delivered");
    let second = epochs.take(1, 10);
    assert_eq!(second.len(), 1);
    epochs.order.queue().give_back(1, &second);
    epochs.order.queue().give_back(1, &first);
    let once_more = epochs.take(1, 10);
    assert_eq!(once_more.len(), 1, "once");
    epochs.order.settle(&once_more, Epoch(3));
    assert!(epochs.judge(&of, Epoch(3)).is_some());
}

#[tokio::test]
async fn a_caller_is_told_when_all_of_its_scopes_are_delivered() {
    let epochs = epochs();
    let of = [scope(true), scope(false)];
    let call = epochs.local.apply(&of, []).unwrap();
    let is_told = async |what: &str| {
        let soon = std::time::Duration::from_millis(5);
        match what {
            "named" => tokio::time::timeout(soon, call.named()).await.is_ok(),
            _ => tokio::time::timeout(soon, call.echoed()).await.is_ok(),
        }
    };
    let lanes = [epochs.take(0, 10), epochs.take(1, 10)];
    epochs.order.queue().tell(&lanes[1], Epoch(1));
    epochs.order.settle(&lanes[1], Epoch(2));
    assert!(!is_told("named").await && !is_told("echoed").await, "one of its scopes waits");
    epochs.order.queue().tell(&lanes[0], Epoch(3));
    assert!(is_told("named").await && !is_told("echoed").await);
    epochs.order.settle(&lanes[0], Epoch(4));
    assert!(is_told("echoed").await);
}

#[test]
fn too_many_scopes_become_one_that_covers_everything() {
    let epochs = epochs();
    let call = epochs.local.apply(&[scope(true)], []).unwrap();
    let many: Vec<_> = scopes(false).take(70_000).collect();
    for some in many.chunks(1_000) {
        epochs.local.apply(some, []);
    }
    assert!(epochs.order.queue().len() <= 1 << 16);
    let never = [ScopeHash::key("never")];
    assert!(epochs.judge(&never, Epoch(1)).is_none(), "everything counts as invalidated");
    for lane in [0, 1] {
        loop {
            let taken = epochs.take(lane, 1_000);
            if taken.is_empty() {
                break;
            }
            epochs.order.queue().tell(&taken, Epoch(1));
            epochs.order.settle(&taken, Epoch(9));
        }
    }
    assert_eq!(epochs.order.queue().len(), 0);
    assert!(epochs.judge(&never, Epoch(8)).is_none() && epochs.judge(&never, Epoch(9)).is_some());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(call.echoed()).poll(&mut context).is_ready(), "its call is told all the same");
}

/// Those of a scope that is undelivered for days.
#[test]
fn callers_that_no_longer_wait_are_forgotten() {
    let epochs = epochs();
    let of = [scope(true), scope(false)];
    let last = (0..10_000).map(|_| epochs.local.apply(&of, []).unwrap()).next_back().unwrap();
    assert!(epochs.order.queue().callers() < 1_000);
    assert_eq!(Arc::strong_count(&last), 1);
    assert!(epochs.order.queue().has(of[0]) && !epochs.order.hears_others());
}

/// Those of scopes that are never invalidated twice, undelivered for days, from one overflow to the next.
#[test]
fn callers_that_no_longer_wait_are_forgotten_whatever_they_invalidated() {
    let epochs = epochs();
    let waits = epochs.local.apply(&[scope(true)], []).unwrap();
    for (count, other) in scopes(false).take(200_000).enumerate() {
        epochs.local.apply(&[other], []);
        if count % 10_000 == 9_999 {
            assert!(epochs.order.queue().callers() <= (1 << 16) + 1_000, "after {count}");
        }
    }
    for lane in [0, 1] {
        let taken = epochs.take(lane, usize::MAX);
        epochs.order.queue().tell(&taken, Epoch(1));
        epochs.order.settle(&taken, Epoch(9));
    }
    assert_eq!(epochs.order.queue().callers(), 0);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(waits.echoed()).poll(&mut context).is_ready(), "who waits is told");
}

/// The counter may be away for long, and what others hear of is delivered all the same.
#[test]
fn too_many_scopes_that_are_delivered_cover_everything_here_and_not_elsewhere() {
    let epochs = epochs();
    let queue = epochs.order.queue();
    let deliver = || {
        let mut taken = epochs.take(0, 10_000);
        taken.extend(epochs.take(1, 10_000));
        queue.tell(&taken, Epoch(1));
        taken
    };
    let (mut unsettled, mut call) = (Vec::new(), None);
    let many: Vec<_> = (0..200_000).map(|number: u32| ScopeHash::key(&format!("k:{number}"))).collect();
    for some in many.chunks(1_000) {
        call = epochs.local.apply(some, []);
        let taken = deliver();
        let all = taken.iter().find(|taken| taken.scope == ScopeHash::ALL);
        assert!(all.is_none_or(|all| all.is_delivered), "others would hear that everything is invalidated");
        unsettled.extend(taken);
        assert!(queue.len() <= 1 << 16);
    }
    let never = [ScopeHash::key("never")];
    assert!(epochs.judge(&never, Epoch(1)).is_none(), "here everything counts as invalidated");
    // One that was on its way to be settled before the last ones collapsed settles nothing of those.
    epochs.order.settle(&unsettled[..1_000], Epoch(8));
    assert!(epochs.judge(&never, Epoch(8)).is_none());
    epochs.order.settle(&unsettled, Epoch(9));
    assert_eq!(queue.len(), 0);
    assert!(epochs.judge(&never, Epoch(9)).is_some() && epochs.judge(&many[..1], Epoch(8)).is_none());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(call.unwrap().echoed()).poll(&mut context).is_ready());
}

/// What lies under a key is in a part of the store that may be out of reach by itself.
#[tokio::test]
async fn a_key_is_delivered_with_what_lies_beneath_it() {
    let epochs = epochs();
    let queue = epochs.order.queue();
    let all: Vec<Arc<str>> = (0..40).map(|number| format!("k:{number}").into()).collect();
    let lane_of = |key: &str| usize::from(ScopeHash::key(key).get() % 2 == 1);
    let apart = all.iter().find(|key| lane_of(key) != usize::from(key.ends_with('0'))).unwrap().clone();
    let (lane, of) = (lane_of(&apart), [ScopeHash::key(&apart)]);
    let call = epochs.local.apply(&of, [apart.clone()]).unwrap();
    let is_named =
        async || tokio::time::timeout(std::time::Duration::from_millis(5), call.named()).await.is_ok();
    let (scope, beneath) = (epochs.take(lane, 10), epochs.take(1 - lane, 10));
    assert!(scope[0].scope == of[0] && !scope[0].is_beneath);
    assert!(beneath[0].is_beneath && beneath[0].key.as_ref() == Some(&apart));
    queue.tell(&scope, Epoch(1));
    assert!(!is_named().await, "its counter is there");
    queue.give_back(1 - lane, &beneath);
    let again = epochs.take(1 - lane, 10);
    assert_eq!(again[0].key, Some(apart), "it is known what to remove");
    queue.tell(&again, Epoch(1));
    assert!(is_named().await);
    epochs.order.settle(&[scope, again].concat(), Epoch(2));
    assert_eq!(queue.len(), 0);
}
