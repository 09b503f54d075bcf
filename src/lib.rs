//! A census of mail servers: who introduces itself properly, with the evidence.

pub mod input;
pub mod judge;
pub mod lab;
pub mod model;
pub mod output;
pub mod plan;
pub mod probe;
pub mod report;
pub mod scan;
