//! What the environment of a process says, and who is told of a slip in it.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::process::{Command, Stdio};

use larder_servers::RedisServer;

const PASSWORD: &str = "s3cret";

const VARIABLES: [&str; 9] = [
    "REDIS_URL",
    "REDIS_MAX_CONNECTIONS",
    "REDIS_SOCKET_TIMEOUT",
    "REDIS_RETRY_ON_TIMEOUT",
    "LARDER_PREFIX",
    "LARDER_CAPACITY",
    "LARDER_CODEC",
    "LARDER_COMPRESSION",
    "LARDER_BYPASS_AFTER",
];

/// What a process with these variables says of its cache.
fn outcome(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    let output = command.arg("environment").envs(variables.iter().copied()).stderr(Stdio::inherit());
    let output = output.output().expect("the program was built");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().last().unwrap().to_owned()
}

#[test]
fn nothing_set_is_a_cache_of_the_process() {
    assert_eq!(outcome(&[]), "made alone");
    assert_eq!(outcome(&[("REDIS_URL", " "), ("LARDER_CAPACITY", "")]), "made alone");
}

#[test]
fn everything_set_is_a_cache_in_two_tiers() {
    let server = RedisServer::builder().password(PASSWORD).start();
    let all = [
        ("REDIS_URL", &*server.url()),
        ("REDIS_MAX_CONNECTIONS", "2"),
        ("REDIS_SOCKET_TIMEOUT", "1.5"),
        ("REDIS_RETRY_ON_TIMEOUT", "false"),
        ("LARDER_PREFIX", "mine"),
        ("LARDER_CAPACITY", "100"),
        ("LARDER_CODEC", "JSON"),
        ("LARDER_COMPRESSION", "zstd"),
        ("LARDER_BYPASS_AFTER", "5"),
    ];
    assert_eq!(outcome(&all), "made shared");
    assert!(server.command::<bool>(&["EXISTS", "mine:log"]));
}

#[test]
fn what_stands_around_a_url_is_none_of_it() {
    let server = RedisServer::start();
    let url = format!("\"{}?prefix=mine\"\n", server.url());
    assert_eq!(outcome(&[("REDIS_URL", &*url), ("REDIS_RETRY_ON_TIMEOUT", "false")]), "made shared");
    assert!(server.command::<bool>(&["EXISTS", "mine:log"]));
}

#[test]
fn each_bad_value_is_named_with_its_variable() {
    let url = ("REDIS_URL", "redis://user:s3cret@127.0.0.1:1");
    for (name, value) in [
        ("REDIS_MAX_CONNECTIONS", "0"),
        ("REDIS_MAX_CONNECTIONS", "65"),
        ("REDIS_MAX_CONNECTIONS", "many"),
        ("REDIS_SOCKET_TIMEOUT", "-1"),
        ("REDIS_SOCKET_TIMEOUT", "NaN"),
        ("REDIS_SOCKET_TIMEOUT", "1e300"),
        ("REDIS_RETRY_ON_TIMEOUT", "perhaps"),
        ("LARDER_PREFIX", "a*b"),
        ("LARDER_PREFIX", "{braces}"),
        ("LARDER_CAPACITY", "0"),
        ("LARDER_CAPACITY", "-5"),
        ("LARDER_CODEC", "xml"),
        ("LARDER_COMPRESSION", "gzip"),
        ("LARDER_BYPASS_AFTER", "soon"),
    ] {
        let said = outcome(&[url, (name, value)]);
        assert!(said.starts_with("refused ") && said.contains(name), "{name}={value}: {said}");
        assert!(said.contains(value), "{name}={value}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn a_bad_url_is_named_and_not_repeated() {
    for url in [
        "localhost",
        "http://user:s3cret@localhost",
        "redis://user:s3cret@localhost:port",
        "redis://user:s3cret@localhost/database",
        "redis://user:s3cret@loc alhost",
        "redis://user:s3cret@localhost?prefx=shop",
        "redis://s3cret/@localhost",
        "redis+sentinel://user:s3cret@localhost",
        "redis://user@localhost",
    ] {
        let said = outcome(&[("REDIS_URL", url)]);
        assert!(said.starts_with("refused ") && said.contains("REDIS_URL"), "{url}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn without_a_server_it_starts_or_refuses_as_told() {
    let url = ("REDIS_URL", "redis://user:s3cret@127.0.0.1:1");
    assert_eq!(outcome(&[url]), "made shared");
    let said = outcome(&[url, ("REDIS_RETRY_ON_TIMEOUT", "false")]);
    assert!(said.starts_with("refused cannot connect to 127.0.0.1:1"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn a_wrong_password_is_not_repeated() {
    let server = RedisServer::builder().password("another").start();
    let url = server.url().replace("another", PASSWORD);
    let said = outcome(&[("REDIS_URL", &url), ("REDIS_RETRY_ON_TIMEOUT", "false")]);
    assert!(said.starts_with("refused cannot connect"), "{said}");
    assert!(!said.contains(PASSWORD) && !said.contains("another"), "{said}");
}
