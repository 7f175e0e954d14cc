//! What is done about a request: the same for every framework.
//!
//! A request has a [`Plan`]: it passes by, or it is a [`Wish`], which a stored [`Page`] may answer
//! ([`lookup`]). Otherwise the handler, the [`Origin`], is [`Asked`] in a [`Computation`] of `larder`'s, by this
//! request or by another one that this one waits for. The response goes to its client through a [`Handoff`],
//! before the computation ends if its body is a stream ([`copy`]); a page that others may have is what the
//! computation gives.

mod apart;
mod change;
mod computation;
mod copy;
mod handoff;
mod lookup;
mod passes;
mod plan;
mod refresh;

use std::{
    collections::HashSet,
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Uri, header};
use http_body::Body;
use larder::private::uncounted;

use self::{
    apart::{Begun, Work},
    change::Change,
    computation::{Asked, Computation, Ran},
    handoff::Handoff,
    lookup::Found,
    passes::Passes,
};
pub(crate) use self::{
    plan::{Plan, Wish},
    refresh::Refresh,
};
use crate::{
    body::{HandlerBody, ResponseBody},
    conditional::{self, ANSWERABLE, Changes},
    config::HttpCache,
    date::{self, Millis},
    fields,
    freshness::Use,
    key::Target,
    origin::{Driver, Origin},
    page::Page,
    status::{CacheStatus, Forward, seconds},
};

/// What the clones of a cache know together.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What was not to be shared just now: nobody waits for the next one.
    passes: Passes,
    /// The keys that are refreshed behind their clients' backs.
    refreshing: Mutex<HashSet<String>>,
}

/// A response, and what is left of the handler that did not make it.
pub(crate) struct Answer<O: Origin> {
    pub(crate) response: Response<ResponseBody<O::Body>>,
    pub(crate) rest: Rest<O>,
}

/// What is left of a handler after its request was answered.
pub(crate) enum Rest<O> {
    /// It made the response.
    Used,
    /// It was not needed.
    Unused(O),
    /// It was not needed, but should be asked for a newer response, to be stored.
    Refresh(O, Refresh),
}

impl HttpCache {
    /// Answers a request.
    pub(crate) async fn answer<O: Origin>(&self, plan: Plan, mut origin: O) -> Result<Answer<O>, O::Error> {
        match plan {
            Plan::Pass(why, change) => {
                let mut response = match change {
                    Some(change) => self.change(*change, origin).await?,
                    None => {
                        origin.ready().await?;
                        origin.call(Changes::default()).await?
                    }
                };
                self.tell_of_pass(why, response.headers_mut());
                Ok(Answer { response: response.map(ResponseBody::passed), rest: Rest::Used })
            }
            Plan::Look(wish) => self.look(wish, origin).await,
        }
    }

    /// Has the handler make a change. It is asked to the end, whether its client stays or not: so it says itself
    /// whether there was a change, and nobody drops what is stored by going away from a request that is refused.
    async fn change<O: Origin>(
        &self,
        change: (Target, Uri),
        mut origin: O,
    ) -> Result<Response<O::Body>, O::Error> {
        let (cache, begun) = (self.clone(), Begun::default());
        let begins = begun.clone();
        let work = async move {
            origin.ready().await?;
            begins.set();
            let change = Change::begun(&cache, change);
            let outcome = origin.call(Changes::default()).await;
            change.settle::<O>(&outcome);
            outcome
        };
        Work::start::<O>(work, &begun, self.config.outlives).await
    }

