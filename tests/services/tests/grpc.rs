//! A tonic service: the handler is thin, and what it calls is cached. An error of the source is shared by those who wait for
//! it, and becomes a status here.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use larder::{cached, invalidate};
use larder_services::{
    PriceReply, PriceRequest,
    prices_client::PricesClient,
    prices_server::{Prices, PricesServer},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

/// Stands in for a database.
#[derive(Clone, Default)]
struct Db {
    cents: Arc<AtomicU64>,
    queries: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
struct NotFound;

#[cached(ttl = 300, key = "price:<article>", skip(db))]
async fn price(db: &Db, article: u64) -> Result<u64, NotFound> {
    db.queries.fetch_add(1, Relaxed);
    // Long enough for the others to come.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    if article == 7 { Ok(db.cents.load(Relaxed)) } else { Err(NotFound) }
}

#[invalidate("price:<article>")]
async fn set_price(db: &Db, article: u64, cents: u64) {
    db.cents.store(cents, Relaxed);
}

struct Service(Db);

#[tonic::async_trait]
impl Prices for Service {
    async fn price(&self, request: Request<PriceRequest>) -> Result<Response<PriceReply>, Status> {
        let cents = price(&self.0, request.into_inner().article).await;
        let cents = cents.map_err(|NotFound| Status::not_found("there is no such article"))?;
        Ok(Response::new(PriceReply { cents }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_are_one_query() -> Result<(), Box<dyn Error>> {
    let db = Db::default();
    set_price(&db, 7, 250).await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let service = PricesServer::new(Service(db.clone()));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));

    let client = PricesClient::connect(address).await?;
    let ask = |article: u64| {
        let mut client = client.clone();
        async move { client.price(PriceRequest { article }).await.map(|reply| reply.into_inner().cents) }
    };
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(ask(7))).collect();
    for call in calls {
        assert_eq!(call.await??, 250);
    }
    assert_eq!(db.queries.load(Relaxed), 1, "twenty calls at once");

    set_price(&db, 7, 200).await;
    assert_eq!((ask(7).await?, db.queries.load(Relaxed)), (200, 2));
    assert_eq!(ask(8).await.unwrap_err().code(), Code::NotFound);
    Ok(())
}
