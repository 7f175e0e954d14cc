//! One value under one key: who must have heard of what.

use larder::Scope;

use super::*;
use crate::history::space::NAMESPACE;

#[test]
fn in_the_same_process_the_return_counts_and_not_the_delivery() {
    for went in [Went::Unknown, Went::Queued(5), Went::Delivered(500)] {
        let mut story = Story::new();
        let value = story.makes(0, "a:1", 1);
        story.invalidates(0, "a:1", 2, went);
        story.reads(0, "a:1", value, at(4));
        story.breaks(Promise::SameProcess);
    }
}

#[test]
fn a_read_that_began_before_the_return_may_give_the_old_value() {
    let mut story = Story::new();
    let value = story.makes(0, "a:1", 1);
    story.invalidates(0, "a:1", 2, Went::Delivered(3));
    story.reads(0, "a:1", value, at(3));
    story.holds();
}

#[test]
fn a_computation_that_began_after_the_call_is_new() {
    let mut story = Story::new();
    let value = story.makes(0, "a:1", 2);
    story.invalidates(0, "a:1", 2, Went::Delivered(3));
    story.reads(0, "a:1", value, at(9));
    story.holds();
}

#[test]
fn every_scope_that_covers_the_key_counts_and_no_other() {
    let tag = |story: &Story, key: &str| {
        let scopes = &story.space.keys[story.key(key)].scopes;
        story.space.scopes[scopes[scopes.len() - 1]].clone()
    };
    let covering = [Scope::prefix("a"), Scope::prefix("a:b"), Scope::all(), tag(&Story::new(), "a:b:1")];
    for scope in covering {
        let mut story = Story::new();
        let value = story.makes(0, "a:b:1", 1);
        story.invalidates(0, scope, 2, Went::Unknown);
        story.reads(0, "a:b:1", value, at(4));
        story.breaks(Promise::SameProcess);
    }
    let others = [Scope::key("a:b:2"), Scope::prefix(NAMESPACE), tag(&Story::new(), "a:b:2")];
    for scope in others {
        let mut story = Story::new();
        let value = story.makes(0, "a:b:1", 1);
        story.invalidates(0, scope, 2, Went::Unknown);
        story.reads(0, "a:b:1", value, at(4));
        story.holds();
    }
}

#[test]
fn another_process_may_not_have_heard_of_it() {
    for went in [Went::Unknown, Went::Queued(3), Went::Delivered(3)] {
        let mut story = Story::new();
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, went);
        story.reads(1, "a:1", value, at(10_000));
        story.holds();
        assert_eq!(story.report().excused, usize::from(matches!(went, Went::Delivered(_))));
    }
}

#[test]
fn under_bypass_another_process_must_have_heard_after_so_long() {
    for (read, broken) in [(103, false), (104, true)] {
        let mut story = Story::of(&[Mode::Serve, D]);
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, Went::Delivered(3));
        story.reads(1, "a:1", value, at(read));
        if broken {
            story.breaks(Promise::Bypass);
        } else {
            story.holds();
        }
    }
}

#[test]
fn bypass_says_nothing_of_what_was_not_delivered() {
    for went in [Went::Unknown, Went::Queued(3)] {
        let mut story = Story::of(&[Mode::Serve, D]);
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, went);
        story.reads(1, "a:1", value, at(10_000));
        story.holds();
    }
}

#[test]
fn an_empty_outbox_after_the_call_is_a_delivery() {
    for (drained, broken) in [(2, false), (3, false), (4, true)] {
        let mut story = Story::of(&[Mode::Serve, D]);
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, Went::Queued(9));
        story.drained(0, drained, 0);
        story.reads(1, "a:1", value, at(200));
        if broken {
            story.breaks(Promise::Bypass);
        } else {
            story.holds();
        }
    }
}

#[test]
fn another_process_outbox_says_nothing() {
    let mut story = Story::of(&[Mode::Serve, D]);
    let value = story.makes(1, "a:1", 1);
    story.invalidates(0, "a:1", 2, Went::Queued(9));
    story.drained(1, 50, 0);
    story.reads(1, "a:1", value, at(10_000));
    story.holds();
}

#[test]
fn a_process_in_touch_after_the_delivery_must_have_heard() {
    for (in_touch, broken) in [(1, false), (3, false), (4, true)] {
        let mut story = Story::new();
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, Went::Delivered(3));
        story.reads(1, "a:1", value, at(50).in_touch(in_touch));
        if broken {
            story.breaks(Promise::InTouch);
        } else {
            story.holds();
        }
    }
}

#[test]
fn a_process_past_an_epoch_must_have_heard() {
    for (position, broken) in [(6, false), (7, true)] {
        let mut story = Story::new();
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, Went::DeliveredAt(90, 7));
        story.reads(1, "a:1", value, at(50).position(position));
        if broken {
            story.breaks(Promise::Position);
        } else {
            story.holds();
        }
        // Where the log may be another one, an epoch proves nothing.
        story.losses.epochs_rise = false;
        story.holds();
    }
}

#[test]
fn a_process_that_waited_for_an_epoch_must_have_heard() {
    for (read, broken) in [(40, false), (41, true)] {
        let mut story = Story::new();
        let value = story.makes(1, "a:1", 1);
        story.invalidates(0, "a:1", 2, Went::DeliveredAt(90, 7));
        story.records[1].push(Record::Heard(Heard { at: moment(40), epoch: 8 }));
        story.reads(1, "a:1", value, at(read));
        if broken {
            story.breaks(Promise::Position);
        } else {
            story.holds();
        }
    }
}

#[test]
fn the_last_of_several_changes_decides() {
    let mut story = Story::new();
    let value = story.makes(0, "a:1", 5);
    story.invalidates(0, "a:1", 1, Went::Unknown);
    story.invalidates(0, "a:1", 3, Went::Unknown);
    story.reads(0, "a:1", value, at(9));
    story.holds();
    story.invalidates(0, Scope::all(), 6, Went::Unknown);
    story.breaks(Promise::SameProcess);
}

#[test]
fn the_report_tells_what_the_source_had() {
    let mut story = Story::new();
    let value = story.makes(0, "a:1", 1);
    let key = story.key("a:1");
    for (version, begin) in [(2, 2), (3, 9)] {
        let (begin, end) = (moment(begin), moment(begin + 1));
        story.records[0].push(Record::Write(Write { begin, end, key, version }));
    }
    story.invalidates(0, "a:1", 4, Went::Unknown);
    story.reads(0, "a:1", value, at(20));
    let report = story.report();
    let Violation::TooOld(found) = &report.violations[0] else { panic!("{report}") };
    assert_eq!(found.written, Some(2));
}
