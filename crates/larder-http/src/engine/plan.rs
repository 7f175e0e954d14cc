//! Which way a request goes: past the cache, or through it.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use http::{HeaderName, Method, Response, StatusCode, Uri, request::Parts, uri::PathAndQuery};

use crate::{
    body::{HandlerBody, ResponseBody},
    cache_control::RequestDirectives,
    cache_status::Forward,
    cacheable_request::CacheableRequest,
    config::Config,
    digest::Digest,
    header_kinds::HeaderKinds,
    headers,
    http_cache::HttpCache,
    key::{self, PrimaryKey, RequestHost},
    purge::Purge,
    range::{ByteRanges, RangeHeader},
    unkeyed_inputs::Inputs,
    validation::RANGE_HEADERS,
};

/// Other safe methods (<https://www.iana.org/assignments/http-methods>), whose responses are not stored.
const SAFE_METHODS: [&str; 4] = ["PROPFIND", "QUERY", "REPORT", "SEARCH"];

/// What becomes of what is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    Dropped,
    MarkedStale,
}

/// Which way a request goes that is not answered from memory.
pub(crate) enum Plan {
    /// To the handler. With an unsafe method it invalidates what is stored for its URL; otherwise its response may be for its
    /// client only.
    Pass(Forward, PassedOn),
    /// To the cache.
    LookUp(Arc<CacheableRequest>),
    /// Nowhere: it asks to drop what is stored, or to mark it stale. None if it may not.
    Purge(Option<(Strength, Vec<Purge>)>),
}

/// What a request is that goes past the cache.
pub(crate) enum PassedOn {
    /// Unsafe: a change of what is stored for this URL.
    Change(Box<(PrimaryKey, Uri)>),
    /// Whether another cache may take its response for one to all clients, although it may be for this client only.
    Reads { is_personal: bool },
}

