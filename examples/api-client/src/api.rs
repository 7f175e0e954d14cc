//! Another team's API: products as JSON, 200 ms for each answer, which holds for a minute.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::product::Product;

/// The service, and what it knows.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    state: Arc<Shelf>,
}

#[derive(Debug)]
struct Shelf {
    products: Mutex<HashMap<u32, Product>>,
    requests: AtomicU32,
}

/// Starts it on a free port.
pub async fn serve() -> Result<Api> {
    let product = |name: &str, price| Product { name: name.into(), price };
    let products = Mutex::new(HashMap::from([(1, product("tea", 4)), (2, product("cup", 7))]));
    let state = Arc::new(Shelf { products, requests: AtomicU32::new(0) });
    let router = Router::new().route("/products/{id}", get(product_of)).with_state(state.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Api { address, state })
}

impl Api {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> u32 {
        self.state.requests.load(Ordering::Relaxed)
    }

    pub fn set_price(&self, id: u32, price: u32) {
        let mut products = self.state.products.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(product) = products.get_mut(&id) {
            product.price = price;
        }
    }
}

async fn product_of(State(shelf): State<Arc<Shelf>>, Path(id): Path<u32>) -> impl IntoResponse {
    shelf.requests.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let product = shelf.products.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    let headers = [(header::CACHE_CONTROL, "private, max-age=60")];
    product.map(|product| (headers, Json(product))).ok_or(StatusCode::NOT_FOUND)
}
