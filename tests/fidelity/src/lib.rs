//! What becomes of values on their way through a shared cache.
//!
//! A table of some four hundred rows ([`rows::all`]): a type that services use, some of its values, and what is
//! expected under each codec. A test stores every value through larder on a real Redis, in each way that larder
//! has, and another process reads it: see [`Outcome`].

pub mod builds;
pub mod cached;
pub mod codecs;
pub mod concrete;
pub mod erased;
pub mod outcome;
pub mod process;
pub mod reader;
pub mod row;
pub mod rows;
pub mod same;
mod table;
pub mod writer;

pub use self::{outcome::Outcome, row::Row};
