//! What becomes of values on their way through a shared cache: one program, since each links four hundred types.

mod builds;
mod outcomes;
mod page;
mod random;
mod releases;
mod same;
