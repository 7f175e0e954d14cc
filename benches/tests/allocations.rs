//! A hit takes nothing from the heap but what cloning its value takes: no key, no boxed future. A miss takes a little.

use allocation_counter::measure;
use larder::{CacheExt, MemoryCache, Store, cached};
use larder_benches::{account, name, policy, ready, user, user_blocking, user_in};

const HITS: u64 = 2_000;

/// The allocations of so many hits. The first calls fill the cache, and set up what a thread has of it.
fn allocations<R>(mut hit: impl FnMut() -> R) -> u64 {
    (0..1_000).for_each(|_| drop(hit()));
    measure(|| (0..HITS).for_each(|_| drop(hit()))).count_total
}

#[test]
fn a_cached_function_allocates_nothing() {
    assert_eq!(allocations(|| ready(user(7))), 0);
    assert_eq!(allocations(|| ready(account(7))), 0);
}

#[test]
fn a_function_that_is_not_async_allocates_nothing() {
    #[cached(ttl = 60, key = "parsed:<text>", negative_ttl = 10)]
    fn parsed(text: &str) -> Result<Option<u64>, std::num::ParseIntError> {
        text.parse().map(Some)
    }
    assert_eq!(allocations(|| user_blocking(7)), 0);
    assert_eq!(allocations(|| parsed("7")), 0);
}

#[test]
fn a_key_with_text_in_it_allocates_nothing() {
    #[cached(ttl = 60, key = "length:<text>:<number>")]
    async fn length(text: &str, number: i32) -> usize {
        text.len()
    }
    assert_eq!(allocations(|| ready(length("some text", -7))), 0);
}

#[test]
fn a_value_is_cloned_and_nothing_else() {
    let name = || ready(name("one of the tenants", 7));
    assert_eq!(allocations(name), HITS);

    #[cached(ttl = 60, key = "pair:<id>")]
    async fn pair(id: u64) -> (String, Vec<u64>) {
        ("two allocations".to_owned(), vec![id])
    }
    assert_eq!(allocations(|| ready(pair(7))), 2 * HITS);
}

#[test]
fn options_allocate_nothing_on_a_hit() {
    #[cached(
        ttl = 60,
        key = "optional:<id>",
        tags = ["tag:<id>"],
        negative_ttl = 10,
        jitter = 0.1,
        when = id > 0
    )]
    async fn optional(id: u64) -> Option<u64> {
        Some(id)
    }
    assert_eq!(allocations(|| ready(optional(7))), 0);
}

#[test]
fn a_method_allocates_nothing() {
    struct Service {
        cache: MemoryCache,
    }

    impl Service {
        #[cached(ttl = 60, key = "method:<id>", cache = self.cache, skip(self))]
        async fn get(&self, id: u64) -> u64 {
            id
        }
    }
    let service = Service { cache: MemoryCache::new(100) };
    assert_eq!(allocations(|| ready(service.get(7))), 0);
}

#[test]
fn the_verbs_allocate_nothing() {
    let (cache, policy) = (MemoryCache::new(100), policy());
    let compute = || async { Ok::<u64, String>(7) };
    assert_eq!(allocations(|| ready(cache.get_or_compute("key", &policy, compute))), 0);
    assert_eq!(allocations(|| ready(cache.get::<u64>("key"))), 0);
}

/// What is not in the front cache is found in the store, without a boxed future either. Moka sees to its own affairs now
/// and then, and not without the heap.
#[test]
fn a_hit_in_moka_allocates_almost_nothing() {
    #[cached(ttl = 60, key = "stored:<id>", skip(cache), cache = cache)]
    async fn stored(cache: &MemoryCache, id: u64) -> u64 {
        id
    }
    let cache = MemoryCache::builder().store(Store::Moka).front_cache_slots(0).build();
    let cache = cache.expect("the settings are valid");
    assert!(allocations(|| ready(stored(&cache, 7))) < HITS / 50);
}

/// The value, and the entry that has it and a short key.
#[test]
fn an_insert_allocates_what_it_keeps() {
    let (cache, policy) = (MemoryCache::new(100), policy());
    let keys: Vec<_> = (0..1_000 + HITS).map(larder_benches::key).collect();
    let mut next = keys.iter();
    let insert = || ready(cache.insert(next.next().expect("there are as many"), &7_u64, &policy));
    assert_eq!(allocations(insert), 2 * HITS);
}

#[test]
fn an_invalidation_allocates_the_name_of_what_it_covers() {
    let cache = MemoryCache::new(100);
    assert_eq!(allocations(|| ready(cache.invalidate("user:7"))), HITS);
}

/// The future is moved by the code that awaits it: it must not carry what only a miss needs.
#[test]
fn the_future_is_small() {
    assert!(size_of_val(&user(7)) <= 64, "{} bytes", size_of_val(&user(7)));
}

/// The future in its box, the key, the value, the entry, and what each of these needs: those who wait for the computation,
/// what it reads from caches, and whether it is polled.
#[test]
fn a_miss_allocates_seven_times_and_holds_its_body_no_oftener_than_it_must() {
    let (cache, mut id) = (MemoryCache::new(100), 0);
    let mut miss = || {
        id += 1;
        ready(user_in(&cache, id))
    };
    (0..1_000).for_each(|_| _ = miss());
    let measured = measure(|| (0..HITS).for_each(|_| _ = miss()));
    // Sets of the table are swept now and then.
    assert!(measured.count_total <= 7 * HITS + HITS / 50, "{measured:?}");
    assert!(measured.bytes_total / HITS < 3_000, "{measured:?}");
}
