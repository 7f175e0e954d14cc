//! Executors whose wakers panic.

use std::{
    net::TcpListener,
    pin::pin,
    task::{Context, Poll, Wake, Waker},
};

use larder_servers::{DEADLINE, RedisServer};
use tokio::sync::watch::Receiver;

use super::*;
use crate::redis::RedisCacheBuilder;

/// Asks the link for something as soon as it is woken.
struct ComesBack {
    link: Arc<ServerLink>,
    runtime: Handle,
    came: AtomicUsize,
}

impl ComesBack {
    fn to(link: &Arc<ServerLink>) -> Arc<Self> {
        Arc::new(Self { link: Arc::clone(link), runtime: Handle::current(), came: AtomicUsize::new(0) })
    }
}

impl Wake for ComesBack {
    fn wake(self: Arc<Self>) {
        self.link.ensure_repair(0, &self.runtime);
        self.came.fetch_add(1, Relaxed);
    }
}

struct Hostile;

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        panic!("on purpose, by the waker");
    }
}

/// The way to where no server listens.
fn to_nowhere() -> Arc<ServerLink> {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = RedisCacheBuilder::default().url(format!("redis://{address}")).config().unwrap();
    let destination = Destination::Fixed(Address::Tcp(("127.0.0.1".to_owned(), address.port())));
    ServerLink::new(Arc::new(config), destination, None)
}

/// It is tried on, without any caller.
async fn is_tried_again(link: &ServerLink) {
    let mut stages = link.lines[0].stage.subscribe();
    let again = stages.wait_for(|stage| matches!(stage, Stage::Down { attempts: 2.., .. }));
    let again = tokio::time::timeout(DEADLINE, again).await;
    assert!(again.expect("it is tried again").is_ok());
}

fn polled<T>(future: impl Future<Output = T>) {
    let waker = Waker::from(Arc::new(Hostile));
    assert!(matches!(pin!(future).poll(&mut Context::from_waker(&waker)), Poll::Pending));
}

#[tokio::test]
async fn a_waker_that_panics_when_an_attempt_has_failed_does_not_end_the_attempts() {
    let link = to_nowhere();
    let mut stages = link.lines[0].stage.subscribe();
    link.ensure_repair(0, &Handle::current());
    stages.mark_unchanged();
    let mut waits = pin!(stages.changed());
    polled(waits.as_mut());
    is_tried_again(&link).await;
}

#[tokio::test]
async fn a_waker_that_panics_when_attempts_begin_does_not_keep_them_from_beginning() {
    let link = to_nowhere();
    let mut stages = link.lines[0].stage.subscribe();
    let mut waits = pin!(stages.changed());
    polled(waits.as_mut());
    link.ensure_repair(0, &Handle::current());
    is_tried_again(&link).await;
}

/// Does something, and waits until the stage that it came to is as wanted; each time that it changes, the one that waits
/// comes back.
async fn comes_about(
    stages: &mut Receiver<Stage>,
    woken: &Arc<ComesBack>,
    wanted: fn(&Stage) -> bool,
    begin: impl FnOnce() + Send,
) {
    let waker = Waker::from(Arc::clone(woken));
    stages.mark_unchanged();
    let mut begin = Some(begin);
    let begins_and_waits = async {
        loop {
            let before = woken.came.load(Relaxed);
            {
                let mut change = pin!(stages.changed());
                if change.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    if let Some(begin) = begin.take() {
                        begin();
                    }
                    while woken.came.load(Relaxed) == before {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            if begin.is_none() && wanted(&stages.borrow_and_update()) {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, begins_and_waits).await.expect("who waits is woken");
}

/// Runs a test in a thread of its own: one that waits for itself fails, and does not hang.
fn ends(test: impl Future<Output = ()> + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(test);
        _ = done.send(());
    });
    ended.recv_timeout(2 * DEADLINE).expect("the test ends");
}

/// With a lock held meanwhile, the thread would wait for itself.
#[test]
fn who_is_woken_may_come_back_at_once() {
    ends(comes_back());
}

async fn comes_back() {
    let server = RedisServer::start();
    let config = Arc::new(RedisCacheBuilder::default().url(server.url()).config().unwrap());
    let address = Address::Tcp(("127.0.0.1".to_owned(), server.port()));
    let link = ServerLink::new(config, Destination::Fixed(address), None);
    let woken = ComesBack::to(&link);
    let mut stages = link.lines[0].stage.subscribe();
    comes_about(&mut stages, &woken, |stage| matches!(stage, Stage::Up), || link.begin()).await;
    let generation = link.lines[0].live.load().as_ref().unwrap().generation;
    let lose = || link.lose(0, generation);
    comes_about(&mut stages, &woken, |stage| !matches!(stage, Stage::Up), lose).await;
}

/// The runtime that connected ends, and the one that is woken by that connects in its own.
#[test]
fn who_is_woken_when_a_runtime_ends_may_come_back_at_once() {
    ends(comes_back_when_a_runtime_ends());
}

async fn comes_back_when_a_runtime_ends() {
    let link = to_nowhere();
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut stages = link.lines[0].stage.subscribe();
    link.ensure_repair(0, other.handle());
    let failed = stages.wait_for(|stage| matches!(stage, Stage::Down { .. }));
    tokio::time::timeout(DEADLINE, failed).await.expect("it fails").unwrap();
    let woken = ComesBack::to(&link);
    // Where it has come to when it is looked at is another matter: attempts to where no server listens fail at once.
    comes_about(&mut stages, &woken, |_| true, || other.shutdown_background()).await;
}
