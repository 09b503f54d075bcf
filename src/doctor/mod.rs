//! Whether this machine is fit to scan: who it is to others, whether its resolvers can be believed, and what it can carry.
//! Comes in: how the scan would ask and greet. Goes out: checks, each with its evidence and what to do; as text or JSON.
//! What is found out is gathered in one place (`gather`), and what it means is said by pure functions (`identity`, `resolver`,
//! `machine`). No server is dialled but the one that the user has named.

mod gather;
mod identity;
mod machine;
mod page;
mod quick;
mod resolver;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use self::quick::{LARGE, Quick, faults, quick};
use crate::model::address::Allowed;
use crate::model::dns::Question;
use crate::model::dnsbl::List;
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::words::{Cause, words};
use crate::probe::dns::{self, Server};
use crate::probe::dnsbl::catalogue::Terms;
use crate::probe::smtp::session::Caller;
use crate::probe::{Endpoint, Families};

words! {
    /// What a check came to.
    Status {
        /// As it should be.
        Ok = "ok",
        /// A scan can be made, but some of its results will be worse.
        Warning = "warning",
        /// A reason not to scan before it is mended.
        Fault = "fault",
        /// It could not be found out, for a cause.
        Unknown = "unknown",
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub check: &'static str,
    /// What it came to.
    pub status: Status,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was seen, in a few words.
    pub evidence: String,
    /// What to do; None where nothing is to be done.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    fn ok(check: &'static str, evidence: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, cause: None, evidence: evidence.into(), advice: None }
    }

    fn warning(check: &'static str, evidence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Warning, advice: Some(advice.into()), ..Self::ok(check, evidence) }
    }

    fn fault(check: &'static str, evidence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Fault, advice: Some(advice.into()), ..Self::ok(check, evidence) }
    }

    fn unknown(check: &'static str, cause: Cause, evidence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Unknown, cause: Some(cause), advice: Some(advice.into()), ..Self::ok(check, evidence) }
    }

    /// In one line, as a scan says it.
    pub fn line(&self) -> String {
        let advice = self.advice.as_ref().map_or_else(String::new, |advice| format!("; {advice}"));
        let cause = self.cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        format!("{}: {}: {}{cause}{advice}", self.status, self.check, self.evidence)
    }
}

/// What a scan needs of this machine's descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Without so many it does not begin.
    pub least: u64,
    /// For everything that is no SMTP session.
    pub others: u64,
    /// Sessions at a time, unless it is told otherwise.
    pub sessions: u64,
}

/// The server that may be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// By its address.
    Address(SocketAddr),
    /// By its name, at a port.
    Name(Name, u16),
}

/// What to examine, and how.
pub struct Job {
    /// The resolvers a scan would ask.
    pub resolvers: Vec<Server>,
    /// Patience for a lookup.
    pub timeout: Duration,
    /// Questions at a time to a resolver at first.
    pub in_flight: usize,
    /// The families a scan would dial.
    pub families: Families,
    /// Addresses of this machine as others see them; where there are none, those the system would use.
    pub addresses: Vec<IpAddr>,
    /// The name we greet with, as it was given or found.
    pub helo: String,
    /// The idea of names.
    pub naming: Naming,
    /// Special-purpose networks that count as public.
    pub allowed: Allowed,
    /// The blocklists a scan would ask.
    pub lists: Vec<List>,
    /// What they are asked under.
    pub terms: Vec<Terms>,
    /// Questions a second to each.
    pub dnsbl_rate: f64,
    /// Where their budgets are kept; None where they are nobody's.
    pub state: Option<PathBuf>,
    /// A question whose answer is signed.
    pub signed: Question,
    /// One whose signatures are broken.
    pub bogus: Question,
    /// Questions of the burst.
    pub burst: u32,
    /// Who may be dialled.
    pub peer: Option<Peer>,
    /// How; None where the name we greet with is no name.
    pub caller: Option<Caller>,
    /// The connector's mapping.
    pub endpoint: Endpoint,
    /// What a scan needs.
    pub needs: Needs,
    /// In which form it is shown.
    pub format: Format,
    /// Only warnings and faults.
    pub quiet: bool,
    /// Colours in the text.
    pub colour: bool,
    /// The status from which on this machine is not fit.
    pub fail_on: Option<Status>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("resolvers", &self.resolvers).field("helo", &self.helo).finish_non_exhaustive()
    }
}

/// The form of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why nothing can be examined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The DNS client cannot be set up.
    #[error("cannot set up the DNS client")]
    Dns(#[from] dns::Error),
}

/// What came of it.
#[derive(Debug)]
pub struct Shown {
    /// The page.
    pub page: String,
    /// What could not be written down of the blocklists' budgets.
    pub complaint: Option<String>,
    /// Whether `--fail-on` is reached.
    pub reached_fail_on: bool,
}

/// Examines this machine and makes the page.
pub async fn run(job: &Job) -> Result<Shown, Error> {
    let seen = gather::all(job).await?;
    let mut checks = identity::of(&seen.identity);
    checks.extend(seen.resolvers.iter().flat_map(resolver::of));
    checks.extend(machine::of(&seen.machine, job.needs));
    let reached_fail_on = job.fail_on.is_some_and(|least| reached(&checks, least));
    let shown: Vec<&Check> =
        checks.iter().filter(|check| !job.quiet || matches!(check.status, Status::Warning | Status::Fault)).collect();
    let page = match job.format {
        Format::Text => page::text(&shown, &checks, job.colour),
        Format::Json => page::json(&shown, &checks),
    };
    Ok(Shown { page, complaint: seen.complaint, reached_fail_on })
}

/// Whether a check came to this or worse; what is unknown is neither.
fn reached(checks: &[Check], least: Status) -> bool {
    checks.iter().any(|check| match check.status {
        Status::Fault => true,
        Status::Warning => least == Status::Warning,
        Status::Ok | Status::Unknown => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_fails_nothing_and_a_fault_fails_more_than_a_warning() {
        let (warning, fault) = (Check::warning("a", "b", "c"), Check::fault("a", "b", "c"));
        let unknown = Check::unknown("a", Cause::Timeout, "b", "c");
        assert!(!reached(&[Check::ok("a", "b"), unknown.clone()], Status::Warning));
        assert!(reached(std::slice::from_ref(&warning), Status::Warning));
        assert!(!reached(&[warning], Status::Fault));
        assert!(reached(&[fault], Status::Fault));
        assert_eq!(unknown.line(), "unknown: a: b (timeout); c");
    }
}
