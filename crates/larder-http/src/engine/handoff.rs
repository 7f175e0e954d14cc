//! Where a computation and the request that runs it meet.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use http::{Response, StatusCode, response::Parts};

use crate::{
    body::{Copier, ResponseBody},
    status::CacheStatus,
    storable::Refusal,
};

/// Where a response is handed over to the request that waits for it.
pub(super) struct Handoff<B>(Arc<Mutex<Handed<B>>>);

struct Handed<B> {
    response: Option<(Response<ResponseBody<B>>, CacheStatus)>,
    /// Whether the response's body is on its way.
    ahead: bool,
    /// The request that waits for the head, where the computation is a task of its own.
    waiting: Option<Waker>,
    /// Whom to tell when the computation is over.
    copier: Option<Copier<B>>,
    forward_status: Option<StatusCode>,
}

impl<B> Clone for Handoff<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Handoff<B> {
    pub(super) fn new() -> Self {
        let handed =
            Handed { response: None, ahead: false, waiting: None, copier: None, forward_status: None };
        Self(Arc::new(Mutex::new(handed)))
    }

    /// Whether the head of a response was handed over whose body is on its way. If not, wakes who asks once it is.
    pub(super) fn is_ahead(&self, context: &Context<'_>) -> bool {
        let mut handed = self.lock();
        if !handed.ahead {
            handed.waiting = Some(context.waker().clone());
        }
        handed.ahead
    }

    pub(super) fn take(&self) -> Option<(Response<ResponseBody<B>>, CacheStatus)> {
        self.lock().response.take()
    }

    /// A response whose body is copied while it is on its way.
    pub(super) fn go_ahead(&self, parts: Parts, body: ResponseBody<B>) {
        self.hand_over(parts, body, CacheStatus::default());
        let mut handed = self.lock();
        handed.ahead = true;
        let waiting = handed.waiting.take();
        drop(handed);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// A response that is not stored.
    pub(super) fn pass(&self, parts: Parts, body: ResponseBody<B>) {
        self.hand_over(parts, body, CacheStatus::default());
    }

    pub(super) fn pass_because(&self, parts: Parts, body: ResponseBody<B>, refusal: Refusal) {
        self.hand_over(parts, body, CacheStatus { detail: Some(refusal.detail()), ..CacheStatus::default() });
    }

    pub(super) fn hand_over(&self, parts: Parts, body: ResponseBody<B>, status: CacheStatus) {
        self.lock().response = Some((Response::from_parts(parts, body), status));
    }

    pub(super) fn complete_at_end(&self, copier: Copier<B>) {
        self.lock().copier = Some(copier);
    }

    pub(super) fn note(&self, status: Option<StatusCode>) {
        self.lock().forward_status = status;
    }

    /// The computation is over, and what it made is stored.
    pub(super) fn end(&self) -> Option<StatusCode> {
        let mut handed = self.lock();
        let (copier, status) = (handed.copier.take(), handed.forward_status.take());
        drop(handed);
        if let Some(copier) = copier {
            copier.complete();
        }
        status
    }

    fn lock(&self) -> MutexGuard<'_, Handed<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