    /// Answers from what is stored, or asks the handler.
    async fn look<O: Origin>(&self, wish: Arc<Wish>, mut origin: O) -> Result<Answer<O>, O::Error> {
        let mut alone = wish.is_alone;
        // The keys at which other requests were waited for.
        let mut waited_at: Vec<String> = Vec::new();
        loop {
            let found = lookup::find(&*self.config.cache, &wish).await;
            let now = self.config.shared_now();
            let (key, page, why) = match found {
                Found::Page(key, page) if wish.is_answered_by(&page) => {
                    match page.freshness.decide(&wish.directives, now) {
                        Use::Fresh | Use::Stale => {
                            return Ok(self.hit(&wish, &page, page.left(now), origin));
                        }
                        Use::StaleWhileRevalidate => {
                            let ttl = page.left(now);
                            return Ok(self.hit_and_refresh(wish, key, page, ttl, origin));
                        }
                        Use::Forced => {
                            alone = true;
                            let why = if page.left(now) > 0 { Forward::Request } else { Forward::Stale };
                            (key, Some(page), why)
                        }
                        Use::Validate => (key, Some(page), Forward::Stale),
                    }
                }
                Found::Page(key, _) => {
                    alone = true;
                    (key, None, Forward::Miss)
                }
                Found::Nothing(key) if key.is_variant => (key, None, Forward::VaryMiss),
                Found::Nothing(key) => (key, None, Forward::UriMiss),
                Found::TooMany if wish.directives.only_if_cached => break,
                Found::TooMany => {
                    let why =
                        CacheStatus { detail: Some("variants"), ..CacheStatus::forwarded(Forward::VaryMiss) };
                    return self.pass(&wish, why, origin).await;
                }
            };
            if wish.directives.only_if_cached {
                break;
            }
            if wish.is_lookup {
                return self.pass(&wish, CacheStatus::forwarded(Forward::Bypass), origin).await;
            }
            // What others computed there was not for this request, and may show where something is that is. Nobody
            // waits three times.
            alone |= waited_at.len() == 2 || waited_at.contains(&key.text);
            waited_at.push(key.text.clone());
            let joins = !alone && !self.state.passes.passed_lately(&key.text, wish.may_be_personal(), now);
            let asked = Asked { wish: wish.clone(), key: key.text, page, joins };
            match self.ask(asked, why, origin).await? {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Unanswered(unused) => origin = unused,
            }
        }
        let mut response = not_cached();
        self.tell(CacheStatus::not_forwarded("only-if-cached"), response.headers_mut());
        Ok(Answer { response, rest: Rest::Unused(origin) })
    }

