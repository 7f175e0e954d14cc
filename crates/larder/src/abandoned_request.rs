//! Requests that are dropped before they are answered: a server that answers nothing is found out also by callers whose
//! own limits of time are shorter than the store's.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use pin_project_lite::pin_project;

use crate::panic_guard::contain;

/// A caller that has waited for so long, or for half of the store's deadline, has waited in vain. One that goes away
/// sooner tells nothing of the server.
const PATIENCE: Duration = Duration::from_millis(50);

/// A request to a store that has `deadline` for its answer. If it is dropped without one after 50 ms, or after half of
/// that deadline, `abandoned` is called: there, and so it must not wait.
pub fn abandonable<F: Future, A: FnOnce()>(
    deadline: Duration,
    request: F,
    abandoned: A,
) -> Abandonable<F, A> {
    abandonable_from(Instant::now(), deadline, request, abandoned)
}

/// The same, of a request that began then.
pub(crate) fn abandonable_from<F: Future, A: FnOnce()>(
    begun: Instant,
    deadline: Duration,
    request: F,
    abandoned: A,
) -> Abandonable<F, A> {
    let patience = PATIENCE.min(deadline / 2);
    Abandonable { request, begun, patience, looks_again: false, abandoned: Some(abandoned) }
}

pin_project! {
    /// What [`abandonable`] makes.
    #[must_use = "futures do nothing unless polled"]
    pub struct Abandonable<F, A>
    where
        F: Future,
        A: FnOnce(),
    {
        #[pin]
        request: F,
        begun: Instant,
        patience: Duration,
        looks_again: bool,
        // Until it is known how it ends.
        abandoned: Option<A>,
    }

    impl<F: Future, A: FnOnce()> PinnedDrop for Abandonable<F, A> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let Some(abandoned) = this.abandoned.take() else { return };
            if this.begun.elapsed() < *this.patience {
                return;
            }
            if *this.looks_again {
                let mut request = pin!(tokio::task::coop::unconstrained(this.request));
                let mut context = Context::from_waker(Waker::noop());
                if contain(|| request.as_mut().poll(&mut context).is_ready()) != Some(false) {
                    return;
                }
            }
            abandoned();
        }
    }
}

impl<F: Future, A: FnOnce()> Abandonable<F, A> {
    /// Polls the request once more when it is dropped: the answer may be there, and the caller has not looked since. Then the
    /// server is not to blame.
    pub fn looking_again(mut self) -> Self {
        self.looks_again = true;
        self
    }

    /// Whether it was waited for so long that a store which is well would have answered.
    #[must_use]
    pub fn is_in_vain(&self) -> bool {
        self.begun.elapsed() >= self.patience
    }

    /// How it ends is known: its deadline is over, say.
    pub fn settle(self: Pin<&mut Self>) {
        *self.project().abandoned = None;
    }
}

impl<F: Future, A: FnOnce()> Future for Abandonable<F, A> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = this.request.poll(context);
        if output.is_ready() {
            *this.abandoned = None;
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, thread};

    use tokio::sync::oneshot;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(20);

    /// Whether a request counts as abandoned that is polled once, for which this happens, and that is dropped.
    fn is_abandoned(
        meanwhile: impl FnOnce(Pin<&mut Abandonable<oneshot::Receiver<()>, &dyn Fn()>>, oneshot::Sender<()>),
    ) -> bool {
        let (server, answer) = oneshot::channel();
        let counted = Cell::new(false);
        let count = || counted.set(true);
        {
            let request = abandonable(DEADLINE, answer, &count as &dyn Fn()).looking_again();
            let mut request = pin!(request);
            assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            meanwhile(request.as_mut(), server);
        }
        counted.get()
    }

    #[test]
    fn a_request_is_abandoned_if_it_was_waited_for_and_not_answered() {
        // The servers outlive their requests: one that is gone has ended them.
        let mut servers = Vec::new();
        assert!(is_abandoned(|_, server| {
            thread::sleep(DEADLINE);
            servers.push(server);
        }));
        assert!(!is_abandoned(|_, server| {
            thread::sleep(DEADLINE);
            server.send(()).unwrap();
        }));
        assert!(!is_abandoned(|request, server| {
            thread::sleep(DEADLINE);
            request.settle();
            servers.push(server);
        }));
        assert!(!is_abandoned(|request, server| {
            server.send(()).unwrap();
            assert!(request.poll(&mut Context::from_waker(Waker::noop())).is_ready());
            thread::sleep(DEADLINE);
        }));
        let patient = abandonable(Duration::from_secs(3_600), std::future::pending::<()>(), || {
            panic!("it was dropped at once");
        });
        drop(patient);
    }
}
