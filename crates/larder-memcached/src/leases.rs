//! Leases: one of all processes computes a key, and the others wait for its value.
//!
//! A lease is an item beside the entry, on the entry's node: who has it, and what the counter was when that computation began. It
//! is taken by `add`, and given back by `cas`. Its end is memcached's, so that a process that died holds up no other for long; while
//! it computes, the holder puts it off. Where a generation of the key has begun anew since, or is not there, what the holder
//! computes is of no use, and another one takes the lease from it.
//!
//! Nothing tells those who wait: they look again, each 10 to 200 ms.

use std::time::Duration;

use async_trait::async_trait;
use larder::{
    Core, Entry, Epoch, Lookup, ScopeHash, ValueType,
    internal::shared::{
        LeaseAttempt, LeaseHolder, LeaseRequest, LeaseStore, Leases, StoreOutcome, epoch_of, number_of,
    },
};

use crate::{
    client::{Failure, Item, Node, Storing},
    remote::own_scopes,
    stamp::Stamp,
    store::{Store, ask, ask_in_turn, get_one},
};

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    token: String,
    began: Stamp,
}

impl Stored {
    fn new(holder: &LeaseHolder, began: Stamp) -> Self {
        let token = holder.token().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { token, began }
    }

    /// None if it is none, as one that was given back.
    fn of(item: &Item) -> Option<Self> {
        let (token, number) = std::str::from_utf8(&item.data).ok()?.split_once(' ')?;
        let began = Stamp { flags: item.flags, number: number.parse().ok()? };
        (token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| Self { token: token.to_owned(), began })
    }

    fn text(&self) -> String {
        format!("{} {}", self.token, self.began.number)
    }

    /// As this process knows it; one whose counter it does not know began before all that it does.
    fn holder(&self, store: &Store) -> Option<LeaseHolder> {
        let token: Option<Vec<u8>> = (0..16)
            .map(|index| u8::from_str_radix(self.token.get(2 * index..2 * index + 2)?, 16).ok())
            .collect();
        let epoch = store.incarnations.epoch(self.began).unwrap_or(Epoch::ZERO);
        LeaseHolder::parse(&[token?, number_of(epoch).to_be_bytes().to_vec()].concat())
    }
}

/// What came of asking for a lease.
struct Taken {
    /// Who has it.
    holder: Option<Stored>,
    /// What is stored.
    entry: Option<Item>,
}

fn take(items: &mut Vec<Item>, name: &str) -> Option<Item> {
    let index = items.iter().position(|item| item.name == name)?;
    Some(items.swap_remove(index))
}

fn epoch_in(holder: &LeaseHolder) -> Epoch {
    let bytes = holder.bytes().last_chunk().expect("it ends with its epoch");
    epoch_of(u64::from_be_bytes(*bytes))
}

/// In seconds for memcached, whose clock goes on by whole ones: one of one second might end at once.
fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX / 2).saturating_add(2)
}

impl Store {
    /// Where the lease of a key is.
    fn lease_of(&self, key: &str) -> (&std::sync::Arc<Node>, String, String) {
        let entry = self.names.entry(key);
        (self.node_of(&entry), self.names.lease(key), entry)
    }

    /// Takes the lease of a key if it is free: who has it then, and the entry that was there after that. Without a holder, the
    /// node took no lease.
    async fn take_lease(
        &self,
        key: &str,
        own: &Stored,
        (outdated, lifetime): (Option<String>, Duration),
    ) -> Result<Taken, Failure> {
        let (node, name, entry) = self.lease_of(key);
        let text = own.text();
        let (flags, data, expires) = (own.began.flags, text.as_bytes(), seconds(lifetime));
        let storing = Storing { name: &name, flags, expires, data };
        let request = async {
            let mut connection = node.connection(self.deadline).await?;
            let items = connection.add_and_get_both(&storing, &entry).await?;
            connection.give_back();
            Ok(items)
        };
        let mut items = ask_in_turn(node, request).await?;
        let entry = take(&mut items, &entry);
        let Some(lease) = take(&mut items, &name) else { return Ok(Taken { holder: None, entry }) };
        let holder = Stored::of(&lease);
        let is_over = match &holder {
            Some(holder) if holder == own => false,
            Some(holder) if outdated.as_ref() == Some(&holder.token) => true,
            Some(holder) => !self.is_wanted(&own_scopes(key), holder.began).await,
            None => true,
        };
        match is_over {
            true => self.replace_lease(key, (&lease, holder), &storing).await,
            false => Ok(Taken { holder, entry }),
        }
    }

