//! Real servers that a test starts itself, breaks, and stops.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`RedisServer`] | one server on a free port, with its own directory; also with passwords, ACL users, TLS |
//! | [`RedisCluster`] | three masters, each with a replica |
//! | [`RedisSentinel`] | a master, its replica, and three sentinels that watch them |
//! | [`PostgresServer`] | one server of PostgreSQL on a free port |
//! | [`MemcachedServer`] | one server of memcached on a free port |
//! | [`Process`] | any other program that must not outlive the test |
//! | [`Proxy`] | a TCP proxy before any of them that delays, cuts, half-closes, swallows and refuses |
//!
//! Everything listens on 127.0.0.1 only. Dropping a server kills it, also in a panic, and when
//! the test's process is killed its servers die with it.
//!
//! All methods block, and panic when what they wait for has not come about within [`DEADLINE`]. An
//! async test calls them on a runtime with several threads, or through `spawn_blocking`. A proxy has
//! a thread of its own, and does not care.
//!
//! The program is `redis-server`, or what `LARDER_REDIS_SERVER` names: 6.2 or newer, or Valkey. A test of something
//! that not all of them have asks whether it [`lacks`] that, and ends.

mod ability;
mod builder;
mod cluster;
mod faults;
mod memcached;
mod migration;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod sentinel;
mod server;
mod tls;
mod topology;
mod wait;

pub use ability::{Ability, has, lacks};
pub use builder::RedisServerBuilder;
pub use cluster::RedisCluster;
pub use memcached::MemcachedServer;
pub use migration::SlotMigration;
pub use postgres::PostgresServer;
pub use process::Process;
pub use proxy::{Direction, Fault, Proxy};
pub use sentinel::RedisSentinel;
pub use server::{Data, RedisServer};
pub use tls::{Certificates, Identity};
pub use wait::{DEADLINE, until};
