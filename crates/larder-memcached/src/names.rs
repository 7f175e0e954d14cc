//! What things are called in memcached, and on which node they are.

use hmac_sha256::Hash;
use larder::ScopeHash;

/// The longest name that memcached takes is of 250 bytes. A longer one, or one with bytes that it does not take, is a digest.
const LONGEST: usize = 190;

/// What things of one prefix are called.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// None if the prefix is not of 1 to 40 printable characters of ASCII without spaces.
    pub(crate) fn new(prefix: &str) -> Option<Self> {
        let fits = (1..=40).contains(&prefix.len()) && is_printable(prefix);
        fits.then(|| Self { prefix: prefix.to_owned() })
    }

    /// The entry under a full key.
    pub(crate) fn entry(&self, key: &str) -> String {
        self.of_key('e', key)
    }

    /// The counter that `CacheExt::increment` counts with.
    pub(crate) fn counter(&self, key: &str) -> String {
        self.of_key('c', key)
    }

    /// The lease for the computation of a full key.
    pub(crate) fn lease(&self, key: &str) -> String {
        self.of_key('l', key)
    }

    /// The generation of a scope.
    pub(crate) fn generation(&self, scope: ScopeHash) -> String {
        format!("{}:g:{:016x}", self.prefix, scope.get())
    }

    /// The counter that generations are taken from.
    pub(crate) fn clock(&self) -> String {
        format!("{}:n", self.prefix)
    }

    /// The list of nodes of the process that looked last.
    pub(crate) fn peers(&self) -> String {
        format!("{}:p", self.prefix)
    }

    fn of_key(&self, kind: char, key: &str) -> String {
        let prefix = &self.prefix;
        if key.len() <= LONGEST && is_printable(key) {
            return format!("{prefix}:{kind}:{key}");
        }
        let digest = Hash::hash(key.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        // No other kind has two letters.
        format!("{prefix}:{kind}d:{digest}")
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Chooses a node for each name: the one that has the highest number for it. Where a node is added or taken away, only the
/// names that it has, or had, have another one.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    nodes: Vec<u64>,
}

impl Placement {
    /// By what the nodes are called, in whatever order.
    pub(crate) fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Self {
        Self { nodes: addresses.into_iter().map(|address| hash(address.as_bytes())).collect() }
    }

    /// The index of a name's node.
    pub(crate) fn of(&self, name: &str) -> usize {
        let name = hash(name.as_bytes());
        let number = |(index, node): (usize, &u64)| (mix(name ^ node.rotate_left(32)), *node, index);
        self.nodes.iter().enumerate().map(number).max().map_or(0, |(_, _, index)| index)
    }
}

/// FNV-1a: the same everywhere, and for ever.
fn hash(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, add))
}

/// The end of SplitMix64.
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_memcached_takes_and_differ() {
        let names = Names::new("shop").unwrap();
        assert_eq!(names.entry("user:7"), "shop:e:user:7");
        let long = "k".repeat(10_000);
        let odd = ["a b", "a\nb", "ä", "a\0", "", &long, &long[1..], &"k".repeat(190), &"k".repeat(191)];
        let all: std::collections::BTreeSet<_> =
            odd.iter().flat_map(|key| [names.entry(key), names.counter(key)]).collect();
        assert_eq!(all.len(), 2 * odd.len());
        assert!(all.iter().all(|name| name.len() <= 250 && is_printable(name)), "{all:?}");
        for wrong in ["", "a b", "ä", &"p".repeat(41)] {
            assert!(Names::new(wrong).is_none(), "{wrong:?}");
        }
    }

    /// Other releases and platforms have to find what this one stored.
    #[test]
    fn a_name_has_the_same_node_for_ever() {
        let placement = Placement::new(["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]);
        let nodes: Vec<_> = (0..12).map(|n| placement.of(&format!("shop:e:user:{n}"))).collect();
        assert_eq!(nodes, GOLDEN);
    }

    const GOLDEN: [usize; 12] = [2, 2, 0, 1, 0, 1, 0, 2, 1, 1, 1, 0];

    #[test]
    fn names_are_spread_and_few_move_when_a_node_goes() {
        let three = Placement::new(["a:1", "b:1", "c:1"]);
        let two = Placement::new(["c:1", "a:1"]);
        let (mut counts, mut moved) = ([0; 3], 0);
        for n in 0..30_000 {
            let name = format!("shop:g:{n:016x}");
            let (before, after) = (three.of(&name), two.of(&name));
            counts[before] += 1;
            moved += usize::from(before != 1 && [2, 0][after] != before);
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(moved, 0);
    }
}
