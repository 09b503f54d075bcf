//! To be written.

pub mod generic;
