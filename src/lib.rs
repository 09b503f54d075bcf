//! A census of mail servers: who introduces itself properly, with the evidence.
//!
//! The program is [`run`]. Another program examines one target at a time with a [`Census`], or has a whole [`Scan`] made; both
//! take the [`Options`] of the command line, and both tell a [`Row`] for each target, exchange and address. Nothing else of the
//! crate can be reached from outside.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use mxcensus::{Census, Options, Overall};
//!
//! // The loopback world that comes with the crate; `Options::new()` is the Internet.
//! let census = Census::start(&Options::lab()).await?;
//! for row in census.examine("s01.lab.test").await?.rows() {
//!     for finding in row.findings() {
//!         println!("{:?}: {} {} {}", row.address(), finding.severity, finding.code, finding.detail);
//!     }
//!     assert_eq!(row.overall(), Overall::Conformant);
//! }
//! # Ok::<(), mxcensus::Error>(())
//! # }).unwrap();
//! ```
#![doc = include_str!("../ARCHITECTURE.md")]
// `json!` goes a few steps deeper with every key, and the manifest's configuration has one for each option.
#![recursion_limit = "256"]
// With the rooms shut, what only a test or a bench uses looks dead: these are judged with the rooms open.
#![cfg_attr(not(feature = "internals"), allow(dead_code, unnameable_types, unreachable_pub, unused_imports))]

mod census;
mod program;

pub use census::{Census, Error, Examined, Options, Row, Scan, Summary};
pub use model::finding::{Code, Finding};
pub use model::words::{Cause, Overall, Rule, Severity, Verdict};
pub use program::run;

// The rooms of the house are nobody's but its own. Its tests and benches are crates of their own, and enter by the feature.
#[cfg(not(feature = "internals"))]
mod cli;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod cli;
#[cfg(not(feature = "internals"))]
mod config;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod config;
#[cfg(not(feature = "internals"))]
mod doctor;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod doctor;
#[cfg(not(feature = "internals"))]
mod error;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod error;
#[cfg(not(feature = "internals"))]
mod input;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod input;
#[cfg(not(feature = "internals"))]
mod judge;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod judge;
#[cfg(not(feature = "internals"))]
mod lab;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod lab;
#[cfg(not(feature = "internals"))]
mod lists;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod lists;
#[cfg(not(feature = "internals"))]
mod log;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod log;
#[cfg(not(feature = "internals"))]
mod model;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod model;
#[cfg(not(feature = "internals"))]
mod observe;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod observe;
#[cfg(not(feature = "internals"))]
mod output;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod output;
#[cfg(not(feature = "internals"))]
mod plan;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod plan;
#[cfg(not(feature = "internals"))]
mod probe;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod probe;
#[cfg(not(feature = "internals"))]
mod report;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod report;
#[cfg(not(feature = "internals"))]
mod scan;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod scan;
