//! The two clocks of a run.
//! Comes in: nothing. Goes out: the time of day, for people, and how long the program runs, for whatever comes before or after.
//! Somebody may set the first one while a run goes on, and it moves neither what is asked again nor when.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time of day: milliseconds since 1970; 0 on a clock set before.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since this was first asked for; they never go back.
pub fn running_ms() -> i64 {
    i64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(i64::MAX)
}
