//! The targets of the workspace, as Cargo knows them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Packages that are no members of the workspace.
const OUTSIDE: [&str; 4] = ["fuzz", "tests/databases", "tests/fidelity/other-build", "tests/redis-clients"];

/// The root file of each target of each package, those included that stand outside of the workspace.
pub(crate) fn all(root: &Path) -> Vec<PathBuf> {
    let outside = OUTSIDE.iter().map(|package| root.join(package));
    let mut files: Vec<_> = outside.chain([root.to_owned()]).flat_map(|folder| of_folder(&folder)).collect();
    files.sort();
    files.dedup();
    files
}

fn of_folder(folder: &Path) -> Vec<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let targets = packages.iter().flat_map(|package| list(&package["targets"]));
    targets.filter_map(|target| target["src_path"].as_str().map(PathBuf::from)).collect()
}
