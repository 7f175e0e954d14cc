//! Caches in memcached keep the contract that every cache keeps.

use larder::contract;
use larder_servers::MemcachedServer;

use crate::nodes::Place;

#[tokio::test(flavor = "multi_thread")]
async fn on_one_node() {
    let server = MemcachedServer::with(&["-m", "256"]);
    contract::check(async || Place::on([&server]).cache().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_three_nodes() {
    contract::check(async || Place::shared().cache().await).await;
}
