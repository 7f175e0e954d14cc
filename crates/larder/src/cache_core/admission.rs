//! Whether a function may have its keys in a cache.

use std::any::TypeId;

use super::{
    Core,
    claims::{Admission, Site},
};

impl Core {
    /// Whether a function is known to be the one that has its keys in this cache.
    #[inline]
    pub(crate) fn has_admitted<V: 'static>(&self, prefix: &str, site: Site) -> bool {
        site.is_admitted(self.admission::<V>(prefix, site))
    }

    #[inline]
    fn admission<V: 'static>(&self, prefix: &str, site: Site) -> Admission {
        let prefix = if prefix.is_empty() { 0 } else { self.lookup(prefix).hash };
        site.admission(TypeId::of::<V>(), self.0.number, prefix)
    }

    /// Admits a function to this cache: see `Claims::admit`.
    #[cold]
    pub(crate) fn admit<V: 'static>(&self, prefix: &str, site: Site) -> bool {
        self.0.claims.admit(TypeId::of::<V>(), prefix, site, self.admission::<V>(prefix, site))
    }
}
