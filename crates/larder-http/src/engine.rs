//! What is done about a request: the same for every framework.
//!
//! A request has a [`Plan`]: it passes by, or it is a [`Wish`], which a stored [`Page`] may answer
//! ([`lookup`]). Otherwise the handler, the [`Origin`], is [`Asked`] in a [`Computation`] of `larder`'s, by this
//! request or by another one that this one waits for. The response goes to its client through a [`Handoff`],
//! before the computation ends if its body is a stream ([`copy`]); a page that others may have is what the
//! computation gives.

mod change;
mod computation;
mod copy;
mod handoff;
mod lookup;
mod passes;
mod refresh;

use std::{
    collections::HashSet,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Uri, header, request::Parts};
use http_body::Body;
use larder::private::uncounted;

pub(crate) use self::refresh::Refresh;
use self::{
    change::Change,
    computation::{Asked, Computation, Ran},
    handoff::Handoff,
    lookup::Found,
    passes::Passes,
};
use crate::{
    additions,
    body::{HandlerBody, ResponseBody},
    conditional::{self, ANSWERABLE, FOR_THE_HANDLER},
    config::HttpCache,
    date::{self, Millis},
    directives::RequestDirectives,
    fields,
    freshness::{Source, Use},
    key::{Hash, Target},
    origin::Origin,
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

/// A request that a stored response may answer.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) headers: HeaderMap,
    pub(crate) target: Target,
    pub(crate) additions: Hash,
    pub(crate) directives: RequestDirectives,
    pub(crate) has_authorization: bool,
    pub(crate) has_cookie: bool,
    /// In one of these fields, or in another that is known for it.
    pub(crate) says_who_asks: bool,
    path: String,
    is_head: bool,
    received: Millis,
}

impl Wish {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it can use a response at all, fresh or not: it has to be for such a request, and one whose
    /// handler did not say that it is for everybody is not for somebody who says who asks.
    fn is_answered_by(&self, page: &Page) -> bool {
        page.vary.matches(&self.headers) && (page.freshness.source == Source::Response || !self.says_who_asks)
    }
}

