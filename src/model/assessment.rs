//! What the judge makes of one (target, exchange, address).
//! Comes in: one target's evidence. Goes out: verdicts, their causes, findings.
//! An assessment points into the evidence it was made from and repeats nothing of it.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Exchange, Host, Route};
use super::finding::Finding;
use super::words::{Cause, Overall, PtrClass, Rule, Verdict};

/// The verdicts of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Which of the evidence's routes; None when the target led to none.
    pub route: Option<u16>,
    /// Which of the route's hosts; None when it has no address.
    pub host: Option<u16>,
    /// A verdict per rule, in the order of `Rule::ALL`.
    pub verdicts: [Verdict; Rule::ALL.len()],
    /// The cause of each unknown, in the order of `Rule::ALL`.
    pub unknown_why: Vec<(Rule, Cause)>,
    /// Why each rule that does not apply does not, in the order of `Rule::ALL`.
    pub na_why: Vec<(Rule, Cause)>,
    /// The five rules in one word.
    pub overall: Overall,
    /// What the PTR name says about the address; None when there is no host.
    pub ptr_class: Option<PtrClass>,
    /// `zone=code` of each listing, the zone as it may be shown.
    pub listed: Vec<Box<str>>,
    /// The zones among them that decide rule 5.
    pub counted: Vec<Box<str>>,
    /// `zone=why` of each list that gave no usable answer.
    pub lists_unknown: Vec<Box<str>>,
    /// `domain@zone=code` of each listing of a domain: of the introduction, the confirmed PTR names, the exchange.
    #[serde(default)]
    pub domains_listed: Vec<Box<str>>,
    /// The findings, most severe first, then in the order of the table.
    pub findings: Vec<Finding>,
}

impl Assessment {
    /// The verdict of one rule.
    pub fn verdict(&self, rule: Rule) -> Verdict {
        let at = Rule::ALL.iter().position(|other| *other == rule).expect("every rule is in ALL");
        *self.verdicts.get(at).expect("one verdict per rule")
    }
}

impl Overall {
    /// The five rules in one word; `verdicts` are in the order of `Rule::ALL`. Some passing and the others not applying is
    /// neither conformant, where all pass, nor undetermined, where something is unknown: there was not enough of a mail
    /// server to judge.
    pub fn of(verdicts: &[Verdict; Rule::ALL.len()]) -> Self {
        let [five @ .., _, _] = verdicts;
        let any = |wanted| five.contains(&wanted);
        if any(Verdict::Fail) {
            Self::Misconfigured
        } else if any(Verdict::Unknown) {
            Self::Undetermined
        } else if any(Verdict::Na) {
            Self::Na
        } else {
            Self::Conformant
        }
    }
}

impl Verdict {
    /// The worse of two verdicts on one rule: a failure, else an unknown, else a pass; what does not apply says nothing.
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Pass, _) | (_, Self::Pass) => Self::Pass,
            (Self::Na, Self::Na) => Self::Na,
        }
    }
}

/// One target, judged: the evidence and a row per (exchange, address).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judged {
    /// What was seen.
    pub evidence: Evidence,
    /// What it means; never empty.
    pub rows: Vec<Assessment>,
}

/// One row: an assessment together with the part of the evidence it is about.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// All that was seen for the target.
    pub evidence: &'a Evidence,
    /// What this row says of it.
    pub assessment: &'a Assessment,
}

impl Judged {
    /// The rows, in their order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> + '_ {
        self.rows.iter().map(|assessment| Row { evidence: &self.evidence, assessment })
    }
}

impl<'a> Row<'a> {
    /// The route the row is about.
    pub fn route(self) -> Option<&'a Route> {
        self.evidence.routes.get(usize::from(self.assessment.route?))
    }

    /// The exchange the row is about.
    pub fn exchange(self) -> Option<&'a Exchange> {
        self.route()?.exchange.as_deref()
    }

    /// The host the row is about.
    pub fn host(self) -> Option<&'a Host> {
        self.route()?.hosts.get(usize::from(self.assessment.host?)).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_rules_make_one_word() {
        use Verdict::{Fail, Na, Pass, Unknown};
        for (five, word) in [
            ([Pass; 5], Overall::Conformant),
            ([Na; 5], Overall::Na),
            ([Pass, Pass, Unknown, Unknown, Fail], Overall::Misconfigured),
            ([Pass, Pass, Unknown, Unknown, Pass], Overall::Undetermined),
            ([Na, Na, Na, Na, Pass], Overall::Na),
        ] {
            let mut verdicts = [Fail; Rule::ALL.len()];
            verdicts[..5].copy_from_slice(&five);
            assert_eq!(Overall::of(&verdicts), word, "{five:?}");
        }
    }
}
