//! Mixes of reads that do not all fit in the caches that they are read through.

use crate::zipf;

/// Reads of ids, and how many a cache keeps.
pub struct Mix {
    /// What it is.
    pub name: &'static str,
    /// How many entries there is room for.
    pub kept: u64,
    /// The ids that are read, in this order.
    pub reads: Vec<u64>,
}

/// All mixes, of about so many reads each.
#[must_use]
pub fn mixes(reads: usize) -> Vec<Mix> {
    const IDS: u64 = 10_000;
    let kept = IDS / 10;
    let mix = |name, kept, reads| Mix { name, kept, reads };
    let skewed = zipf(IDS, 0.99, reads);
    // Ids that nothing else has, each of them read once.
    let scanned = skewed.iter().zip(IDS..).flat_map(|(&id, new)| [id, new]).take(reads).collect();
    let shifting = skewed.iter().enumerate().map(|(n, &id)| id + n as u64 / 50_000 * IDS).collect();
    let loops = |ids: u64| (0..reads as u64).map(|n| n % ids).collect();
    vec![
        mix("zipf 0.99, a tenth kept", kept, skewed.clone()),
        mix("zipf 0.7, a tenth kept", kept, zipf(IDS, 0.7, reads)),
        mix("zipf 0.99, a hundredth kept", kept, zipf(100 * kept, 0.99, reads)),
        mix("zipf 0.7, a hundredth kept", kept, zipf(100 * kept, 0.7, reads)),
        mix("zipf 0.99, and as many read once", kept, scanned),
        mix("zipf 0.99, all others every 50,000 reads", kept, shifting),
        mix("a loop through 1.2 times what is kept", kept, loops(kept * 6 / 5)),
        mix("a loop through twice what is kept", kept, loops(kept * 2)),
    ]
}
