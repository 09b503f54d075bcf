//! What the rules have found for one row, and the verdicts that follow.
//! Comes in: findings, missing facts, rules that do not apply. Goes out: verdicts, causes, the sorted list.
//! Fail beats unknown beats not applicable beats pass; a finding's effect comes from the table alone.

use super::table::{Force, entry};
use crate::model::finding::{Code, Finding};
use crate::model::words::{Basis, Cause, Profile, Rule, Severity, Verdict};

/// Longest detail of a finding, in bytes: evidence for a person, not the evidence itself.
const DETAIL_CAP: usize = 400;

/// One condition a rule has seen, before its effect is looked up.
#[derive(Debug, Clone)]
pub(super) struct Found {
    code: Code,
    form: usize,
    cause: Option<Cause>,
    detail: String,
}

impl Found {
    /// A finding in its usual form.
    pub(super) const fn of(code: Code) -> Self {
        Self { code, form: 0, cause: None, detail: String::new() }
    }

    /// In another of the forms its table entry has.
    pub(super) const fn form(mut self, form: usize) -> Self {
        self.form = form;
        self
    }

    /// The cause of the unknown it makes, or why the rule does not apply.
    pub(super) const fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// What was seen; the text is escaped already.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// What has come together for one rule.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    failed: bool,
    unknown: Option<Cause>,
    na: Option<Cause>,
}

/// Everything found for one row.
#[derive(Debug)]
pub(super) struct Findings {
    basis: Basis,
    profile: Profile,
    list: Vec<Finding>,
    slots: [Slot; Rule::ALL.len()],
}

impl Findings {
    /// Nothing found yet.
    pub(super) fn new(basis: Basis, profile: Profile) -> Self {
        Self { basis, profile, list: Vec::new(), slots: Default::default() }
    }

    /// Takes a finding with its effects. A code that comes again joins the first: its details are added.
    pub(super) fn add(&mut self, found: Found) {
        self.affect(&found);
        // Our own side's failure leaves a rule unknown, and says nothing of the server.
        if found.cause.is_some_and(Cause::is_ours) {
            return;
        }
        let severity = entry(found.code).form(found.form).severity(self.basis);
        match self.list.iter_mut().find(|known| known.code == found.code) {
            None => self.list.push(Finding { code: found.code, severity, detail: cut(found.detail) }),
            Some(known) => {
                known.severity = known.severity.min(severity);
                if !found.detail.is_empty() && !known.detail.split("; ").any(|part| part == found.detail) {
                    let joined = format!("{}; {}", known.detail, found.detail);
                    known.detail = cut(joined.trim_start_matches("; ").to_owned());
                }
            }
        }
    }

    /// Takes a finding's effects only: it stands in another row of the same domain.
    pub(super) fn affect(&mut self, found: &Found) {
        for effect in entry(found.code).effects(found.form, self.profile) {
            match effect.force(self.basis) {
                Force::Fail => self.slot(effect.rule).failed = true,
                Force::Unknown => {
                    let cause = found.cause.expect("a finding that leaves a rule unknown says why");
                    self.missing(effect.rule, cause);
                }
                Force::Na => {
                    let cause = found.cause.expect("a finding by which a rule does not apply says why");
                    self.na(effect.rule, cause);
                }
                Force::Part | Force::Nothing => {}
            }
        }
    }

    /// A fact the rule needs is missing; the first cause is kept.
    pub(super) fn missing(&mut self, rule: Rule, cause: Cause) {
        if rule == Rule::Reverse && self.profile == Profile::Rfc5321 {
            // That profile asks nothing of the reverse zone, so nothing is missing.
            return self.na(rule, Cause::Profile);
        }
        self.slot(rule).unknown.get_or_insert(cause);
    }

    /// The rule does not apply; the first reason is kept.
    pub(super) fn na(&mut self, rule: Rule, cause: Cause) {
        self.slot(rule).na.get_or_insert(cause);
    }

    /// The verdict of a rule as things stand.
    pub(super) fn verdict(&self, rule: Rule) -> Verdict {
        match self.slots.get(rule as usize).expect(SLOTS) {
            Slot { failed: true, .. } => Verdict::Fail,
            Slot { unknown: Some(_), .. } => Verdict::Unknown,
            Slot { na: Some(_), .. } => Verdict::Na,
            Slot { .. } => Verdict::Pass,
        }
    }

