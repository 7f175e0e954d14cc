//! The headers of the last answer with a stored response: within a second, they are the same for all requests.

use std::sync::{Arc, RwLock};

use http::{HeaderMap, HeaderValue};

use crate::{
    cache_status::{self, CacheStatus},
    headers,
    targeted::OWN_FIELD,
};

/// Headers as hits copy them, once there was one.
#[derive(Debug, Default)]
pub(super) struct RecentHead(RwLock<Option<Recent>>);

#[derive(Debug)]
struct Recent {
    made_from: HeadInputs,
    headers: HeaderMap,
}

/// All that the headers of an answer depend on, besides the stored ones.
#[derive(Debug)]
pub(crate) struct HeadInputs<Name = Arc<str>> {
    /// In seconds.
    pub(crate) age: i64,
    pub(crate) status: CacheStatus,
    /// That of the cache that answers.
    pub(crate) name: Name,
    /// Whether that cache has a field of its own, which others do not get.
    pub(crate) has_own_field: bool,
}

impl RecentHead {
    /// The headers of an answer with a response whose headers are `stored`.
    pub(super) fn get_or_make(&self, inputs: &HeadInputs<&Arc<str>>, stored: &HeaderMap) -> HeaderMap {
        if let Ok(recent) = self.0.try_read()
            && let Some(recent) = &*recent
            && inputs.is_like(&recent.made_from)
        {
            return recent.headers.clone();
        }
        // While other threads look at them, they are made anew: a hit waits for nothing.
        match self.0.try_write() {
            Ok(mut recent) => Recent::renewed(&mut recent, inputs, stored).headers.clone(),
            Err(_) => inputs.headers(stored),
        }
    }
}

impl Recent {
    /// With what is made for each answer in the place of what was made for the one before.
    fn renewed<'a>(
        recent: &'a mut Option<Self>,
        inputs: &HeadInputs<&Arc<str>>,
        stored: &HeaderMap,
    ) -> &'a Self {
        let &HeadInputs { age, status, name, has_own_field } = inputs;
        let made_from = HeadInputs { age, status, name: name.clone(), has_own_field };
        let mut headers = match recent.take() {
            Some(recent) if recent.made_from.has_own_field == has_own_field => recent.headers,
            _ => inputs.places(stored),
        };
        inputs.write(&mut headers);
        recent.insert(Self { made_from, headers })
    }
}

impl HeadInputs<&Arc<str>> {
    fn is_like(&self, other: &HeadInputs) -> bool {
        self.age == other.age
            && self.status == other.status
            && self.has_own_field == other.has_own_field
            && Arc::ptr_eq(self.name, &other.name)
    }

    fn headers(&self, stored: &HeaderMap) -> HeaderMap {
        let mut headers = self.places(stored);
        self.write(&mut headers);
        headers
    }

    /// The stored headers, and places for the others.
    fn places(&self, stored: &HeaderMap) -> HeaderMap {
        headers::with_places(stored, self.has_own_field.then_some(&OWN_FIELD))
    }

    /// Puts `Age` and `Cache-Status` into the places that are there for them.
    fn write(&self, headers: &mut HeaderMap) {
        headers::put_age(headers, headers::number(self.age));
        let member = self.status.value(self.name);
        cache_status::put(member.unwrap_or(HeaderValue::from_static("")), headers);
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn stored(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields =
            fields.iter().map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        fields.collect()
    }

    fn lines(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    /// Each differs in one thing from the answers before it, whose headers are kept.
    #[test]
    fn headers_are_those_of_their_answer() {
        let names: [Arc<str>; 2] = ["one".into(), "other".into()];
        let [hit, older] = [2, 1].map(CacheStatus::hit);
        let collapsed = CacheStatus { collapsed: true, ..older };
        let answers = [
            (0, hit, &names[0], true, "one; hit; ttl=2"),
            (1, hit, &names[0], true, "one; hit; ttl=2"),
            (1, older, &names[0], true, "one; hit; ttl=1"),
            (1, older, &names[1], true, "other; hit; ttl=1"),
            (1, collapsed, &names[1], true, "other; hit; ttl=1; collapsed"),
            (1, collapsed, &names[1], false, "other; hit; ttl=1; collapsed"),
            (1, hit, &names[1], false, "other; hit; ttl=2"),
            (1, hit, &names[1], true, "other; hit; ttl=2"),
        ];
        let own = OWN_FIELD.to_string();
        for upstream in [&[][..], &[("cache-status", "edge; hit")]] {
            let mut stored = stored(&[("x", "1"), ("x", "2"), (OWN_FIELD.as_str(), "max-age=1")]);
            for &(name, value) in upstream {
                stored.append(name, HeaderValue::from_static(value));
            }
            let recent = RecentHead::default();
            for (age, status, name, has_own_field, written) in answers {
                let inputs = HeadInputs { age, status, name, has_own_field };
                for _ in 0..3 {
                    let headers = recent.get_or_make(&inputs, &stored);
                    assert_eq!(lines(&headers, "age"), [age.to_string()]);
                    assert_eq!(lines(&headers, "x"), ["1", "2"]);
                    assert_eq!(headers.contains_key(&own), !has_own_field);
                    let members: Vec<_> = upstream.iter().map(|&(_, value)| value).chain([written]).collect();
                    assert_eq!(lines(&headers, "cache-status"), members);
                }
            }
        }
    }

    /// And nothing changes what another thread looks at.
    #[test]
    fn nothing_waits_for_those_who_look_at_them() {
        let (recent, name, stored) = (RecentHead::default(), "larder".into(), stored(&[("x", "1")]));
        let answer = |age| {
            let inputs = HeadInputs { age, status: CacheStatus::hit(9), name: &name, has_own_field: true };
            recent.get_or_make(&inputs, &stored)
        };
        answer(1);
        let reading = recent.0.read().unwrap();
        assert_eq!([1, 2].map(|age| answer(age)[header::AGE].clone()), ["1", "2"]);
        assert_eq!(reading.as_ref().unwrap().made_from.age, 1);
        drop(reading);
        let writing = recent.0.write().unwrap();
        assert_eq!(answer(3), answer(3));
        assert_eq!(answer(3)[header::AGE], "3");
        drop(writing);
    }
}
