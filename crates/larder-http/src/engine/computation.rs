//! Asking the handler, inside of a computation of the cache's: what the handler reads from caches covers its
//! response, and others wait for it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header, response::Parts};
use larder::{
    Cache, CacheExt as _, Lock, Policy, Scope,
    private::{uncounted, unrecorded},
};

use super::{
    Wish,
    apart::Begun,
    copy::{BodyCopy, Limits, copy},
    date_it,
    handoff::Handoff,
};
use crate::{
    body::{Copier, HandlerBody, ResponseBody},
    caching::Caching,
    conditional::{self, Changes, Conditions, SaidByHead},
    config::HttpCache,
    fields,
    freshness::{Exchange, Source},
    origin::Origin,
    page::{Page, Stored},
    status::CacheStatus,
    storable::{self, Refusal, Terms},
};

/// What the handler is asked for.
pub(super) struct Asked {
    pub(super) wish: Arc<Wish>,
    /// Where a response is kept.
    pub(super) key: String,
    /// What is there, and is to be validated.
    pub(super) page: Option<Page>,
    /// Whether another request's asking for the same will do.
    pub(super) joins: bool,
}

impl Asked {
    pub(super) fn refreshing(wish: Arc<Wish>, key: String, page: Page) -> Self {
        Self { wish, key, page: Some(page), joins: true }
    }
}

/// How asking ended.
pub(super) struct Ran<O: Origin> {
    /// A page, whoever asked for it, or the handler's error. Where a response was handed over that is nobody else's,
    /// [`Page::none`].
    pub(super) outcome: Result<Page, O::Error>,
    /// The handler, if it was not asked.
    pub(super) origin: Option<O>,
    /// What the handler said that the page is in place of.
    pub(super) forward_status: Option<StatusCode>,
}

pub(super) struct Computation<B> {
    cache: HttpCache,
    asked: Asked,
    handoff: Handoff<B>,
    begun: Begun,
}

type Outcome<O> = Result<Page, <O as Origin>::Error>;

impl<B: HandlerBody> Computation<B> {
    pub(super) fn new(cache: &HttpCache, asked: Asked, handoff: Handoff<B>, begun: Begun) -> Self {
        Self { cache: cache.clone(), asked, handoff, begun }
    }

    /// Whether the computation's value is what is stored. Otherwise it is stored by itself, in place of what is
    /// there; the computation has a key of its own then.
    fn is_plain(&self) -> bool {
        self.asked.joins && self.asked.page.is_none()
    }

    /// The computation's key, and on what terms its value is kept.
    fn flight(&self) -> (String, Policy) {
        let key = &self.asked.key;
        if self.is_plain() {
            // How long is decided when the response is there.
            return (key.clone(), Policy::ttl(Duration::from_secs(1)));
        }
        let key = match &self.asked.page {
            Some(page) if self.asked.joins => format!("{key}:r{:x}", page.number),
            _ => format!("{key}:a{:x}{:x}", fastrand::u64(..), fastrand::u64(..)),
        };
        // Not kept, and so nothing that other processes could wait for.
        let policy = Policy::builder().ttl(Duration::ZERO).lock(Lock::Process).build();
        (key, policy.unwrap_or(Policy::ttl(Duration::ZERO)))
    }

    pub(super) async fn run<O: Origin<Body = B>>(self, origin: O) -> Ran<O> {
        let mut origin = Some(origin);
        let (key, policy) = self.flight();
        let store = &*self.cache.config.cache;
        let outcome = store.get_or_compute(&key, policy, || self.compute(&mut origin)).await;
        let forward_status = self.handoff.end();
        Ran { outcome, origin, forward_status }
    }

