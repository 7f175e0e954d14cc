//! The files that know nothing of Axum are the same in `actix-dashboard`.

use std::{fs, path::Path};

#[test]
fn what_knows_nothing_of_the_framework_is_the_same_in_both() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let there = here.with_file_name("actix-dashboard");
    for file in [
        "src/app.rs",
        "src/config.rs",
        "src/db.rs",
        "src/db/data.rs",
        "src/db/metrics.rs",
        "src/db/users.rs",
        "src/index.html",
        "src/metrics.rs",
        "src/prometheus.rs",
        "src/requests.rs",
        "src/stats.rs",
        "src/stop.rs",
        "src/uncached.rs",
        "src/users.rs",
        "tests/service/mod.rs",
        "tests/smoke.rs",
    ] {
        let [ours, theirs] = [here, &there].map(|package| fs::read_to_string(package.join(file)).unwrap());
        assert!(
            ours == theirs,
            "examples/axum-dashboard/{file} and examples/actix-dashboard/{file} differ: copy the one that \
             you changed over the other"
        );
    }
}
