//! Executors whose wakers panic.

use std::{
    net::TcpListener,
    pin::pin,
    task::{Context, Poll, Wake, Waker},
};

use larder_servers::DEADLINE;

use super::*;
use crate::redis::RedisCacheBuilder;

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
