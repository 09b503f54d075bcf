//! The time of day that a run goes by.
//! Comes in: nothing. Goes out: milliseconds since 1970, which never go back.
//! Asked for once, when the program first needs it, and counted on from there: somebody may set the machine's clock while a run goes
//! on, and that moves neither what is asked again, and when, nor how long one session came after another.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

static BEGINNING: LazyLock<(Instant, SystemTime)> = LazyLock::new(|| (Instant::now(), SystemTime::now()));

/// Milliseconds since 1970; those since the beginning on a clock set before.
pub fn now_ms() -> i64 {
    let (instant, time) = *BEGINNING;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + instant.elapsed();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
