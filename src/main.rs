//! The mxcensus program.

fn main() {}
