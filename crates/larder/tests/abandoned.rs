//! Computations that were polled once, woken, and then left: others do not wait for them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, PolicyBuilder, cached};
use tokio::time::sleep;

use self::support::{Calls, Gate, eventually, in_time, secs};

/// After this long, a computation that was woken and not polled is passed over.
const SOON: Duration = Duration::from_millis(50);

type Answer = Result<usize, Infallible>;
type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A cache, and computations that give their number after the first wait.
struct Lab {
    cache: MemoryCache,
    policy: Policy,
    calls: Calls,
    gate: Gate,
}

impl Lab {
    fn new(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        let policy = policy(Policy::builder().ttl(secs(3_600)).takeover_after(SOON)).build().unwrap();
        Self { cache: MemoryCache::new(10), policy, calls: Calls::default(), gate: Gate::closed() }
    }

    /// A caller whose computation waits at the gate if it is the first.
    fn ask(&self) -> Asking<'_> {
        let compute = async || {
            let number = self.calls.call();
            if number == 1 {
                self.gate.pass().await;
            }
            Ok(number)
        };
        Box::pin(async move { self.cache.get_or_compute("key", &self.policy, compute).await })
    }

    /// The same as a batch of one.
    fn ask_many(&self) -> Asking<'_> {
        let compute = async |missing: Vec<u8>| {
            let number = self.calls.call();
            if number == 1 {
                self.gate.pass().await;
            }
            Ok::<_, Infallible>(missing.into_iter().map(|item| (item, number)).collect())
        };
        Box::pin(async move {
            let values =
                self.cache.get_or_compute_many([0_u8], |_| "key".into(), &self.policy, compute).await?;
            Ok(values[&0])
        })
    }

    /// One that was polled once, woken, and is not polled any more.
    async fn leave<'a>(&self, mut asking: Asking<'a>) -> Asking<'a> {
        poll_once(&mut asking).await;
        self.gate.until(1).await;
        self.gate.open();
        asking
    }
}

/// Polls a future once, as a `select!` does.
async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) {
    let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending()));
    assert!(polled.await, "it waits for something");
}

#[tokio::test]
async fn those_who_wait_take_over() {
    let lab = Lab::new(|policy| policy);
    let left = lab.leave(lab.ask()).await;
    let waiting = async { tokio::join!(lab.ask(), lab.ask(), lab.ask()) };
    assert_eq!(in_time(waiting).await, (Ok(2), Ok(2), Ok(2)), "one of them computes for all");
    assert_eq!((lab.calls.made(), lab.cache.stats().taken_over), (2, 1));
    drop(left);
    assert_eq!(in_time(lab.ask()).await, Ok(2));
}

#[tokio::test]
async fn who_comes_later_takes_over_at_once() {
    let lab = Lab::new(|policy| policy);
    let _left = lab.leave(lab.ask()).await;
    sleep(SOON * 2).await;
    let mut late = lab.ask();
    let answered = poll_fn(|context| Poll::Ready(late.as_mut().poll(context)));
    assert_eq!(answered.await, Poll::Ready(Ok(2)));
}

/// What began later is newer, and stays.
#[tokio::test]
async fn one_that_is_polled_again_has_its_value_for_itself() {
    let lab = Lab::new(|policy| policy);
    let left = lab.leave(lab.ask()).await;
    assert_eq!(in_time(lab.ask()).await, Ok(2));
    assert_eq!(in_time(left).await, Ok(1));
    assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), Some(2));
    assert_eq!((lab.calls.made(), lab.cache.stats().stores), (2, 1));
}

/// There is one leader: the one who took over.
#[tokio::test]
async fn one_that_is_polled_again_answers_no_other_caller() {
    let lab = Lab::new(|policy| policy);
    let left = lab.leave(lab.ask()).await;
    let gate = Gate::closed();
    let compute = async || {
        gate.pass().await;
        Ok::<_, Infallible>(100_usize)
    };
    let successor = lab.cache.get_or_compute("key", &lab.policy, compute);
    let others = async {
        gate.until(1).await;
        let waiter = async {
            let answer = lab.ask().await;
            assert_eq!(answer, Ok(100));
        };
        let left = async {
            eventually(|| lab.cache.stats().misses == 3).await;
            assert_eq!(left.await, Ok(1));
            assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), None, "nor is it stored");
            gate.open();
        };
        tokio::join!(waiter, left);
    };
    let (answer, ()) = in_time(async { tokio::join!(successor, others) }).await;
    assert_eq!(answer, Ok(100));
    assert_eq!(lab.calls.made(), 1);
}

/// Polled again before another caller took over, it goes on as if it had been polled all along.
#[tokio::test]
async fn one_that_is_polled_again_in_time_leads_on() {
    let lab = Lab::new(|policy| policy);
    let left = lab.leave(lab.ask()).await;
    sleep(SOON * 2).await;
    assert_eq!(in_time(left).await, Ok(1));
    assert_eq!((in_time(lab.ask()).await, lab.cache.stats().taken_over), (Ok(1), 0));
}

