//! Which way a request goes: past the cache, or through it.

use std::sync::Arc;

use http::{Method, Uri, header, request::Parts, uri::PathAndQuery};

use crate::{
    cache_control::RequestDirectives,
    cache_status::Forward,
    cacheable_request::CacheableRequest,
    headers,
    http_cache::HttpCache,
    key::PrimaryKey,
    purge::Purge,
    range::RangeHeader,
    request_headers, unkeyed_inputs,
    validation::{ORIGIN_CONDITIONS, RANGE_HEADERS},
};

/// Which way a request goes.
pub(crate) enum Plan {
    /// To the handler. With an unsafe method it invalidates what is stored for its URL.
    Pass(Forward, Option<Box<(PrimaryKey, Uri)>>),
    /// To the cache.
    LookUp(Arc<CacheableRequest>),
    /// Nowhere: it asks to drop what is stored. None if it may not.
    Purge(Option<Vec<Purge>>),
}

impl HttpCache {
    /// Plans a request whose URI is that which the client sent; `routed` is the URI that a router or a middleware made of
    /// it. Takes its headers if the request goes to the cache: most often, nothing else needs them then.
    pub(crate) fn plan(&self, request: &mut Parts, routed: &Uri, has_body: bool) -> Plan {
        let config = &*self.config;
        let primary_key = PrimaryKey::of(request, config.sort_query);
        match request.method {
            Method::GET | Method::HEAD => {}
            _ if request.method.as_str() == "PURGE" && config.may_purge.is_some() => {
                let is_allowed = config.may_purge.as_ref().is_some_and(|may_purge| may_purge(request));
                return Plan::Purge(is_allowed.then(|| purges_of(request, &primary_key)));
            }
            Method::OPTIONS | Method::TRACE => return Plan::Pass(Forward::Method, None),
            _ => {
                return Plan::Pass(Forward::Method, Some(Box::new((primary_key, request.uri.clone()))));
            }
        }
        let directives = RequestDirectives::of(&request.headers);
        if config.honors_requests
            && let Some(why) = reason_to_pass(request, &directives, has_body)
        {
            return Plan::Pass(why, None);
        }
        if config.skips(request) {
            return Plan::Pass(Forward::Bypass, None);
        }
        Plan::LookUp(Arc::new(self.cacheable(request, primary_key, directives, (routed, has_body))))
    }

    fn cacheable(
        &self,
        request: &mut Parts,
        primary_key: PrimaryKey,
        directives: RequestDirectives,
        (routed, has_body): (&Uri, bool),
    ) -> CacheableRequest {
        let config = &*self.config;
        let mut removed_headers =
            if config.honors_requests { Vec::new() } else { config.removed_headers(&request.headers) };
        for name in &removed_headers {
            request.headers.remove(name);
        }
        // A `HEAD` has no ranges (RFC 9110, section 14.2).
        let ranges = match RangeHeader::of(&request.headers) {
            Some(RangeHeader::Bytes(ranges)) if request.method == Method::GET => Some(ranges),
            _ => None,
        };
        // The handler makes the whole.
        let of_ranges = RANGE_HEADERS.iter().filter(|name| request.headers.contains_key(*name));
        removed_headers.extend(of_ranges.cloned());
        let headers = &request.headers;
        let key_parts = config.key_parts(request);
        let mut possibly_identifying = config.possibly_identifying(headers);
        let in_key = config.key_headers(headers, &possibly_identifying, &key_parts);
        possibly_identifying.retain(|name| !in_key.contains(name));
        let unkeyed_inputs =
            unkeyed_inputs::digest(request, routed, (&key_parts, &in_key), config.ignores_scheme);
        let has_authorization = headers.contains_key(header::AUTHORIZATION);
        let has_cookie = headers.contains_key(header::COOKIE) && !config.ignores_cookie;
        let is_head = request.method == Method::HEAD;
        CacheableRequest {
            path: request.uri.path().to_owned(),
            primary_key,
            unkeyed_inputs,
            directives: if config.honors_requests { directives } else { RequestDirectives::default() },
            has_authorization,
            has_cookie,
            identifies_client: has_authorization || has_cookie || request_headers::identify_client(headers),
            possibly_identifying,
            is_head,
            ranges,
            is_lookup_only: has_body,
            is_uncoalesced: is_head || headers.contains_key(header::UPGRADE),
            removed_headers,
            received: config.now(),
            selecting: config.selecting.clone(),
            headers: std::mem::take(&mut request.headers),
        }
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

/// Why a request is passed to the handler, and its response is not stored.
fn reason_to_pass(request: &Parts, directives: &RequestDirectives, has_body: bool) -> Option<Forward> {
    let headers = &request.headers;
    if request.method == Method::GET && RangeHeader::of(headers) == Some(RangeHeader::OtherUnit) {
        return Some(Forward::Partial);
    }
    // A body is not part of the key: its response is not stored, nor is it answered by a stored one.
    let passes = has_body
        || directives.no_store
        || ORIGIN_CONDITIONS.iter().any(|name| headers.contains_key(name))
        || headers.contains_key(header::UPGRADE);
    passes.then_some(Forward::Bypass)
}
