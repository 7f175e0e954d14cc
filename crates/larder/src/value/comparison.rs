//! How two values of a type are compared, where that is known.
//!
//! A cached value need not be `PartialEq` or `Debug`, and a function that is generic over values cannot ask whether
//! it is. The macros know the type: what they find is remembered for all who store values of the same type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt::{self, Debug},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;

/// What shows that a value comes back as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The two serialize differently.
    Serialized,
    /// They serialize alike, and their `PartialEq` or `Debug` tells them apart.
    Compared,
    /// They are equal, and their `Debug` tells them apart.
    Shown,
}

/// How to compare two values of one type. It runs the type's own code.
pub(crate) struct Comparison<V> {
    clone: fn(&V) -> V,
    eq: Option<fn(&V, &V) -> bool>,
    text: Option<fn(&V) -> String>,
    looks: Looks,
}

impl<V> fmt::Debug for Comparison<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = (self.eq.is_some(), self.text.is_some());
        f.debug_struct("Comparison").field("known", &known).finish_non_exhaustive()
    }
}

impl<V: Clone + 'static> Comparison<V> {
    /// By nothing so far.
    pub(crate) fn new() -> Self {
        Self { clone: V::clone, eq: None, text: None, looks: Looks::default() }
    }

    /// By equality first.
    pub(crate) fn by_eq(self) -> Self
    where
        V: PartialEq,
    {
        Self { eq: Some(V::eq), ..self }
    }

    /// By text, where equality does not tell.
    pub(crate) fn by_text(self) -> Self
    where
        V: Debug,
    {
        Self { text: Some(|value| format!("{value:?}")), ..self }
    }
}

impl<V> Comparison<V> {
    /// Whether two values are the same; none if the type does not tell. One that differs from its own clone (NaN is
    /// in it, or it compares addresses) tells nothing by what it was compared with.
    pub(crate) fn compare(&self, one: &V, other: &V) -> Option<Result<(), Evidence>> {
        if let Some(eq) = self.eq {
            if eq(one, other) {
                return Some(self.look(one, other));
            }
            if eq(one, &(self.clone)(one)) {
                return Some(Err(Evidence::Compared));
            }
        }
        self.show_alike(one, other).map(|alike| if alike { Ok(()) } else { Err(Evidence::Compared) })
    }

    /// Whether two values that are equal look the same as well: what `PartialEq` ignores, `Debug` may show.
    fn look(&self, one: &V, other: &V) -> Result<(), Evidence> {
        if self.looks.is_due() && self.show_alike(one, other) == Some(false) {
            self.looks.found();
            return Err(Evidence::Shown);
        }
        Ok(())
    }

    /// Whether two values have the same text, but for the order of its parts; none if that does not tell.
    fn show_alike(&self, one: &V, other: &V) -> Option<bool> {
        let text = self.text?;
        let (shown, other) = (text(one), text(other));
        if shown == other {
            return Some(true);
        }
        (shown == text(&(self.clone)(one))).then(|| tokens(&shown) == tokens(&other))
    }
}

/// Which of a type's equal values are looked at, since their text takes longer to write than they do: the first ones,
/// then one in some, and all of them as soon as one differed.
#[derive(Debug, Default)]
struct Looks(AtomicU32);

impl Looks {
    const FIRST: u32 = 64;
    const ONE_IN: u32 = 16;
    const ALL: u32 = u32::MAX;

    fn is_due(&self) -> bool {
        let values = self.0.load(Relaxed);
        if values == Self::ALL {
            return true;
        }
        let next = if values + 1 == Self::ALL { Self::FIRST } else { values + 1 };
        // One that comes at the same time counts for both; `ALL` is not taken back.
        _ = self.0.compare_exchange(values, next, Relaxed, Relaxed);
        values < Self::FIRST || values.is_multiple_of(Self::ONE_IN)
    }

    fn found(&self) {
        self.0.store(Self::ALL, Relaxed);
    }
}

/// The parts of a `Debug` text, without their order: equal sets and maps are shown in different ones.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens: Vec<_> =
        text.split([',', '{', '}', '(', ')', '[', ']']).map(str::trim).filter(|it| !it.is_empty()).collect();
    tokens.sort_unstable();
    tokens
}

type Known = HashMap<TypeId, Arc<dyn Any + Send + Sync>, foldhash::fast::RandomState>;

fn known() -> &'static ArcSwap<Known> {
    static KNOWN: LazyLock<ArcSwap<Known>> = LazyLock::new(ArcSwap::default);
    &KNOWN
}

impl<V: 'static> Comparison<V> {
    /// What is known of the type.
    pub(crate) fn of_type() -> Option<Arc<Self>> {
        known().load().get(&TypeId::of::<V>())?.clone().downcast().ok()
    }

    /// Remembers it, unless as much is known already.
    pub(crate) fn remember(self) {
        let more = |there: Arc<Self>| {
            self.eq.is_some() && there.eq.is_none() || self.text.is_some() && there.text.is_none()
        };
        if !Self::of_type().is_none_or(more) {
            return;
        }
        // A copy for each type of a program, once: what is looked up for each value takes no lock for it.
        let this = Arc::new(self);
        known().rcu(|known| {
            let mut known = Known::clone(known);
            known.insert(TypeId::of::<V>(), this.clone());
            Arc::new(known)
        });
    }
}
