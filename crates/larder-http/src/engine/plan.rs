//! How a request is dealt with.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, Uri, header, request::Parts};

use crate::{
    additions,
    conditional::FOR_THE_HANDLER,
    config::HttpCache,
    date::Millis,
    directives::RequestDirectives,
    fields,
    freshness::Source,
    key::{Hash, Target},
    page::Page,
    status::Forward,
    vary::Vary,
};

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
    /// The fields in which it may say so: all that are neither known to be harmless nor in the key.
    pub(crate) unknown: Vec<HeaderName>,
    path: String,
    pub(super) is_head: bool,
    /// Whether nothing is to be made from it: it has a body.
    pub(super) is_lookup: bool,
    /// Whether it is asked for by itself, and not with others.
    pub(super) is_alone: bool,
    /// Headers that the handler does not see.
    pub(super) without: Vec<HeaderName>,
    pub(super) received: Millis,
}

impl Wish {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it can use a response at all, fresh or not: it has to be for such a request, and one whose
    /// handler did not say that it is for everybody is not for a request that may say who asks.
    pub(super) fn is_answered_by(&self, page: &Page) -> bool {
        page.vary.matches(&self.headers) && !self.is_personal(page.freshness.source, &page.vary)
    }

    /// Whether a response to it may be for its sender only. One whose handler says nothing may be, if there is a
    /// header that may say who asks and that did not choose the response by `Vary`.
    pub(crate) fn is_personal(&self, source: Source, vary: &Vary) -> bool {
        match source {
            Source::Response => false,
            Source::OursForAll => self.has_authorization || self.has_cookie,
            Source::Ours => {
                let chose = |name: &HeaderName| vary.names(name);
                self.has_authorization || self.has_cookie || !self.unknown.iter().all(chose)
            }
        }
    }

    /// Whether what a handler says to it may be meant for its sender only.
    pub(super) fn may_be_personal(&self) -> bool {
        self.says_who_asks || !self.unknown.is_empty()
    }
}

/// How a request is dealt with.
pub(crate) enum Plan {
    /// The handler answers; it may change what is stored for this URI.
    Pass(Forward, Option<Box<(Target, Uri)>>),
    /// A stored response may answer.
    Look(Arc<Wish>),
}

impl HttpCache {
    /// Decides how a request is dealt with. Its URI is what the client asked for; `routed` is what a router or a
    /// middleware made of it. Takes its headers if a stored response may answer: most often, nothing else needs them.
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
        let directives = RequestDirectives::of(&request.headers);
        if config.honors_requests
            && let Some(why) = passes_by(&request.headers, &directives, has_body)
        {
            return Plan::Pass(why, None);
        }
        if config.skips(request) {
            return Plan::Pass(Forward::Bypass, None);
        }
        let without = if config.honors_requests { Vec::new() } else { config.without(&request.headers) };
        for name in &without {
            request.headers.remove(name);
        }
        let headers = &request.headers;
        let own = config.additions(request);
        let mut unknown = config.unknown_headers(headers);
        let in_key = config.key_headers(headers, &unknown, &own);
        unknown.retain(|name| !in_key.contains(name));
        let additions = additions::digest(request, routed, (&own, &in_key), config.ignores_scheme);
        let has_authorization = headers.contains_key(header::AUTHORIZATION);
        let has_cookie = headers.contains_key(header::COOKIE) && !config.cookies.ignores_cookie;
        Plan::Look(Arc::new(Wish {
            target,
            additions,
            directives: if config.honors_requests { directives } else { RequestDirectives::default() },
            has_authorization,
            has_cookie,
            says_who_asks: has_authorization || has_cookie || fields::identifies(headers),
            unknown,
            path: request.uri.path().to_owned(),
            is_head: request.method == Method::HEAD,
            is_lookup: has_body,
            is_alone: request.method == Method::HEAD || headers.contains_key(header::UPGRADE),
            without,
            received: config.now(),
            headers: std::mem::take(&mut request.headers),
        }))
    }
}

/// Why a request is none that a stored response may answer, nor one to be made from.
fn passes_by(headers: &HeaderMap, directives: &RequestDirectives, has_body: bool) -> Option<Forward> {
    if headers.contains_key(header::RANGE) {
        return Some(Forward::Partial);
    }
    // What a body says is not in the key: neither is the answer to it stored, nor given another's.
    let passes = has_body
        || directives.no_store
        || FOR_THE_HANDLER.iter().any(|name| headers.contains_key(name))
        || headers.contains_key(header::UPGRADE);
    passes.then_some(Forward::Bypass)
}
