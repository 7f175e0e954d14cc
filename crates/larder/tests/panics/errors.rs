//! Errors whose code panics.

use super::*;

/// An error whose text, source, or copy panics. Its caller has it, the others compute for themselves.
struct Failure {
    number: usize,
}

impl fmt::Debug for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose, by `Debug`")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose, by `Display`")
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("on purpose, by `source`")
    }
}

impl Clone for Failure {
    fn clone(&self) -> Self {
        panic!("on purpose, by `Clone`")
    }
}

impl From<SharedError> for Rendered {
    fn from(_: SharedError) -> Self {
        panic!("on purpose, by `From<SharedError>`")
    }
}

/// Shared as its text.
struct Rendered(usize, bool);

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.1, "on purpose, by `Display`");
        f.write_str("failed")
    }
}

/// Five callers at once; the numbers of those who were told of a failure, and how many panicked.
async fn failing<F>(cache: &MemoryCache, gate: &Gate, ask: impl Fn() -> F) -> (Vec<usize>, usize)
where
    F: Future<Output = usize> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        callers.spawn(ask());
    }
    eventually(|| cache.stats().misses == 5).await;
    gate.open();
    let (mut numbers, mut panics) = (Vec::new(), 0);
    while let Some(ended) = in_time(callers.join_next()).await {
        match ended {
            Ok(number) => numbers.push(number),
            Err(_) => panics += 1,
        }
    }
    numbers.sort_unstable();
    (numbers, panics)
}

#[tokio::test]
async fn an_error_that_cannot_be_cloned_is_its_own_callers() {
    let cache = MemoryCache::new(10);
    let (calls, gate) = (Calls::default(), Gate::closed());
    let ask = || {
        let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
        async move {
            let compute = async || {
                let number = calls.call();
                gate.pass().await;
                Err::<u64, _>(Failure { number })
            };
            cache.get_or_compute_shared("key", long(), compute).await.err().unwrap().number
        }
    };
    assert_eq!(failing(&cache, &gate, ask).await, (vec![1, 2, 3, 4, 5], 0));
    is_well(&cache, "key").await;
}

#[tokio::test]
async fn an_error_without_a_text_is_its_own_callers() {
    #[cached(ttl = 60, key = "key", skip(cache, calls, gate, breaks), cache = cache)]
    async fn fails(cache: &MemoryCache, calls: &Calls, gate: &Gate, breaks: bool) -> Result<u64, Rendered> {
        let number = calls.call();
        gate.pass().await;
        Err(Rendered(number, breaks))
    }
    // Without a text no other caller has it; with one, it cannot be made from that.
    for (breaks, expected) in [(true, (vec![1, 2, 3, 4, 5], 0)), (false, (vec![1], 4))] {
        let cache = MemoryCache::new(10);
        let (calls, gate) = (Calls::default(), Gate::closed());
        let ask = || {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            async move { fails(&cache, &calls, &gate, breaks).await.err().unwrap().0 }
        };
        assert_eq!(failing(&cache, &gate, ask).await, expected);
        is_well(&cache, "key").await;
    }
}
