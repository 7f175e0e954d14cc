//! The command over everything that a program can connect through.

use std::{fs, time::Duration};

use larder::{CacheExt, RedisCache};
use larder_servers::{RedisSentinel, RedisServer};

use crate::world::{PREFIX, World, policy, user};

/// Looks, and changes something, as over a plain connection.
fn works(world: &World, cache: &RedisCache, options: &[&str]) {
    world.block_on(async { cache.insert("user:7", &user(7), policy()).await }).expect("it is stored");
    let with = |arguments: &[&'static str]| arguments.iter().chain(options).copied().collect::<Vec<&str>>();
    let status = &world.json(&with(&["status"]), 0)[0];
    assert_eq!(status["keys"]["entries"], 1, "{status}");
    assert_eq!(world.json(&with(&["get", "user:7"]), 0)[0]["value"]["id"], 7);
    assert_eq!(world.json(&with(&["explain", "user:7"]), 0)[0]["state"], "valid");
    world.prints(&with(&["top", "--once"]), 0);
    world.prints(&with(&["invalidate", "user:*"]), 0);
    assert_eq!(world.json(&with(&["explain", "user:7"]), 1)[0]["state"], "invalidated");
}

#[test]
fn a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("redis.sock");
    let path = socket.to_str().expect("it is text");
    let server = RedisServer::builder().config("unixsocket", path).start();
    let mut world = World::of(server);
    world.url = format!("redis+unix://{path}");
    works(&world, &world.cache(), &[]);
}

#[test]
fn sentinels() {
    let sentinel = RedisSentinel::start();
    let sentinels: Vec<_> = sentinel.sentinels().iter().map(|server| server.address().to_string()).collect();
    let mut world = World::of_none();
    world.url = format!("redis+sentinel://{}/{}", sentinels.join(","), RedisSentinel::SERVICE);
    works(&world, &world.cache(), &[]);
}

#[cfg(feature = "tls")]
#[test]
fn tls_with_an_authority_of_ones_own() {
    let server = RedisServer::builder().tls().start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let authority = server.certificates().expect("it has TLS").authority().to_owned();
    fs::write(&file, &authority).expect("the folder is there");
    let world = World::of(server);
    let builder = RedisCache::builder().url(&world.url).prefix(PREFIX).deadline(Duration::from_secs(5));
    let cache = world.block_on(builder.tls_roots(authority.into_bytes()).connect()).expect("it connects");
    works(&world, &cache, &["--tls-ca", file.to_str().expect("it is text")]);
    // Who does not know the authority is told so.
    world.prints(&["status"], 3);
}
