//! A server does not outlive the process that started it, however that ends.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use larder_servers::{RedisServer, until};

const ROLE: &str = "LARDER_TESTS_STARTS_SERVERS";

/// Not a test of its own: what the processes below run.
#[test]
fn starts_servers_and_waits() {
    if env::var_os(ROLE).is_none() {
        return;
    }
    let (running, paused) = (RedisServer::start(), RedisServer::start());
    let directories =
        [&running, &paused].map(|server| server.command::<Vec<String>>(&["CONFIG", "GET", "dir"]));
    paused.pause();
    println!("\nservers {} {}", running.address(), paused.address());
    println!("directories {} {}", directories[0][1], directories[1][1]);
    loop {
        thread::park();
    }
}

#[test]
fn killing_a_test_process_kills_its_servers() {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "lifetime::starts_servers_and_waits", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    let mut said = |what: &str| -> Vec<String> {
        let line = lines.find_map(|line| line.strip_prefix(what).map(str::to_owned));
        line.expect("the process names its servers").split(' ').map(str::to_owned).collect()
    };
    let addresses: Vec<SocketAddr> = said("servers ").iter().map(|word| word.parse().unwrap()).collect();
    let directories = said("directories ");
    assert_eq!((addresses.len(), directories.len()), (2, 2));
    for address in &addresses {
        assert!(TcpStream::connect(address).is_ok(), "{address} is not there to begin with");
    }
    // SIGKILL: nothing of the process itself runs any more.
    process.kill().unwrap();
    process.wait().unwrap();
    for address in addresses {
        until("a server is gone", || TcpStream::connect(address).is_err().then_some(()));
    }
    for directory in directories {
        until("its directory is gone", || (!Path::new(&directory).exists()).then_some(()));
    }
}
