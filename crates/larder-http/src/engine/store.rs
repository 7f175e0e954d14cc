//! Storing the response of a fetch.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, response::Parts};
use larder::{
    CacheExt as _, Policy, Scope,
    internal::{keep_stale, store_read_again, unrecorded},
};

use super::{
    fetch::Fetch,
    lookup::{Lookup, look_up_under, remember},
};
use crate::{
    body::{Copier, HandlerBody, ResponseBody},
    cache_status::CacheStatus,
    freshness::Source,
    headers,
    no_vary_search::UrlVariation,
    storable::{self, StorageTerms},
    stored_response::{StoredParts, StoredResponse},
    validation,
};

/// For how long a response is kept.
#[derive(Clone, Copy)]
struct Kept {
    /// From now on.
    fresh: Duration,
    /// From the moment on at which it is marked stale.
    marked: Duration,
}

/// What the handler has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed {
    /// A response.
    Anew,
    /// That the stored one is still current.
    Unchanged,
}

/// Why a response is not stored that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStored {
    /// For a reason that most probably holds for the next one too.
    Refused,
    /// It was invalidated in the meantime.
    Gone,
}

impl<B: HandlerBody> Fetch<B> {
    /// Stores a new response, and hands it over to its client.
    pub(super) async fn store_new(
        &self,
        mut parts: Parts,
        body: Bytes,
        copier: Option<Copier<B>>,
        (terms, tags): (StorageTerms, Vec<String>),
    ) -> StoredResponse {
        // A response with directives of its handler but without a lifetime declared to all gets no validator: caches
        // further on might derive a lifetime from it.
        let is_declared = match terms.freshness.source {
            Source::Origin => true,
            Source::Own => storable::is_declared_to_all(&parts.headers),
            Source::Configured | Source::ConfiguredPublic => false,
        };
        let has_foreign_directives = !is_declared && parts.headers.contains_key(header::CACHE_CONTROL);
        let generated_etag = !parts.headers.contains_key(header::ETAG) && !has_foreign_directives;
        if generated_etag {
            parts.headers.insert(header::ETAG, validation::etag(&parts.headers, &body));
        }
        let headers = &parts.headers;
        let stored = self.stored_parts(parts.status, headers, body.clone(), generated_etag, (terms, tags));
        let (stored, outcome) = self.store(stored, Observed::Anew).await;
        let is_kept = outcome.is_ok();
        stored.add_no_cache(&mut parts.headers);
        let now = self.cache.config.shared_now();
        let downstream_ttl = if is_kept { self.cache.downstream_ttl(&stored, now) } else { None };
        let status = CacheStatus { stored: is_kept, downstream_ttl, ..CacheStatus::default() };
        match copier {
            Some(copier) => self.handoff.complete(copier, parts, body, status),
            None => self.handoff.hand_over(parts, ResponseBody::whole(body), status),
        }
        stored
    }

    /// What is stored of a response with these headers: they are copied, since they may be views of the buffer in which they
    /// came over a connection.
    pub(super) fn stored_parts(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        generated_etag: bool,
        (terms, tags): (StorageTerms, Vec<String>),
    ) -> StoredParts {
        let mut headers = headers::copied(headers);
        headers::strip(&mut headers, &terms.directives, self.cache.config.stores_set_cookie);
        let StorageTerms { freshness, vary, .. } = terms;
        let (id, took) = (fastrand::u64(..), self.called.get().map(Instant::elapsed));
        StoredParts { status, headers, body, vary, freshness, generated_etag, id, tags, took }
    }

    /// Stores a response, unless it would take more than its share of the memory.
    pub(super) async fn store(
        &self,
        parts: StoredParts,
        observed: Observed,
    ) -> (StoredResponse, Result<(), NotStored>) {
        let config = &self.cache.config;
        let kept = Kept {
            fresh: parts.freshness.retention(config.shared_now(), config.keep_stale),
            marked: parts.freshness.kept_stale(config.keep_stale),
        };
        let stored = StoredResponse::new(parts);
        if stored.weight().saturating_add(self.key.len()) > config.max_response() {
            self.drop_outdated();
            self.pass();
            return (stored, Err(NotStored::Refused));
        }
        if let Some(rule) = self.rule_if_other(&stored.headers) {
            let outcome = self.store_elsewhere(&stored, rule, kept).await;
            return (stored, outcome);
        }
        self.count_variant((self.rule.as_ref(), &self.key));
        if self.is_plain() {
            let context = larder::context();
            context.ttl(kept.fresh);
            keep_stale(kept.marked);
            for tag in &stored.tags {
                context.tag(tag);
            }
        } else if !self.replace(&self.key, &stored, (kept, observed)).await {
            return (stored, Err(NotStored::Gone));
        }
        // Of what is validated each time, those who wait have no use.
        self.mark_hit_for_miss(&self.key, !stored.freshness.is_reusable(config.shared_now()));
        (stored, Ok(()))
    }

