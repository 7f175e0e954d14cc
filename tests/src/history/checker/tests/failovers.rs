//! Failovers that may lose what was acknowledged.

use super::*;

/// A change of process 0 at 10, delivered then, and a failover: process 1 has an old value.
fn story(delivered: u64, from: u64, until: u64) -> (Story, ValueId) {
    let mut story = Story::of(&[Mode::Serve, D]);
    story.losses =
        Losses { windows: vec![Window { from: moment(from), until: moment(until) }], epochs_rise: false };
    let value = story.makes(1, "a:1", 1);
    story.invalidates(0, "a:1", 10, Went::Delivered(delivered));
    (story, value)
}

#[test]
fn what_was_delivered_before_is_kept() {
    let (mut story, value) = story(20, 50, 90);
    story.reads(1, "a:1", value, at(300));
    story.breaks(Promise::Bypass);
}

#[test]
fn what_may_be_lost_counts_once_it_was_appended_again() {
    let (mut story, value) = story(60, 50, 90);
    story.reads(1, "a:1", value, at(900));
    story.holds();
    // Before the failover was over, or without contact with the new master: the outbox proves nothing.
    story.drained(0, 80, 79);
    story.drained(0, 95, 85);
    story.holds();
    story.drained(0, 700, 95);
    story.breaks(Promise::Bypass);
}

#[test]
fn what_was_appended_again_counts_from_then_on() {
    let (mut story, value) = story(60, 50, 90);
    story.drained(0, 200, 190);
    story.reads(1, "a:1", value, at(300));
    story.holds();
    story.reads(1, "a:1", value, at(301));
    story.breaks(Promise::Bypass);
}

#[test]
fn an_acknowledgement_that_was_heard_late_may_be_an_old_one() {
    let (mut story, value) = story(95, 50, 90);
    story.reads(1, "a:1", value, at(900));
    story.holds();
}

#[test]
fn what_was_called_later_is_not_lost() {
    let mut story = Story::of(&[Mode::Serve, D]);
    story.losses.windows = vec![Window { from: moment(50), until: moment(90) }];
    let value = story.makes(1, "a:1", 1);
    story.invalidates(0, "a:1", 90, Went::Delivered(95));
    story.reads(1, "a:1", value, at(200));
    story.breaks(Promise::Bypass);
}

#[test]
fn before_the_failover_everything_counts() {
    let (mut story, value) = story(60, 300, 400);
    story.reads(1, "a:1", value, at(299));
    story.breaks(Promise::Bypass);
}

#[test]
fn a_second_failover_may_lose_it_again() {
    let (mut story, value) = story(60, 50, 90);
    story.drained(0, 200, 190);
    story.losses.windows.push(Window { from: moment(150), until: moment(250) });
    story.reads(1, "a:1", value, at(900));
    story.holds();
    story.drained(0, 260, 255);
    story.breaks(Promise::Bypass);
}

#[test]
fn in_the_same_process_nothing_is_lost() {
    let mut story = Story::new();
    story.losses.windows = vec![Window { from: moment(5), until: moment(90) }];
    let value = story.makes(0, "a:1", 1);
    story.invalidates(0, "a:1", 10, Went::Queued(11));
    story.reads(0, "a:1", value, at(95));
    story.breaks(Promise::SameProcess);
}
