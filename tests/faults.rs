//! Whatever happens to a run costs no row: killed, interrupted, out of disk, without its resolver, at a wrong time.
//! Comes in: the program, a scan of the lab, and a fault. Goes out: the rows of the undisturbed scan, each once.
//!
//! `scripts/faults` runs the same at full size: `MXCENSUS_FAULTS_TARGETS` and `MXCENSUS_FAULTS_KILLS` say how large.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail by panic, also in its own functions, and says how often it has killed"
)]

#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/kill.rs"]
mod kill;
#[path = "faults/resolver.rs"]
mod resolver;
#[path = "faults/resume.rs"]
mod resume;
#[path = "faults/run.rs"]
mod run;
#[path = "faults/signals.rs"]
mod signals;
