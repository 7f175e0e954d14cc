use http::Request;

use super::*;

fn primary_key(uri: &str) -> PrimaryKey {
    let request = Request::builder().uri(uri).header("host", "example.com").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    PrimaryKey::of(&parts.uri, &RequestHost::of(&parts), false)
}

#[test]
fn the_layout() {
    assert_eq!(primary_key("/users/7?page=2").base(), "http:example.com:users:7:@:?page=2");
    assert_eq!(primary_key("/").base(), "http:example.com:@:-");
    assert_eq!(primary_key("/a/").base(), "http:example.com:a::@:-");
    assert_eq!(primary_key("https://Other.example:443/a").base(), "http:other.example:a:@:-");
    assert_eq!(primary_key("http://user@[::1]:8080/").base(), "http:[%3A%3A1]%3A8080:@:-");
}

/// A path that is copied at once has the same key as one whose segments are looked at one by one.
#[test]
fn plain_paths_have_the_keys_of_all_others() {
    let (long, longer) = ("x".repeat(READABLE - 2), "x".repeat(READABLE));
    let plain = ["a", "a/", "/", "a//b", "a/b-c/d.e~", &"a/".repeat(15), &format!("a/{long}")];
    let others = ["a%2F", "a:b", "a/b@", "ü/b", "a\u{7f}", &"a/".repeat(16), &format!("a/{longer}")];
    for (paths, is_plain) in [(plain, true), (others, false)] {
        for path in paths {
            let (mut copied, mut by_segments) = (String::new(), String::new());
            assert_eq!(push_plain_path(&mut copied, path), is_plain, "{path}");
            push_segments(&mut by_segments, path);
            assert_eq!(copied, if is_plain { &*by_segments } else { "" }, "{path}");
        }
    }
}

#[test]
fn different_urls_have_different_keys() {
    let long = "x".repeat(100_000);
    let urls = [
        "/".to_owned(),
        "//".into(),
        "/a".into(),
        "/a/".into(),
        "/a?".into(),
        "/a??".into(),
        "/a?b".into(),
        "/a?-".into(),
        "/a:b".into(),
        "/a/b".into(),
        "/a%3Ab".into(),
        "/a%2Fb".into(),
        "/a*".into(),
        "/a%2A".into(),
        "/@:-".into(),
        "/@".into(),
        "/%40".into(),
        "/a/@:?b".into(),
        format!("/{long}"),
        format!("/{long}y"),
        format!("/a?{long}"),
        format!("/a?{long}y"),
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18".into(),
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16%2F17/18".into(),
        format!("/{}", "a/".repeat(10_000)),
        format!("/{}b", "a/".repeat(10_000)),
    ];
    let keys: std::collections::HashSet<_> = urls
        .iter()
        .filter(|url| url.len() < 65_000)
        .map(|url| primary_key(url).base().to_owned())
        .chain(urls.iter().filter(|url| url.len() >= 65_000).map(|url| {
            let (path, query) =
                url.split_once('?').map_or((url.as_str(), None), |(path, query)| (path, Some(query)));
            PrimaryKey::new("example.com", path, query, false).base().to_owned()
        }))
        .collect();
    assert_eq!(keys.len(), urls.len());
    assert!(keys.iter().all(|key| key.len() < 4096 && key.matches(':').count() <= SEGMENTS + 4));
}

#[test]
fn rfc_3986_section_5_references() {
    let base = primary_key("/a/b/c?x");
    let uri: Uri = "/a/b/c?x".parse().unwrap();
    let resolve =
        |reference: &str| super::resolve(reference, base.host(), &uri).map(|there| primary_key(&there));
    assert_eq!(resolve("/p"), Some(primary_key("/p")));
    assert_eq!(resolve("p?y#z"), Some(primary_key("/a/b/p?y")));
    assert_eq!(resolve("./p"), Some(primary_key("/a/b/p")));
    assert_eq!(resolve("../p"), Some(primary_key("/a/p")));
    assert_eq!(resolve("../../../p"), Some(primary_key("/p")));
    assert_eq!(resolve(".."), Some(primary_key("/a/")));
    assert_eq!(resolve("?y"), Some(primary_key("/a/b/c?y")));
    assert_eq!(
        resolve("/p?to=http://elsewhere.example/"),
        Some(primary_key("/p?to=http://elsewhere.example/"))
    );
    assert_eq!(
        resolve("p?to=http://elsewhere.example/"),
        Some(primary_key("/a/b/p?to=http://elsewhere.example/"))
    );
    assert_eq!(resolve("http://EXAMPLE.com:80/p"), Some(primary_key("/p")));
    assert_eq!(resolve("https://example.com/p"), Some(primary_key("/p")));
    assert_eq!(resolve("https://example.com/a/../p?y"), Some(primary_key("/p?y")));
    assert_eq!(resolve("//example.com/./p/."), Some(primary_key("/p/")));
    assert_eq!(resolve("https://example.com"), Some(primary_key("/")));
    assert_eq!(resolve("https://example.com?y"), Some(primary_key("/?y")));
    for elsewhere in [
        "http://example.org/p",
        "//example.org/p",
        "http://example.com:8080/p",
        "http://",
        "://",
        "mailto:ada@example.com",
    ] {
        assert_eq!(resolve(elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn parameters_are_sorted_by_name() {
    assert_eq!(sorted_query("b=1&a=2&b=0&&c"), "a=2&b=1&b=0&c");
}

#[test]
fn the_key_of_a_variant_has_its_digest() {
    let key = primary_key("/a?b");
    for digest in [Digest::NONE, Digest::of(&[b"a"])] {
        assert_eq!(key.digest_of(&key.variant(&digest)), Some(digest));
    }
    assert_eq!(key.digest_of("http:example.com:b:@:-:v"), None);
    assert_eq!(key.digest_of(&format!("{}0", key.variant(&Digest::of(&[b"a"])))), None);
}

/// RFC 9110, section 4.2.3: the same URL, spelled otherwise.
#[test]
fn equivalent_urls_have_one_key() {
    for (one, other) in [
        ("/users/a-b", "/users/a%2Db"),
        ("/~%41", "/%7eA"),
        ("/a%3ab", "/a%3Ab"),
        ("/a?b=%2d&c", "/a?b=-&c"),
        ("/%zz%4", "/%zz%4"),
        ("/%C3%BC", "/%c3%bc"),
    ] {
        assert_eq!(primary_key(one), primary_key(other), "{one}, {other}");
    }
    for (one, other) in [("/a/b", "/a%2Fb"), ("/a", "/%25%36%31"), ("/a?b=%26c", "/a?b=&c")] {
        assert_ne!(primary_key(one), primary_key(other), "{one}, {other}");
    }
    assert!(matches!(normal_form("/users/a-b"), Cow::Borrowed(_)));
    assert_eq!(page("a", "/users/a%2Db"), page("a", "/users/a-b"));
}
