#![doc = include_str!("../ARCHITECTURE.md")]
// `json!` goes a few steps deeper with every key, and the manifest's configuration has one for each option.
#![recursion_limit = "256"]

pub mod census;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod error;
pub mod input;
pub mod judge;
pub mod lab;
pub mod lists;
pub mod log;
pub mod model;
pub mod observe;
pub mod output;
pub mod plan;
pub mod probe;
pub mod report;
pub mod scan;

pub use census::{Census, Error, Examined, Options, Row, Scan, Summary};
pub use model::finding::{Code, Finding};
pub use model::words::{Cause, Overall, Rule, Severity, Verdict};
