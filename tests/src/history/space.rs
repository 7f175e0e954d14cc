//! The keys: few enough that all workers meet at each, and of every kind.

use std::time::Duration;

use larder::{Policy, Scope};

/// What all keys live in. It is the same in every process of a run.
pub struct Space {
    /// By number.
    pub keys: Vec<Key>,
    /// By number. Each of them twice: as what is invalidated, and after all of these, as what is marked stale.
    pub scopes: Vec<Scope>,
    /// From this number on, scopes are those of marks.
    marks: usize,
    /// From this number on, keys are changed so rarely that an invalidation which was lost is not made good by
    /// the next one.
    cold: usize,
    /// From this number on, keys are read so rarely that what was invalidated lies on the server for a while before
    /// a process replaces it.
    quiet: usize,
}

/// A key.
pub struct Key {
    /// In full, with the namespace in front.
    pub text: String,
    /// How long its values live.
    pub policy: Policy,
    /// Nothing of it is served past its time: a value that was marked stale is never given to a caller.
    pub is_strict: bool,
    /// What its values are made from.
    pub made_from: MadeFrom,
    /// The numbers of the scopes that cover its values.
    pub scopes: Vec<usize>,
    /// The numbers of those that cover "there is nothing under this key": tags belong to values.
    pub scopes_of_absent: Vec<usize>,
}

/// What values are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeFrom {
    /// The version of the key in the source.
    Source,
    /// The same; only one process writes that, and inserts what it wrote.
    SourceOf(u8),
    /// Cached values under other keys, with smaller numbers.
    Keys(Vec<usize>),
}

/// The name of the namespace that some keys are in.
pub const NAMESPACE: &str = "ns";

const OWNED: usize = 3;

const COLD: usize = 24;

/// One change in so many is one of a cold key: each of them changes every few seconds.
const ONE_IS_COLD: u32 = 150;

const QUIET: usize = 12;

/// One change in so many is one of all quiet keys.
pub const ONE_IS_QUIET: u32 = 150;

/// One read in so many is one of a quiet key: the next one of each is some tenths of a second away.
const ONE_READ_IS_QUIET: u32 = 150;

impl Space {
    /// For so many processes.
    #[must_use]
    pub fn new(processes: u8) -> Self {
        let mut space = Self { keys: Vec::new(), scopes: Vec::new(), marks: 0, cold: 0, quiet: 0 };
        space.number_of(Scope::all());
        for number in 0..6 {
            space.add(format!("a:{number}"), MadeFrom::Source);
            space.add(format!("a:b:{number}"), MadeFrom::Source);
            space.add(format!("{NAMESPACE}:{number}"), MadeFrom::Source);
        }
        for process in 0..processes {
            for number in 0..OWNED {
                space.add(format!("own:{process}:{number}"), MadeFrom::SourceOf(process));
            }
        }
        let leaves = space.keys.len();
        for number in 0..6 {
            space.add(format!("sum:{number}"), MadeFrom::Keys(vec![3 * number, leaves - 1 - number]));
        }
        for number in 0..3 {
            let parts = vec![3 * number + 1, leaves + number, leaves + number + 3];
            space.add(format!("{NAMESPACE}:top:{number}"), MadeFrom::Keys(parts));
        }
        space.cold = space.keys.len();
        for number in 0..COLD {
            space.add(format!("cold:{number}"), MadeFrom::Source);
        }
        for number in 0..COLD / 4 {
            let parts = vec![space.cold + 2 * number, space.cold + 2 * number + 1];
            space.add(format!("cold:sum:{number}"), MadeFrom::Keys(parts));
        }
        space.quiet = space.keys.len();
        for number in 0..QUIET {
            space.add(format!("quiet:{number}"), MadeFrom::Source);
        }
        space.marks = space.scopes.len();
        space.scopes.extend_from_within(..);
        space
    }

    fn add(&mut self, text: String, made_from: MadeFrom) {
        let number = self.keys.len();
        let group = ["cold", "quiet"].into_iter().find(|group| text.starts_with(group));
        let tag = group.map_or_else(|| format!("tag {}", number % 4), str::to_owned);
        let mut scopes = vec![0, self.number_of(Scope::key(&text))];
        for (colon, _) in text.match_indices(':') {
            let prefix = self.number_of(Scope::prefix(&text[..colon]));
            scopes.push(prefix);
        }
        let scopes_of_absent = scopes.clone();
        scopes.push(self.number_of(Scope::tag(&tag)));
        let kind = if group.is_some() { 0 } else { number };
        let (policy, is_strict) = (policy(kind, &tag), !HAVE_WINDOWS.contains(&(kind % KINDS)));
        self.keys.push(Key { text, policy, is_strict, made_from, scopes, scopes_of_absent });
    }

    fn number_of(&mut self, scope: Scope) -> usize {
        self.scopes.iter().position(|known| *known == scope).unwrap_or_else(|| {
            self.scopes.push(scope);
            self.scopes.len() - 1
        })
    }

    /// The number of the scope that is a key.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[must_use]
    pub fn scope_of_key(&self, key: usize) -> usize {
        self.keys[key].scopes[1]
    }

    /// The number of a scope as what is marked stale.
    #[must_use]
    pub fn mark_of(&self, scope: usize) -> usize {
        self.marks + scope
    }

    /// Whether a key changes rarely.
    #[must_use]
    pub fn is_cold(&self, key: usize) -> bool {
        (self.cold..self.quiet).contains(&key)
    }

    /// A quiet key.
    #[must_use]
    pub fn any_quiet(&self, random: &mut fastrand::Rng) -> usize {
        random.usize(self.quiet..self.keys.len())
    }

    /// A key to be read.
    #[must_use]
    pub fn to_read(&self, random: &mut fastrand::Rng) -> usize {
        match random.u32(..ONE_READ_IS_QUIET) {
            0 => self.any_quiet(random),
            _ => random.usize(..self.quiet),
        }
    }

    /// A key to be changed.
    #[must_use]
    pub fn to_change(&self, random: &mut fastrand::Rng) -> usize {
        match random.u32(..ONE_IS_COLD) {
            0 => random.usize(self.cold..self.quiet),
            _ => random.usize(..self.cold),
        }
    }

    /// A scope, for people.
    #[must_use]
    pub fn describe(&self, scope: usize) -> String {
        let how = if scope < self.marks { "" } else { " (marked stale)" };
        self.scopes.get(scope).map_or_else(|| format!("scope {scope}"), |scope| format!("{scope:?}{how}"))
    }
}

/// How many kinds of policies there are, and which of them have a window for what is past its time.
const KINDS: usize = 9;
const HAVE_WINDOWS: [usize; 2] = [3, 4];

/// Every kind of end that a value can come to. Most live long, so that what should have been dropped stays to
/// be found.
fn policy(number: usize, tag: &str) -> Policy {
    let builder = Policy::builder().tag(tag);
    let (short, window) = (Duration::from_millis(60), Duration::from_millis(600));
    let builder = match number % KINDS {
        3 => builder.ttl(short).stale_while_revalidate(window),
        4 => builder.ttl(short).stale_if_error(window).timeout(Duration::from_millis(2)),
        5 => builder.ttl(window).refresh_ahead(0.1).jitter(0.5),
        6 => builder.ttl(Duration::from_secs(3_600)).memory_ttl(short),
        7 => builder.ttl(Duration::from_secs(3_600)).idle(window),
        8 => builder.adaptive(short..=window),
        _ => builder.ttl(Duration::from_secs(3_600)),
    };
    builder.build().expect("the fractions are fractions")
}
