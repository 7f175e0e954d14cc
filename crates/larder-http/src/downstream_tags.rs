//! Tags for caches in front, which can then be purged by the same words.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{cache_groups, headers};

/// Removes the headers with tags, and returns the tags. In their place, those that are `sent` get all of the tags in them.
pub(crate) fn take(headers: &mut HeaderMap, sent: &[HeaderName]) -> Vec<String> {
    let tags = headers::take_tags(headers);
    write(headers, sent, &tags);
    tags
}

/// Writes tags into headers: separated by commas where the name ends with `cache-tag`, and otherwise by blanks. A tag that cannot be written so
/// is left out.
pub(crate) fn write(headers: &mut HeaderMap, sent: &[HeaderName], tags: &[String]) {
    for name in sent {
        let separator = if name.as_str().ends_with("cache-tag") { "," } else { " " };
        let is_written = |tag: &&String| {
            !cache_groups::is_of_group(tag)
                && !tag.is_empty()
                && tag.chars().all(|c| (' '..='~').contains(&c) && !separator.contains(c))
        };
        let tags: Vec<_> = tags.iter().filter(is_written).map(String::as_str).collect();
        if let Ok(value) = HeaderValue::try_from(tags.join(separator))
            && !tags.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_as_each_header_separates_them() {
        let mut headers = HeaderMap::new();
        headers.insert("surrogate-key", HeaderValue::from_static("a b"));
        headers.insert("cache-tag", HeaderValue::from_static("c d, e"));
        let sent = ["surrogate-key", "cache-tag"].map(HeaderName::from_static);
        assert_eq!(take(&mut headers, &sent), ["a", "b", "c d", "e"]);
        assert_eq!(headers["surrogate-key"], "a b e");
        assert_eq!(headers["cache-tag"], "a,b,c d,e");
        write(&mut headers, &sent, &["x,y".into(), "ü".into(), "http-group a b".into()]);
        assert_eq!(headers["surrogate-key"], "x,y");
        assert_eq!(headers["cache-tag"], "a,b,c d,e");
        take(&mut headers, &[]);
        assert!(headers.is_empty());
    }
}
