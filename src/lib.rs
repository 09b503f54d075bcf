//! x
pub mod input;
pub mod model;
pub mod plan;
pub mod probe;
