//! What needs several crates or processes, and the model of the one rule.

pub mod model;
