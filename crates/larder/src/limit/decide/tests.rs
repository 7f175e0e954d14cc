use super::*;

#[test]
fn what_is_kept_of_a_key_is_bounded() {
    assert_eq!(bounded("users:", "7"), "users:7");
    assert_eq!(bounded("", &"k".repeat(512)).len(), 512);
    let digest = bounded("", &"k".repeat(513)).into_owned();
    assert_eq!(digest.len(), "sha256:".len() + 64);
    assert_ne!(digest, bounded("k", &"k".repeat(513)));
}
