//! A server without a log: `--dry-run` makes none, and an epoch of one that is lost is refused before one is made.

use super::{Lines, counted, warms};
use crate::world::World;

#[test]
fn a_dry_run_changes_nothing_where_no_process_was_yet() {
    for world in [World::single(), World::clustered()] {
        let lines = Lines::users(0..600);
        let keys = || world.json(&["status"], 0)[0]["servers"][0]["keys"].clone();
        let dry = warms(&world, &lines.path(), &["--as-of", "now", "--dry-run"], 0);
        counted(&dry, &[("stored", 600), ("there", 0), ("invalidated", 0), ("wrong", 0)]);
        assert!(dry["as_of"].is_null(), "{dry}");
        for options in [&["--dry-run"][..], &[]] {
            let name = lines.name();
            let output = world.run(&[&["warm", &*name, "--as-of", "1790000000000-3"], options].concat());
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{error}");
            assert!(error.contains("there is no invalidation log") && error.contains("mend: "), "{error}");
        }
        assert_eq!((keys(), &world.json(&["status"], 0)[0]["log"]), (0.into(), &serde_json::Value::Null));

        counted(&warms(&world, &lines.path(), &["--as-of", "now"], 0), &[("stored", 600)]);
        assert!(world.json(&["status"], 0)[0]["log"]["last"].is_string(), "now there is one");
        let dry = warms(&world, &lines.path(), &["--as-of", "now", "--dry-run"], 0);
        counted(&dry, &[("stored", 0), ("there", 600)]);
    }
}
