//! The mxcensus program. All of it is in the library, which its tests enter as well.

use std::process::ExitCode;

/// A session's evidence is dozens of small pieces, made by one thread and freed by another: with the system's allocator that is
/// a third of the program's own time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mxcensus::run(&std::env::args_os().collect::<Vec<_>>())
}
