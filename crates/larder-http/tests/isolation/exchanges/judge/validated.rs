//! What is answered after a validation, of what is stored or of what the client has.

use super::Judge;
use crate::exchanges::{
    asked::{Answer, Ask},
    model::Version,
};

impl Judge {
    /// An answer with a stored response that the origin has just found current, for this very request: its headers are
    /// those of the 304 where that has any.
    pub(super) fn judge_updated(&self, n: usize, answer: &Answer, own: &[usize]) -> Result<(), String> {
        let is_updated = |version: &&Version| own.contains(&version.last) && version.last != n;
        let updated: Vec<_> = self.versions[&n].iter().filter(is_updated).collect();
        let told = answer.number("x-user");
        let may_tell = |version: &&Version| {
            told.is_none_or(|told| {
                own.contains(&told)
                    || (version.head.x_user == Some(told) && !version.head.withholds_x_user(&self.rules))
            })
        };
        if !updated.is_empty() && !updated.iter().any(may_tell) {
            return Err(format!("x-user {told:?}, in spite of the 304"));
        }
        // What is stored may have been another response by then, or several.
        let [version] = updated[..] else { return Ok(()) };
        let stated = version.head.age.map(|(text, _)| text.to_owned());
        match answer.text("age") {
            age if age == stated => Ok(()),
            age => Err(format!("age {age:?}, not that of the 304, {stated:?}")),
        }
    }

    pub(super) fn judge_not_modified(
        &mut self,
        ask: &Ask,
        answer: &Answer,
        own: &[usize],
    ) -> Result<(), String> {
        let (condition, since) = (ask.header("if-none-match"), ask.header("if-modified-since"));
        if condition.is_none() && since.is_none() {
            return Err("304 without a condition".into());
        }
        if answer.body.as_ref().is_none_or(|body| !body.is_empty()) {
            return Err("304 with a body".into());
        }
        let is_updated = ask.method == "GET" && answer.cache_status().contains("fwd=stale");
        if own.iter().any(|own| self.made[*own].status == 304) && !is_updated {
            return Ok(());
        }
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let tag = answer.text("etag").map(|tag| opaque(&tag));
        if let Some(condition) = condition {
            let mut tags = condition.split(", ").map(opaque);
            if !tags.any(|known| known == "*" || Some(&known) == tag.as_ref()) {
                return Err("no tag matches".into());
            }
        }
        let made_here = tag.as_ref().and_then(|tag| self.generated.get(tag)).copied();
        let told = || tag?.strip_prefix("\"e")?.trim_end_matches('"').parse().ok();
        let Some(n) = made_here.or_else(told) else { return Ok(()) };
        self.count("not modified");
        if own.contains(&n) || made_here.is_some() || self.made[n].method == "HEAD" {
            return Ok(());
        }
        if own.iter().any(|own| self.made[*own].method == "HEAD") {
            return Ok(());
        }
        self.accepted(n, ask, own).map(drop)
    }
}
