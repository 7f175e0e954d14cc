//! What keeps lints silent that may be forbidden, so that nothing can allow them.

/// Uses an argument that is needed nowhere else.
#[inline]
pub const fn used<T: ?Sized>(_: &T) {}

/// Of any type, where it is never called: it tells the compiler what a block returns.
///
/// # Panics
///
/// Always.
#[must_use]
pub fn never<T>() -> T {
    unreachable!("it stands behind `if false`")
}

/// Calls a function's body. (Clippy takes a closure that is called where it stands for a mistake.)
#[inline]
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    body()
}
