use super::*;

fn host(name: &str, port: u16) -> Node {
    (name.to_owned(), port)
}

fn parsed(url: &str) -> Parsed {
    parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"))
}

#[test]
fn a_server() {
    for (url, node, database) in [
        ("redis://localhost", host("localhost", 6379), None),
        ("redis://localhost/", host("localhost", 6379), None),
        ("valkey://h:1/3", host("h", 1), Some(3)),
        ("redis://[::1]", host("::1", 6379), None),
        ("redis://[fe80::1]:7000/0", host("fe80::1", 7000), Some(0)),
    ] {
        let parsed = parsed(url);
        assert_eq!(parsed.topology, Topology::Server(node), "{url}");
        assert_eq!(parsed.database, database, "{url}");
        assert!(!parsed.tls && parsed.username.is_none() && parsed.password.is_none());
    }
}

#[test]
fn users_and_passwords_are_decoded() {
    for (url, user, password) in [
        ("redis://u:p@h", Some("u"), Some("p")),
        ("redis://:p@h", None, Some("p")),
        ("redis://u@h", Some("u"), None),
        ("redis://default:@h", Some("default"), Some("")),
        ("redis://u%3A1:p%40%2F%25@h", Some("u:1"), Some("p@/%")),
        ("redis://u:a:b@c@h", Some("u"), Some("a:b@c")),
        ("redis://u:a/b?c#d@h", Some("u"), Some("a/b?c#d")),
    ] {
        let parsed = parsed(url);
        assert_eq!(parsed.username.as_deref(), user, "{url}");
        assert_eq!(parsed.password.as_ref().map(Secret::reveal), password, "{url}");
        assert_eq!(parsed.topology, Topology::Server(host("h", 6379)), "{url}");
    }
}

#[test]
fn an_at_sign_in_an_option_ends_no_credentials() {
    let hunter = || Some(Secret::from("hunter2".to_owned()));
    for (url, node, password, prefix, name) in [
        ("redis://h?prefix=a@b", host("h", 6379), None, Some("a@b"), None),
        ("redis://h:7/3?client_name=web@node-1", host("h", 7), None, None, Some("web@node-1")),
        ("redis://:hunter2@h?client_name=c&prefix=a@b", host("h", 6379), hunter(), Some("a@b"), Some("c")),
        ("redis://:hunter2@[::1]?prefix=a?prefix=@", host("::1", 6379), hunter(), Some("a?prefix=@"), None),
    ] {
        let parsed = parsed(url);
        assert_eq!(parsed.topology, Topology::Server(node), "{url}");
        assert_eq!((parsed.username, parsed.password), (None, password), "{url}");
        assert_eq!((parsed.prefix.as_deref(), parsed.client_name.as_deref()), (prefix, name), "{url}");
    }
    let cluster = parsed("redis+cluster://a,b:7?prefix=a@b");
    assert_eq!(cluster.topology, Topology::Cluster(vec![host("a", 6379), host("b", 7)]));
    assert_eq!(parsed("redis+sentinel://a,b/m/2?prefix=a@b").database, Some(2));
    assert_eq!(parsed("unix:///run/r?prefix=a@b").topology, Topology::Socket("/run/r".into()));
    // What can be no host before it is a part of a password.
    let with_mark = parsed("redis://u:a?prefix=b@h");
    assert_eq!(with_mark.password.as_ref().map(Secret::reveal), Some("a?prefix=b"));
    assert_eq!(with_mark.topology, Topology::Server(host("h", 6379)));
}

#[test]
fn what_is_left_around_a_url_is_none_of_it() {
    for url in [
        "redis://:p@h/3\n",
        " redis://:p@h/3\r\n",
        "\"redis://:p@h/3\"",
        "'redis://:p@h/3'\n",
        "\" redis://:p@h/3 \"",
    ] {
        assert_eq!(parsed(url), parsed("redis://:p@h/3"), "{url:?}");
    }
    // One that is no pair is part of it.
    assert_eq!(parsed("redis://h?prefix=it's").prefix.as_deref(), Some("it's"));
    parse("\"redis://h").expect_err("half a pair");
    assert_eq!(parsed("redis+cluster://a:1, b ,c"), parsed("redis+cluster://a:1,b,c"));
    assert_eq!(parsed("redis+sentinel://a, b/m"), parsed("redis+sentinel://a,b/m"));
    parse("redis+cluster://a b,c").expect_err("a blank within a host");
}

#[test]
fn a_cluster_may_have_databases() {
    assert_eq!(parsed("redis+cluster://a,b/3").database, Some(3));
}

#[test]
fn several_nodes() {
    let nodes = vec![host("a", 1), host("b", 6379), host("::1", 3)];
    let cluster = parsed("rediss+cluster://u:p@a:1,b,[::1]:3");
    assert!(cluster.tls);
    assert_eq!(cluster.topology, Topology::Cluster(nodes));

    let sentinel = parsed("redis+sentinel://:p@a,b:5/my%20master/2?prefix=shop&client_name=web");
    let nodes = vec![host("a", 26379), host("b", 5)];
    assert_eq!(sentinel.topology, Topology::Sentinel { nodes, master: "my master".into() });
    assert_eq!(sentinel.database, Some(2));
    assert_eq!(sentinel.prefix.as_deref(), Some("shop"));
    assert_eq!(sentinel.client_name.as_deref(), Some("web"));
}

