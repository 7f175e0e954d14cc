//! Streams of methods of traits, with `#[async_trait]` and without it.

use async_trait::async_trait;

use super::{BoxStream, Db, all, cached, of};

struct Orders {
    db: Db,
    tenant: &'static str,
}

#[async_trait]
trait Source {
    async fn owned(&self, customer: u64) -> BoxStream<'static, u64>;
    async fn borrowed(&self, customer: u64) -> BoxStream<'_, u64>;
    fn plain(&self, customer: u64) -> BoxStream<'_, u64>;
}

#[async_trait]
impl Source for Orders {
    #[cached(ttl = 60, key = "<self.tenant>:owned:<customer>", cache = self.db.cache)]
    async fn owned(&self, customer: u64) -> BoxStream<'static, u64> {
        self.db.asked.call();
        tokio::task::yield_now().await;
        Box::pin(of([customer, 1]))
    }

    #[cached(ttl = 60, key = "<self.tenant>:borrowed:<customer>", cache = self.db.cache)]
    async fn borrowed(&self, customer: u64) -> BoxStream<'_, u64> {
        let db = &self.db;
        Box::pin(of((0..2).map(move |item| {
            db.asked.call();
            customer + item
        })))
    }

    #[cached(ttl = 60, key = "<self.tenant>:plain:<customer>", cache = self.db.cache)]
    fn plain(&self, customer: u64) -> BoxStream<'_, u64> {
        self.db.asked.call();
        Box::pin(of([customer, 3]))
    }
}

#[tokio::test]
async fn methods_of_traits_return_streams() {
    let orders = Orders { db: Db::new(), tenant: "acme" };
    let source: &dyn Source = &orders;
    for _ in 0..2 {
        assert_eq!(all(source.owned(7).await).await, [7, 1]);
        assert_eq!(all(source.borrowed(7).await).await, [7, 8]);
        assert_eq!(all(source.plain(7)).await, [7, 3]);
    }
    assert_eq!(orders.db.asked.made(), 4, "each was asked once");
    assert_eq!(orders.db.kept("acme:borrowed:7").await, Some(vec![7, 8]));
}
