//! A gRPC service with tonic: the handler calls a cached function. Callers who ask at the same time share one query, and
//! its error; each gets a status of its own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use larder::{cached, invalidate};
use tonic::{Request, Response, Status};

include!(concat!(env!("OUT_DIR"), "/shop.Prices.rs"));

/// Asks for the price of an article.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PriceRequest {
    /// The article's number.
    #[prost(uint64, tag = "1")]
    pub article: u64,
}

/// The price of an article.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PriceReply {
    /// In cents.
    #[prost(uint64, tag = "1")]
    pub cents: u64,
}

/// Stands in for a database.
#[derive(Clone, Default)]
pub struct Db {
    prices: Arc<Mutex<HashMap<u64, u64>>>,
    queries: Arc<AtomicUsize>,
}

/// Why there is no price. It is `Clone`, so those who wait for one query share its error.
#[derive(Debug, Clone)]
pub struct NoSuchArticle;

impl From<NoSuchArticle> for Status {
    fn from(_: NoSuchArticle) -> Self {
        Self::not_found("there is no such article")
    }
}

/// The price of an article, from the database once in five minutes, or after it was changed. An error is not cached.
///
/// # Errors
///
/// If there is no such article.
#[cached(ttl = 300, key = "price:<article>", skip(db))]
pub async fn price(db: &Db, article: u64) -> Result<u64, NoSuchArticle> {
    db.queries.fetch_add(1, Relaxed);
    // As long as a query takes.
    tokio::time::sleep(Duration::from_millis(20)).await;
    db.prices.lock().unwrap_or_else(PoisonError::into_inner).get(&article).copied().ok_or(NoSuchArticle)
}

/// Changes a price.
#[invalidate("price:<article>")]
pub async fn set_price(db: &Db, article: u64, cents: u64) {
    db.prices.lock().unwrap_or_else(PoisonError::into_inner).insert(article, cents);
}

/// The service.
pub struct Shop(pub Db);

#[tonic::async_trait]
impl prices_server::Prices for Shop {
    async fn price(&self, request: Request<PriceRequest>) -> Result<Response<PriceReply>, Status> {
        let cents = price(&self.0, request.into_inner().article).await?;
        Ok(Response::new(PriceReply { cents }))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tokio::{net::TcpListener, task::JoinSet};
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::{Code, transport::Server};

    use super::{prices_client::PricesClient, prices_server::PricesServer, *};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn callers_share_one_query_and_see_a_change_at_once() -> Result<(), Box<dyn Error>> {
        let db = Db::default();
        set_price(&db, 7, 250).await;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let server = Server::builder().add_service(PricesServer::new(Shop(db.clone())));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

        let client = PricesClient::connect(address).await?;
        let ask = |article: u64| {
            let mut client = client.clone();
            async move { client.price(PriceRequest { article }).await.map(|reply| reply.into_inner().cents) }
        };
        let mut calls: JoinSet<_> = (0..20).map(|_| ask(7)).collect();
        while let Some(call) = calls.join_next().await {
            assert_eq!(call??, 250);
        }
        assert_eq!(db.queries.load(Relaxed), 1, "of twenty calls");

        set_price(&db, 7, 200).await;
        assert_eq!(ask(7).await?, 200);
        assert_eq!(db.queries.load(Relaxed), 2);

        let refused = ask(8).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::NotFound, "there is no such article"));
        set_price(&db, 8, 100).await;
        assert_eq!(ask(8).await?, 100, "the error was not cached");
        Ok(())
    }
}
