//! What takes time, apart from the threads that serve futures.

/// Messages above this size are encoded and decoded where they hold up no other call.
pub(crate) const LARGE: usize = 64 << 10;

/// Runs what takes time on a thread that may.
pub(crate) async fn offload<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(run).await {
        Ok(ran) => ran,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => panic!("the runtime is shutting down, and ended a conversion of the cache"),
        },
    }
}
