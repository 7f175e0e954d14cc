//! A disk tier as the environment names it.

use std::{env, process::Command};

use larder::CacheExt;

use crate::{LONG, folder, get, support::long};

/// Says what came of it.
#[tokio::test]
#[ignore = "a process of its own, which the test below starts"]
async fn child() {
    match larder::from_env().await {
        Err(error) => println!("<refused: {error}>"),
        Ok(cache) => {
            println!("<found {:?}>", get(&cache, "k").await);
            cache.insert("k", &1_u64, long()).await.unwrap();
            assert!(cache.flush(LONG).await);
        }
    }
}

fn said(variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "environment::child", "--ignored", "--nocapture"]);
    for name in ["REDIS_URL", "LARDER_DISK", "LARDER_DISK_CAPACITY", "LARDER_SEAL_KEYS"] {
        child.env_remove(name);
    }
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    said.unwrap_or_else(|| panic!("{text}")).0.to_owned()
}

#[test]
fn the_environment_names_a_folder() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    assert_eq!(said(&[]), "found None");
    assert_eq!(said(&[("LARDER_DISK", path)]), "found None");
    assert_eq!(said(&[("LARDER_DISK", path), ("LARDER_DISK_CAPACITY", "2000000")]), "found Some(1)");
    let refused = said(&[("LARDER_DISK", path), ("LARDER_DISK_CAPACITY", "1 GiB")]);
    assert!(refused.contains("LARDER_DISK_CAPACITY=\"1 GiB\": it is a whole number of bytes"), "{refused}");
    let sealed = [("LARDER_DISK", path), ("LARDER_SEAL_KEYS", "x"), ("REDIS_URL", "redis://localhost")];
    assert!(said(&sealed).contains("LARDER_DISK"), "{}", said(&sealed));
}
