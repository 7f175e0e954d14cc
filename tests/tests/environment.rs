//! What the environment of a process says, and who is told of a slip in it.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::process::{Command, Stdio};

use larder_servers::RedisServer;

const PASSWORD: &str = "s3cret";

const VARIABLES: [&str; 13] = [
    "REDIS_URL",
    "REDIS_MAX_CONNECTIONS",
    "REDIS_SOCKET_TIMEOUT",
    "REDIS_RETRY_ON_TIMEOUT",
    "LARDER_PREFIX",
    "LARDER_CAPACITY",
    "LARDER_DISK",
    "LARDER_CODEC",
    "LARDER_COMPRESSION",
    "LARDER_SEAL_KEYS",
    "LARDER_NAME_KEY",
    "LARDER_BYPASS_AFTER",
    "LARDER_READ_FROM_REPLICAS",
];

/// A secret key, and one more.
const KEYS: [&str; 2] = [
    "3f5e0c7b19d2a4886cf1e0b7d3a5924e7c18f6a0b2d4e6987a5b3c1d0e2f4a68",
    "91c4d7e0a3b6f2518d0c9e7b4a1f6d3825e8c0b7f49a6d1320bcef5478a91d06",
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
    let keys = KEYS.join(" , ");
    let all = [
        ("LARDER_SEAL_KEYS", &*keys),
        ("LARDER_NAME_KEY", KEYS[0]),
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
        ("LARDER_READ_FROM_REPLICAS", "perhaps"),
    ] {
        let said = outcome(&[url, (name, value)]);
        assert!(said.starts_with("refused ") && said.contains(name), "{name}={value}: {said}");
        assert!(said.contains(value), "{name}={value}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn bad_secret_keys_are_named_with_what_mends_them_and_not_repeated() {
    let [key, other] = KEYS;
    let both = KEYS.join(",");
    for (variables, mend) in [
        (&[("LARDER_SEAL_KEYS", &key[1..])][..], "openssl rand -hex 32"),
        (&[("LARDER_SEAL_KEYS", &both[..100])], "key 2: "),
        (&[("LARDER_SEAL_KEYS", key), ("LARDER_NAME_KEY", &other[2..])], "openssl rand -hex 32"),
        (&[("LARDER_SEAL_KEYS", key), ("LARDER_NAME_KEY", &both)], "one key"),
        (&[("LARDER_NAME_KEY", key)], "LARDER_SEAL_KEYS"),
        (&[("LARDER_SEAL_KEYS", " ")], "unset it"),
        (&[("LARDER_SEAL_KEYS", key), ("LARDER_NAME_KEY", "")], "unset it"),
    ] {
        let url = ("REDIS_URL", "redis://127.0.0.1:1");
        let said = outcome(&[&[url], variables].concat());
        let (name, _) = variables[variables.len() - 1];
        assert!(said.starts_with("refused ") && said.contains(name) && said.contains(mend), "{said}");
        assert!(KEYS.iter().all(|key| !said.contains(&key[2..34])), "{said}");
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
