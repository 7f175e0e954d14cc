//! Where a cached function can stand.

use std::sync::atomic::{AtomicU64, Ordering};

use larder::{cached, invalidate};

static CALLS: AtomicU64 = AtomicU64::new(0);

fn call(id: u64) -> u64 {
    CALLS.fetch_add(1, Ordering::SeqCst);
    id
}

struct Users;

impl Users {
    #[cached(ttl = 60, key = "places:find:<id>")]
    async fn find(id: u64) -> u64 {
        call(id)
    }

    #[cached(ttl = 60, key = "places:find-here:<id>", companions)]
    fn find_here(id: u64) -> u64 {
        call(id)
    }

    #[invalidate("places:find:<id>")]
    async fn change(id: u64) {
        call(id);
    }
}

trait Finds {
    async fn one(id: u64) -> u64;
    fn other(id: u64) -> u64;

    #[cached(ttl = 60, key = "places:<Self>:default:<id>")]
    fn default(id: u64) -> u64 {
        call(id)
    }
}

impl Finds for Users {
    #[cached(ttl = 60, key = "places:trait:<id>")]
    async fn one(id: u64) -> u64 {
        call(id)
    }

    #[cached(ttl = 60, key = "places:trait-here:<id>")]
    fn other(id: u64) -> u64 {
        call(id)
    }
}

/// Beside a module of its name there is no room for a type.
#[cached(ttl = 60)]
async fn pages(id: u64) -> u64 {
    call(id + pages::OFFSET)
}

mod pages {
    pub(super) const OFFSET: u64 = 1;
}

#[cached(ttl = 60, key = "places:orders:<id>")]
fn orders(id: u64) -> u64 {
    call(id)
}

#[expect(non_camel_case_types, reason = "the name is taken")]
type orders = u8;

#[tokio::test]
async fn functions_without_self_and_beside_modules_are_cached() {
    for _ in 0..2 {
        assert_eq!(Users::find(1).await, 1);
        assert_eq!(Users::find_here(2), 2);
        assert_eq!(Users::one(3).await, 3);
        assert_eq!(Users::other(4), 4);
        assert_eq!(Users::default(5), 5);
        assert_eq!(pages(5).await, 6);
        assert_eq!(orders(7), 7);
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 7);
    let taken: orders = 1;
    assert_eq!(Users::find_here_key(2), format!("places:find-here:{}", taken + 1));
    drop(Users::find_here_invalidate(2));
    assert_eq!(Users::find_here_refresh(2), 2);
    Users::change(1).await;
    assert_eq!(Users::find(1).await, 1);
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn functions_inside_of_functions_have_companions_too() {
    #[cached(ttl = 60, key = "places:inside:<id>")]
    async fn inside(id: u64) -> u64 {
        id
    }
    assert_eq!(inside(1).await, 1);
    assert_eq!(inside::key(1), "places:inside:1");
}
