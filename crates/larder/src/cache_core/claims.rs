//! Which function computes what is under a key: two that have one key would be served what the other one computed.

use std::{
    any::{TypeId, type_name},
    borrow::Cow,
    collections::HashMap,
    hash::{Hash, Hasher},
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

/// How many prefixes (namespaces) of keys of one form are known by themselves. The first function that comes after them
/// has the keys behind all others.
const PREFIXES: usize = 1_000;

/// A cached function: a static of each.
#[derive(Debug)]
pub struct Function {
    /// Its path, and where it stands.
    path: &'static str,
    place: (&'static str, u32),
    /// What its keys look like; empty if other functions may have them too.
    form: &'static str,
    /// The first [`Admission`] of it: all that a hit looks at. Zero so far.
    admitted: AtomicU64,
    reported: AtomicBool,
}

/// A cached function where it is called.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    function: &'static Function,
    /// The type that it belongs to, or the types in its keys, if keys of the same form can differ by them.
    owner: Option<fn() -> Cow<'static, str>>,
    /// The name of a type in the function: another one for each of the types that it is compiled for.
    name: &'static str,
    /// Its keys name no parameter of the `impl` around it: at most `Self`.
    of_self_alone: bool,
}

/// A function as it was admitted: a number made of the cache, the type of the value, the types that the function is
/// compiled for, and the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admission(u64);

impl Function {
    /// At a line of a file.
    #[must_use]
    pub const fn new(path: &'static str, place: (&'static str, u32), form: &'static str) -> Self {
        let (admitted, reported) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { path, place, form, admitted, reported }
    }

    /// Where it is called. `F` is the type of a closure there.
    #[must_use]
    #[inline]
    pub fn site<F>(&'static self, _: F) -> Site {
        Site { function: self, owner: None, name: type_name::<F>(), of_self_alone: false }
    }
}

impl Site {
    /// As a function of a type, or of the types in its keys.
    #[must_use]
    #[inline]
    pub const fn of(self, owner: fn() -> Cow<'static, str>) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// As a function whose keys name no parameter of the `impl` around it: at most `Self`.
    #[must_use]
    #[inline]
    pub const fn of_self_alone(self) -> Self {
        Self { of_self_alone: true, ..self }
    }

    /// A copy for a call that is seldom made: if that were given this very one, each hit would write it to memory.
    #[inline]
    pub(crate) fn copied(self) -> Self {
        Self { ..self }
    }

    /// For values of this type, in the cache with this number. Zero stands for no prefix.
    #[inline]
    pub(super) fn admission(self, value: TypeId, number: u64, prefix: u64) -> Admission {
        let mut bits = Bits(0);
        value.hash(&mut bits);
        Admission(number ^ bits.0 ^ prefix ^ self.name.as_ptr().addr() as u64)
    }

    /// Whether it is known to be the one that has its keys.
    #[inline]
    pub(super) fn is_admitted(self, admission: Admission) -> bool {
        self.function.admitted.load(Ordering::Relaxed) == admission.0
    }

    /// The type that it belongs to. Without its parameters, unless the keys name all of it: the functions of one `impl`
    /// are compared.
    fn owner(self) -> Cow<'static, str> {
        match self.owner.map_or(Cow::Borrowed(""), |owner| owner()) {
            Cow::Borrowed(name) if !self.of_self_alone => name.split('<').next().unwrap_or_default().into(),
            owner => owner,
        }
    }

    /// What tells apart the types and traits that it belongs to, where one has parameters that its keys may not name.
    fn container(self) -> &'static str {
        if self.of_self_alone { container(self.name) } else { "" }
    }
}

