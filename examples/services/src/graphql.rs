//! GraphQL with async-graphql behind axum. Its dataloader collects the keys that one request asks for, and a function that is
//! cached for each key loads what is not cached, in one query.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Object, Result, Schema, SimpleObject,
    dataloader::{DataLoader, Loader},
};
use axum::{Json, Router, extract::State, routing::post};
use larder::{cached_many, invalidate};
use serde::{Deserialize, Serialize};

/// Stands in for a database: the users that were renamed, and the keys of each query so far.
#[derive(Clone, Default)]
pub struct Db {
    names: Arc<Mutex<HashMap<u64, String>>>,
    queries: Arc<Mutex<Vec<Vec<u64>>>>,
}

/// Who wrote a post.
#[derive(Clone, Serialize, Deserialize, SimpleObject)]
pub struct User {
    name: String,
}

/// The users with these numbers. What is cached comes from there; all others are one query, and cached each for itself.
///
/// # Errors
///
/// None here; a database has some.
#[cached_many(ttl = 300, key = "user:<id>", each = id in ids, skip(db))]
pub async fn users(db: &Db, ids: Vec<u64>) -> Result<HashMap<u64, User>, Infallible> {
    db.queries.lock().unwrap_or_else(PoisonError::into_inner).push(ids.clone());
    let names = db.names.lock().unwrap_or_else(PoisonError::into_inner);
    let name = |id| names.get(&id).cloned().unwrap_or_else(|| format!("user {id}"));
    Ok(ids.into_iter().map(|id| (id, User { name: name(id) })).collect())
}

/// Changes a user's name.
#[invalidate("user:<id>")]
pub async fn rename(db: &Db, id: u64, name: &str) {
    db.names.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name.to_owned());
}

struct UserLoader(Db);

impl Loader<u64> for UserLoader {
    type Value = User;
    type Error = Infallible;

    async fn load(&self, keys: &[u64]) -> Result<HashMap<u64, User>, Infallible> {
        users(&self.0, keys.to_vec()).await
    }
}

#[derive(SimpleObject)]
#[graphql(complex)]
struct Post {
    title: String,
    #[graphql(skip)]
    author: u64,
}

#[ComplexObject]
impl Post {
    async fn author(&self, context: &Context<'_>) -> Result<Option<User>> {
        Ok(context.data::<DataLoader<UserLoader>>()?.load_one(self.author).await?)
    }
}

/// What can be asked for.
pub struct Query;

#[Object]
impl Query {
    /// One post of each author.
    async fn posts(&self, authors: Vec<u64>) -> Vec<Post> {
        authors.into_iter().map(|author| Post { title: format!("by {author}"), author }).collect()
    }
}

type Posts = Schema<Query, EmptyMutation, EmptySubscription>;

async fn answer(
    State((schema, db)): State<(Posts, Db)>,
    Json(request): Json<async_graphql::Request>,
) -> Json<async_graphql::Response> {
    // A loader for each request. It keeps nothing from one to the next: that is the cache's part, which hears of changes.
    let loader = DataLoader::new(UserLoader(db), tokio::spawn);
    Json(schema.execute(request.data(loader)).await)
}

/// Answers `POST /graphql`.
pub fn router(db: Db) -> Router {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    Router::new().route("/graphql", post(answer)).with_state((schema, db))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_request_is_one_query_for_what_is_not_cached() -> Result<(), Box<dyn Error>> {
        let db = Db::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/graphql", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, router(db.clone())).into_future());
        let client = reqwest::Client::new();
        let ask = async |authors: &[u64]| -> Result<Vec<String>, Box<dyn Error>> {
            let query = format!("{{ posts(authors: {authors:?}) {{ title author {{ name }} }} }}");
            let reply = client.post(&url).json(&json!({ "query": query })).send().await?;
            let reply: Value = reply.error_for_status()?.json().await?;
            let posts = reply["data"]["posts"].as_array().ok_or_else(|| reply.to_string())?;
            Ok(posts.iter().map(|post| post["author"]["name"].as_str().unwrap_or("?").to_owned()).collect())
        };
        let queries = || {
            let mut queries = std::mem::take(&mut *db.queries.lock().expect("no one panicked"));
            queries.iter_mut().for_each(|keys| keys.sort_unstable());
            queries
        };

        assert_eq!(ask(&[1, 2, 1, 3]).await?, ["user 1", "user 2", "user 1", "user 3"]);
        assert_eq!(queries(), [[1, 2, 3]], "one query, with each key once");
        ask(&[3, 4, 1]).await?;
        assert_eq!(queries(), [[4]]);
        rename(&db, 3, "Ada").await;
        assert_eq!(ask(&[1, 3]).await?, ["user 1", "Ada"]);
        assert_eq!(queries(), [[3]]);
        Ok(())
    }
}