    /// Why a rule is unknown, or does not apply; None when it passes or fails.
    pub(super) fn cause(&self, rule: Rule) -> Option<Cause> {
        let slot = self.slots.get(rule as usize).expect(SLOTS);
        match self.verdict(rule) {
            Verdict::Unknown => slot.unknown,
            Verdict::Na => slot.na,
            Verdict::Pass | Verdict::Fail => None,
        }
    }

    /// All verdicts, in the order of the rules.
    pub(super) fn verdicts(&self) -> [Verdict; Rule::ALL.len()] {
        let mut verdicts = [Verdict::Na; Rule::ALL.len()];
        for (verdict, &rule) in verdicts.iter_mut().zip(Rule::ALL) {
            *verdict = self.verdict(rule);
        }
        verdicts
    }

    /// The causes of all rules with this verdict, in the order of the rules.
    pub(super) fn why(&self, verdict: Verdict) -> Vec<(Rule, Cause)> {
        let rules = Rule::ALL.iter().filter(|&&rule| self.verdict(rule) == verdict);
        rules.filter_map(|&rule| Some((rule, self.cause(rule)?))).collect()
    }

    /// The findings, most severe first, then in the order of the table.
    pub(super) fn into_list(self) -> Vec<Finding> {
        let mut list = self.list;
        list.sort_by_key(|finding| (finding.severity, finding.code));
        list
    }

    fn slot(&mut self, rule: Rule) -> &mut Slot {
        self.slots.get_mut(rule as usize).expect(SLOTS)
    }
}

const SLOTS: &str = "one slot per rule";

fn cut(mut text: String) -> Box<str> {
    let end = (0..=DETAIL_CAP.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.truncate(end.unwrap_or(0));
    text.into_boxed_str()
}

/// The more severe of two comes first in their declared order.
const _: () =
    assert!((Severity::Error as u8) < (Severity::Warning as u8) && (Severity::Warning as u8) < (Severity::Info as u8));

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        Findings::new(Basis::Announced, Profile::Census)
    }

    #[test]
    fn fail_beats_unknown_beats_na_beats_pass() {
        let mut out = findings();
        assert_eq!(out.verdict(Rule::Reverse), Verdict::Pass);
        out.na(Rule::Reverse, Cause::Profile);
        assert_eq!(out.why(Verdict::Na), [(Rule::Reverse, Cause::Profile)]);
        assert_eq!(out.verdict(Rule::Reverse), Verdict::Na);
        out.add(Found::of(Code::PtrDnsFailure).because(Cause::Servfail));
        out.missing(Rule::Reverse, Cause::Timeout);
        assert_eq!(out.cause(Rule::Reverse), Some(Cause::Servfail), "the first cause is kept");
        out.add(Found::of(Code::PtrMissing));
        assert_eq!(out.verdict(Rule::Reverse), Verdict::Fail);
        assert_eq!(out.cause(Rule::Reverse), None);
    }

    #[test]
    fn a_code_stands_once_and_the_worst_comes_first() {
        let mut out = findings();
        out.add(Found::of(Code::PtrCname));
        out.add(Found::of(Code::DnsblPolicyListed).detail("a"));
        out.add(Found::of(Code::DnsblPolicyListed).detail("b"));
        out.add(Found::of(Code::DnsblPolicyListed).detail("a"));
        out.add(Found::of(Code::PtrMissing));
        out.add(Found::of(Code::HeloNotFqdn));
        let list = out.into_list();
        let codes: Vec<Code> = list.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::HeloNotFqdn, Code::PtrMissing, Code::DnsblPolicyListed, Code::PtrCname]);
        assert_eq!(&*list[2].detail, "a; b");
    }

    #[test]
    fn an_effect_without_a_row_leaves_no_finding() {
        let mut out = findings();
        out.affect(&Found::of(Code::MxIsCname));
        assert_eq!(out.verdict(Rule::Mx), Verdict::Fail);
        assert!(out.into_list().is_empty());
    }
}
