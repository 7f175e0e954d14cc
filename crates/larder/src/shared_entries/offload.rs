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

/// Runs what needs more stack than a thread of a runtime has; none if there is no memory for that.
pub(crate) fn on_large_stack<R: Send>(run: impl FnOnce() -> R + Send) -> Option<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(crate::wire::Limits::STACK)
            .spawn_scoped(scope, run)
            .ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
