//! What a function stands in.

/// What surrounds a function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) place: Place,
    /// A body of a function is around it, in the same module.
    pub(crate) is_in_body: bool,
    /// A module or a type of the function's name stands beside it.
    pub(crate) type_is_taken: bool,
    /// Type and const parameters of the `impl` or the trait around it. None if that cannot be read.
    pub(crate) parameters: Option<Vec<String>>,
    /// Of the trait around it, where `Self` has not the same ones.
    pub(crate) trait_parameters: Vec<TraitParameter>,
}

/// A type or const parameter of an `impl` or a trait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TraitParameter {
    pub(crate) name: String,
    pub(crate) is_const: bool,
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
