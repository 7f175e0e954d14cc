//! A client of a slow JSON API, whose responses are cached, shared and invalidated: `cargo run -p api-client`.
//!
//! `api.rs` is the other service: any API that says with `Cache-Control` how long its answers hold.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]
#![expect(unreachable_pub, reason = "`pub` is for the other modules here")]

mod api;
mod product;

use std::time::Instant;

use anyhow::Result;
use larder::{cached, invalidate};
use larder_http::{CachedClient, HttpCache};

use crate::product::Product;

/// The API's client. Its responses are entries of the same cache as everything else.
#[derive(Debug)]
struct Shop {
    client: CachedClient,
    base: String,
}

impl Shop {
    fn new(base: String) -> Self {
        let cache =
            HttpCache::client(larder::global()).identity("shop").tag("/products/<id>", "product:<id>");
        Self { client: cache.reqwest(reqwest::Client::new()), base }
    }

    async fn product(&self, id: u32) -> Result<Product> {
        let url = format!("{}/products/{id}", self.base);
        Ok(self.client.get(url).await?.error_for_status()?.json().await?)
    }
}

/// Computed from two responses: it goes when one of them goes.
#[cached(ttl = 300, key = "basket", skip(shop))]
async fn basket(shop: &Shop) -> Result<u32> {
    let (tea, cup) = tokio::try_join!(shop.product(1), shop.product(2))?;
    Ok(tea.price + cup.price)
}

/// The shop told us that a product has changed: by a webhook, say.
#[invalidate(tags = ["product:<id>"])]
async fn product_changed(id: u32) {
    println!("product {id} has changed");
}

#[tokio::main]
async fn main() -> Result<()> {
    let api = api::serve().await?;
    let shop = Shop::new(api.url());

    for call in ["the first call", "the second call"] {
        report(call, &api, basket(&shop)).await?;
    }
    api.set_price(2, 9);
    product_changed(2).await;
    report("after product 2 changed", &api, basket(&shop)).await?;
    report("product 1, which did not", &api, async { Ok(shop.product(1).await?.price) }).await?;
    Ok(())
}

/// Prints what a call gave, how long it took, and how many requests the API has received until then.
async fn report(what: &str, api: &api::Api, call: impl Future<Output = Result<u32>>) -> Result<()> {
    let start = Instant::now();
    let price = call.await?;
    println!("{what:<26} {price:>3}  {:>6.1?}  {} requests", start.elapsed(), api.requests());
    Ok(())
}
