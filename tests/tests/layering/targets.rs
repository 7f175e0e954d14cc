//! The targets of the workspace, as Cargo knows them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The root file of each target of each package.
pub(crate) fn all(root: &Path) -> Vec<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let targets = packages.iter().flat_map(|package| list(&package["targets"]));
    let mut files: Vec<PathBuf> =
        targets.filter_map(|target| target["src_path"].as_str().map(PathBuf::from)).collect();
    files.sort();
    files
}
