//! What may be stored, by what the origin has answered.

use super::Judge;
use crate::exchanges::{
    asked::Ask,
    model::{Lifetime, Own, Version, is_failure},
    origin::{Made, path_of},
};

impl Judge {
    /// Learns what the origin has answered since.
    pub(crate) fn learn(&mut self) {
        let known = self.made.len();
        self.made.extend_from_slice(&self.origin.lock().unwrap().made[known..]);
        for last in known..self.made.len() {
            let made = &self.made[last];
            let (head, received) = (made.head.clone(), made.at);
            let version =
                Version { body: last, last, head, received, kept: None, marked: None, retired: None };
            match made.validates {
                _ if made.method == "HEAD" => self.learn_from_head(last),
                Some(body) => {
                    // By `No-Vary-Search`, a response may be stored for several URLs, each with updates of its own.
                    let is_unsure = self.at_once
                        || !self.is_exact
                        || self.rules.no_vary_search
                        || self.conditional.contains(&made.request);
                    self.update(body, last, is_unsure);
                }
                None => drop(self.versions.insert(last, vec![version])),
            }
        }
    }

    /// A 304: the stored response has its headers from now on, unless the 304 was for the client only.
    fn update(&mut self, body: usize, last: usize, is_unsure: bool) {
        let made = &self.made[last];
        let Some(versions) = self.versions.get_mut(&body) else { return };
        let mut newer = Vec::new();
        for version in versions.iter_mut().filter(|version| version.retired.is_none()) {
            let head = version.head.updated(&made.head);
            // A private cache makes a heuristic lifetime anew, from the dates that count now.
            let is_kept = |lifetime: &Lifetime| !lifetime.is_declared && self.rules.client.is_none();
            let kept = version.lifetime(&self.rules).filter(is_kept);
            let kept = kept.map(|lifetime| lifetime.seconds);
            let updated = Version { kept, last, head, received: made.at, marked: None, ..version.clone() };
            let is_for_client = matches!(
                updated.refusal(&self.rules, &self.made),
                Some("authorization" | "cookie" | "set-cookie" | "personal")
            );
            // Those who identify themselves show nothing for others.
            let is_unsure =
                is_unsure || made.seen.contains_key("authorization") || made.seen.contains_key("cookie");
            if !is_unsure && !is_for_client {
                version.retired = Some(last);
            }
            newer.push(updated);
        }
        versions.extend(newer);
    }

    /// Section 4.3.5: it may update what it has the validators of.
    fn learn_from_head(&mut self, last: usize) {
        let made = &self.made[last];
        let Some(etag) = made.head.etag.clone().filter(|_| made.status == 200) else { return };
        let uri = made.uri.clone();
        let bodies: Vec<_> = self.versions.keys().copied().collect();
        for body in bodies {
            if path_of(&self.made[body].uri) == path_of(&uri)
                && self.made[body].head.etag.as_ref() == Some(&etag)
            {
                self.update(body, last, true);
            }
        }
    }

    /// The versions of a response that this request may have.
    pub(super) fn accepted(&self, n: usize, ask: &Ask, own: &[usize]) -> Result<Vec<Version>, String> {
        let made = &self.made[n];
        if path_of(&made.uri) != path_of(ask.uri) {
            return Err("another URL's".into());
        }
        if self.dead.contains(&n) {
            return Err("invalidated".into());
        }
        let own = Own {
            validated: own.iter().any(|own| self.made[*own].validates == Some(n)),
            failed: self.failed(ask, own),
        };
        let (mut accepted, mut objections, seen) = (Vec::new(), Vec::new(), ask.seen());
        let candidates = self.versions[&n].iter();
        for version in candidates.filter(|version| version.retired.is_none_or(|at| at >= self.before)) {
            let objection = match version.refusal(&self.rules, &self.made) {
                Some(refusal) => Some(refusal.to_owned()),
                None if self.is_not_to_be_stored(made) => Some("its request went past the cache".into()),
                None if !own.validated && !version.answers(&self.rules, &self.made, ask.uri) => {
                    Some("another URL's".into())
                }
                None if !version.selects(&self.rules, &self.made, &seen) => Some("not selected".into()),
                None => {
                    let (now, turns) = (self.now(), self.turns_clocks);
                    let marked = version.marked.map(|at| if turns { at } else { now });
                    let version = Version { marked, ..version.clone() };
                    version.objection(&self.rules, (&ask.demands, own), now)
                }
            };
            match objection {
                None => accepted.push(version.clone()),
                Some(objection) => {
                    objections.push(format!("{} by {}: {objection}", version.body, version.last))
                }
            }
        }
        if accepted.is_empty() { Err(objections.join("; ")) } else { Ok(accepted) }
    }

    /// Whether the handler failed to answer a request, or one that others waited for.
    fn failed(&self, ask: &Ask, own: &[usize]) -> bool {
        let others = self.made[self.before..].iter().filter(|made| self.at_once && made.uri == ask.uri);
        // A cache behind another one gets the failure itself that the origin has found current.
        let found_current = |made: &Made| made.validates.filter(|_| !self.is_exact).map(|n| &self.made[n]);
        // What a server breaks off may not even begin to arrive.
        let is_lost = |made: &Made| !made.is_whole && !self.is_exact;
        own.iter()
            .map(|own| &self.made[*own])
            .chain(others)
            .any(|made| is_failure(made) || found_current(made).is_some_and(is_failure) || is_lost(made))
    }

    fn is_not_to_be_stored(&self, made: &Made) -> bool {
        let said = made.seen.get("cache-control").map(|line| line.to_ascii_lowercase());
        !self.rules.ignores_requests
            && (said.is_some_and(|said| said.contains("no-store")) || made.has_condition_of_origin())
    }
}
