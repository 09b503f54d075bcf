//! A target on its way through the passes of a run.
//! Comes in: a target, and what became of the pass before. Goes out: the errand for the next one, and what it must ask anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::target::Target;

/// Later passes over targets whose outcome may change (`--retries`, `--retry-after`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// How many, after the first.
    pub times: u8,
    /// How long after the pass before.
    pub after: Duration,
}

/// How long a group that has turned us away is left alone at most: the first of the waits that receivers expect.
const LEFT_ALONE: Duration = Duration::from_secs(300);

/// The same where later passes come sooner: they are meant to find the group open.
pub(super) fn left_alone(again: Again) -> Duration {
    if again.times > 0 { again.after.min(LEFT_ALONE) } else { LEFT_ALONE }
}

/// A target and how often it has been tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// What to gather evidence about.
    pub target: Target,
    /// Which pass over it this is, from 1.
    pub attempt: u8,
    /// Milliseconds since 1970 when the pass before ended; what was found out since then is not asked again.
    pub since: i64,
}

impl Errand {
    /// The first pass over a target.
    pub const fn first(target: Target) -> Self {
        Self { target, attempt: 1, since: 0 }
    }

    /// The pass after this one, which ended at this time, in milliseconds since 1970.
    #[must_use]
    pub fn again(self, since: i64) -> Self {
        Self { attempt: self.attempt.saturating_add(1), since, ..self }
    }

    /// Whether something that was found out at that time has to be found out again.
    pub(super) const fn outlasts(&self, asked_at: i64, may_change: bool) -> bool {
        self.attempt > 1 && may_change && asked_at <= self.since
    }
}
