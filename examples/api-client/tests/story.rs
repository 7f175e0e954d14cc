//! The program tells the story that its source promises.

use std::process::Command;

#[test]
fn a_change_is_requested_again_and_nothing_else() {
    let output = Command::new(env!("CARGO_BIN_EXE_api-client")).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| line.ends_with("requests"))
        .map(|line| {
            let words: Vec<_> = line[26..].split_whitespace().collect();
            (words[0], words[2])
        })
        .collect();
    assert_eq!(told, [("11", "2"), ("11", "2"), ("13", "3"), ("4", "3")], "{text}");
}
