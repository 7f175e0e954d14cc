//! Two builds of one program, one of them with other features of its dependencies: `serde_json/arbitrary_precision`
//! and `preserve_order`, `rust_decimal/serde-float`. Each reads what the other one stored as it was, or not at all.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use larder_fidelity::builds::{CODECS, connect, read, store};
use larder_servers::RedisServer;
use larder_tests::{warnings, workers::Worker};

/// What does not depend on those features, and is shared by both builds.
const SHARED: [&str; 2] = ["plain", "floats"];

/// Builds the other one, in a directory of its own beside the workspace's artifacts.
fn other_build() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("other-build");
    let reader = Path::new(env!("CARGO_BIN_EXE_reader"));
    let target = reader.ancestors().nth(2).expect("it lies in a profile's directory").join("other-build");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--manifest-path"]).arg(package.join("Cargo.toml"));
    // Not with the flags of this build, whatever they are: they are for its own target directory.
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the other build fails");
    target.join("debug/larder-other-build")
}

fn failures(outcomes: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let wrong = |(outcome, name): (String, String)| {
        let is_shared = SHARED.iter().any(|shared| name.ends_with(&format!(": {shared} ")));
        let right = if is_shared { outcome == "same" } else { outcome != "other" };
        (!right).then(|| format!("{outcome}: {name}"))
    };
    outcomes.into_iter().filter_map(wrong).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_what_the_other_one_stored_or_nothing() {
    warnings::listen();
    let program = other_build();
    let server = RedisServer::start();
    let mut other = Worker::start(program.to_str().expect("the path is text"), &[&server.url()]);

    let mut caches = Vec::new();
    for codec in CODECS {
        caches.push((
            connect(&server.url(), "this", codec).await,
            connect(&server.url(), "other", codec).await,
        ));
    }
    for (own, _) in &caches {
        store(own).await.expect("it is stored");
    }
    other.order("store");
    other.wait_for("done");

    let mut outcomes = Vec::new();
    for ((_, foreign), (codec, _)) in caches.iter().zip(CODECS) {
        for (name, outcome, detail) in read(foreign).await.expect("it is read") {
            outcomes.push((outcome.to_owned(), format!("this build, {codec}: {name} {detail}")));
        }
    }
    other.order("read");
    for line in other.lines_to("done") {
        if let Some((outcome, name)) = line.split_once(' ') {
            outcomes.push((outcome.to_owned(), format!("the other build, {name}")));
        }
    }
    assert!(outcomes.len() > 40, "{outcomes:?}");
    let failures = failures(outcomes);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
