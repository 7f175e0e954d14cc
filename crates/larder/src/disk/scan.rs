//! Reading what an earlier process left: which entries there are, and what was invalidated after them.
//!
//! What cannot be read may have been an invalidation, of anything that was written before it. So nothing is served that
//! stands before a place that is damaged; what stands behind it is as good as before.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::record::{self, Boot, EntryHead, HEAD, Head};
use crate::scope::ScopeHash;

/// In which pieces the kernel copies what is written: a process that is killed leaves a record that ends at such a border.
const PAGE: usize = 4_096;

/// A segment that was read.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) order: u64,
    pub(super) boot: Boot,
    /// Whether all that was written up to its end is safe from a power cut.
    pub(super) clean: bool,
    pub(super) records: Vec<(u32, Record)>,
}

#[derive(Debug)]
pub(super) enum Record {
    Entry(EntryHead),
    Changes(Vec<ScopeHash>),
}

/// Reads the segment with this number; none if it is damaged. `buffer` is used again for the next one.
pub(super) fn scan(path: &Path, number: u32, buffer: &mut Vec<u8>) -> io::Result<Option<Scanned>> {
    buffer.clear();
    File::open(path)?.read_to_end(buffer)?;
    Ok(parse(buffer, number))
}

fn parse(bytes: &[u8], number: u32) -> Option<Scanned> {
    let Some(Head::Segment { number: written, size, order, boot }) = head_at(bytes, 0) else { return None };
    if written != u64::from(number) {
        return None;
    }
    let mut scanned = Scanned { order, boot, clean: false, records: Vec::new() };
    let mut at = HEAD;
    loop {
        let (body, offset) = (at + HEAD, u32::try_from(at).ok()?);
        let Some(head) = head_at(bytes, at) else {
            // A process that ended here without a word left the rest as it was made: empty, and as long.
            let ends = bytes.len() as u64 == size && is_unwritten(bytes, at, HEAD);
            return ends.then_some(scanned);
        };
        let end = usize::try_from(head.body()).ok().and_then(|length| body.checked_add(length))?;
        match head {
            Head::End { clean } => {
                scanned.clean = clean;
                return Some(scanned);
            }
            Head::Segment { .. } => return None,
            Head::Entry(_) if end > bytes.len() => return None,
            Head::Entry(entry) => scanned.records.push((offset, Record::Entry(entry))),
            Head::Changes { checksum, .. } => match record::changes(bytes.get(body..end)?, checksum) {
                Some(scopes) => scanned.records.push((offset, Record::Changes(scopes))),
                None => {
                    let ends = bytes.len() as u64 == size && is_unwritten(bytes, at, end - at);
                    return ends.then_some(scanned);
                }
            },
        }
        at = end;
    }
}

fn head_at(bytes: &[u8], at: usize) -> Option<Head> {
    Head::parse(bytes.get(at..at + HEAD)?.try_into().expect("as long as a head"))
}

/// Whether a record of this length was not written here, or not to its end: nothing is there, or nothing from the border
/// of a page on, within the record. No one was told that it was written.
fn is_unwritten(bytes: &[u8], at: usize, length: usize) -> bool {
    let empty_from = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let border = empty_from.next_multiple_of(PAGE);
    empty_from <= at || (at < border && border < at + length)
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    const SIZE: usize = 5 * PAGE;

    fn segment(records: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let head = Head::Segment { number: 3, size: SIZE as u64, order: 0, boot: [1; 16] };
        let mut bytes = head.to_bytes().to_vec();
        records(&mut bytes);
        bytes.resize(SIZE.max(bytes.len()), 0);
        bytes
    }

    fn entry(bytes: &mut Vec<u8>, key: u64, length: usize) {
        let length = u32::try_from(length).expect("it is short");
        let head = EntryHead { length, key, expires: 1, epoch: 0, reset: 0, digest: [0; 24] };
        bytes.extend_from_slice(&Head::Entry(head).to_bytes());
        bytes.resize(bytes.len() + length as usize, 7);
    }

    fn scopes(numbers: impl IntoIterator<Item = u64>) -> Vec<ScopeHash> {
        numbers.into_iter().map(ScopeHash::from_number).collect()
    }

    #[test]
    fn each_bit_that_changes_in_a_head_or_a_change_is_noticed() {
        let whole = segment(|bytes| {
            entry(bytes, 1, 100);
            record::put_changes(bytes, &scopes(1..4));
            entry(bytes, 2, 0);
            bytes.extend_from_slice(&Head::End { clean: true }.to_bytes());
        });
        let scanned = parse(&whole, 3).unwrap();
        assert_eq!((scanned.records.len(), scanned.clean), (3, true));
        assert!(parse(&whole, 4).is_none(), "another segment's file");
        let message = 2 * HEAD..2 * HEAD + 100;
        let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for at in (0..end).filter(|at| !message.contains(at)) {
            for bit in 0..8 {
                let mut harmed = whole.clone();
                harmed[at] ^= 1 << bit;
                assert!(parse(&harmed, 3).is_none(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_noticed_wherever_it_was() {
        let open = segment(|bytes| {
            entry(bytes, 1, 10);
            record::put_changes(bytes, &scopes(1..3));
        });
        assert_eq!(parse(&open, 3).unwrap().records.len(), 2, "killed in between");
        for length in 0..open.len() {
            assert!(parse(&open[..length], 3).is_none(), "cut to {length}");
        }
    }

    #[test]
    fn what_a_killed_process_did_not_write_to_its_end_is_not_there() {
        let many = scopes(0..1_500);
        let whole = segment(|bytes| {
            entry(bytes, 1, 10);
            record::put_changes(bytes, &many);
        });
        let begin = 2 * HEAD + 10;
        for border in [PAGE, 2 * PAGE, 3 * PAGE] {
            let mut torn = whole.clone();
            torn[border..].fill(0);
            let scanned = parse(&torn, 3);
            let expected = if border < begin + HEAD + 8 * many.len() { 1 } else { 2 };
            assert_eq!(scanned.unwrap().records.len(), expected, "torn at {border}");
            // One that was written, and was harmed, is no torn one.
            let mut harmed = whole.clone();
            harmed[border - 1] ^= 1;
            assert!(parse(&harmed, 3).is_none() || border > begin + HEAD + 8 * many.len());
        }
        let mut headless = segment(|bytes| entry(bytes, 1, PAGE - 2 * HEAD - 40));
        headless[PAGE - 40..PAGE].fill(9);
        assert_eq!(parse(&headless, 3).unwrap().records.len(), 1, "a head over the border");
    }
}
