use std::time::Duration;

use larder::Policy;

fn main() {
    let _ = Policy::ttl(Duration::from_secs(60)).detached();
}
