//! Groups of responses, which are invalidated together (RFC 9875). A group is a tag that only responses of its host have.
//! Section 2.1 tells schemes apart too: here `http` and `https` are one, since a service behind a TLS proxy knows none, and
//! a cache may always drop more.

use http::{HeaderMap, HeaderName};
use larder::Scope;

use crate::{key::PrimaryKey, structured_fields::strings};

static CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
static CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// Most groups of a response that count: more than the 32 that every cache has to support (sections 2 and 3).
const MAX_GROUPS: usize = 1024;

/// The tags for the groups that a response is in. A field that is not a list of strings is ignored.
pub(crate) fn tags(headers: &HeaderMap, key: &PrimaryKey) -> Vec<String> {
    if !headers.contains_key(&CACHE_GROUPS) {
        return Vec::new();
    }
    let groups = strings(headers.get_all(&CACHE_GROUPS)).unwrap_or_default();
    groups.into_iter().take(MAX_GROUPS).map(|group| tag(key.host(), &group)).collect()
}

/// The host cannot have a blank in it, so that no group is taken for one of another host.
fn tag(host: &str, group: &str) -> String {
    format!("{PREFIX}{host} {group}")
}

const PREFIX: &str = "http-group ";

/// Whether a tag stands for a group.
pub(crate) fn is_of_group(tag: &str) -> bool {
    tag.starts_with(PREFIX)
}

/// The groups that a response to an unsafe request names.
pub(crate) fn to_invalidate(headers: &HeaderMap) -> Vec<String> {
    if !headers.contains_key(&CACHE_GROUP_INVALIDATION) {
        return Vec::new();
    }
    let mut groups = strings(headers.get_all(&CACHE_GROUP_INVALIDATION)).unwrap_or_default();
    groups.truncate(MAX_GROUPS);
    groups
}

/// The scope of all stored responses of a host whose `Cache-Groups` name this group: an argument for `larder`'s
/// `invalidate`.
///
/// `host` is the value of the requests' `Host` header, with the port unless it is 80 or 443.
///
/// ```
/// # use larder::{CacheExt, MemoryCache};
/// # let cache = MemoryCache::new(10);
/// cache.invalidate(larder_http::cache_group("example.com", "news"));
/// ```
#[must_use]
pub fn cache_group(host: &str, group: &str) -> Scope {
    Scope::tag(tag(&crate::key::canonical_host(host), group))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;
    use crate::key::RequestHost;

    fn tags_of(lines: &[&str]) -> Vec<String> {
        let (parts, ()) = Request::get("/").header("host", "Example.com:80").body(()).unwrap().into_parts();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&CACHE_GROUPS, HeaderValue::from_str(line).unwrap());
        }
        tags(&headers, &PrimaryKey::of(&parts.uri, &RequestHost::of(&parts), false))
    }

    #[test]
    fn a_list_of_strings() {
        assert_eq!(
            tags_of(&[r#""a", "b c";x=1"#, r#""A""#]),
            ["http-group example.com a", "http-group example.com b c", "http-group example.com A"]
        );
        for invalid in [r"a", r#""a", b"#, r#""a" "b""#, r#""a","#, "1", r#"("a")"#, r#""ü""#] {
            assert_eq!(tags_of(&[invalid]), [""; 0], "{invalid}");
        }
        let many: Vec<_> = (0..128).map(|n| format!("\"{n:0>128}\"")).collect();
        assert_eq!(tags_of(&[&many.join(", ")]).len(), 128);
    }
}
