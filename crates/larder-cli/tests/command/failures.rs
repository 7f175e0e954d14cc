//! With the server gone, a wrong URL or password, a right that is missing: a clear answer, soon, with its own exit code.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use larder_servers::RedisServer;

use crate::world::{PREFIX, World};

/// Commands that meet a server, each in its own way.
const COMMANDS: [&[&str]; 11] = [
    &["status"],
    &["keys"],
    &["get", "x"],
    &["explain", "x"],
    &["invalidate", "x"],
    &["clear", "--yes"],
    &["tail"],
    &["largest"],
    &["doctor"],
    &["trim"],
    &["warm", "/dev/null", "--as-of", "now"],
];

#[track_caller]
fn fails(world: &World, arguments: &[&str], code: i32, words: &[&str]) {
    let began = Instant::now();
    let output = world.run(arguments);
    let took = began.elapsed();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: {word:?} is not in {error}");
    }
    assert!(!error.contains("secret"), "{error}");
    // As much again as promised: other tests run beside this one.
    assert!(took < Duration::from_secs(4), "{arguments:?}: {took:?}");
}

fn at(url: &str) -> World {
    World { url: url.to_owned(), ..World::of_none() }
}

#[test]
fn the_server_is_gone() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    for scheme in ["redis", "redis+cluster"] {
        let world = at(&format!("{scheme}://{free}"));
        for arguments in COMMANDS {
            fails(
                &world,
                arguments,
                3,
                &["cannot connect to", "mend: start the server, or name the right one"],
            );
        }
        fails(&world, &["bench"], 3, &["cannot connect to"]);
    }
}

#[test]
fn nothing_answers_there() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let world = at(&format!("redis://{}", silent.local_addr().expect("its address")));
    fails(&world, &["status"], 3, &["no answer within 1.5s"]);
    fails(&world, &["invalidate", "x"], 3, &["no answer within 1.5s"]);
}

#[test]
fn a_wrong_url() {
    fails(&at("http://localhost"), &["status"], 2, &["redis://"]);
    fails(&at("redis://localhost?prefx=a"), &["keys"], 2, &["did you mean `prefix`"]);
    let world = World::single();
    fails(&world, &["status", "--prefix", "a*b"], 2, &["prefix"]);
    let cluster = at(&world.url.replace("redis://", "redis+cluster://"));
    let mend = format!("mend: the URL of one server is {}", world.url.trim_end_matches('/'));
    fails(&cluster, &["status"], 3, &["it is not a node of a cluster\n", &mend]);
    let nodes = World::clustered();
    let address = nodes.cluster.as_ref().expect("it is one").server(0).address();
    let mend = format!("mend: the URL of the cluster is redis+cluster://{address}");
    fails(&at(&format!("redis://{address}")), &["status"], 3, &["it is a node of a cluster\n", &mend]);
}

#[test]
fn a_wrong_password() {
    let world = World::of(RedisServer::builder().password("right").start());
    let address = world.server().address();
    for arguments in COMMANDS {
        fails(
            &at(&format!("redis://:secret@{address}")),
            arguments,
            4,
            &["mend: name the user and the password"],
        );
    }
    fails(&at(&format!("redis://{address}")), &["status"], 4, &["password"]);
}

#[test]
fn a_right_is_missing() {
    let rules = "viewer on >word resetchannels -@all ~shop:* +info +time +get +xinfo";
    let world = World::of(RedisServer::builder().user(rules).start());
    let viewer = at(&world.server().url_as("viewer", "word"));
    fails(&viewer, &["keys"], 5, &["NOPERM", "run ACL SETUSER viewer +scan ("]);
    fails(&viewer, &["invalidate", "x"], 5, &["NOPERM", "ACL SETUSER viewer"]);
    fails(&viewer, &["trim"], 5, &["ACL SETUSER viewer"]);
}

#[test]
fn failures_for_programs() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let output = at(&format!("redis://{free}")).run(&["status", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("it is JSON");
    assert_eq!(error["exit_code"], 3);
    assert!(error["error"].as_str().is_some_and(|text| text.contains("no server listens there")), "{error}");
}

/// Where a program reads the standard error too, an object a line is all that it finds.
#[test]
fn with_json_the_standard_error_has_objects_alone() {
    let world = World::single();
    let objects = |arguments: &[&str], code: i32| -> Vec<serde_json::Value> {
        let output = world.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        let text = String::from_utf8(output.stderr).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    for arguments in [
        &["nothing"][..],
        &[],
        &["get"],
        &["largest", "0"],
        &["status", "--timeout", "x"],
        &["invalidate"],
        &["warm", "x"],
    ] {
        let said = objects(arguments, 2);
        assert_eq!((said.len(), &said[0]["exit_code"]), (1, &2.into()), "{said:?}");
        let text = said[0]["error"].as_str().expect("a text");
        assert!(!text.is_empty() && !text.starts_with("error"), "{text}");
    }
    assert!(objects(&["get", "absent"], 1)[0]["note"].is_string());
    assert!(objects(&["hot"], 1)[0]["mend"].is_string());
    assert!(objects(&["warm", "/dev/null", "--as-of", "now"], 0)[0]["note"].is_string());
    assert_eq!(objects(&["bench", "--seconds", "0.05"], 0).len(), 4);
    // For people it is what it was.
    let said = world.run(&["nothing"]).stderr;
    assert!(String::from_utf8_lossy(&said).starts_with("error: unrecognized"), "{said:?}");
}

#[test]
fn an_output_that_is_closed_is_no_failure() {
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..3_000);
    let script = format!("{} keys --prefix {PREFIX} | head -1", env!("CARGO_BIN_EXE_larder"));
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("REDIS_URL", &world.url)
        .output()
        .expect("a shell");
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn completions_need_no_server() {
    let world = at("redis://127.0.0.1:1");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(world.prints(&["completions", shell], 0).contains("invalidate"), "{shell}");
    }
}

#[test]
fn the_manual_needs_no_server() {
    let world = at("redis://127.0.0.1:1");
    let whole = world.prints(&["man"], 0);
    assert!(
        whole.starts_with(".ie") && whole.contains(".TH larder 1") && whole.contains("larder\\-explain(1)"),
        "{whole}"
    );
    let one = world.prints(&["man", "explain"], 0);
    assert!(one.contains(".TH larder-explain 1") && one.contains("\\-\\-from"), "{one}");
    assert!(world.run(&["man", "everything"]).status.code() != Some(0));
}
