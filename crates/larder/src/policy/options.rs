//! Options on a complete policy: the compiler's answer names the builder.

use std::time::Duration;

use super::{Lock, Policy};

/// What a finished policy cannot take any more.
#[diagnostic::on_unimplemented(
    message = "a `Policy` is complete, and takes no more options",
    label = "an option of `Policy::builder()`",
    note = "write `Policy::builder().ttl(duration)`, then the options, then `.build()?`, in the place of \
            `Policy::ttl(duration)`"
)]
pub trait TakesOptions {}

/// The lifetime makes the bound one that is looked at where the method is called.
macro_rules! refused {
    ($($option:ident($($argument:ty)?);)*) => {
        impl Policy {$(
            #[doc(hidden)]
            #[must_use]
            pub fn $option<'p>(self $(, _: $argument)?) -> Self
            where
                &'p Self: TakesOptions,
            {
                self
            }
        )*}
    };
}

refused! {
    jitter(f64);
    stale_while_revalidate(Duration);
    stale_if_error(Duration);
    refresh_ahead(f64);
    idle(Duration);
    memory_ttl(Duration);
    negative_ttl(Duration);
    cache_err(Duration);
    timeout(Duration);
    deadline(Duration);
    retry_after(Duration);
    tag(impl Into<String>);
    tags(impl IntoIterator<Item: Into<String>>);
    lock(Lock);
    schema(u32);
    detached();
    spawn();
    takeover_after(Duration);
}