#[tokio::test]
async fn batches_are_passed_over_and_take_over() {
    for (left_is_batch, waiter_is_batch) in [(true, false), (false, true), (true, true)] {
        let lab = Lab::new(|policy| policy);
        let ask = |batch| if batch { lab.ask_many() } else { lab.ask() };
        let left = lab.leave(ask(left_is_batch)).await;
        assert_eq!(in_time(ask(waiter_is_batch)).await, Ok(2), "{left_is_batch}, {waiter_is_batch}");
        assert_eq!(in_time(left).await, Ok(1));
        assert_eq!(lab.cache.get::<usize>("key").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn a_refresh_that_is_left_is_begun_again() {
    let lab = Lab::new(|policy| policy.stale_while_revalidate(secs(3_600)));
    lab.cache.insert("key", &0_usize, &lab.policy).await.unwrap();
    lab.cache.core().advance(secs(3_700));
    let left = lab.leave(lab.ask()).await;
    assert_eq!(in_time(lab.ask()).await, Ok(0), "the stale value, while one refreshes");
    sleep(SOON * 2).await;
    assert_eq!(in_time(lab.ask()).await, Ok(2));
    drop(left);
}

/// It was not woken: nothing says that its owner neglects it.
#[tokio::test]
async fn a_computation_that_waits_is_not_passed_over() {
    let lab = Lab::new(|policy| policy);
    let mut first = lab.ask();
    poll_once(&mut first).await;
    let opener = async {
        sleep(SOON * 10).await;
        lab.gate.open();
    };
    let answers = in_time(async { tokio::join!(first, lab.ask(), opener) }).await;
    assert_eq!((answers, lab.calls.made()), ((Ok(1), Ok(1), ()), 1));
}

/// It is polled all the time, in one long poll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computation_that_blocks_its_thread_is_not_passed_over() {
    let lab = Arc::new(Lab::new(|policy| policy));
    let blocking = tokio::spawn({
        let lab = lab.clone();
        async move {
            let compute = async || {
                let number = lab.calls.call();
                lab.gate.pass().await;
                let mut polled = false;
                poll_fn(|context| {
                    if std::mem::replace(&mut polled, true) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    thread::sleep(SOON * 8);
                    Poll::Pending
                })
                .await;
                Ok::<_, Infallible>(number)
            };
            lab.cache.get_or_compute("key", &lab.policy, compute).await
        }
    });
    lab.gate.until(1).await;
    let waiter = tokio::spawn({
        let lab = lab.clone();
        async move { lab.ask().await }
    });
    eventually(|| lab.cache.stats().misses == 2).await;
    lab.gate.open();
    assert_eq!((in_time(blocking).await.unwrap(), in_time(waiter).await.unwrap()), (Ok(1), Ok(1)));
}

#[tokio::test]
async fn without_a_limit_they_are_waited_for() {
    let lab = Lab::new(|policy| policy.takeover_after(Duration::MAX));
    let left = lab.leave(lab.ask()).await;
    let mut waiter = lab.ask();
    assert!(tokio::time::timeout(SOON * 10, &mut waiter).await.is_err());
    assert_eq!(in_time(left).await, Ok(1));
    assert_eq!(in_time(waiter).await, Ok(1));
}

/// A task of a runtime that is not driven is never polled.
#[test]
fn a_runtime_that_is_not_driven_holds_up_no_other_caller() {
    let lab = Lab::new(|policy| policy);
    let ask = |gate: Option<Gate>| {
        let calls = lab.calls.clone();
        let compute = move || async move {
            let number = calls.call();
            if let Some(gate) = gate {
                gate.pass().await;
            }
            Ok::<_, Infallible>(number)
        };
        lab.cache.get_or_compute_background("key", &lab.policy, compute)
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Spawned, and never polled; or polled once.
    for polls in [0, 1] {
        lab.cache.invalidate("key");
        let gate = Gate::closed();
        let opened = gate.clone();
        let before = lab.calls.made();
        let idle = runtime();
        idle.block_on(async {
            let mut asking = Box::pin(ask(Some(gate)));
            poll_once(&mut asking).await;
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
        });
        opened.open();
        assert_eq!(lab.calls.made(), before + polls);
        let answer = runtime().block_on(in_time(ask(None)));
        assert_eq!(answer, Ok(before + polls + 1));
    }
}

/// There are neither timers nor a runtime.
#[test]
fn outside_of_a_runtime_those_who_wait_take_over_too() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let lab = Lab::new(|policy| policy);
    let mut left = lab.ask();
    assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    lab.gate.open();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut waiter = pin!(lab.ask());
    let answer = loop {
        match waiter.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => break answer,
            Poll::Pending => thread::park_timeout(secs(20)),
        }
    };
    assert_eq!(answer, Ok(2));
}

/// What people write: a call that lost a `select!`, kept, and the same call again.
#[tokio::test]
async fn the_kept_loser_of_a_select_is_passed_over() {
    #[cached(ttl = 3_600, key = "slow", skip(cache, calls), cache = cache, takeover_after = "50ms")]
    async fn slow(cache: &MemoryCache, calls: &Calls) -> usize {
        let number = calls.call();
        sleep(SOON).await;
        number
    }
    let (cache, calls) = (MemoryCache::new(10), Calls::default());
    let mut loser = pin!(slow(&cache, &calls));
    tokio::select! {
        biased;
        _ = &mut loser => unreachable!("it takes longer"),
        () = sleep(SOON / 10) => {}
    }
    assert_eq!(in_time(slow(&cache, &calls)).await, 2);
    assert_eq!(in_time(loser).await, 1);
    assert_eq!(slow(&cache, &calls).await, 2);
}
