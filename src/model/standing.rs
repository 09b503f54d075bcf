//! What a row says of its place, for whoever holds two runs against each other.
//! Comes in: a row that was read back from a file. Goes out: where it is, and how things stand there.
//! Only what a row tells stands here, and of that only what is compared.

use serde::{Deserialize, Serialize};

use super::finding::Code;
use super::words::{Basis, Cause, Rule, Verdict};

/// What a row is about, by which the rows of two runs find each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The target as given.
    pub target: String,
    /// The exchange; empty where there is none.
    pub exchange: String,
    /// The address; empty where there is none.
    pub address: String,
    /// The introduction that somebody has recorded; empty for a server's own, which may change.
    pub introduction: String,
}

/// How things stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whose words were judged; None where there is no server.
    pub basis: Option<Basis>,
    /// The outcome of each rule, in the order of `Rule::ALL`.
    pub verdicts: [Verdict; Rule::ALL.len()],
    /// Why a rule is unknown.
    pub causes: Vec<(Rule, Cause)>,
    /// The findings, most severe first.
    pub findings: Vec<Code>,
    /// The blocklists that count against the address.
    pub counted: Vec<Box<str>>,
    /// The blocklists that gave no usable answer about it.
    pub silent: Vec<Box<str>>,
}

impl Standing {
    /// The outcome of a rule.
    pub fn verdict(&self, rule: Rule) -> Verdict {
        self.verdicts.get(rule as usize).copied().unwrap_or(Verdict::Na)
    }

    /// The rules with their outcomes.
    pub fn rules(&self) -> impl Iterator<Item = (Rule, Verdict)> + '_ {
        Rule::ALL.iter().map(|rule| (*rule, self.verdict(*rule)))
    }

    /// Why a rule is unknown.
    pub fn cause(&self, rule: Rule) -> Option<Cause> {
        self.causes.iter().find(|(known, _)| *known == rule).map(|(_, cause)| *cause)
    }
}
