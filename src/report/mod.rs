//! What a run comes to: counts for the terminal and for the manifest, and a survey of many.
//! Comes in: judged rows, or rows read back, one at a time. Goes out: numbers, and text that shows them.
//! Nothing is judged here and no file is touched.

mod levels;
pub mod page;
#[cfg(test)]
pub(crate) mod sample;
pub mod survey;
pub mod tally;

pub use tally::Tally;
