//! Imports between the files of a crate run one way.
//!
//! **Graph.** Every target of every package (library with its unit tests, binary, test, bench, example, fuzz target) has a
//! graph of its own. Its nodes are source files. There is an edge from file A to file B if A names something that B defines: in a
//! `use`, in a path such as `crate::date::parse` or `child::parse`, or inside of a macro call. A re-export is followed
//! to the file that defines the thing, so that `use super::Plan` in a child, where its parent only re-exports `Plan`
//! from another child, is an edge to that other child, and not to the parent.
//!
//! **No edge** is what every module tree has: `mod child;`, a `pub use child::Thing` in a parent that does not use
//! `Thing` itself, documentation, and a visibility such as `pub(super)`. A method call is no edge either: an import shows
//! which type it belongs to, not in which file its `impl` stands.
//!
//! **A circle** is a set of files each of which reaches each other one (a strongly connected component) of two files or
//! more. Parent and child make one too: where a child needs what its parent defines, that belongs into a file below
//! both.

mod circles;
mod graph;
mod modules;
mod targets;

use std::{fmt::Write as _, path::Path};

use self::{circles::Circle, graph::Graph};

#[test]
fn imports_run_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace contains this package");
    let mut report = String::new();
    let mut files = 0;
    for target in targets::all(root) {
        let graph = Graph::of(root, &target);
        files += graph.files();
        for circle in circles::of(&graph) {
            let _ = writeln!(report, "{circle}\n");
        }
    }
    assert!(files > 1_000, "only {files} files were looked at");
    assert!(
        report.is_empty(),
        "files import each other in a circle; move what they share into a file below both:\n\n{report}"
    );
}

/// `larder::private` is for the output of the macros only.
#[test]
fn sister_crates_use_larders_public_api_and_its_internal_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace contains this package");
    let targets = targets::all(root);
    for (crate_root, least) in [
        ("larder-http/src/lib.rs", 30),
        ("larder-sql/src/lib.rs", 20),
        ("larder-memcached/src/lib.rs", 10),
        ("larder-cli/src/main.rs", 20),
    ] {
        let target = targets.iter().find(|target| target.ends_with(crate_root)).expect("the crate exists");
        let files = Graph::of(root, target).edges;
        assert!(files.len() > least, "{files:?}");
        for file in files.keys() {
            let text = std::fs::read_to_string(root.join(file)).expect("it was read before");
            assert!(
                !text.contains("private::"),
                "{file}: use `larder::internal` instead of `larder::private`"
            );
        }
    }
}

/// What the graph makes of a small crate: the circles in it, by their files.
fn circles_in(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    let graph = Graph::of(folder.path(), &folder.path().join("lib.rs"));
    let join = |circle: Circle| circle.files.into_iter().collect::<Vec<_>>().join(" ");
    circles::of(&graph).into_iter().map(join).collect()
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    for (a, b) in [
        ("use crate::b::B; pub struct A;", "use super::a::A; pub struct B;"),
        ("fn f() { crate::b::g() }", "fn g() { super::a::f() }"),
        ("fn f() { vec![crate::b::g()]; }", "use crate::a::*; fn g() {}"),
        ("mod inner { use crate::b::B; } pub struct A;", "fn g() { use crate::{a::{self}}; } pub struct B;"),
    ] {
        let found = circles_in(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)]);
        assert_eq!(found, ["a.rs b.rs"], "{a} {b}");
    }
}

#[test]
fn a_child_that_needs_what_its_parent_defines_makes_a_circle_if_the_parent_needs_the_child() {
    let child = ("a/child.rs", "use super::A; pub struct Child;");
    let circle = |parent| circles_in(&[("lib.rs", "mod a;"), ("a.rs", parent), child]);
    assert_eq!(circle("mod child; use self::child::Child; pub struct A(Child);"), ["a.rs a/child.rs"]);
    assert_eq!(circle("mod child; pub struct A(child::Child);"), ["a.rs a/child.rs"]);
    assert_eq!(circle("mod child; pub use self::child::Child; pub struct A(Child);"), ["a.rs a/child.rs"]);
    assert_eq!(circle("mod child; pub use self::child::Child; pub struct A;"), [""; 0]);
    assert_eq!(circle("#[cfg(test)] mod child; pub struct A;"), [""; 0]);
    assert_eq!(
        circle("#[cfg(test)] mod child; fn f() { #[cfg(test)] child::Child; } pub struct A;"),
        ["a.rs a/child.rs"]
    );
}

#[test]
fn a_reexport_is_followed_to_where_the_thing_is_defined() {
    let files = |two| {
        [
            ("lib.rs", "mod a; pub use self::a::One;"),
            ("a.rs", "mod one; mod two; pub(crate) use self::{one::One, two::Two}; fn f() { One; Two; }"),
            ("a/one.rs", "pub struct One;"),
            ("a/two.rs", two),
        ]
    };
    assert_eq!(circles_in(&files("use super::One; pub struct Two(One);")), [""; 0]);
    assert_eq!(circles_in(&files("use crate::One; pub struct Two(One);")), [""; 0]);
    assert_eq!(circles_in(&files("use super::f; pub(super) struct Two;")), ["a.rs a/two.rs"]);
}
