//! URI references in responses (RFC 3986, section 5).

use http::Uri;

use super::canonical_host;

/// Path and query of a URI reference in a response of this host, in its canonical form, to a request for a URI; none if it
/// leads to another host.
pub(crate) fn resolve(reference: &str, host: &str, request: &Uri) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    if has_scheme {
        // A URI without a host, such as `mailto:`, is not served here.
        reference.split_once(':').filter(|(_, rest)| rest.starts_with("//"))?;
        let uri: Uri = reference.parse().ok()?;
        if canonical_host(uri.authority()?.as_str()) != host {
            return None;
        }
        let path = without_dots(uri.path());
        return Some(match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        });
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return resolve(&format!("http://{rest}"), host, request);
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let path = match path {
        "" => request.path().to_owned(),
        path if path.starts_with('/') => without_dots(path),
        path => {
            let folder = request.path().rfind('/').map_or("/", |slash| &request.path()[..=slash]);
            without_dots(&format!("{folder}{path}"))
        }
    };
    Some(match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    })
}

/// RFC 3986, section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    format!("/{}", segments.join("/"))
}
