//! GraphQL: async-graphql's dataloader collects the keys of one request, and a function that is cached for each element
//! loads what is not cached, in one query for all requests.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Object, Result, Schema, SimpleObject,
    dataloader::{DataLoader, Loader},
};
use larder::{cached_many, invalidate};
use serde::{Deserialize, Serialize};

/// Stands in for a database: the keys of each query.
#[derive(Clone, Default)]
struct Db(Arc<Mutex<Vec<Vec<u64>>>>);

impl Db {
    fn queries(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Clone, Serialize, Deserialize, SimpleObject)]
struct User {
    name: String,
}

/// One query for all users that are not cached.
#[cached_many(ttl = 300, key = "user:<id>", each = id in ids, skip(db))]
async fn users(db: &Db, ids: Vec<u64>) -> Result<HashMap<u64, User>, Infallible> {
    let mut query = ids.clone();
    query.sort_unstable();
    db.0.lock().unwrap().push(query);
    Ok(ids.into_iter().map(|id| (id, User { name: format!("user {id}") })).collect())
}

#[invalidate("user:<id>")]
async fn rename(id: u64) {
    _ = id;
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
    #[graphql(skip)]
    author: u64,
}

#[ComplexObject]
impl Post {
    async fn author(&self, context: &Context<'_>) -> Result<Option<User>> {
        Ok(context.data::<DataLoader<UserLoader>>()?.load_one(self.author).await?)
    }

    async fn by(&self) -> u64 {
        self.author
    }
}

struct Query;

#[Object]
impl Query {
    async fn posts(&self, authors: Vec<u64>) -> Vec<Post> {
        authors.into_iter().map(|author| Post { author }).collect()
    }
}

#[tokio::test]
async fn a_request_is_one_query_for_what_is_not_cached() {
    let db = Db::default();
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let ask = async |authors: &str| {
        // A loader for each request: what is kept from one to the next is the cache's matter.
        let loader = DataLoader::new(UserLoader(db.clone()), tokio::spawn);
        let request = async_graphql::Request::new(format!("{{ posts(authors: {authors}) {{ author {{ name }} }} }}"));
        let response = schema.execute(request.data(loader)).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        response.data.to_string()
    };
    let answer = ask("[1, 2, 1, 3]").await;
    assert_eq!(answer.matches("user 1").count(), 2, "{answer}");
    assert_eq!(db.queries(), [[1, 2, 3]]);
    ask("[3, 4, 1]").await;
    assert_eq!(db.queries(), [[4]]);
    rename(3).await;
    ask("[1, 2, 3, 4]").await;
    assert_eq!(db.queries(), [[3]]);
}
