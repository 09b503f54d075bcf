//! What is counted of a row.
//! Comes in: a judged row, or one that was read back from a file. Goes out: the same few facts, so that both count alike.
//! Only what a row tells stands here: of the evidence behind it a file of rows knows nothing.

use std::net::IpAddr;

use super::assessment::Row;
use super::words::{ConnectStatus, Overall, Rule, TargetKind, Verdict};

/// A row, for whoever counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gist {
    /// Tells its target from that of the row before.
    pub target: u64,
    /// What kind of target it is.
    pub kind: TargetKind,
    /// The preference of the route it is about.
    pub preference: Option<u16>,
    /// The server it is about; None where there is none.
    pub server: Option<Server>,
    /// The outcome of each rule, in the order of `Rule::ALL`.
    pub verdicts: [Verdict; Rule::ALL.len()],
    /// The five rules in one word.
    pub overall: Overall,
}

/// The server of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub address: IpAddr,
    /// What the connection came to.
    pub connect: ConnectStatus,
    /// Blocklists were asked about it.
    pub asked: bool,
    /// It is on one that counts.
    pub listed: bool,
}

impl Gist {
    /// That of a judged row.
    pub fn of(row: Row<'_>) -> Self {
        Self {
            target: row.evidence.target.sequence,
            kind: row.evidence.target.kind(),
            preference: row.route().and_then(|route| route.preference),
            server: row.host().map(|host| Server {
                address: host.address,
                connect: host.session.connect,
                asked: !host.listings.is_empty(),
                listed: !row.assessment.counted.is_empty(),
            }),
            verdicts: row.assessment.verdicts,
            overall: row.assessment.overall,
        }
    }

    /// The outcome of a rule.
    pub fn verdict(&self, rule: Rule) -> Verdict {
        self.verdicts.get(rule as usize).copied().unwrap_or(Verdict::Na)
    }
}
