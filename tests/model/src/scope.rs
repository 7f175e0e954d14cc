//! What an invalidation covers, and what covers an entry.

/// The two entries of the model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Key {
    /// `k`, computed from the database.
    #[default]
    K,
    /// `d`, computed from the cached `k`.
    D,
}

impl Key {
    pub(crate) const ALL: [Self; 2] = [Self::K, Self::D];

    /// The scope of the key itself.
    pub(crate) const fn name(self) -> Scopes {
        match self {
            Self::K => Scopes::K,
            Self::D => Scopes::D,
        }
    }

    /// The scopes that cover the entry by its name alone.
    pub(crate) fn scopes(self) -> Scopes {
        match self {
            Self::K => Scopes::K | Scopes::WIDE | Scopes::ALL,
            Self::D => Scopes::D | Scopes::ALL,
        }
    }

    /// The scopes that cover the entry in truth: `d` is made from `k`, whatever was recorded.
    pub(crate) fn truth(self) -> Scopes {
        match self {
            Self::K => self.scopes(),
            Self::D => self.scopes() | Self::K.scopes(),
        }
    }
}

/// A set of scopes; each bit has a slot of its own, so no two of them collide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);
    /// The key `k`.
    pub const K: Self = Self(1);
    /// A prefix over `k`.
    pub const WIDE: Self = Self(2);
    /// The key `d`.
    pub const D: Self = Self(4);
    /// Everything.
    pub const ALL: Self = Self(8);

    /// How many scopes there are.
    pub(crate) const COUNT: usize = 4;

    pub(crate) const fn nth(index: usize) -> Self {
        Self(1 << index)
    }

    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        (0..Self::COUNT).filter(move |&index| self.meets(Self::nth(index)))
    }
}

impl std::ops::BitOr for Scopes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; Scopes::COUNT] = ["k", "k:*", "d", "everything"];
        let names: Vec<_> = self.indices().map(|index| NAMES[index]).collect();
        f.write_str(&names.join("+"))
    }
}
