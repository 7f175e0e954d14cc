//! Streams: of values under other keys, which are stored as a list of their own.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use larder::cached;

use super::{Failed, Life};
use crate::history::value::Made;

type Next = Pin<Box<dyn Future<Output = Option<Made>> + Send>>;

/// Values that are asked for one after the other, when they are polled for.
struct Values {
    life: Arc<Life>,
    keys: Vec<usize>,
    random: fastrand::Rng,
    next: Option<Next>,
}

impl Stream for Values {
    type Item = Result<Made, Failed>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { life, keys, random, next } = &mut *self;
        if next.is_none() {
            let Some(key) = keys.pop() else { return Poll::Ready(None) };
            *next = Some(life.ask(key, random.fork()));
        }
        let Some(asked) = next else { return Poll::Ready(None) };
        let found = ready!(asked.as_mut().poll(task));
        *next = None;
        Poll::Ready(Some(found.ok_or(Failed)))
    }
}

#[cached(
    ttl = "1h",
    key = "streamed:<first>:<second>",
    cache = life.subject.cache().clone(),
    skip(life, random)
)]
fn streamed(
    life: Arc<Life>,
    first: usize,
    second: usize,
    random: fastrand::Rng,
) -> impl Stream<Item = Result<Made, Failed>> {
    Values { life, keys: vec![first, second], random, next: None }
}

impl Life {
    /// A stream, to its end or not. Each of its values is what was under a key, wherever the list of them lay.
    pub(super) async fn stream(self: &Arc<Self>, random: &mut fastrand::Rng) {
        // Few pairs, so that most of them are stored.
        let first = self.space.to_read(random) / 4 * 4;
        let second = (first * 7 + 1) % self.space.keys.len();
        let leaves = random.u8(..8) == 0;
        let before = self.before();
        let mut stream = pin!(streamed(self.clone(), first, second, random.fork()));
        while let Some(item) = poll_fn(|task| stream.as_mut().poll_next(task)).await {
            let Ok(value) = item else { break };
            self.saw(before, value.key, Some(&value));
            if leaves {
                break;
            }
        }
    }
}