/// `<Db as Repo<Users>>`, of `<Db as Repo<Users>>::count<u8>::{{closure}}`.
fn container(name: &'static str) -> &'static str {
    let mut function = name;
    while let Some(outer) = function.strip_suffix("::{{closure}}") {
        function = outer;
    }
    let (mut depth, mut end, mut last) = (0_usize, 0, ' ');
    for (at, character) in function.char_indices() {
        match character {
            '<' => depth += 1,
            // But not that of `fn() -> u8`.
            '>' if last != '-' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && last != ':' => end = at,
            _ => {}
        }
        last = character;
    }
    &function[..end]
}

/// What a `TypeId` gives to a hasher: it is a hash already.
struct Bits(u64);

impl Hasher for Bits {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u64(&mut self, bits: u64) {
        self.0 ^= bits;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// The functions that compute the values of one cache. There are as many forms of keys as the program has functions and
/// types for them.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: ArcSwap<HashMap<Form, Arc<Claimants>, RandomState>>,
    changing: Mutex<()>,
}

/// What keys look like, of which type their values are, and which type's they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Form {
    value: TypeId,
    text: &'static str,
    owner: Cow<'static, str>,
}

/// The functions that have keys of one form, by the prefix in front of them.
#[derive(Debug, Clone, Default)]
struct Claimants {
    of_prefix: HashMap<Arc<str>, Claim, RandomState>,
    /// That of all prefixes that are not known by themselves.
    others: Option<Claim>,
}

/// A function that has keys.
#[derive(Debug, Clone, Copy)]
struct Claim {
    function: &'static Function,
    of: &'static str,
}

impl Claims {
    /// Admits a function, unless another one has its keys, for values of the same type: it would be served what that one
    /// computed. So would the same one, of a type or a trait with other
    /// parameters.
    pub(super) fn admit(&self, value: TypeId, prefix: &str, site: Site, admission: Admission) -> bool {
        let function = site.function;
        if !function.form.is_empty() {
            let own = Claim { function, of: site.container() };
            let first = self.claim(Form { value, text: function.form, owner: site.owner() }, prefix, own);
            if !std::ptr::eq(first.function, function) {
                report(function, first.function);
                return false;
            }
            if first.of != own.of {
                report_types(function, (first.of, own.of));
                return false;
            }
        }
        // Others are looked up at each call: so it is no line that many threads write.
        let _ = function.admitted.compare_exchange(0, admission.0, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    /// The function that has the keys: the one that asks for them, if there was none.
    fn claim(&self, form: Form, prefix: &str, own: Claim) -> Claim {
        if let Some(claim) = self.all.load().get(&form).and_then(|there| there.of(prefix)) {
            return claim;
        }
        let _guard = lock(&self.changing);
        let mut all = HashMap::clone(&self.all.load());
        let there = Arc::make_mut(all.entry(form).or_default());
        if let Some(claim) = there.of(prefix) {
            return claim;
        }
        match there.of_prefix.len() < PREFIXES {
            true => drop(there.of_prefix.insert(prefix.into(), own)),
            false => there.others = Some(own),
        }
        self.all.store(Arc::new(all));
        own
    }
}

impl Claimants {
    fn of(&self, prefix: &str) -> Option<Claim> {
        self.of_prefix.get(prefix).or(self.others.as_ref()).copied()
    }
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

fn report_types(function: &'static Function, (first, own): (&str, &str)) {
    if function.reported.swap(true, Ordering::Relaxed) {
        return;
    }
    panic_guard::report!(
        warn,
        key = function.form,
        function = function.path,
        of = own,
        other = first,
        "a cached function has one key for several parameters of its trait or its type, so that each would be served \
         what was computed for the other one: it is not cached for those that came later; put what tells them apart \
         into the key, as in `<T>`, or write `skip(Self)` if the result does not depend on them"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where one function has more namespaces than are known by themselves, it has all others too: another one is not served
    /// what is not its own, whatever was forgotten.
    #[test]
    fn the_prefixes_that_are_known_are_bounded() {
        static FIRST: Function = Function::new("first", ("a.rs", 1), "user:<>");
        static OTHER: Function = Function::new("other", ("a.rs", 2), "user:<>");
        let claims = Claims::default();
        let admit = |function: &'static Function, at: usize| {
            let site = function.site(|| ());
            let value = TypeId::of::<u8>();
            claims.admit(value, &format!("{at}:"), site, site.admission(value, 1, at as u64 + 1))
        };
        assert!(admit(&OTHER, 0));
        assert!((1..PREFIXES + 10).all(|at| admit(&FIRST, at)));
        assert!(admit(&OTHER, 0) && admit(&FIRST, 5 * PREFIXES));
        for at in [1, PREFIXES - 1, PREFIXES + 9, 2 * PREFIXES, 5 * PREFIXES] {
            assert!(!admit(&OTHER, at), "{at}");
        }
        assert!(!admit(&FIRST, 0));
        let known = claims.all.load().values().map(|there| there.of_prefix.len()).sum::<usize>();
        assert_eq!(known, PREFIXES);
    }

    #[test]
    fn what_a_function_stands_in_is_told_from_its_own_parameters() {
        for (name, expected) in [
            ("a::Db::count::{{closure}}::{{closure}}", "a::Db"),
            ("<a::Db as a::Repo<a::Users>>::count<u8, b::C>::{{closure}}", "<a::Db as a::Repo<a::Users>>"),
            ("<a::Db as a::Repo<fn(u8) -> u8>>::d::{{closure}}", "<a::Db as a::Repo<fn(u8) -> u8>>"),
            ("a::m::<impl a::Repo<a::Users> for &u8>::count", "a::m::<impl a::Repo<a::Users> for &u8>"),
            ("", ""),
        ] {
            assert_eq!(container(name), expected, "{name}");
        }
    }
}