    /// Takes a lease from its holder, if that has it still.
    async fn replace_lease(
        &self,
        key: &str,
        (lease, holder): (&Item, Option<Stored>),
        own: &Storing<'_>,
    ) -> Result<Taken, Failure> {
        let (node, name, entry) = self.lease_of(key);
        let request = async {
            let mut connection = node.connection(self.deadline).await?;
            // By a `cas` of this very connection: see `generations`.
            let there = get_one(&mut connection, &name).await?;
            let there = there.filter(|there| (there.flags, &there.data) == (lease.flags, &lease.data));
            let is_taken = match &there {
                Some(there) => connection.compare_and_set(&[(own.clone(), there.cas)]).await? == [true],
                None => false,
            };
            // Also what the one before has stored up to now.
            let entry = get_one(&mut connection, &entry).await?;
            connection.give_back();
            let own = Item { name: String::new(), flags: own.flags, cas: 0, data: own.data.to_vec() };
            Ok(Taken { holder: if is_taken { Stored::of(&own) } else { holder }, entry })
        };
        ask_in_turn(node, request).await
    }

    /// Whether what is computed of these scopes since then can be valid.
    async fn is_wanted(&self, scopes: &[ScopeHash], began: Stamp) -> bool {
        let names = scopes.iter().map(|scope| self.names.generation(*scope));
        let found = self.get(names.collect()).await;
        // Of a node that cannot be asked, nothing is known.
        let is_current = |scope: &ScopeHash| {
            let name = self.names.generation(*scope);
            match found.items.get(&name) {
                Some(item) => Stamp::of(item).is_some_and(|generation| generation.covers(began)),
                None => found.failed.contains_key(&self.placement.of(&name)),
            }
        };
        scopes.iter().all(is_current)
    }

    /// Has something done with the lease of a key, if this holder has it. Whether it had.
    async fn with_lease(
        &self,
        key: &str,
        holder: &LeaseHolder,
        lifetime: Option<Duration>,
    ) -> Result<bool, Failure> {
        let (node, name, _) = self.lease_of(key);
        let request = async {
            let mut connection = node.connection(self.deadline).await?;
            let item = get_one(&mut connection, &name).await?;
            let held = item.and_then(|item| Some((item.cas, Stored::of(&item)?)));
            let held = held.filter(|(_, stored)| stored.token == Stored::new(holder, stored.began).token);
            let done = match (held, lifetime) {
                (None, _) => false,
                (Some((cas, stored)), Some(lifetime)) => {
                    let (text, expires) = (stored.text(), seconds(lifetime));
                    let (flags, data) = (stored.began.flags, text.as_bytes());
                    let storing = Storing { name: &name, flags, expires, data };
                    connection.compare_and_set(&[(storing, cas)]).await? == [true]
                }
                (Some((cas, _)), None) => connection.end(&name, cas).await?,
            };
            connection.give_back();
            Ok(done)
        };
        ask(node, request).await
    }
}

#[async_trait]
impl LeaseStore for Store {
    fn leases(&self) -> &Leases {
        self.leases.as_ref().expect("none is asked for where there are none")
    }

    fn may_be_asked(&self) -> bool {
        self.is_within_reach()
    }

    async fn acquire(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        request: LeaseRequest,
    ) -> LeaseAttempt {
        let LeaseRequest { own, outdated, lifetime, .. } = request;
        // Without one nothing that is computed now is stored.
        let Some(began) = self.incarnations.stamp(epoch_in(&own)) else { return LeaseAttempt::OutOfReach };
        let stored = Stored::new(&own, began);
        let outdated = outdated.map(|holder| Stored::new(&holder, began).token);
        let (holder, entry) = match self.take_lease(at.key, &stored, (outdated, lifetime)).await {
            Ok(Taken { holder: Some(holder), entry }) => (holder, entry),
            Ok(_) => return LeaseAttempt::OutOfReach,
            Err(failure) => {
                let failed = match failure {
                    Failure::TimedOut => StoreOutcome::TimedOut,
                    Failure::LeftAlone | Failure::Unreachable(_) => StoreOutcome::Unreachable,
                };
                self.entries.count_failed_reads(core, of, 1, failed);
                return LeaseAttempt::OutOfReach;
            }
        };
        let entry = match entry {
            Some(item) => self.judge_found(core, at, of, &item).await,
            None => None,
        };
        match holder.holder(self) {
            _ if holder.token == stored.token => LeaseAttempt::Acquired(entry),
            Some(holder) => LeaseAttempt::HeldBy(holder, entry),
            None => LeaseAttempt::OutOfReach,
        }
    }

    async fn look(&self, core: &Core, at: Lookup<'_>, of: ValueType) -> Option<Entry> {
        let entry = self.names.entry(at.key);
        let item = self.get(vec![entry.clone()]).await.items.remove(&entry)?;
        self.judge_found(core, at, of, &item).await
    }

    async fn renew(&self, key: &str, holder: LeaseHolder, lifetime: Duration) -> bool {
        !matches!(self.with_lease(key, &holder, Some(lifetime)).await, Ok(false))
    }

    /// No waiting caller is woken.
    async fn release(&self, key: &str, holder: LeaseHolder) -> bool {
        _ = self.with_lease(key, &holder, None).await;
        false
    }
}
