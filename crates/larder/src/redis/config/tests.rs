use super::*;
use crate::redis::secret::Secret;

const SECRET: &str = "hunter2";

fn builder() -> RedisCacheBuilder {
    RedisCacheBuilder::default()
}

#[track_caller]
fn refused(builder: RedisCacheBuilder, reason: &str) {
    let error = builder.config().unwrap_err();
    assert!(error.is_invalid_configuration());
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn defaults() {
    let config = builder().config().unwrap();
    assert_eq!(config.topology, Topology::Server(("localhost".into(), 6379)));
    assert_eq!((config.prefix.as_str(), config.client_name.as_str()), ("larder", "larder"));
    assert_eq!((config.connections, config.database), (1, 0));
    assert_eq!(config.deadline, Duration::from_millis(250));
    assert_eq!(config.credentials, None);
}

#[test]
fn setters_count_more_than_the_url() {
    let config = builder()
        .url("redis://u:p@h/1?prefix=a&client_name=b")
        .username("v")
        .password("q")
        .database(2)
        .prefix("c")
        .client_name("d")
        .config()
        .unwrap();
    let credentials = Credentials { username: Some("v".into()), password: Secret::from("q".to_owned()) };
    assert_eq!(config.credentials, Some(credentials));
    assert_eq!(config.database, 2);
    assert_eq!((config.prefix.as_str(), config.client_name.as_str()), ("c", "d"));
}

#[test]
fn an_empty_password_is_sent() {
    let config = builder().url("redis://default:@h").config().unwrap();
    let credentials = Credentials { username: Some("default".into()), password: Secret::from(String::new()) };
    assert_eq!(config.credentials, Some(credentials));

    let config = builder().url("redis://default@h").password(SECRET).config().unwrap();
    assert_eq!(config.credentials.unwrap().password.reveal(), SECRET);
}

#[test]
fn nodes_with_their_default_ports() {
    let config = builder().cluster(["a", "b:1", "[::1]"]).config().unwrap();
    assert_eq!(config.nodes(), [("a".into(), 6379), ("b".into(), 1), ("::1".into(), 6379)]);
    let config = builder().sentinel(["a"], "m").sentinel_password("s").config().unwrap();
    assert_eq!(config.nodes(), [("a".into(), 26379)]);
    assert_eq!(config.sentinel_credentials.unwrap().password.reveal(), "s");
    assert_eq!(config.credentials, None, "the sentinels' password is not the servers'");
}

#[test]
fn what_is_refused() {
    refused(builder().url("redis://u@h"), "user needs a password");
    refused(builder().sentinel(["a"], "m").sentinel_username("u"), "`sentinel_password`");
    refused(builder().sentinel(["a"], ""), "name of the master");
    refused(builder().cluster(Vec::<String>::new()), "no node");
    refused(builder().connections(0), "1 to 64");
    refused(builder().connections(65), "1 to 64");
    refused(builder().deadline(Duration::ZERO), "deadline");
    refused(builder().connect_timeout(Duration::MAX), "connect_timeout");
    refused(builder().connect_attempts(0), "connect_attempts");
    refused(builder().prefix(""), "1 to 128");
    refused(builder().prefix("x".repeat(129)), "1 to 128");
    for prefix in ["a:c", "a:log:b"] {
        refused(builder().prefix(prefix), "larder uses itself");
    }
    assert!(builder().prefix("c:a").config().is_ok());
    for prefix in ["a{b", "a}", "a*", "a\n"] {
        refused(builder().prefix(prefix), "in it");
    }
    refused(builder().client_name("two words"), "printable");
    refused(builder().tls_roots("x"), "TLS");
    refused(builder().read_from_replicas(true), "Sentinel");
    refused(builder().url("redis://h?read_from_replicas=true"), "Sentinel");
}

#[test]
fn replicas_are_read_from_where_that_is_said() {
    let reads = |builder: RedisCacheBuilder| builder.config().unwrap().reads_replicas;
    assert!(!reads(builder().url("redis+cluster://h")));
    assert!(reads(builder().url("redis+cluster://h?read_from_replicas=true")));
    assert!(reads(builder().cluster(["h"]).read_from_replicas(true)));
    assert!(!reads(builder().url("redis+cluster://h?read_from_replicas=true").read_from_replicas(false)));
    refused(builder().url("redis+cluster://h?read_from_replicas=maybe"), "neither true nor false");
}

#[test]
fn all_lengths_of_a_prefix_that_are_allowed() {
    assert_eq!(builder().prefix("x").config().unwrap().prefix, "x");
    assert_eq!(builder().prefix("x".repeat(128)).config().unwrap().prefix.len(), 128);
}

#[test]
fn secrets_are_not_printed() {
    let builders = [
        builder().url(format!("redis://user:{SECRET}@h")),
        builder().password(SECRET).sentinel_password(SECRET),
        builder().tls_client_certificate("", SECRET),
    ];
    for builder in builders {
        assert!(!format!("{builder:?}").contains(SECRET), "{builder:?}");
        match builder.config() {
            Ok(config) => assert!(!format!("{config:?}").contains(SECRET), "{config:?}"),
            Err(error) => assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}"),
        }
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_names_its_feature() {
    refused(builder().url("rediss://h"), "feature `tls`");
    refused(builder().tls(), "feature `tls`");
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;

    #[test]
    fn bad_certificates_are_refused() {
        let builder = || builder().url("rediss://h");
        refused(builder().tls_roots("x"), "no certificate");
        refused(
            builder().tls_roots("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
            "tls_roots",
        );
        refused(super::builder().url("redis+unix:///x").tls(), "Unix socket");
    }
}