    /// Has the handler asked, by this request or by another one that waits for the same.
    async fn ask<O: Origin>(&self, asked: Asked, why: Forward, origin: O) -> Result<Attempt<O>, O::Error> {
        let (handoff, begun) = (Handoff::new(), Begun::default());
        let (wish, stale, key) = (asked.wish.clone(), asked.page.clone(), asked.key.clone());
        let computation = Computation::new(self, asked, handoff.clone(), begun.clone());
        let mut running = Work::start::<O>(computation.run(origin), &begun, self.config.outlives);
        let ran = poll_fn(|context| match Pin::new(&mut running).poll(context) {
            Poll::Ready(ran) => Poll::Ready(Some(ran)),
            // The head of a response whose body is on its way.
            Poll::Pending if handoff.is_ahead(context) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;

        if let Some((mut response, mut status)) = handoff.take() {
            match (&ran, running) {
                // A client who goes away ends it.
                (None, Work::Here(running)) => {
                    let driver = O::spawn(Box::pin(async move {
                        running.await;
                    }));
                    response.body_mut().driven_by(driver);
                }
                // It goes on by itself, and is told when its client goes away.
                (None, Work::Apart(outcome)) => {
                    response.body_mut().driven_by(Driver::Apart(Box::new(outcome)))
                }
                (Some(Ran { outcome: Ok(page), .. }), _) => status.stored &= self.has_kept(&key, page),
                _ => {}
            }
            status.forward = Some(why);
            let response = self.finished(&wish, response, status);
            return Ok(Attempt::Answered(Box::new(Answer { response, rest: Rest::Used })));
        }
        let Some(Ran { outcome, origin, forward_status }) = ran else {
            unreachable!("a computation waits with a response handed over, or ends");
        };
        Ok(self.receive(&wish, stale.as_ref(), outcome?, forward_status, (why, origin)))
    }

    /// Answers with a page that came of asking, of which the response was not handed over: it is another
    /// request's, or the stale one in place of an error.
    fn receive<O: Origin>(
        &self,
        wish: &Wish,
        stale: Option<&Page>,
        page: Page,
        forward_status: Option<StatusCode>,
        (why, origin): (Forward, Option<O>),
    ) -> Attempt<O> {
        let now = self.config.shared_now();
        let usable = wish.is_answered_by(&page)
            && match page.freshness.decide(&wish.directives, now) {
                Use::Fresh | Use::Stale | Use::StaleWhileRevalidate => true,
                Use::Forced | Use::Validate => {
                    stale.is_some_and(|stale| stale.number == page.number)
                        && page.freshness.serves_on_error(&wish.directives, now)
                }
            };
        match origin {
            Some(origin) if !usable => return Attempt::Unanswered(origin),
            _ => {}
        }
        let status = CacheStatus {
            forward: Some(why),
            forward_status,
            collapsed: origin.is_some(),
            ..CacheStatus::hit(page.left(now))
        };
        let response = self.of_page(wish, &page, status);
        let rest = origin.map_or(Rest::Used, Rest::Unused);
        Attempt::Answered(Box::new(Answer { response, rest }))
    }

    /// Whether a page is there that was just stored. Where only servers keep pages, that they were sent one counts.
    fn has_kept(&self, key: &str, page: &Page) -> bool {
        let has_memory = self.config.has_memory();
        let there = || uncounted::find_local::<Page>(&*self.config.cache, key);
        !has_memory || there().is_some_and(|there| there.number == page.number)
    }

    /// Answers without storing anything.
    async fn pass<O: Origin>(
        &self,
        wish: &Wish,
        status: CacheStatus,
        mut origin: O,
    ) -> Result<Answer<O>, O::Error> {
        origin.ready().await?;
        let changes = Changes { conditions: None, without: wish.without.clone() };
        let mut response = origin.call(changes).await?;
        fields::take_tags(response.headers_mut());
        fields::join_vary(response.headers_mut(), &self.config.vary);
        let response = self.finished(wish, response.map(ResponseBody::passed), status);
        Ok(Answer { response, rest: Rest::Used })
    }

    fn hit<O: Origin>(&self, wish: &Wish, page: &Page, ttl: i64, origin: O) -> Answer<O> {
        uncounted::count_served(&*self.config.cache, ttl > 0);
        let response = self.of_page(wish, page, CacheStatus::hit(ttl));
        Answer { response, rest: Rest::Unused(origin) }
    }

    /// Answers with what is stale, and has one of all who get it ask for a newer one.
    fn hit_and_refresh<O: Origin>(
        &self,
        wish: Arc<Wish>,
        key: lookup::Key,
        page: Page,
        ttl: i64,
        origin: O,
    ) -> Answer<O> {
        uncounted::count_served(&*self.config.cache, false);
        let response = self.of_page(&wish, &page, CacheStatus::hit(ttl));
        // A response to `HEAD` is not one that could be stored.
        let rest = if wish.is_head || wish.is_lookup {
            Rest::Unused(origin)
        } else {
            Rest::Refresh(origin, Refresh { cache: self.clone(), wish, key: key.text, page })
        };
        Answer { response, rest }
    }

    /// The response that a stored one gives.
    fn of_page<B>(&self, wish: &Wish, page: &Page, status: CacheStatus) -> Response<ResponseBody<B>>
    where
        B: HandlerBody,
    {
        let mut headers = page.headers.clone();
        let now = self.config.shared_now();
        let status = CacheStatus { keepable: Some(page.keepable(now)), ..status };
        headers.insert(header::AGE, seconds(page.freshness.age(now)).into());
        page.say_what_was_decided(&mut headers);
        let mut response = Response::new(ResponseBody::whole(page.body.clone()));
        *response.status_mut() = page.status;
        *response.headers_mut() = headers;
        self.finished(wish, response, status)
    }

    /// The response as this client asked for it: without a body if it has that, or wants the head alone.
    fn finished<B: HandlerBody>(
        &self,
        wish: &Wish,
        mut response: Response<ResponseBody<B>>,
        status: CacheStatus,
    ) -> Response<ResponseBody<B>> {
        let asks = ANSWERABLE.iter().any(|name| wish.headers.contains_key(name));
        let (code, headers) = (response.status(), response.headers());
        let stored = status.forward.is_none() || status.collapsed;
        let received = stored.then_some(wish.received);
        if asks && conditional::has_it(&wish.headers, code, headers, received) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = conditional::not_modified(std::mem::take(response.headers_mut()));
            response.body_mut().let_go(None);
        } else if wish.is_head && response.body().is_whole() {
            let length = response.body().size_hint().exact().filter(|_| may_have_length(code));
            if let Some(length) = length {
                response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
            }
            response.body_mut().let_go(length);
        }
        self.tell(status, response.headers_mut());
        response
    }

    /// Makes the headers of a response that the cache had nothing to do with fit for a client.
    pub(crate) fn tell_of_pass(&self, why: Forward, headers: &mut HeaderMap) {
        fields::take_tags(headers);
        fields::join_vary(headers, &self.config.vary);
        self.tell(CacheStatus::forwarded(why), headers);
    }

    /// Says what became of the request, and for how long nginx may keep the response.
    fn tell(&self, status: CacheStatus, headers: &mut HeaderMap) {
        if self.config.accel_expires {
            let left = status.keepable.unwrap_or_default().max(0);
            headers.insert("x-accel-expires", left.into());
        }
        status.append(headers, &self.config.name);
    }
}

/// How asking came out.
enum Attempt<O: Origin> {
    Answered(Box<Answer<O>>),
    Unanswered(O),
}

/// Whether a response with this status may name the length of its body.
fn may_have_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// RFC 9111, section 5.2.1.7: the answer to `only-if-cached` where nothing is.
fn not_cached<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::whole(Bytes::new()));
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response
}

/// Dates a response that has no date: it was made just now (RFC 9110, section 6.6.1).
fn date_it(headers: &mut HeaderMap, received: Millis) {
    let valid = matches!(date::field(headers, &header::DATE), Some(Ok(_)));
    if !valid {
        headers.insert(header::DATE, date::value(received));
    }
}
