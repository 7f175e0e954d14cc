//! What needs several crates, processes or servers, and the model of the one rule.

pub mod model;
pub mod servers;
