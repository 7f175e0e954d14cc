//! The program tells the story that its source promises.

use std::process::Command;

#[test]
fn reports_are_shown_at_once_and_written_in_batches() {
    let program =
        Command::new(env!("CARGO_BIN_EXE_fleet")).env_remove("REDIS_URL").output().expect("it runs");
    let text = String::from_utf8_lossy(&program.stdout);
    assert!(program.status.success(), "{text}{}", String::from_utf8_lossy(&program.stderr));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("5000 reports acknowledged"), "{text}");
    assert!(lines[1].starts_with("vehicle 7 is shown at 1000"), "{text}");
    assert!(lines[2].ends_with("0 reports left"), "{text}");
    assert_eq!(lines[3], "vehicle 7 is at Some(1000.0) in the database", "{text}");
    // Of several reports of a vehicle in a batch, one is written.
    let rows: usize = lines[2].split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!((50..5_001).contains(&rows), "{text}");
}
