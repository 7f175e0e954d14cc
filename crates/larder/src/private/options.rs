//! The options of a cached function.

use std::{
    panic::Location,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    cache::Cache,
    key::Key,
    panic_guard,
    policy::{Lock, Policy},
    registry,
};

/// A [`Policy`] that was checked at compile time.
#[derive(Debug)]
#[must_use]
pub struct Options(Policy);

impl Options {
    /// With a `ttl`. One of zero is reported, once for each function.
    #[track_caller]
    pub fn new(ttl: Duration) -> Self {
        if ttl.is_zero() {
            report_zero_ttl(Location::caller());
        }
        Self(Policy::ttl(ttl))
    }

    /// With a `ttl` of so many seconds, which is not zero.
    pub fn secs(ttl: u64) -> Self {
        Self(Policy::ttl(Duration::from_secs(ttl)))
    }

    /// With a `ttl` that is chosen for each value, from that of [`new`](Self::new) to this one.
    pub fn adaptive_to(mut self, longest: Duration) -> Self {
        self.0.adaptive_to = Some(longest);
        self
    }

    /// Those of a policy with this name. That there is none is reported, once for each function: nothing is stored then.
    #[track_caller]
    pub fn named(name: &str) -> Self {
        // Not in the closure, which is called from here.
        let function = Location::caller();
        registry::policy(name).map(Self).unwrap_or_else(|| {
            if is_first(function) {
                panic_guard::report!(
                    warn,
                    %function,
                    policy = name,
                    "a cached function has `ttl = named(…)`, and no policy has this name: nothing is stored, and every \
                     call runs the function; give it to `install_policies` at the start of the program"
                );
            }
            Self(Policy::ttl(Duration::ZERO))
        })
    }

    /// Those of the cache's policy. That it has none is reported, once for each function: nothing is stored then.
    #[track_caller]
    pub fn of_cache(cache: &(impl Cache + ?Sized)) -> Self {
        let function = Location::caller();
        cache.default_policy().cloned().map(Self).unwrap_or_else(|| {
            if is_first(function) {
                panic_guard::report!(
                    warn,
                    %function,
                    "a cached function has no `ttl`, and its cache no policy: nothing is stored, and every call runs the \
                     function; write `ttl = 300`, or give the cache a policy (`cache.with_policy(…)`)"
                );
            }
            Self(Policy::ttl(Duration::ZERO))
        })
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder).
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        // In place of what a policy says that the function was given: it may have one of them.
        self.0.idle = None;
        self.0.refresh_ahead = Some(fraction);
        self
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder).
    pub fn idle(mut self, limit: Duration) -> Self {
        self.0.refresh_ahead = None;
        self.0.idle = Some(limit);
        self
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder).
    pub fn memory_ttl(mut self, limit: Duration) -> Self {
        // One of zero is a mistake, and would never have memory answer.
        self.0.memory_ttl = Some(limit).filter(|limit| !limit.is_zero());
        self
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder). A tag with a part that has no text covers nothing.
    pub fn tag(mut self, build: impl FnOnce(&mut Key)) -> Self {
        let mut tag = Key::default();
        build(&mut tag);
        if !tag.failed() {
            self.0.tags.push(tag.into_string());
        }
        self
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder).
    pub fn takeover_after(mut self, limit: Duration) -> Self {
        self.0.set_takeover_after(limit);
        self
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        self.0
    }
}

/// Setters of one field each.
macro_rules! setters {
    ($($field:ident($($value:ident: $of:ty)?) = $new:expr;)+) => {
        impl Options {$(
            /// See [`PolicyBuilder`](crate::PolicyBuilder).
            pub fn $field(mut self $(, $value: $of)?) -> Self {
                self.0.$field = $new;
                self
            }
        )+}
    };
}

setters! {
    jitter(fraction: f64) = fraction;
    stale_while_revalidate(window: Duration) = window;
    stale_if_error(window: Duration) = window;
    negative_ttl(ttl: Duration) = ttl;
    timeout(timeout: Duration) = Some(timeout);
    cache_err(ttl: Duration) = ttl;
    deadline(deadline: Duration) = Some(deadline);
    retry_after(pause: Duration) = pause;
    lock(lock: Lock) = Some(lock);
    schema(version: u32) = Some(version);
    detached() = true;
    spawn() = true;
}

/// Only an expression can give zero: a zero that is written does not compile.
#[cold]
fn report_zero_ttl(function: &'static Location<'static>) {
    if is_first(function) {
        panic_guard::report!(
            warn,
            %function,
            "the `ttl` of a cached function is zero: nothing is stored, and every call runs the function; give it a \
             length of time, or switch the cache off with `when = …`"
        );
    }
}

/// Whether nothing was reported of this function so far.
#[cold]
fn is_first(function: &'static Location<'static>) -> bool {
    static REPORTED: Mutex<Vec<&'static Location<'static>>> = Mutex::new(Vec::new());
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = !reported.contains(&function);
    if is_first {
        reported.push(function);
    }
    is_first
}

/// A fraction between 0 and 1; anything else does not compile, where this is evaluated at compile time.
#[must_use]
pub const fn fraction(name: &'static str, value: f64) -> f64 {
    if value >= 0.0 && value <= 1.0 {
        return value;
    }
    match name.as_bytes() {
        b"jitter" => panic!("`jitter` is a fraction between 0 and 1"),
        b"refresh_ahead" => panic!("`refresh_ahead` is a fraction between 0 and 1"),
        _ => panic!("a fraction lies between 0 and 1"),
    }
}

/// A length of time that an option names.
#[inline]
pub fn duration<T: LengthOfTime>(length: T) -> Duration {
    length.duration()
}

/// What an option can name where it wants a length of time.
#[diagnostic::on_unimplemented(
    message = "expected a `Duration`, found `{Self}`",
    label = "not a `Duration`",
    note = "write text (`\"5m\"`), a number of seconds as a literal (`300`), or `Duration::from_secs(…)`"
)]
pub trait LengthOfTime {
    /// It.
    fn duration(self) -> Duration;
}

#[diagnostic::do_not_recommend]
impl LengthOfTime for Duration {
    #[inline]
    fn duration(self) -> Duration {
        self
    }
}
