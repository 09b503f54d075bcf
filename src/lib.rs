//! x
#[path = "probe/dnsbl/mod.rs"]
pub mod dnsbl;
pub mod input;
pub mod model;
pub mod plan;