    async fn compute<O: Origin<Body = B>>(&self, origin: &mut Option<O>) -> Outcome<O> {
        let config = &self.cache.config;
        let wish = &self.asked.wish;
        if let Some(newer) = self.newer().await {
            return Ok(newer);
        }
        let Some(origin) = origin.take() else { return Ok(self.unshared()) };
        self.begun.set();
        let (response, exchange) = match self.ask_handler(origin).await {
            Ok(answered) => answered,
            Err(error) => {
                let status = O::status_of(&error);
                let stale = status.is_none_or(is_failure).then(|| self.in_place_of_error(status)).flatten();
                return stale.ok_or(error);
            }
        };
        let (mut parts, body) = response.into_parts();
        let mut caching = parts.extensions.remove::<Caching>().unwrap_or_default();
        caching.tags.extend(fields::take_tags(&mut parts.headers));
        caching.tags.extend(config.tags.iter().filter_map(|template| template.tag(wish.path())));

        if wish.is_head {
            self.learn_from_head(&parts, caching, exchange).await;
            self.handoff.pass(parts, ResponseBody::passed(body));
            return Ok(self.passed());
        }
        if let (StatusCode::NOT_MODIFIED, Some(page)) = (parts.status, &self.asked.page) {
            return Ok(self.validated(page, parts, caching, exchange).await);
        }
        if is_failure(parts.status)
            && let Some(page) = self.in_place_of_error(Some(parts.status))
        {
            return Ok(page);
        }
        let described = (parts.status, &parts.headers, &caching);
        let terms = match storable::terms(config, wish, described, exchange) {
            Ok(terms) => terms,
            Err(refusal) => {
                let status = parts.status;
                self.forget_if(refusal, status);
                if matches!(refusal, Refusal::Personal | Refusal::Cookie) {
                    fields::say_it_is_personal(&mut parts.headers);
                }
                self.handoff.pass_because(parts, ResponseBody::passed(body), refusal);
                return Ok(if is_about_the_request(status) { self.unshared() } else { self.passed() });
            }
        };
        date_it(&mut parts.headers, exchange.received);
        // A stream leaves before it is stored.
        let said = fields::say_what_was_decided(&mut parts.headers, terms.freshness.source);
        let limits = Limits { bytes: config.largest_body(), time: config.body_timeout };
        Ok(match copy(parts, body, limits, &self.handoff).await {
            BodyCopy::Complete(mut parts, body, copier) => {
                if said {
                    // No word of the handler's, which a page is stored by.
                    parts.headers.remove(header::CACHE_CONTROL);
                }
                self.keep_new(*parts, body, copier, (terms, caching.tags)).await
            }
            BodyCopy::Refused => {
                self.forget();
                self.passed()
            }
            BodyCopy::Broken => self.passed(),
        })
    }

    /// The handler's response, and when it was asked and when that came.
    async fn ask_handler<O: Origin<Body = B>>(
        &self,
        mut origin: O,
    ) -> Result<(Response<B>, Exchange), O::Error> {
        let config = &self.cache.config;
        origin.ready().await?;
        let sent = config.now();
        let changes = Changes { conditions: self.conditions(), without: self.asked.wish.without.clone() };
        let mut response = origin.call(changes).await?;
        fields::join_vary(response.headers_mut(), &config.vary);
        Ok((response, Exchange { sent, received: config.now(), shared: config.shared_now() }))
    }

    /// What is there by now, if it is not what this request found there. The computation is not covered by what it
    /// reads here: the page is about to be replaced, which would make its own value outdated.
    async fn newer(&self) -> Option<Page> {
        let page = self.asked.page.as_ref().filter(|_| self.asked.joins)?;
        let there = unrecorded(uncounted::find::<Page>(&*self.cache.config.cache, &self.asked.key)).await?;
        (there.number != page.number).then_some(there)
    }

    /// What the handler is asked with. Without anything to validate, a client's conditions are answered here:
    /// what can be stored is a whole response. Where nothing is stored anyway, they are the handler's matter.
    fn conditions(&self) -> Option<Conditions> {
        if self.asked.wish.is_head {
            return None;
        }
        match &self.asked.page {
            Some(page) => Some(page.conditions()),
            None => self.asked.joins.then(Conditions::default),
        }
    }

    /// The stale page, if it may be used in place of an error.
    fn in_place_of_error(&self, status: Option<StatusCode>) -> Option<Page> {
        let page = self.asked.page.as_ref()?;
        let wish = &self.asked.wish;
        if !page.freshness.serves_on_error(&wish.directives, self.cache.config.shared_now()) {
            return None;
        }
        self.handoff.note(status);
        Some(page.clone())
    }

    /// Drops the page if a refusal to store what came in its place says that it is no longer so: not an error of
    /// the client's, which another client would not make.
    fn forget_if(&self, refusal: Refusal, status: StatusCode) {
        if refusal.is_for_all() && !status.is_server_error() && !is_about_the_request(status) {
            self.forget();
        }
    }