impl HttpCache {
    /// Answers a request from memory, or plans it. Its URI is that which the client sent; `routed` is the URI that a router
    /// or a middleware made of it, if that may be another one; `is_secure` tells of a URI without a scheme whether the
    /// request came over TLS; `begins_body` tells whether there is a body that no header announces. Takes the headers if
    /// the request goes to the cache: most often, nothing else needs them then.
    pub(crate) fn answer_or_plan<B: HandlerBody>(
        &self,
        request: &mut Parts,
        (routed, is_secure): (Option<&Uri>, bool),
        begins_body: impl FnOnce() -> bool,
    ) -> ControlFlow<Response<ResponseBody<B>>, Plan> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return ControlFlow::Continue(self.plan_for_other_method(request));
        }
        let config = &*self.config;
        let kinds = HeaderKinds::of(&request.headers);
        let is_announced = kinds.has(HeaderKinds::OF_A_BODY) && headers::announces_body(&request.headers);
        let has_body = is_announced || begins_body();
        let directives = match kinds.has(HeaderKinds::CACHE_CONTROL) {
            true => RequestDirectives::of(&request.headers),
            false => RequestDirectives::default(),
        };
        if config.honors_requests
            && let Some(why) = reason_to_pass(request, kinds, &directives, has_body)
        {
            if directives.only_if_cached {
                return ControlFlow::Break(self.generated(StatusCode::GATEWAY_TIMEOUT, "only-if-cached"));
            }
            return ControlFlow::Continue(self.passed(why, request, kinds));
        }
        if config.skips(request) {
            return ControlFlow::Continue(self.passed(Forward::Bypass, request, kinds));
        }
        let cacheable = self.cacheable(request, kinds, directives, (routed, is_secure, has_body));
        match self.answer_from_memory(&cacheable) {
            Some(response) => ControlFlow::Break(response),
            // For those who go on with it: the handler's call and its task.
            None => {
                let path = request.uri.path().to_owned();
                ControlFlow::Continue(Plan::LookUp(Arc::new(CacheableRequest { path, ..cacheable })))
            }
        }
    }

    /// Plans a request with a method whose responses are not stored.
    fn plan_for_other_method(&self, request: &mut Parts) -> Plan {
        let config = &*self.config;
        let primary_key =
            |request: &Parts| PrimaryKey::of(&request.uri, &RequestHost::of(request), config.sort_query);
        match request.method {
            _ if request.method.as_str() == "PURGE" && config.may_purge.is_some() => {
                let is_allowed = config.may_purge.as_ref().is_some_and(|may_purge| may_purge(request));
                let key = primary_key(request);
                Plan::Purge(is_allowed.then(|| (strength_of(request), purges_of(request, &key))))
            }
            // A tunnel changes nothing by being opened: so do WebSockets of HTTP/2 begin.
            Method::OPTIONS | Method::TRACE | Method::CONNECT => {
                Plan::Pass(Forward::Method, PassedOn::Reads { is_personal: false })
            }
            _ if SAFE_METHODS.contains(&request.method.as_str()) => {
                self.passed(Forward::Method, request, HeaderKinds::of(&request.headers))
            }
            _ => {
                let target = (primary_key(request), request.uri.clone());
                Plan::Pass(Forward::Method, PassedOn::Change(Box::new(target)))
            }
        }
    }

    /// Passes a request with a safe method on.
    fn passed(&self, why: Forward, request: &Parts, kinds: HeaderKinds) -> Plan {
        let config = &self.config;
        let is_personal = !config.is_private
            && kinds.has(HeaderKinds::POSSIBLY_IDENTIFYING)
            && !config.possibly_identifying(&request.headers).is_empty();
        Plan::Pass(why, PassedOn::Reads { is_personal })
    }

    fn cacheable(
        &self,
        request: &mut Parts,
        mut kinds: HeaderKinds,
        directives: RequestDirectives,
        (routed, is_secure, has_body): (Option<&Uri>, bool, bool),
    ) -> CacheableRequest {
        let config = &*self.config;
        let mut removed_headers = Vec::new();
        if !config.honors_requests {
            removed_headers = config.removed_headers(&request.headers);
            for name in &removed_headers {
                request.headers.remove(name);
            }
            kinds = HeaderKinds::of(&request.headers);
        }
        let ranges = ranges_of(request, kinds, &mut removed_headers);
        let Identity { key_parts, in_key, possibly_identifying } = identity_of(config, request, kinds);
        let is_unidentified = config.is_unidentified(&request.headers, &in_key);
        let host = RequestHost::of(request);
        let client = config.is_private.then_some(config.identity.as_deref());
        let is_encoded = key::is_encoded(&request.uri);
        let inputs =
            Inputs { client, own: &key_parts, headers: &in_key, routed, is_secure, host: &host, is_encoded };
        let (unkeyed_inputs, inputs_as_spelled) = digests_of(config, request, kinds, &inputs);
        // In a private cache, what identifies the client is in the key.
        let may_identify = |kinds_of_client| !config.is_private && kinds.has(kinds_of_client);
        let has_authorization = may_identify(HeaderKinds::AUTHORIZATION);
        let has_cookie = may_identify(HeaderKinds::COOKIE) && !config.ignores_cookie;
        let is_head = request.method == Method::HEAD;
        let received = config.now();
        CacheableRequest {
            path: String::new(),
            query: request.uri.query().filter(|_| config.no_vary_search).map(str::to_owned),
            primary_key: PrimaryKey::of(&request.uri, &host, config.sort_query),
            unkeyed_inputs,
            inputs_as_spelled,
            directives: if config.honors_requests { directives } else { RequestDirectives::default() },
            has_authorization,
            has_cookie,
            identifies_client: has_authorization || has_cookie || may_identify(HeaderKinds::IDENTIFYING),
            possibly_identifying,
            is_unidentified,
            is_head,
            is_conditional: kinds.has(HeaderKinds::CACHE_CONDITION),
            ranges,
            is_lookup_only: has_body,
            is_uncoalesced: is_head || kinds.has(HeaderKinds::UPGRADE),
            removed_headers,
            received,
            selecting: config.selecting.clone(),
            headers: std::mem::take(&mut request.headers),
        }
    }
}

