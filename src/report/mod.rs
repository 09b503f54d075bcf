//! What a run comes to: counts for the terminal and for the manifest.
//! Comes in: judged rows, one at a time. Goes out: numbers, and text that shows them.
//! Nothing is judged here and no file is touched.

mod levels;
pub mod tally;

pub use tally::Tally;
