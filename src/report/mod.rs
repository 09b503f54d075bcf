//! What a run comes to: counts for the terminal and for the manifest, and a survey of many.
//! Comes in: judged rows, or rows read back, one at a time. Goes out: numbers, and text that shows them.
//! Nothing is judged here and no file is touched.

pub mod census;
mod heavy;
mod levels;
mod network;
pub mod page;
#[cfg(test)]
pub(crate) mod sample;
pub mod sum;
pub mod survey;
pub mod tally;
mod targets;
pub mod text;
mod worst;

pub use tally::Tally;
