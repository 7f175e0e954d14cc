//! The files that know nothing of Axum are the same in `actix-dashboard`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

const OURS_ALONE: [&str; 4] = ["src/failure.rs", "src/main.rs", "src/routes.rs", "tests/twins.rs"];

#[test]
fn what_knows_nothing_of_the_framework_is_the_same_in_both() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (ours, theirs) = (files(here)?, files(&here.with_file_name("actix-dashboard"))?);
    for file in ours.keys().chain(theirs.keys()) {
        assert!(
            ours.get(file) == theirs.get(file),
            "{} is not the same in examples/axum-dashboard and examples/actix-dashboard: copy the one that you \
             changed over the other",
            file.display()
        );
    }
    assert!(ours.len() > 10, "only these were compared: {:?}", ours.keys());
    Ok(())
}

/// All that has to be the same, by its path in the package.
fn files(package: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![package.join("src"), package.join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(package).expect("it lies in the package").to_owned();
            if !OURS_ALONE.iter().any(|file| name == Path::new(file)) {
                files.insert(name, fs::read(path)?);
            }
        }
    }
    Ok(files)
}
