//! A model of the one rule, searched to its end.
//!
//! The rules are those of "The one rule" in the design, taken from its text and not from the
//! library's code. [`search::search`] visits every state that a [`config::Config`] can reach; no
//! read may break the promise in any of them. Each [`mutant::Mutant`] breaks one rule in a way
//! that the design names, and must be caught in the configuration that [`configs::catches`] gives.
//!
//! ```text
//! cargo test -p larder-model --test model                  # half a minute
//! cargo test -p larder-model --test model caught -- --nocapture     # the mutants' traces
//! LARDER_SOAK=1 cargo test -p larder-model --test model -- --test-threads=1
//! ```
//!
//! # What there is
//!
//! Two processes, P0 and P1, with up to three callers each (P0.0, P0.1, …), and a Redis server.
//! Two entries: `k`, made from the database, and `d`, made from the cached `k`. Four scopes: `k`,
//! the prefix `k:*` over it, `d`, and everything.
//!
//! | module | rules |
//! | --- | --- |
//! | `caller` | where a caller may be interrupted |
//! | `read` | 3 memory, 4 Redis entries, 6 computations |
//! | `compute` | 1 begin, 5 dependencies |
//! | `change` | 2 and 8 `invalidate`, 11 insert |
//! | `follow` | 2 apply, 7 position |
//! | `outbox` | 8 outbox |
//! | `start` | 9 new start, 10 reset |
//! | `fault`, `strike` | trims, losses, failovers, restarts, broken links |
//!
//! [`generations`] is a model of its own: of what takes the place of a log in memcached.
//!
//! A move runs one actor up to the next point where another may come between;
//! [`config::Fine`] says where these points are. The commands of Redis are atomic, replies arrive
//! whenever they like, and a process whose reader makes no move is as slow as can be.
//!
//! # What is promised
//!
//! Fields called ghosts exist for the observer only. Invalidations are counted in the order of
//! their calls (#1, #2, …). A value carries the set of those that were called before its
//! computation began, without those that its sources are older than. A process has *heard* of its
//! own invalidations when they return, and of others when its position is said to be at or past
//! them: a read of the log that passed its check and reached the tip, and a new start, tell it
//! all that was acknowledged. A read that began after its process had heard of an invalidation
//! that covers what it reads must not return a value that is older.
//!
//! What a process inserts into `k` is not in the database. A read of that process that started after the insert returned
//! must show it, until something that covers `k` is changed.
//!
//! What a failover loses counts as acknowledged again once its sender has appended it again: so a
//! sender that is in contact and has an empty outbox must not be missing a record. A log that is
//! lost takes nothing back: the reset has to answer for it.
//!
//! # How the text is read
//!
//! - `invalidate` enters the outbox, raises the slots, raises `now`, and only then may its record
//!   be appended, all of it under the applier's lock. The echo of its own record is then no local
//!   change.
//! - An entry leaves the outbox when the record with the very ID that the reply named was read;
//!   an ID at or below the position proves nothing.
//! - Under `bypass(D)`, contact is asked for before `now` is loaded: a read of the log that is applied, and
//!   proves contact, between the look at the slots and the question would vouch for an old value.
//! - An insert puts its value in memory before it raises the slots; a computation looks at memory once more after
//!   its begin; and what began earlier takes no place from what began later.
//! - An insert takes the position that it loads after the echo, before it finds the value valid.
//! - "Everything" raises the reset floor. A new start raises the start floor, which alone is
//!   lowered again.
//! - A new start is as good as a read of the log. The library accepts entries of the server after the first read that
//!   follows a new start, which is less than is allowed here.
//! - What a process appends first after a new start leaps above all that it has seen (`server::LEAP`): a
//!   server that took the place of another one would give the IDs of lost records again, and an entry on a
//!   third server that was made after these would be newer than what is invalidated now. A process that
//!   starts on the old server in its last moments is beyond the bounds: time tells its leap from later ones.
//! - Where a log is lost and IDs fall, the log is made anew by a process that has seen the higher
//!   ones.
//!
//! # What there is not
//!
//! Slots that two scopes share (an entry looks stale, never fresh), TTLs, leases, cycles of
//! computations, caches with two logs, packed IDs, the outbox' overflow, and counters. A command whose
//! link breaks has reached the server by then, or never does. There are no clocks: that the limit
//! of `bypass(D)` has passed since a process was last in contact is a fault ([`config::Config::bypass`]).

mod action;
mod caller;
mod change;
mod compute;
pub mod config;
pub mod configs;
pub mod event;
mod fault;
mod follow;
pub mod generations;
pub mod mutant;
mod outbox;
mod read;
pub mod scope;
pub mod search;
mod server;
mod start;
mod state;
mod step;
mod strike;
mod trace;
mod value;