#[test]
fn a_socket() {
    assert_eq!(parsed("redis+unix:///run/redis.sock").topology, Topology::Socket("/run/redis.sock".into()));
    let with_secret = parsed("unix://u:p@/run/a%20b");
    assert_eq!(with_secret.topology, Topology::Socket("/run/a b".into()));
    assert_eq!(with_secret.username.as_deref(), Some("u"));
}

#[test]
fn errors_say_what_is_wrong_and_what_was_expected() {
    for (url, reason) in [
        ("localhost:6379", "begins with a scheme"),
        ("http://u:hunter2@h", "scheme of the URL is none of"),
        ("redis://", "host is missing"),
        ("redis://u:hunter2@", "host is missing"),
        ("redis://u:hunter2@h:0", "port"),
        ("redis://u:hunter2@h:seven", "port"),
        ("redis://u:hunter2@h:70000", "the port \"70000\" is not a number from 1 to 65535"),
        ("redis://u:hunter2@h/x", "the database \"x\""),
        ("redis://u:hunter2@h/-1", "is not a number"),
        ("redis://u:hunter2@h/1/2", "too many parts"),
        ("redis://u:hunter2@a,b", "redis+cluster"),
        ("redis://u:hunter2@::1", "stands in brackets"),
        ("redis://u:hunter2@[::1", "closing bracket"),
        ("redis://u:hunter2@[h]", "what stands in brackets \"h\" is no IPv6 address"),
        ("redis://u:hunter2@[::1]x", "only a port"),
        ("redis://u:hunter2@h#insecure", "fragment"),
        ("redis://u:hunter2%ff@h", "not UTF-8"),
        (
            "redis://u:hunter2@h?timeout=3",
            "an option \"timeout\" is unknown; the options of a URL are `prefix`",
        ),
        ("redis://u:hunter2@h?prefix", "`prefix` has no value"),
        ("redis://h?prefx=shop", "an option \"prefx\" is unknown (did you mean `prefix`?)"),
        ("redis://localhost:6379?Prefix=shop", "did you mean `prefix`?"),
        ("redis://h?clientname=shop", "did you mean `client_name`?"),
        ("redis://localhost:6379/abc", "the database \"abc\""),
        ("redis://[::1]:6379/abc", "the database \"abc\""),
        ("redis://localhost:99999", "the port \"99999\""),
        ("redis://h?password=hunter2", "an option \"password\" is unknown"),
        // What may be a password whose host was forgotten, or whose `@` was encoded.
        ("redis://u:hunter2", "the port is not a number"),
        ("redis://u:7/hunter2", "the database, which"),
        ("redis://[u:hunter2]:q", "what stands in brackets is no IPv6 address"),
        ("redis://u:7/hunter2%40h:6379/0", "the database, which"),
        ("redis://u:a@b/hunter2%40h:6379/0", "the database, which"),
        ("redis://u:7/hunter2?prefix=a@b", "the database, which"),
        ("redis://u:a@b/hunter2?prefix=x@h", "the database, which"),
        ("redis://:hunter2@h?prefx=a@b", "an option is unknown (did you mean `prefix`?)"),
        ("redis://u:7?hunter2", "an option is unknown;"),
        ("redis://u:7?prefx=hunter2", "an option is unknown (did you mean `prefix`?)"),
        ("redis+cluster://u:hunter2@a,,b", "host is missing"),
        ("redis+sentinel://u:hunter2@a,b", "name of the master"),
        ("redis+unix://h/x", "path of the socket"),
        ("redis+unix:///", "path of the socket"),
    ] {
        let error = parse(url).unwrap_err();
        assert!(error.contains(reason), "{url}: {error}");
        assert!(error.contains("; expected redis"), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// What is not encoded, and has a meaning in a URL.
fn password() -> impl proptest::strategy::Strategy<Value = String> {
    proptest::string::string_regex("[a-z0-9@/?#:%&=,\\[\\]]{0,12}[QXZ]{4}[a-z0-9@/?#:%&=,\\[\\]]{0,12}")
        .expect("it is one")
}

/// Errors are of other words than these.
fn is_told(error: &str, password: &str) -> bool {
    let parts = password.split(|symbol: char| !symbol.is_ascii_alphanumeric());
    parts.filter(|part| part.len() >= 4).any(|part| error.contains(part))
}

proptest::proptest! {
    /// Well-formed but for the password, and with a fault after it; with the host forgotten; with an encoded `@`.
    #[test]
    fn no_part_of_a_password_is_in_an_error(
        password in password(),
        user in "[a-z]{0,4}",
        end in proptest::sample::select(vec![
            "@h", "@h:99999", "@h:x", "@h/abc", "@h/1/2", "@h?prefx=shop", "@h?prefix", "@[h]", "@a,b", "@", "@h#f",
            "", ":99999", "/abc", "?prefx=shop", "%40h", "%40h:6379/0", "%40h:99999", "%40h?prefx=shop",
        ]),
        scheme in proptest::sample::select(vec![
            "redis", "rediss", "http", "redis+cluster", "redis+sentinel", "redis+unix",
        ]),
    ) {
        // Without its `@`, what follows one in a password is taken for a host, as it would be in a URL without a fault.
        proptest::prop_assume!(end.starts_with('@') || !password.contains('@'));
        if let Err(error) = parse(&format!("{scheme}://{user}:{password}{end}")) {
            proptest::prop_assert!(!is_told(&error, &password), "{error}");
        }
    }
}
