//! Hands the response of a fetch over to the request that made it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use bytes::Bytes;
use http::{Response, StatusCode, response::Parts};

use crate::{
    body::{Copier, ResponseBody},
    cache_status::CacheStatus,
    storable::Refusal,
};

/// Shared by a fetch and the request that made it.
pub(super) struct Handoff<B>(Arc<Mutex<HandoffState<B>>>);

struct HandoffState<B> {
    response: Option<(Response<ResponseBody<B>>, CacheStatus)>,
    /// Whether the response's body is still on its way.
    is_streaming: bool,
    /// The request that waits for the head, if the fetch is a task of its own.
    waiting: Option<Waker>,
    /// Ends the client's body when the computation is complete.
    copier: Option<Copier<B>>,
    forward_status: Option<StatusCode>,
    /// The tags of the handler's response, stored or not.
    tags: Vec<String>,
    /// Where the response is stored, if that is not the key that it was fetched for.
    moved_to: Option<String>,
}

impl<B> Clone for Handoff<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Handoff<B> {
    pub(super) fn new() -> Self {
        let state = HandoffState {
            response: None,
            is_streaming: false,
            waiting: None,
            copier: None,
            forward_status: None,
            tags: Vec::new(),
            moved_to: None,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Whether a response was handed over whose body is on its way, and which is of use already. If none was, wakes the
    /// caller once it is.
    pub(super) fn is_streaming(
        &self,
        context: &Context<'_>,
        is_of_use: impl Fn(&Response<ResponseBody<B>>) -> bool,
    ) -> bool {
        let mut state = self.lock();
        if !state.is_streaming {
            state.waiting = Some(context.waker().clone());
        }
        state.is_streaming && state.response.as_ref().is_some_and(|(response, _)| is_of_use(response))
    }

    pub(super) fn take(&self) -> Option<(Response<ResponseBody<B>>, CacheStatus)> {
        self.lock().response.take()
    }

    /// Hands over a response whose body is copied while it is on its way.
    pub(super) fn stream(&self, parts: Parts, body: ResponseBody<B>) {
        self.hand_over(parts, body, CacheStatus::default());
        let mut state = self.lock();
        state.is_streaming = true;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Hands over a response that is not stored.
    pub(super) fn pass(&self, parts: Parts, body: ResponseBody<B>) {
        self.hand_over(parts, body, CacheStatus::default());
    }

    pub(super) fn pass_because(&self, parts: Parts, body: ResponseBody<B>, refusal: Refusal) {
        self.hand_over(parts, body, CacheStatus { detail: Some(refusal.detail()), ..CacheStatus::default() });
    }

    pub(super) fn hand_over(&self, parts: Parts, body: ResponseBody<B>, status: CacheStatus) {
        self.lock().response = Some((Response::from_parts(parts, body), status));
    }

    /// The body of a response whose head was handed over is complete: ends it once the computation is. If the request has
    /// not taken that response, it gets this one instead, which is whole.
    pub(super) fn complete(&self, copier: Copier<B>, parts: Parts, body: Bytes, status: CacheStatus) {
        let mut state = self.lock();
        if state.response.is_none() {
            state.copier = Some(copier);
            return;
        }
        let whole = Response::from_parts(parts, ResponseBody::whole(body));
        let streamed = state.response.replace((whole, status));
        // Its next request is to find it stored, so it waits for the end.
        state.is_streaming = false;
        drop(state);
        drop((streamed, copier));
    }

    pub(super) fn set_forward_status(&self, status: Option<StatusCode>) {
        self.lock().forward_status = status;
    }

    pub(super) fn set_tags(&self, tags: &[String]) {
        self.lock().tags = tags.to_vec();
    }

    pub(super) fn take_tags(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().tags)
    }

    pub(super) fn set_moved_to(&self, key: String) {
        self.lock().moved_to = Some(key);
    }

    pub(super) fn take_moved_to(&self) -> Option<String> {
        self.lock().moved_to.take()
    }

    /// To be called when the computation is complete, and its value is stored.
    pub(super) fn end(&self) -> Option<StatusCode> {
        let mut state = self.lock();
        let (copier, status) = (state.copier.take(), state.forward_status.take());
        drop(state);
        if let Some(copier) = copier {
            copier.complete();
        }
        status
    }

    fn lock(&self) -> MutexGuard<'_, HandoffState<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
