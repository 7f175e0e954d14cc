//! The `redis` crate alone, as its documentation shows it: one connection that all tasks share.

use larder_benches::{IDS, key};
use redis::{AsyncConnectionConfig, Client, Cmd, aio::MultiplexedConnection, cmd, pipe};

use crate::work::{Account, LIFETIME, Run, batch, run};

pub(crate) async fn connect(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).expect("the URL is well formed");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

/// Without a deadline of its own, and with a longer queue.
pub(crate) async fn connect_tuned(url: &str) -> MultiplexedConnection {
    let settings = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(1024);
    let client = Client::open(url).expect("the URL is well formed");
    let connection = client.get_multiplexed_async_connection_with_config(&settings);
    connection.await.expect("the server is there")
}

fn raw_key(id: u64) -> String {
    format!("raw:{}", key(id))
}

/// Puts values there that are to be found.
pub(crate) async fn fill(url: &str) {
    let mut values = pipe();
    for id in 0..IDS {
        values.cmd("SET").arg(raw_key(id)).arg(Account::encoded(id)).ignore();
    }
    let filled: redis::RedisResult<()> = values.query_async(&mut connect(url).await).await;
    filled.expect("the server is there");
}

async fn look(connection: &mut MultiplexedConnection, id: u64) -> Option<Account> {
    let found: Option<Vec<u8>> =
        Cmd::get(raw_key(id)).query_async(connection).await.expect("the server is there");
    found.map(|bytes| Account::decoded(&bytes))
}

pub(crate) fn get(connection: MultiplexedConnection) -> Run {
    run(move |numbers| {
        let mut connection = connection.clone();
        async move {
            for number in numbers {
                let id = number % IDS;
                let account = look(&mut connection, id).await.expect("it was stored");
                assert!(account.has(id));
            }
        }
    })
}

pub(crate) fn get_many(connection: MultiplexedConnection, by_one_command: bool) -> Run {
    run(move |numbers| {
        let mut connection = connection.clone();
        async move {
            for number in numbers {
                let ids = batch(number);
                let found: redis::RedisResult<Vec<Vec<u8>>> = if by_one_command {
                    let keys: Vec<_> = ids.clone().map(raw_key).collect();
                    cmd("MGET").arg(keys).query_async(&mut connection).await
                } else {
                    let mut gets = pipe();
                    for id in ids.clone() {
                        gets.cmd("GET").arg(raw_key(id));
                    }
                    gets.query_async(&mut connection).await
                };
                for (id, bytes) in ids.zip(found.expect("the server is there")) {
                    assert!(Account::decoded(&bytes).has(id));
                }
            }
        }
    })
}

pub(crate) fn insert_many(connection: MultiplexedConnection) -> Run {
    run(move |numbers| {
        let mut connection = connection.clone();
        async move {
            for number in numbers {
                let mut sets = pipe();
                for id in batch(number) {
                    let set = sets.cmd("SET").arg(raw_key(id)).arg(Account::encoded(id));
                    set.arg("EX").arg(LIFETIME).ignore();
                }
                let stored: redis::RedisResult<()> = sets.query_async(&mut connection).await;
                stored.expect("the server is there");
            }
        }
    })
}

pub(crate) fn miss(connection: MultiplexedConnection, locked: bool) -> Run {
    // Not those of the other way.
    let first = IDS * if locked { 1_000_000 } else { 1_000 };
    run(move |numbers| {
        let mut connection = connection.clone();
        async move {
            for id in numbers {
                let id = first + id;
                assert!(look(&mut connection, id).await.is_none());
                let lock = format!("lock:{id}");
                if locked {
                    let mut take = cmd("SET");
                    send(take.arg(&lock).arg("token").arg("NX").arg("EX").arg(10), &mut connection).await;
                }
                let mut store = cmd("SET");
                store.arg(raw_key(id)).arg(Account::encoded(id)).arg("EX").arg(LIFETIME);
                send(&store, &mut connection).await;
                if locked {
                    send(&Cmd::del(&lock), &mut connection).await;
                }
            }
        }
    })
}

pub(crate) fn delete(connection: MultiplexedConnection, told: bool) -> Run {
    run(move |numbers| {
        let mut connection = connection.clone();
        async move {
            for id in numbers {
                let key = raw_key(2 * IDS + id);
                send(&Cmd::del(&key), &mut connection).await;
                if told {
                    send(&Cmd::publish("changes", &key), &mut connection).await;
                }
            }
        }
    })
}

async fn send(command: &Cmd, connection: &mut MultiplexedConnection) {
    let _: redis::Value = command.query_async(connection).await.expect("the server is there");
}
