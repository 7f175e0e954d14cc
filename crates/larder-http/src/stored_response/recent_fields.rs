//! The headers that are made for each answer with a stored response: within a second, they are the same for all requests.

use std::sync::{Arc, Mutex};

use http::HeaderValue;

use crate::{cache_status::CacheStatus, headers};

/// The headers that are made for an answer.
#[derive(Debug, Clone)]
pub(crate) struct AnswerFields {
    pub(crate) age: HeaderValue,
    /// None if the cache's name makes no valid value.
    pub(crate) cache_status: Option<HeaderValue>,
}

/// The fields of the last answer, if it was not the only one with them.
#[derive(Debug, Default)]
pub(crate) struct RecentFields(Mutex<Option<Recent>>);

#[derive(Debug)]
struct Recent {
    made_from: MadeFrom,
    /// Kept from the second answer on: most responses have only one in a second.
    fields: Option<AnswerFields>,
}

/// All that the fields depend on.
#[derive(Debug)]
struct MadeFrom {
    age: i64,
    status: CacheStatus,
    /// The cache's name.
    name: Arc<str>,
}

impl RecentFields {
    /// The fields of an answer of this `age`, in seconds, by the cache of this name.
    pub(crate) fn get_or_make(&self, age: i64, status: CacheStatus, name: &Arc<str>) -> AnswerFields {
        let make = || AnswerFields { age: headers::number(age), cache_status: status.value(name) };
        // While another thread looks at them, they are made anew: a hit waits for nothing.
        let Ok(mut recent) = self.0.try_lock() else { return make() };
        if let Some(recent) = &mut *recent
            && recent.made_from.age == age
            && recent.made_from.status == status
            && Arc::ptr_eq(&recent.made_from.name, name)
        {
            return recent.fields.get_or_insert_with(make).clone();
        }
        let made_from = MadeFrom { age, status, name: name.clone() };
        *recent = Some(Recent { made_from, fields: None });
        make()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each differs in one thing from the answers before it, whose fields are kept.
    #[test]
    fn fields_are_those_of_their_answer() {
        let recent = RecentFields::default();
        let names: [Arc<str>; 2] = ["one".into(), "other".into()];
        let [hit, older] = [2, 1].map(CacheStatus::hit);
        for (age, status, name, written) in [
            (0, hit, &names[0], "one; hit; ttl=2"),
            (1, hit, &names[0], "one; hit; ttl=2"),
            (1, older, &names[0], "one; hit; ttl=1"),
            (1, older, &names[1], "other; hit; ttl=1"),
            (1, CacheStatus { collapsed: true, ..older }, &names[1], "other; hit; ttl=1; collapsed"),
        ] {
            for _ in 0..3 {
                let fields = recent.get_or_make(age, status, name);
                assert_eq!(fields.age, age.to_string());
                assert_eq!(fields.cache_status.unwrap(), written);
            }
        }
    }

    #[test]
    fn only_fields_of_several_answers_are_kept() {
        let (recent, name) = (RecentFields::default(), "larder".into());
        let is_kept = || recent.0.try_lock().unwrap().as_ref().is_some_and(|recent| recent.fields.is_some());
        for (age, kept) in [(1, false), (2, false), (2, true), (2, true), (3, false)] {
            recent.get_or_make(age, CacheStatus::hit(10 - age), &name);
            assert_eq!(is_kept(), kept, "{age}");
        }
        // Nothing waits for the one who looks at them.
        let looking = recent.0.lock().unwrap();
        assert_eq!(recent.get_or_make(4, CacheStatus::hit(6), &name).age, "4");
        drop(looking);
    }
}
