//! What a function stands in.

/// What surrounds a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) place: Place,
    /// A module or a type of the function's name stands beside it.
    pub(crate) type_is_taken: bool,
}

/// What a function stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Place {
    Module,
    /// The body of another function.
    Function,
    Impl,
    TraitImpl,
    Trait,
    #[default]
    Unknown,
}

impl Place {
    /// Whether there is a `Self`.
    pub(crate) fn is_associated(self) -> bool {
        matches!(self, Self::Impl | Self::TraitImpl | Self::Trait)
    }
}
