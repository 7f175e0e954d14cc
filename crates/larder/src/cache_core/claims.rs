//! Which function computes what is under a key: two that have one key would be served what the other one computed.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;

use crate::{
    panic_guard,
    sync::plain::{Mutex, lock},
};

/// A cached function: a static of each.
#[derive(Debug)]
pub struct Function {
    /// Its path, and where it stands.
    path: &'static str,
    place: (&'static str, u32),
    /// What its keys look like; empty if other functions may have them too.
    form: &'static str,
    /// The number of the first cache that it was admitted to: all that a hit looks at. Zero so far.
    admitted: AtomicU64,
    reported: AtomicBool,
}

/// A cached function where it is called.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    function: &'static Function,
    /// The type that it belongs to, if types can have keys of the same form that differ.
    owner: Option<fn() -> &'static str>,
}

impl Function {
    /// At a line of a file.
    #[must_use]
    pub const fn new(path: &'static str, place: (&'static str, u32), form: &'static str) -> Self {
        let (admitted, reported) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { path, place, form, admitted, reported }
    }

    /// Where it is called.
    #[must_use]
    #[inline]
    pub const fn site(&'static self) -> Site {
        Site { function: self, owner: None }
    }

    /// One function can have several statics: in a library that is loaded twice, say.
    fn is(&'static self, other: &'static Self) -> bool {
        std::ptr::eq(self, other) || (self.path == other.path && self.place == other.place)
    }
}

impl Site {
    /// As a function of a type.
    #[must_use]
    #[inline]
    pub const fn of(self, owner: fn() -> &'static str) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Whether it is known to be the one that has its keys in the cache with this number.
    #[inline]
    pub(super) fn is_admitted(self, number: u64) -> bool {
        self.function.admitted.load(Ordering::Relaxed) == number
    }

    /// Without its parameters: the functions of one `impl` are compared.
    fn owner(self) -> &'static str {
        let name = self.owner.map_or("", |owner| owner());
        name.split('<').next().unwrap_or_default()
    }
}

/// The functions that compute the values of one cache, by the type of the value.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: ArcSwap<HashMap<TypeId, Vec<Claim>, RandomState>>,
    changing: Mutex<()>,
}

/// Keys of a form, behind a prefix, are those of one function.
#[derive(Debug, Clone)]
struct Claim {
    prefix: Arc<str>,
    owner: &'static str,
    function: &'static Function,
}

impl Claims {
    /// Admits a function to the cache with this number, unless another one has its keys, for values of the same type: it
    /// would be served what that one computed.
    pub(super) fn admit(&self, value: TypeId, number: u64, prefix: &str, site: Site) -> bool {
        let function = site.function;
        if !function.form.is_empty() {
            let first = self.claim(value, prefix, site);
            if !first.is(function) {
                report(function, first);
                return false;
            }
        }
        // For other caches it is looked up at each call: so it is no line that many threads write.
        let _ = function.admitted.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    /// The function that has the keys: the one that asks for them, if there was none.
    fn claim(&self, value: TypeId, prefix: &str, site: Site) -> &'static Function {
        if let Some(claim) = find(self.all.load().get(&value), prefix, site) {
            return claim;
        }
        let _guard = lock(&self.changing);
        let mut all = HashMap::clone(&self.all.load());
        let there = all.entry(value).or_default();
        if let Some(claim) = find(Some(there), prefix, site) {
            return claim;
        }
        let (owner, function) = (site.owner(), site.function);
        there.push(Claim { prefix: prefix.into(), owner, function });
        self.all.store(Arc::new(all));
        function
    }
}

fn find(claims: Option<&Vec<Claim>>, prefix: &str, site: Site) -> Option<&'static Function> {
    let form = site.function.form;
    let of_form = |claim: &&Claim| claim.function.form == form && &*claim.prefix == prefix;
    let mut claims = claims?.iter().filter(of_form).peekable();
    claims.peek()?;
    let owner = site.owner();
    claims.find(|claim| claim.owner == owner).map(|claim| claim.function)
}

fn report(function: &'static Function, first: &'static Function) {
    if function.reported.swap(true, Ordering::Relaxed) {
        return;
    }
    let at = |function: &Function| format!("{} ({}:{})", function.path, function.place.0, function.place.1);
    panic_guard::report!(
        warn,
        key = function.form,
        function = at(function),
        other = at(first),
        "two cached functions have one key and one type of value, so that each would be served what the other one \
         computed: the function that was called later is not cached; give one of them another `key` or a `namespace`, \
         or, if both give the same values, the option `shared_key`"
    );
}
