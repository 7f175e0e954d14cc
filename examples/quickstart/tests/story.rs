//! Runs the program on a small database, and reads what it prints.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

fn run() -> Result<String> {
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .env("QUICKSTART_ROWS", "20000")
        .env("TMPDIR", temporary.path())
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(fs::read_dir(temporary.path())?.next().is_none(), "the database is still there");
    Ok(String::from_utf8(output.stdout)?)
}

/// What stands behind `name` on its line.
fn after<'o>(output: &'o str, name: &str) -> Result<&'o str> {
    let line = output.lines().find_map(|line| line.trim_start().strip_prefix(name));
    Ok(line.with_context(|| format!("no line begins with {name:?}:\n{output}"))?.trim())
}

fn statements(output: &str, step: &str) -> Result<u32> {
    let number = after(output, step)?.split_whitespace().next();
    Ok(number.context("the line ends early")?.parse()?)
}

#[test]
fn the_story_is_true() -> Result<()> {
    let output = run()?;

    assert_eq!(statements(&output, "dashboard(), the first call")?, 6);
    assert_eq!(statements(&output, "dashboard(), the second call")?, 0);
    assert_eq!(statements(&output, "top_customers(50), 1,000 calls at once")?, 1);
    assert_eq!(statements(&output, "dashboard(), the call after that")?, 2);

    for kept in ["traffic ", "error_rate ", "p95_latency ", "active_users "] {
        assert_eq!(after(&output, kept)?, "kept");
    }
    for again in ["revenue ", "top_customers ", "dashboard "] {
        assert!(after(&output, again)?.starts_with("again"), "{output}");
    }
    let (old, new) = after(&output, "Revenue: ")?.split_once(" before, ").context("one revenue")?;
    assert!(!new.starts_with(old), "the dashboard does not know of the refund:\n{output}");

    for line in output.lines() {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
    Ok(())
}
