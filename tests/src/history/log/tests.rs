use super::*;

fn everything() -> Vec<Record> {
    let node = |version, parts| Node {
        id: ValueId(u64::MAX - 1),
        key: 300,
        began: 5,
        version,
        inserted: true,
        parts,
    };
    let read = Read {
        begin: 1_000,
        end: u64::MAX / 4,
        key: 7,
        value: ValueId(0),
        in_touch_before: Some(1),
        in_touch_after: None,
        position: u64::MAX,
    };
    let change = |outcome, resolved, makes, scopes| Change {
        called: 10,
        returned: 11,
        resolved,
        outcome,
        makes,
        scopes,
    };
    vec![
        Record::Value(node(None, vec![])),
        Record::Value(node(Some(0), vec![(1, None), (2, Some(ValueId(0)))])),
        Record::Read(read),
        Record::Change(change(Outcome::Unknown, None, None, vec![])),
        Record::Change(change(Outcome::Queued, Some(13), None, vec![1])),
        Record::Change(change(Outcome::Delivered(u64::MAX), Some(12), Some(ValueId(9)), vec![1, 900])),
        Record::Write(Write { begin: 1, end: 2, key: 3, version: 4 }),
        Record::Drained(Drained { begin: 3, end: 2, in_touch: 1 }),
        Record::Heard(Heard { at: 1, epoch: 1 << 63 }),
        Record::Settled(Settled { key: 1, took: 2, current: true, value: Some(ValueId(0)) }),
        Record::Tally(Tally {
            reads: 1,
            nothing: 2,
            failures: 3,
            cancelled: 4,
            computed: 5,
            hung: 6,
            memory_at_first: 7,
            memory: 8,
            kept: 9,
            from_disk: 10,
            in_transactions: 11,
        }),
    ]
}

#[test]
fn what_is_read_back_is_what_was_written() {
    let records = everything();
    let back: Vec<_> = Log::of(&records).records().collect();
    assert_eq!(back, records.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn a_file_is_what_was_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let recorder = Recorder::new();
    for record in everything() {
        recorder.add(&record);
    }
    recorder.count(|tally| tally.computed += 1);
    recorder.write(&path).unwrap();
    let back: Vec<_> = Log::read(&path).unwrap().records().map(Option::unwrap).collect();
    let mut expected = everything();
    expected.push(Record::Tally(Tally { computed: 1, ..Tally::default() }));
    assert_eq!(back, expected);
}

#[test]
fn a_value_is_described_once() {
    let recorder = Recorder::new();
    let leaf =
        |id| Made { id: ValueId(id), key: 1, began: 1, version: Some(1), inserted: false, parts: vec![] };
    let part = crate::history::value::Part { key: 1, found: Some(leaf(1)) };
    let value = Made { id: ValueId(2), key: 2, version: None, parts: vec![part], ..leaf(2) };
    let read = Read {
        begin: 1,
        end: 2,
        key: 2,
        value: ValueId(2),
        in_touch_before: None,
        in_touch_after: None,
        position: 0,
    };
    recorder.add_read(&read, &leaf(1));
    recorder.add_read(&read, &value);
    recorder.add_read(&read, &value);
    let log = Log { start: recorder.start, bytes: recorder.state().bytes.clone() };
    let described = log.records().filter(|record| matches!(record, Some(Record::Value(_)))).count();
    assert_eq!((described, log.records().count()), (2, 5));
}

#[test]
fn what_is_no_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let recorder = Recorder::new();
    recorder.add(&everything()[5]);
    recorder.write(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for cut in [0, 4, 12, 17, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(Log::read(&path).is_err(), "{cut} bytes");
    }
    fs::write(&path, [&whole[..16], &[99, 0]].concat()).unwrap();
    assert!(Log::read(&path).is_err());
}
