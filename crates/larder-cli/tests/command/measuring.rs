//! `bench`, and a great number of keys.

use std::time::{Duration, Instant};

use crate::world::World;

#[test]
fn bench_measures_and_leaves_nothing_behind() {
    for world in [World::single(), World::clustered()] {
        let lines = world.json(&["bench", "--seconds", "0.2", "--size", "100"], 0);
        let parts: Vec<_> = lines.iter().map(|line| line["part"].as_str().unwrap_or_default()).collect();
        assert_eq!(parts, ["insert", "hit", "miss", "invalidate"]);
        for line in &lines {
            assert!(line["per_second"].as_u64() > Some(0), "{line}");
            assert!(line["p50_us"].as_u64() <= line["p99_us"].as_u64(), "{line}");
        }
        let status = &world.json(&["status"], 0)[0];
        let keys =
            status["servers"].as_array().expect("servers").iter().map(|server| server["keys"].as_u64());
        assert_eq!(keys.map(|keys| keys.unwrap_or(1)).sum::<u64>(), 0, "{status}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn bench_cleans_up_when_it_is_broken_off() {
    let world = World::single();
    let mut child = world
        .command(&["bench", "--seconds", "60"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    larder_servers::until("it has written something", || {
        (world.server().command::<u64>(&["DBSIZE"]) > 100).then_some(())
    });
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("there is a kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(6));
    assert_eq!(world.server().command::<u64>(&["DBSIZE"]), 0);
}

/// Keys that are not counted one by one in time are estimated, and the lists need no more memory than for few.
#[test]
fn many_keys() {
    /// Enough that a list of them would be seen in the memory.
    const KEYS: u64 = 200_000;
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..1);
    let script = "local value = redis.call('GET', 'shop:e:user:0') for i = 1, ARGV[1] do redis.call('SET', \
                  'shop:e:user:' .. i, value, 'PX', 600000) end";
    world.server().command::<()>(&["EVAL", script, "0", &KEYS.to_string()]);

    let began = Instant::now();
    let status = &world.json(&["status"], 0)[0];
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let entries = status["keys"]["entries"].as_u64().expect("a number");
    assert!(entries.abs_diff(KEYS) < KEYS / 20, "{status}");

    let few = peak(&world, &["keys", "--limit", "1000"]);
    for arguments in [&["keys"][..], &["largest"], &["trim", "--dry-run"]] {
        let many = peak(&world, arguments);
        assert!(many < few + 8_000, "{arguments:?}: {many} KiB, and {few} KiB for few");
    }
}

/// The most memory that the command takes, in KiB.
#[cfg(target_os = "linux")]
fn peak(world: &World, arguments: &[&str]) -> u64 {
    use std::{io::Read, process::Stdio};
    let mut child = world.command(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().expect("piped");
    let (mut peak, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let read = stdout.read(&mut buffer).expect("it is read");
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        peak = peak.max(now);
        if read == 0 {
            break;
        }
    }
    assert!(child.wait().expect("it ends").success());
    peak
}

#[cfg(not(target_os = "linux"))]
fn peak(world: &World, arguments: &[&str]) -> u64 {
    world.prints(arguments, 0);
    0
}
