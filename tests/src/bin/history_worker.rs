//! One process of a history: see `larder_tests::history`. Its only argument is its configuration, as JSON.

use std::env;

use larder_tests::history::{config::WorkerConfig, panics, worker};

fn main() {
    let argument = env::args().nth(1).expect("the configuration is the only argument");
    let config: WorkerConfig = serde_json::from_str(&argument).expect("the configuration is JSON");
    if env::var_os(panics::VARIABLE).is_some() {
        tracing::subscriber::set_global_default(panics::Panics).expect("it is the first one");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(worker::run(config));
}
