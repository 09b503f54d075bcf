//! Finds things out.

pub mod budget;
pub mod dns;
pub mod dnsbl;
pub mod smtp;
