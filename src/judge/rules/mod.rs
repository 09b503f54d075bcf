//! The rules, one file per family.
//! Comes in: one server's case, or for `mx` a domain's evidence. Goes out: findings, and the facts that are missing.
//! A rule looks at evidence only; what a finding does to a verdict stands in `table`.

pub(super) mod ehlo;
pub(super) mod forward;
pub(super) mod greeting;
pub(super) mod lists;
pub(super) mod mx;
pub(super) mod name;
mod reach;
pub(super) mod reverse;
pub(super) mod smtp;

/// From this long after it first failed, what fails again has no excuse: a restart is over by then.
const AGAIN_MS: i64 = 15 * 60 * 1_000;
