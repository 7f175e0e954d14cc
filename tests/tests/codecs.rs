//! Codecs that programs bring, and postcard: what processes with different ones do with each other's entries.

use std::{convert::Infallible, io::Write};

use larder::{
    CacheExt, RedisCache, RedisCacheBuilder,
    codec::{self, Codec, CodecError},
};
use larder_servers::RedisServer;
use larder_tests::{
    caches::{Process, eventually, long, tiered},
    warnings,
};
use serde::{Deserialize, Serialize, de::DeserializeSeed};

/// JSON with each byte turned, so that no other codec reads it.
struct Turned {
    number: u8,
    name: &'static str,
}

const TURNED: Turned = Turned { number: 201, name: "turned" };

impl Codec for Turned {
    fn number(&self) -> u8 {
        self.number
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn is_human_readable(&self) -> bool {
        true
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, mut writer: impl Write) -> Result<(), CodecError> {
        let text = serde_json::to_vec(value)?;
        writer.write_all(&text.iter().map(|byte| !byte).collect::<Vec<_>>())?;
        Ok(())
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        let text: Vec<_> = payload.iter().map(|byte| !byte).collect();
        // `'de` is the payload's, so what is read is owned.
        let value: serde_json::Value = serde_json::from_slice(&text)?;
        Ok(seed.deserialize(value)?)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    score: Option<f32>,
}

fn ada() -> User {
    User { id: 7, name: "Ada".to_owned(), score: Some(0.5) }
}

fn process(server: &RedisServer, process: Process) -> RedisCacheBuilder {
    process.builder(server).prefix("codecs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programs_codec_is_read_by_who_was_told_of_it() {
    warnings::listen();
    let server = RedisServer::start();
    let writer = tiered(process(&server, Process::A).codec(TURNED)).await;
    let told = tiered(process(&server, Process::B).also_reads(TURNED)).await;
    let untold = tiered(process(&server, Process::C)).await;
    let n = std::cell::Cell::new(0);
    // What is found at first may look like something invalidated, until a process has read the log.
    eventually(async || {
        n.set(n.get() + 1);
        let key = format!("user:{}", n.get());
        writer.insert(&key, &ada(), long()).await.unwrap();
        told.get::<User>(&key).await.unwrap() == Some(ada())
    })
    .await;
    let key = format!("user:{}", n.get());
    let stored: Vec<u8> = server.command(&["GET", &format!("codecs:e:{key}")]);
    assert_eq!(stored[10], 201);
    eventually(async || {
        assert_eq!(untold.get::<User>(&key).await.unwrap(), None);
        untold.stats().shared_other_codec > 0
    })
    .await;
    let stats = untold.stats();
    assert_eq!(stats.shared_other_codec, stats.shared_rejected);
    for _ in 0..20 {
        assert_eq!(untold.get::<User>(&key).await.unwrap(), None);
    }
    let warned = warnings::heard(&["codec 201", "User", "also_reads"]);
    assert_eq!(warned.len(), 1, "once: {warned:?}");
    let rejection = untold.link().rejections.pop().unwrap();
    assert_eq!(rejection.reason, "codec");

    // It computes, and what it stores is read by the others.
    let other = User { id: 8, ..ada() };
    let computed = async || Ok::<_, Infallible>(other.clone());
    assert_eq!(untold.get_or_compute(&key, long(), computed).await, Ok(other.clone()));
    untold.insert("user:y", &other, long()).await.unwrap();
    eventually(async || writer.get::<User>("user:y").await.unwrap() == Some(other.clone())).await;
}

/// A codec that could be asked for anything is not, unless it says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_codec_does_not_describe_stays_here() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u64),
        Text(String),
    }
    let server = RedisServer::start();
    let compact = [
        tiered(process(&server, Process::A).codec(TURNED)).await,
        tiered(process(&server, Process::A).prefix("codecs-p").codec(codec::Postcard)).await,
    ];
    for cache in compact {
        let refused = cache.insert("a", &Untagged::Number(1), long()).await.unwrap_err();
        assert!(refused.is_unencodable(), "{refused}");
        assert_eq!(cache.stats().unshared_unreadable, 1);
        assert_eq!(cache.get::<Untagged>("a").await.unwrap(), Some(Untagged::Number(1)), "in this process");
        cache.insert("b", &ada(), long()).await.unwrap();
        assert_eq!(cache.stats().shared_stores, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_reserved_or_taken_is_an_error_of_the_builder() {
    let builder = || RedisCache::builder().url("redis://127.0.0.1:1");
    let error = builder().codec(Turned { number: 4, ..TURNED }).connect_lazily().unwrap_err();
    assert!(error.to_string().contains("`turned` has the number 4, which is reserved"), "{error}");
    let clash = builder().codec(TURNED).also_reads(Turned { name: "other", ..TURNED });
    let error = clash.connect().await.unwrap_err();
    assert!(error.to_string().contains("two codecs have the number 201, `turned` and `other`"), "{error}");
    let twice = builder().also_reads(TURNED).also_reads(Turned { number: 202, ..TURNED });
    assert!(twice.codec(TURNED).connect_lazily().is_ok());
}
