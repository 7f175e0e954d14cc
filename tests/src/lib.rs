//! What needs several crates or processes, and the model of the one rule.

pub mod caches;
pub mod history;
pub mod model;
pub mod workers;

pub use larder_warnings as warnings;
