//! Links in the documentation of annotated functions: rustdoc itself runs here, with its warnings denied. And what README
//! shows.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

#[cfg(all(feature = "limit", feature = "test-util", feature = "write-behind"))]
#[path = "documented/readme.rs"]
mod readme;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::SystemTime,
};

/// Where cargo put what this test is linked with.
fn built() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}

/// What was built of `larder`, the newest first: another set of features may have been built before.
fn larders() -> Vec<PathBuf> {
    let is_larder = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("liblarder-") && name.ends_with(".rlib")
    };
    let age = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|file| file.modified());
        SystemTime::now().duration_since(modified.unwrap()).unwrap_or_default()
    };
    let all = fs::read_dir(built()).unwrap().map(|entry| entry.unwrap().path());
    let mut larders: Vec<PathBuf> = all.filter(is_larder).collect();
    larders.sort_by_key(age);
    larders
}

/// A compiler of Rust, on a crate that uses `larder`.
fn run(program: &str, crate_name: &str, source: &str, larder: &Path, out: &Path) -> Output {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documented").join(source);
    let mut command = Command::new(program);
    command.args(["--edition", "2024", "--crate-type", "rlib", "--crate-name", crate_name]);
    command.arg(source).arg("--extern").arg(format!("larder={}", larder.display()));
    command.arg("-L").arg(format!("dependency={}", built().display()));
    if crate_name != "documented" {
        command.args(["--extern", "documented"]);
    }
    command.arg("-L").arg(out).arg("--out-dir").arg(out);
    command.output().unwrap()
}

#[track_caller]
fn assert_silent(output: &Output) {
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && messages.is_empty(), "{messages}");
}

#[test]
fn links_to_annotated_functions_are_not_ambiguous() {
    let out = std::env::temp_dir().join(format!("larder-documented-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    let compiled = |larder: &PathBuf| run("rustc", "documented", "lib.rs", larder, &out).status.success();
    let larder = larders().into_iter().find(compiled).expect("one of them is what this test is linked with");

    assert_silent(&run("rustdoc", "documented", "lib.rs", &larder, &out));
    let page = fs::read_to_string(out.join("documented/fn.user.html")).unwrap();
    assert!(page.contains("user::invalidate(id)"), "its documentation says what its companions are");
    // And from the documentation of another crate, which sees what was compiled.
    assert_silent(&run("rustdoc", "elsewhere", "user.rs", &larder, &out));
    fs::remove_dir_all(&out).unwrap();
}