/// How a request is dealt with.
pub(crate) enum Plan {
    /// The handler answers; it may change what is stored for this URI.
    Pass(Forward, Option<Box<(Target, Uri)>>),
    /// A stored response may answer.
    Look(Arc<Wish>),
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
    /// Decides how a request is dealt with. Its URI is what the client asked for; `routed` is what a router or a
    /// middleware made of it. Takes its headers if a stored response may answer: most often, nobody else needs them.
    pub(crate) fn plan(&self, request: &mut Parts, routed: &Uri, has_body: bool) -> Plan {
        let config = &*self.config;
        let target = Target::of(request, config.sort_query);
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS | Method::TRACE => return Plan::Pass(Forward::Method, None),
            _ => {
                return Plan::Pass(Forward::Method, Some(Box::new((target, request.uri.clone()))));
            }
        }
        let headers = &request.headers;
        if headers.contains_key(header::RANGE) {
            return Plan::Pass(Forward::Partial, None);
        }
        let directives = RequestDirectives::of(headers);
        // What a body says is not in the key: neither is the answer to it stored, nor given another's.
        if has_body
            || directives.no_store
            || FOR_THE_HANDLER.iter().any(|name| headers.contains_key(name))
            || headers.contains_key(header::UPGRADE)
            || config.skips(request)
        {
            return Plan::Pass(Forward::Bypass, None);
        }
        let additions = additions::digest(request, routed, &config.additions(request));
        let has_authorization = headers.contains_key(header::AUTHORIZATION);
        let has_cookie = headers.contains_key(header::COOKIE) && !config.cookies.ignores_cookie;
        Plan::Look(Arc::new(Wish {
            target,
            additions,
            directives: if config.honors_requests { directives } else { RequestDirectives::default() },
            has_authorization,
            has_cookie,
            says_who_asks: has_authorization || has_cookie || fields::identifies(headers),
            path: request.uri.path().to_owned(),
            is_head: request.method == Method::HEAD,
            received: config.now(),
            headers: std::mem::take(&mut request.headers),
        }))
    }

    /// Answers a request.
    pub(crate) async fn answer<O: Origin>(&self, plan: Plan, mut origin: O) -> Result<Answer<O>, O::Error> {
        match plan {
            Plan::Pass(why, change) => {
                origin.ready().await?;
                let change = change.map(|change| Change::begun(self, *change));
                let outcome = origin.call(None).await;
                if let Some(change) = change {
                    change.settle::<O>(&outcome);
                }
                let mut response = outcome?;
                fields::take_tags(response.headers_mut());
                CacheStatus::forwarded(why).append(response.headers_mut());
                Ok(Answer { response: response.map(ResponseBody::passed), rest: Rest::Used })
            }
            Plan::Look(wish) => self.look(wish, origin).await,
        }
    }

    /// Answers from what is stored, or asks the handler.
    async fn look<O: Origin>(&self, wish: Arc<Wish>, mut origin: O) -> Result<Answer<O>, O::Error> {
        let mut alone = wish.is_head;
        // The keys at which other requests were waited for.
        let mut waited_at: Vec<String> = Vec::new();
        loop {
            let found = lookup::find(&*self.config.cache, &wish).await;
            let now = self.config.now();
            let (key, page, why) = match found {
                Found::Page(key, page) if wish.is_answered_by(&page) => {
                    match page.freshness.decide(&wish.directives, now) {
                        Use::Fresh | Use::Stale => {
                            return Ok(self.hit(&wish, &page, ttl(&page, now), origin));
                        }
                        Use::StaleWhileRevalidate => {
                            let ttl = ttl(&page, now);
                            return Ok(self.hit_and_refresh(wish, key, page, ttl, origin));
                        }
                        Use::Forced => {
                            alone = true;
                            let why = if ttl(&page, now) > 0 { Forward::Request } else { Forward::Stale };
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
                Found::TooMany => return self.pass(&wish, origin).await,
            };
            if wish.directives.only_if_cached {
                break;
            }
            // What others computed there was not for this request, and may show where something is that is. Nobody
            // waits three times.
            alone |= waited_at.len() == 2 || waited_at.contains(&key.text);
            waited_at.push(key.text.clone());
            let joins = !alone && !self.state.passes.passed_lately(&key.text, wish.says_who_asks, now);
            let asked = Asked { wish: wish.clone(), key: key.text, page, joins };
            match self.ask(asked, why, origin).await? {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Unanswered(unused) => origin = unused,
            }
        }
        Ok(Answer { response: not_cached(), rest: Rest::Unused(origin) })
    }

    /// Has the handler asked, by this request or by another one that waits for the same.
    async fn ask<O: Origin>(&self, asked: Asked, why: Forward, origin: O) -> Result<Attempt<O>, O::Error> {
        let handoff = Handoff::new();
        let (wish, stale) = (asked.wish.clone(), asked.page.clone());
        let mut running = Box::pin(Computation::new(self, asked, handoff.clone()).run(origin));
        let ran = poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(ran) => Poll::Ready(Some(ran)),
            // The head of a response whose body is on its way.
            Poll::Pending if handoff.is_ahead() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;

        if let Some((mut response, mut status)) = handoff.take() {
            if ran.is_none() {
                let driver = O::spawn(Box::pin(async move {
                    running.await;
                }));
                response.body_mut().driven_by(driver);
            }
            status.forward = Some(why);
            let response = self.finished(&wish, response, status);
            return Ok(Attempt::Answered(Box::new(Answer { response, rest: Rest::Used })));
        }
        let Some(Ran { outcome, origin, forward_status }) = ran else {
            unreachable!("a computation waits with a response handed over, or ends");
        };
        match outcome {
            Ok(page) => Ok(self.receive(&wish, stale.as_ref(), page, forward_status, (why, origin))),
            Err(Some(error)) => Err(error),
            Err(None) => {
                unreachable!("a response that is not stored is handed over")
            }
        }
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
        let now = self.config.now();
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
            ..CacheStatus::hit(ttl(&page, now))
        };
        let response = self.of_page(wish, &page, status);
        let rest = origin.map_or(Rest::Used, Rest::Unused);
        Attempt::Answered(Box::new(Answer { response, rest }))
    }

    /// Answers without storing anything.
    async fn pass<O: Origin>(&self, wish: &Wish, mut origin: O) -> Result<Answer<O>, O::Error> {
        origin.ready().await?;
        let mut response = origin.call(None).await?;
        fields::take_tags(response.headers_mut());
        let status = CacheStatus { detail: Some("variants"), ..CacheStatus::forwarded(Forward::VaryMiss) };
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
        let rest = if wish.is_head {
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
        let age = page.freshness.age(self.config.now());
        headers.insert(header::AGE, seconds(age).into());
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
        status.append(response.headers_mut());
        response
    }
}

/// How asking came out.
enum Attempt<O: Origin> {
    Answered(Box<Answer<O>>),
    Unanswered(O),
}

/// For how long a page is fresh, or since when it is not, in seconds.
fn ttl(page: &Page, now: Millis) -> i64 {
    seconds(page.freshness.lifetime).saturating_sub(seconds(page.freshness.age(now)))
}

/// Whether a response with this status may name the length of its body.
fn may_have_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// RFC 9111, section 5.2.1.7: the answer to `only-if-cached` where nothing is.
fn not_cached<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::whole(Bytes::new()));
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    CacheStatus::not_forwarded("only-if-cached").append(response.headers_mut());
    response
}

/// Dates a response that has no date: it was made just now (RFC 9110, section 6.6.1).
fn date_it(headers: &mut HeaderMap, received: Millis) {
    let valid = matches!(date::field(headers, &header::DATE), Some(Ok(_)));
    if !valid {
        headers.insert(header::DATE, date::value(received));
    }
}
