//! Values made from other values, from nothing, and by hand.

use larder::Scope;

use super::*;

/// `sum:0` is made from `a:0` by the process that reads it.
fn sum(story: &mut Story, part: u64, whole: u64) -> ValueId {
    let part = story.makes(0, "a:0", part);
    story.makes_from(0, "sum:0", whole, &[("a:0", Some(part))])
}

#[test]
fn what_covers_a_part_covers_the_whole() {
    for scope in [Scope::key("a:0"), Scope::prefix("a"), Scope::key("sum:0")] {
        let mut story = Story::new();
        let value = sum(&mut story, 2, 1);
        story.invalidates(0, scope, 3, Went::Unknown);
        story.reads(0, "sum:0", value, at(9));
        story.breaks(Promise::SameProcess);
    }
}

#[test]
fn a_change_between_the_two_beginnings_covers_the_whole() {
    let mut story = Story::new();
    let value = sum(&mut story, 5, 1);
    story.invalidates(0, "a:0", 3, Went::Unknown);
    story.reads(0, "sum:0", value, at(9));
    story.breaks(Promise::SameProcess);
}

#[test]
fn an_old_part_makes_a_new_value_old() {
    let mut story = Story::new();
    let value = sum(&mut story, 1, 5);
    story.invalidates(0, "a:0", 3, Went::Unknown);
    story.reads(0, "sum:0", value, at(9));
    story.breaks(Promise::SameProcess);
    // Its own key was not covered before it began.
    let mut story = Story::new();
    let value = sum(&mut story, 1, 5);
    story.invalidates(0, "sum:0", 3, Went::Unknown);
    story.reads(0, "sum:0", value, at(9));
    story.holds();
}

#[test]
fn parts_of_parts_count() {
    let mut story = Story::new();
    let inner = sum(&mut story, 3, 2);
    let value = story.makes_from(0, "ns:top:0", 1, &[("sum:0", Some(inner))]);
    story.reads(0, "ns:top:0", value, at(9));
    story.holds();
    story.invalidates(0, "a:0", 4, Went::Unknown);
    story.breaks(Promise::SameProcess);
}

#[test]
fn nothing_is_covered_by_its_key_and_prefixes_but_not_by_the_tag() {
    let mut story = Story::new();
    let scopes = story.space.keys[story.key("a:0")].scopes.clone();
    let tag = story.space.scopes[scopes[scopes.len() - 1]].clone();
    let value = story.makes_from(0, "sum:1", 1, &[("a:0", None)]);
    story.reads(0, "sum:1", value, at(9));
    story.invalidates(0, tag, 3, Went::Unknown);
    story.holds();
    story.invalidates(0, Scope::prefix("a"), 3, Went::Unknown);
    story.breaks(Promise::SameProcess);
}

/// A value that is put in while the call goes on from 10 to 20.
fn put_in(story: &mut Story, inserted: bool) -> ValueId {
    let key = story.key("own:0:0");
    let value = story.makes(0, "own:0:0", 9);
    if let Some(Record::Value(node)) = story.records[0].last_mut() {
        node.inserted = inserted;
    }
    let scope = story.space.scope_of_key(key);
    story.change(0, 10, 20, None, Outcome::Unknown, Some(value), vec![scope]);
    value
}

#[test]
fn an_insert_counts_as_read_when_it_has_returned() {
    for (called, broken) in [(15, false), (20, false), (21, true)] {
        let mut story = Story::new();
        let value = put_in(&mut story, true);
        story.invalidates(0, "own:0:0", called, Went::Unknown);
        story.reads(0, "own:0:0", value, at(50));
        if broken {
            story.breaks(Promise::SameProcess);
        } else {
            story.holds();
        }
    }
}

#[test]
fn an_insert_that_was_not_seen_to_return_proves_nothing() {
    let mut story = Story::new();
    let value = put_in(&mut story, true);
    story.records[0].pop();
    story.invalidates(0, "own:0:0", 30, Went::Unknown);
    story.reads(0, "own:0:0", value, at(50));
    story.holds();
}

#[test]
fn what_was_read_since_a_point_is_covered_from_there_but_for_its_own_insert() {
    let mut story = Story::new();
    let value = put_in(&mut story, false);
    story.reads(0, "own:0:0", value, at(50));
    story.holds();
    story.invalidates(0, "own:0:0", 9, Went::Unknown);
    story.holds();
    // In the middle, and known before and after its own insert.
    for (called, returned) in [(12, 13), (10, 25)] {
        let scope = story.space.scope_of_key(story.key("own:0:0"));
        story.change(0, called, returned, None, Outcome::Unknown, None, vec![scope]);
        story.breaks(Promise::SameProcess);
        story.records[0].pop();
    }
}

#[test]
fn an_insert_covers_what_was_there() {
    let mut story = Story::new();
    let old = story.makes(0, "own:0:0", 1);
    put_in(&mut story, true);
    story.reads(0, "own:0:0", old, at(20));
    story.holds();
    story.reads(0, "own:0:0", old, at(21));
    story.breaks(Promise::SameProcess);
}