    /// Drops the page that was to be validated: the handler said something else, which is not stored. What it says
    /// to somebody need not be what it says to all.
    fn forget(&self) {
        if self.asked.page.is_some() && !self.asked.wish.says_who_asks {
            self.drop_page();
        }
    }

    fn drop_page(&self) {
        drop(self.cache.config.cache.invalidate(Scope::key(&self.asked.key)));
    }

    /// The response is on its way to the client, and nobody else's. The next one will not be either.
    fn passed(&self) -> Page {
        self.note_sharing(true);
        self.unshared()
    }

    /// As [`passed`](Self::passed), of a page.
    fn passed_with(&self, page: Page) -> Page {
        self.passed();
        page
    }

    /// The response is on its way to the client, and nobody else's.
    fn unshared(&self) -> Page {
        // Not an error: that a response is not to be stored is no failure of anything.
        larder::context().unshared();
        Page::none()
    }

    fn note_sharing(&self, passed: bool) {
        let (config, wish) = (&self.cache.config, &self.asked.wish);
        if !wish.is_head {
            let passes = &self.cache.state.passes;
            passes.note(&self.asked.key, wish.may_be_personal(), passed, config.shared_now());
        }
    }

    /// Stores a response that came with a body, and hands it over.
    async fn keep_new(
        &self,
        mut parts: Parts,
        body: Bytes,
        copier: Option<Copier<B>>,
        (terms, tags): (Terms, Vec<String>),
    ) -> Page {
        // A handler that says something else about caching would have a validator to its own, and what comes next
        // might guess by that for how long to keep the response.
        let guessed_from =
            terms.freshness.source != Source::Response && parts.headers.contains_key(header::CACHE_CONTROL);
        let own_etag = !parts.headers.contains_key(header::ETAG) && !guessed_from;
        if own_etag {
            parts.headers.insert(header::ETAG, conditional::etag(&parts.headers, &body));
        }
        let copied = fields::copied(&parts.headers);
        let stored = self.stored(parts.status, copied, body.clone(), own_etag, (terms, tags));
        let (page, kept) = self.keep(stored).await;
        page.say_what_was_decided(&mut parts.headers);
        match copier {
            Some(copier) => self.handoff.complete_at_end(copier),
            None => {
                let keepable = kept.then(|| page.keepable(self.cache.config.shared_now()));
                let status = CacheStatus { stored: kept, keepable, ..CacheStatus::default() };
                self.handoff.hand_over(parts, ResponseBody::whole(body), status);
            }
        }
        page
    }

    /// Stores what the handler says still stands, with what it says anew about it (RFC 9111, section 4.3.4).
    async fn validated(
        &self,
        page: &Page,
        mut parts: Parts,
        mut caching: Caching,
        exchange: Exchange,
    ) -> Page {
        if !conditional::is_about(&page.headers, page.own_etag, &parts.headers) {
            return self.mistaken(page);
        }
        date_it(&mut parts.headers, exchange.received);
        let mut headers = page.headers.clone();
        fields::update(&mut headers, &parts.headers);
        if page.freshness.source != Source::Response {
            caching.public |= page.freshness.source == Source::OursForAll;
            caching.ttl = caching.ttl.or(Some(page.freshness.lifetime));
        }
        let newer = self.freshened(page, &headers, caching, exchange).await;
        headers.remove(header::AGE);
        page.say_what_was_decided(&mut headers);
        self.hand_over_validated(page, headers, newer.is_some());
        newer.unwrap_or_else(|| self.passed())
    }

    /// Forgets a page that the handler says still stands, and means another one. Its 304 is all the answer that
    /// there is to this request, whose handler cannot be asked twice; the next one is asked without conditions.
    fn mistaken(&self, page: &Page) -> Page {
        self.drop_page();
        self.hand_over_validated(page, page.headers.clone(), false);
        self.passed()
    }

    fn hand_over_validated(&self, page: &Page, headers: HeaderMap, stored: bool) {
        let forward_status = Some(StatusCode::NOT_MODIFIED);
        let status = CacheStatus { forward_status, stored, ..CacheStatus::default() };
        let mut response = Response::new(()).into_parts().0;
        (response.status, response.headers) = (page.status, headers);
        self.handoff.hand_over(response, ResponseBody::whole(page.body.clone()), status);
    }

