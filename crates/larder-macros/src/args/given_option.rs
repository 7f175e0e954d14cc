//! What every option has, and the macros that take it.

use syn::Ident;

/// Which of the macros is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Macro {
    Cached,
    CachedMany,
    Invalidate,
    CachePut,
    Limited,
}

impl Macro {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cached => "#[cached]",
            Self::CachedMany => "#[cached_many]",
            Self::Invalidate => "#[invalidate]",
            Self::CachePut => "#[cache_put]",
            Self::Limited => "#[limited]",
        }
    }
}

/// An option as it was given.
pub(crate) struct Given<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
}