/// The part of a response that a request asks for. The handler makes the whole: it does not see the headers for that.
#[inline]
fn ranges_of(request: &Parts, kinds: HeaderKinds, removed: &mut Vec<HeaderName>) -> Option<ByteRanges> {
    if !kinds.has(HeaderKinds::OF_RANGES) {
        return None;
    }
    let headers = &request.headers;
    removed.extend(RANGE_HEADERS.iter().filter(|name| headers.contains_key(*name)).cloned());
    // A `HEAD` has no ranges (RFC 9110, section 14.2).
    match RangeHeader::of(headers) {
        Some(RangeHeader::Bytes(ranges)) if request.method == Method::GET => Some(ranges),
        _ => None,
    }
}

/// What may tell for which client a request is.
#[derive(Default)]
struct Identity {
    /// The parts that are added to the key.
    key_parts: Vec<String>,
    /// The headers that are in the key.
    in_key: Vec<HeaderName>,
    /// Those that may identify the client and are not in the key.
    possibly_identifying: Vec<HeaderName>,
}

#[inline]
fn identity_of(config: &Config, request: &Parts, kinds: HeaderKinds) -> Identity {
    // So most requests are.
    if !kinds.has(HeaderKinds::POSSIBLY_IDENTIFYING) && !config.adds_to_keys() {
        return Identity::default();
    }
    let headers = &request.headers;
    let key_parts = config.key_parts(request);
    let mut possibly_identifying = match kinds.has(HeaderKinds::POSSIBLY_IDENTIFYING) {
        true => config.possibly_identifying(headers),
        false => Vec::new(),
    };
    let in_key = config.key_headers(headers, &possibly_identifying, &key_parts);
    if !in_key.is_empty() && !possibly_identifying.is_empty() {
        // Both have as many as the client likes.
        let known: HashSet<_> = in_key.iter().collect();
        possibly_identifying.retain(|name| !known.contains(name));
    }
    Identity { key_parts, in_key, possibly_identifying }
}

/// The digest of what is in the key beside the URL, and the same with the spelling of the query, if that is not in its normal
/// form.
#[inline]
fn digests_of(config: &Config, request: &Parts, kinds: HeaderKinds, inputs: &Inputs<'_>) -> (Digest, Digest) {
    let unkeyed = inputs.digest(request, kinds, config.ignores_scheme);
    let other_spelling = || key::other_spelling(request.uri.query(), config.sort_query);
    match inputs.is_encoded.then(other_spelling).flatten() {
        Some(query) => (unkeyed, Digest::of(&[unkeyed.bytes(), query.as_bytes()])),
        None => (unkeyed, unkeyed),
    }
}

/// What a request with the method `PURGE` is for: the tags that it names, or else its URL.
fn purges_of(request: &mut Parts, key: &PrimaryKey) -> Vec<Purge> {
    let names_tags = headers::TAG_HEADERS.iter().any(|name| request.headers.contains_key(*name));
    let tags = headers::take_tags(&mut request.headers);
    if names_tags {
        return tags.into_iter().map(Purge::Tag).collect();
    }
    let path = request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    vec![Purge::url(key.host(), path)]
}

/// What such a request asks for, in the words of a CDN.
fn strength_of(request: &Parts) -> Strength {
    match request.headers.get("fastly-soft-purge") {
        Some(soft) if soft == "1" => Strength::MarkedStale,
        _ => Strength::Dropped,
    }
}

/// Why a request is passed to the handler, and its response is not stored.
fn reason_to_pass(
    request: &Parts,
    kinds: HeaderKinds,
    directives: &RequestDirectives,
    has_body: bool,
) -> Option<Forward> {
    if request.method == Method::GET
        && kinds.has(HeaderKinds::OF_RANGES)
        && RangeHeader::of(&request.headers) == Some(RangeHeader::OtherUnit)
    {
        return Some(Forward::Partial);
    }
    // A body is not part of the key: its response is not stored, nor is it answered by a stored one.
    let passes =
        has_body || directives.no_store || kinds.has(HeaderKinds::ORIGIN_CONDITION.and(HeaderKinds::UPGRADE));
    passes.then_some(Forward::Bypass)
}