    /// Stores a page with newer headers; none if they forbid that, or if it was invalidated in the meantime.
    async fn freshened(
        &self,
        page: &Page,
        headers: &HeaderMap,
        caching: Caching,
        exchange: Exchange,
    ) -> Option<Page> {
        let config = &self.cache.config;
        let mut headers = headers.clone();
        if !config.cookies.stores_set_cookie {
            // The cookie is this client's; what was stored before remains for everybody.
            headers.remove(header::SET_COOKIE);
            headers.remove("set-cookie2");
        }
        let described = (page.status, &headers, &caching);
        let terms = storable::terms(config, &self.asked.wish, described, exchange)
            .inspect_err(|&refusal| self.forget_if(refusal, page.status))
            .ok()?;
        // Read in this computation: all that covered the page covers what is made from it.
        let there = uncounted::find::<Page>(&*config.cache, &self.asked.key).await;
        there.filter(|there| there.number == page.number)?;
        let mut tags = page.tags.clone();
        tags.extend(caching.tags.into_iter().filter(|tag| !page.tags.contains(tag)));
        let stored = self.stored(page.status, headers, page.body.clone(), page.own_etag, (terms, tags));
        let (page, kept) = self.keep(stored).await;
        kept.then_some(page)
    }

    /// RFC 9111, section 4.3.5: a response to `HEAD` freshens what is stored, or shows that it is outdated. What is
    /// said to somebody is not taken for what all would be told.
    async fn learn_from_head(&self, parts: &Parts, caching: Caching, exchange: Exchange) {
        let Some(page) = self.asked.page.as_ref().filter(|_| !self.asked.wish.says_who_asks) else { return };
        if parts.status != StatusCode::OK || page.status != StatusCode::OK {
            return;
        }
        match conditional::said_by_head(&page.headers, page.own_etag, page.body.len(), &parts.headers) {
            SaidByHead::Same => {
                let mut newer = parts.headers.clone();
                date_it(&mut newer, exchange.received);
                let mut headers = page.headers.clone();
                fields::update(&mut headers, &newer);
                self.freshened(page, &headers, caching, exchange).await;
            }
            SaidByHead::Another => self.forget(),
            SaidByHead::Nothing => {}
        }
    }

    fn stored(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        own_etag: bool,
        (terms, tags): (Terms, Vec<String>),
    ) -> Stored {
        let cookies = self.cache.config.cookies.stores_set_cookie;
        fields::strip(&mut headers, &terms.directives, cookies);
        let Terms { freshness, vary, .. } = terms;
        Stored { status, headers, body, vary, freshness, own_etag, number: fastrand::u64(..), tags }
    }

    /// Stores a page, unless it would take more than its part of the memory.
    async fn keep(&self, stored: Stored) -> (Page, bool) {
        let config = &self.cache.config;
        let retention = stored.freshness.retention(config.shared_now(), config.keep_stale);
        let page = Page::new(stored);
        if page.weight().saturating_add(self.asked.key.len()) > config.largest_page() {
            self.forget();
            return (self.passed_with(page), false);
        }
        if self.is_plain() {
            let context = larder::context();
            context.ttl(retention);
            for tag in &page.tags {
                context.tag(tag);
            }
        } else {
            self.replace(&*config.cache, &page, retention).await;
        }
        self.note_sharing(false);
        (page, true)
    }

    /// Puts a page in place of what is there.
    async fn replace(&self, store: &dyn Cache, page: &Page, retention: Duration) {
        let policy = Policy::builder().ttl(retention).tags(page.tags.iter().cloned()).build();
        if let Ok(policy) = policy {
            // The key is neither empty nor too long, so nothing can be wrong with it.
            let _ = store.insert(&self.asked.key, page, policy).await;
        }
    }
}

/// What a stale response may stand in for (RFC 5861, section 4).
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502..=504)
}

/// Whether another request might be told something else: a mistake of this one's, or what it had already.
fn is_about_the_request(status: StatusCode) -> bool {
    status == StatusCode::NOT_MODIFIED
        || (status.is_client_error() && !matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE))
}