    /// The rule of a response with these headers, which URLs it answers too, if that is not the one by which its key was made.
    pub(super) fn rule_if_other(&self, headers: &HeaderMap) -> Option<Option<UrlVariation>> {
        let rule = if self.cache.config.no_vary_search { UrlVariation::of(headers) } else { None };
        (rule != self.rule).then_some(rule)
    }

    /// The key of a response by its own rule; none if there are too many variants. The computation does not depend on what
    /// is stored there: see [`newer`](Self::newer).
    pub(super) async fn key_under(&self, rule: Option<&UrlVariation>) -> Option<String> {
        match unrecorded(look_up_under(&self.cache.config, &self.request, rule.cloned())).await {
            Lookup::Found(key, ..) | Lookup::Absent(key) => Some(key.text),
            Lookup::TooManyVariants => None,
        }
    }

    /// Stores a response whose rule is not the one by which its key was made at the key that it has by its own, and
    /// remembers that rule for the path.
    async fn store_elsewhere(
        &self,
        stored: &StoredResponse,
        rule: Option<UrlVariation>,
        kept: Kept,
    ) -> Result<(), NotStored> {
        let config = &self.cache.config;
        // What was stored is outdated. It would be found before the new one, time and again.
        self.drop_outdated();
        let context = larder::context();
        match &self.rule {
            // Those who wait ask for the very same URL.
            None => context.no_store(),
            Some(_) => context.unshared(),
        };
        let Some(key) = self.key_under(rule.as_ref()).await else { return Err(NotStored::Refused) };
        self.count_variant((rule.as_ref(), &key));
        let is_stored = self.replace(&key, stored, (kept, Observed::Anew)).await;
        if let Some(rule) = rule {
            remember(config, &self.request, &rule).await;
        }
        self.mark_hit_for_miss(&self.key, false);
        self.mark_hit_for_miss(&key, !stored.freshness.is_reusable(config.shared_now()));
        self.handoff.set_moved_to(key);
        if is_stored { Ok(()) } else { Err(NotStored::Gone) }
    }

    /// Drops the oldest variant of the URL if this one is too many.
    fn count_variant(&self, (rule, key): (Option<&UrlVariation>, &str)) {
        let primary_key = self.request.key_under(rule);
        let first = primary_key.variant(&self.request.inputs_under(rule));
        if (self.stored.is_some() && self.key == key) || key == first {
            return;
        }
        let most = self.cache.config.max_variants;
        let Some(variant) = primary_key.digest_of(key) else { return };
        if let Some(oldest) = self.cache.state.variants.add(&first, variant, most) {
            drop(self.cache.config.cache.invalidate(Scope::key(primary_key.variant(&oldest))));
        }
    }

    /// Replaces what is stored, unless something that covers it was invalidated in the meantime: returns whether it did.
    /// What a handler answers is an observation, and no change: what was made from the stored response stays, and so does
    /// what other processes have in memory. Only if the handler gives another response in place of one that is still
    /// fresh, that one is invalidated everywhere.
    async fn replace(&self, key: &str, stored: &StoredResponse, (kept, observed): (Kept, Observed)) -> bool {
        let policy = Policy::builder().ttl(kept.fresh).stale_if_error(kept.marked);
        let Ok(policy) = policy.tags(stored.tags.iter().cloned()).build() else { return false };
        let now = self.cache.config.shared_now();
        let is_changed = |old: &&StoredResponse| old.ttl(now) > 0 && stored.is_other_than(old);
        let is_anew = observed == Observed::Anew && self.key == key;
        let is_news = match self.stored.as_ref().filter(|_| is_anew).filter(is_changed) {
            // Unless another request has replaced it before.
            Some(old) => self.now_stored().await.is_some_and(|found| found.id == old.id),
            None => false,
        };
        store_read_again(&*self.cache.config.cache, key, stored, (&policy, is_news)).await
    }
}
