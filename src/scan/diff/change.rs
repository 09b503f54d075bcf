//! What has changed between two rows of the same place.
//! Comes in: how things stood and how they stand, and which blocklists each run has asked. Goes out: one `Change` for each kind.
//! What either side does not know is no change: it became unknown, or became known, and is told as that. Nothing is read here.

use std::collections::BTreeSet;

use crate::judge::table::{self, Force};
use crate::model::finding::Code;
use crate::model::standing::Standing;
use crate::model::words::{Basis, Cause, Rule, Severity, Verdict, words};

words! {
    /// The kinds of change, in the order they are told.
    Kind {
        /// A rule passed, and fails.
        Broken = "broken",
        /// The address was on no blocklist that counts, or not on that one, and is.
        Listed = "listed",
        /// The rules that failed pass, and the address was and is on a blocklist that counts.
        StillListed = "still-listed",
        /// A rule did not apply, and does.
        Applies = "applies",
        /// A rule could be told, and cannot.
        BecameUnknown = "became-unknown",
        /// A rule could not be told, and can.
        BecameKnown = "became-known",
        /// Findings came or went, without a rule's change to tell of it.
        Findings = "findings",
        /// A rule failed, and passes.
        Fixed = "fixed",
        /// The address was on a blocklist that counts, and is not.
        Delisted = "delisted",
        /// A rule applied, and does not.
        Ceased = "ceased",
        /// There was no such row.
        Appeared = "appeared",
        /// There is no such row.
        Vanished = "vanished",
    }
}

impl Kind {
    /// The same, told from the other side. What is still listed is told from one side only.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::Broken => Self::Fixed,
            Self::Fixed => Self::Broken,
            Self::Listed => Self::Delisted,
            Self::Delisted => Self::Listed,
            Self::Applies => Self::Ceased,
            Self::Ceased => Self::Applies,
            Self::BecameUnknown => Self::BecameKnown,
            Self::BecameKnown => Self::BecameUnknown,
            Self::Appeared => Self::Vanished,
            Self::Vanished => Self::Appeared,
            Self::StillListed | Self::Findings => self,
        }
    }

    /// Whether what is bad in it is a change for the worse. What has become known may have been so before, and what appeared or is
    /// still listed has not changed.
    const fn is_change(self) -> bool {
        !matches!(self, Self::BecameKnown | Self::Appeared | Self::Vanished | Self::StillListed)
    }

    /// Which of a row's changes a new finding belongs to.
    const fn rank(self) -> u8 {
        match self {
            Self::Listed => 0,
            Self::Broken => 1,
            Self::Applies => 2,
            Self::BecameKnown => 3,
            Self::BecameUnknown => 4,
            Self::Delisted => 5,
            Self::Fixed => 6,
            Self::Ceased => 7,
            Self::StillListed | Self::Findings | Self::Appeared | Self::Vanished => 8,
        }
    }
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind it is.
    pub kind: Kind,
    /// The worst of what is new in it.
    pub severity: Severity,
    /// The rules it is about, and how they stood; of a row that vanished all that applied.
    pub was: Vec<(Rule, Verdict)>,
    /// How the same stand; of a row that appeared all that apply.
    pub is: Vec<(Rule, Verdict)>,
    /// Why a rule is, or was, unknown.
    pub causes: Vec<(Rule, Cause)>,
    /// Findings that are gone.
    pub gone: Vec<Code>,
    /// Findings that are new.
    pub new: Vec<Code>,
    /// The blocklists it is about.
    pub zones: Vec<Box<str>>,
}

impl Change {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            severity: Severity::Info,
            was: Vec::new(),
            is: Vec::new(),
            causes: Vec::new(),
            gone: Vec::new(),
            new: Vec::new(),
            zones: Vec::new(),
        }
    }

    fn add(&mut self, rule: Rule, was: Verdict, is: Verdict) {
        if !self.was.iter().any(|(known, _)| *known == rule) {
            self.was.push((rule, was));
            self.is.push((rule, is));
        }
    }

    /// The severity for `--fail-on`; None where nothing got worse.
    pub(super) fn alarm(&self) -> Option<Severity> {
        self.kind.is_change().then_some(self.severity)
    }

    /// Weighs it by what is new in it.
    fn weigh(&mut self, basis: Option<Basis>) {
        let fails = self.is.iter().any(|(_, verdict)| *verdict == Verdict::Fail);
        let by_kind = match self.kind {
            Kind::Broken | Kind::Listed => Severity::Error,
            Kind::Applies | Kind::BecameKnown | Kind::Appeared if fails => Severity::Error,
            Kind::StillListed => Severity::Warning,
            _ => Severity::Info,
        };
        let basis = basis.unwrap_or(Basis::Announced);
        // A row does not tell how much a finding weighs in it: it is taken in its usual form.
        let worst = self.new.iter().map(|code| table::entry(*code).form(0).severity(basis)).min();
        self.severity = worst.map_or(by_kind, |worst| worst.min(by_kind));
    }
}

/// The blocklists that each run has asked; None where that is not known, and then all are taken for asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub(super) old: Option<BTreeSet<String>>,
    pub(super) new: Option<BTreeSet<String>>,
}

impl Lists {
    fn is_asked(asked: Option<&BTreeSet<String>>, zone: &str) -> bool {
        asked.is_none_or(|asked| asked.contains(zone))
    }

    /// Whether one run asked a list that the other did not.
    fn has_more(one: Option<&BTreeSet<String>>, other: Option<&BTreeSet<String>>) -> bool {
        one.zip(other).is_some_and(|(one, other)| !one.is_subset(other))
    }
}

/// Everything that changed at one place; None is a row that is not there.
pub(super) fn compare(old: Option<&Standing>, new: Option<&Standing>, lists: &Lists) -> Vec<Change> {
    let mut changes = match (old, new) {
        (None, None) => Vec::new(),
        (Some(old), Some(new)) => both(old, new, lists),
        (None, Some(new)) => {
            vec![Change { is: applying(new), new: new.findings.clone(), ..Change::of(Kind::Appeared) }]
        }
        (Some(old), None) => {
            vec![Change { was: applying(old), gone: old.findings.clone(), ..Change::of(Kind::Vanished) }]
        }
    };
    let basis = new.or(old).and_then(|standing| standing.basis);
    for change in &mut changes {
        change.weigh(basis);
    }
    changes.sort_by_key(|change| change.kind);
    changes
}

fn applying(standing: &Standing) -> Vec<(Rule, Verdict)> {
    standing.rules().filter(|(_, verdict)| *verdict != Verdict::Na).collect()
}

/// The changes of a row so far, one of each kind.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn of(&mut self, kind: Kind) -> &mut Change {
        let at = self.0.iter().position(|change| change.kind == kind).unwrap_or_else(|| {
            self.0.push(Change::of(kind));
            self.0.len() - 1
        });
        self.0.get_mut(at).expect("it is there, or was just put there")
    }

    /// The kinds of change of these rules.
    fn kinds(&self, rules: &[Rule]) -> impl Iterator<Item = Kind> {
        let about = |change: &&Change| change.was.iter().any(|(rule, _)| rules.contains(rule));
        self.0.iter().filter(about).map(|change| change.kind)
    }
}

fn both(old: &Standing, new: &Standing, lists: &Lists) -> Vec<Change> {
    let mut changes = Changes::default();
    for (rule, was) in old.rules() {
        let is = new.verdict(rule);
        match (was, is) {
            (Verdict::Pass | Verdict::Fail, Verdict::Pass | Verdict::Fail) if rule == Rule::Unlisted => {
                listings(old, new, lists, &mut changes);
            }
            _ if was == is => {}
            (Verdict::Unknown, _) => {
                let change = changes.of(Kind::BecameKnown);
                change.add(rule, was, is);
                change.causes.extend(old.cause(rule).map(|cause| (rule, cause)));
            }
            (_, Verdict::Unknown) => {
                let change = changes.of(Kind::BecameUnknown);
                change.add(rule, was, is);
                change.causes.extend(new.cause(rule).map(|cause| (rule, cause)));
            }
            (Verdict::Na, _) => changes.of(Kind::Applies).add(rule, was, is),
            (_, Verdict::Na) => changes.of(Kind::Ceased).add(rule, was, is),
            (_, Verdict::Fail) => changes.of(Kind::Broken).add(rule, was, is),
            (_, Verdict::Pass) => changes.of(Kind::Fixed).add(rule, was, is),
        }
    }
    let gone = old.findings.iter().filter(|code| !new.findings.contains(code));
    for &code in gone {
        let more = Lists::has_more(lists.old.as_ref(), lists.new.as_ref());
        let home = home(code, &changes, Kind::mirrored, more).mirrored();
        changes.of(home).gone.push(code);
    }
    let came = new.findings.iter().filter(|code| !old.findings.contains(code));
    for &code in came {
        let more = Lists::has_more(lists.new.as_ref(), lists.old.as_ref());
        let home = home(code, &changes, |kind| kind, more);
        changes.of(home).new.push(code);
    }
    still_listed(old, new, &mut changes);
    changes.0
}

/// Rule 5, where both sides can tell: list by list, for a list that was not asked, or gave no answer, says nothing.
fn listings(old: &Standing, new: &Standing, lists: &Lists, changes: &mut Changes) {
    let (was, is) = (old.verdict(Rule::Unlisted), new.verdict(Rule::Unlisted));
    let knows = |standing: &Standing, asked: Option<&BTreeSet<String>>, zone: &str| {
        Lists::is_asked(asked, zone) && !standing.silent.iter().any(|silent| &**silent == zone)
    };
    let mut told = false;
    // Lists that count without being enough are findings, and no listing.
    for zone in new.counted.iter().filter(|zone| is == Verdict::Fail && !old.counted.contains(zone)) {
        let known = knows(old, lists.old.as_ref(), zone);
        let change = changes.of(if known { Kind::Listed } else { Kind::BecameKnown });
        change.add(Rule::Unlisted, was, is);
        change.zones.push(zone.clone());
        told = true;
    }
    for zone in old.counted.iter().filter(|zone| was == Verdict::Fail && !new.counted.contains(zone)) {
        let known = knows(new, lists.new.as_ref(), zone);
        let change = changes.of(if known { Kind::Delisted } else { Kind::BecameUnknown });
        change.add(Rule::Unlisted, was, is);
        change.zones.push(zone.clone());
        told = true;
    }
    // The same lists, weighed or answering otherwise.
    if was != is && !told {
        changes.of(if is == Verdict::Fail { Kind::Listed } else { Kind::Delisted }).add(Rule::Unlisted, was, is);
    }
}

/// The rules whose fault gets an address listed, and whose mending is to be told to those who list it.
const TO_MEND: [Rule; 5] = [Rule::Introduces, Rule::Fqdn, Rule::Exists, Rule::Matches, Rule::Reverse];

/// Whether what was wrong is mended, all of it, and the address is as listed as before.
fn still_listed(old: &Standing, new: &Standing, changes: &mut Changes) {
    let fails = |standing: &Standing, rule| standing.verdict(rule) == Verdict::Fail;
    let failed: Vec<Rule> = TO_MEND.into_iter().filter(|rule| fails(old, *rule)).collect();
    let mended = failed.iter().all(|rule| new.verdict(*rule) == Verdict::Pass)
        && !TO_MEND.into_iter().any(|rule| fails(new, rule));
    if failed.is_empty() || !mended || !fails(old, Rule::Unlisted) || !fails(new, Rule::Unlisted) {
        return;
    }
    let change = changes.of(Kind::StillListed);
    for rule in failed.into_iter().chain([Rule::Unlisted]) {
        change.add(rule, old.verdict(rule), new.verdict(rule));
    }
    change.zones.clone_from(&new.counted);
}

/// Which change a finding that came belongs to; of one that is gone, seen from the other side: `as_seen` mirrors the kinds then.
/// `more` is that the run that has the finding asked blocklists that the other one did not.
fn home(code: Code, changes: &Changes, as_seen: fn(Kind) -> Kind, more: bool) -> Kind {
    let rules = rules_of(code);
    let best = changes.kinds(&rules).map(as_seen).min_by_key(|kind| kind.rank());
    let alone = if more && rules.contains(&Rule::Unlisted) { Kind::BecameKnown } else { Kind::Findings };
    best.unwrap_or(alone)
}

/// The rules that a finding hangs together with: those it has an effect on, else the one that asks for the same evidence.
fn rules_of(code: Code) -> Vec<Rule> {
    let effects = table::entry(code).forms.iter().flat_map(|form| form.effects);
    let effects = effects.filter(|effect| (effect.observed, effect.announced) != (Force::Nothing, Force::Nothing));
    let rules: Vec<Rule> = effects.map(|effect| effect.rule).collect();
    if !rules.is_empty() {
        return rules;
    }
    let family = code.as_str().split('-').next().unwrap_or_default();
    match family {
        "helo" | "greeting" | "ehlo" | "connect" | "smtp" | "tls" | "relay" => vec![Rule::Introduces],
        "ptr" | "fcrdns" | "dynamic" => vec![Rule::Reverse],
        "dnsbl" | "rhsbl" => vec![Rule::Unlisted],
        "mx" => vec![Rule::Mx],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use Verdict::{Fail, Na, Pass, Unknown};

    /// A server that nothing is wrong with, but for this.
    fn standing(verdicts: &[(Rule, Verdict)], findings: &[Code]) -> Standing {
        let mut all = [Pass; Rule::ALL.len()];
        for (rule, verdict) in verdicts {
            all[*rule as usize] = *verdict;
        }
        let causes = verdicts.iter().filter(|(_, verdict)| *verdict == Unknown);
        Standing {
            basis: Some(Basis::Announced),
            verdicts: all,
            causes: causes.map(|(rule, _)| (*rule, Cause::Timeout)).collect(),
            findings: findings.to_vec(),
            counted: Vec::new(),
            silent: Vec::new(),
        }
    }

    fn listed(zones: &[&str], silent: &[&str], others: &[(Rule, Verdict)]) -> Standing {
        let verdict = if zones.is_empty() { Pass } else { Fail };
        let boxed = |zones: &[&str]| zones.iter().map(|zone| (*zone).into()).collect();
        let mut standing = standing(&[&[(Rule::Unlisted, verdict)], others].concat(), &[]);
        (standing.counted, standing.silent) = (boxed(zones), boxed(silent));
        standing
    }

    fn asked(old: &[&str], new: &[&str]) -> Lists {
        let set = |zones: &[&str]| Some(zones.iter().map(|zone| (*zone).to_owned()).collect());
        Lists { old: set(old), new: set(new) }
    }

    fn changes(old: &Standing, new: &Standing) -> Vec<Change> {
        compare(Some(old), Some(new), &Lists::default())
    }

    /// The one change there is.
    fn change(old: &Standing, new: &Standing) -> Change {
        let mut changes = changes(old, new);
        assert_eq!(changes.len(), 1, "{changes:#?}");
        changes.remove(0)
    }

    fn kinds(changes: &[Change]) -> Vec<Kind> {
        changes.iter().map(|change| change.kind).collect()
    }

    #[test]
    fn a_rule_that_fails_now_is_broken_and_brings_its_finding() {
        let good = standing(&[], &[]);
        let bad = standing(&[(Rule::Exists, Fail)], &[Code::HeloNxdomain]);
        let broken = change(&good, &bad);
        assert_eq!((broken.kind, broken.severity), (Kind::Broken, Severity::Error));
        assert_eq!((broken.was, broken.is), (vec![(Rule::Exists, Pass)], vec![(Rule::Exists, Fail)]));
        assert_eq!((broken.new, broken.gone), (vec![Code::HeloNxdomain], vec![]));
        let fixed = change(&bad, &good);
        assert_eq!((fixed.kind, fixed.severity, fixed.alarm()), (Kind::Fixed, Severity::Info, Some(Severity::Info)));
        assert_eq!(fixed.gone, [Code::HeloNxdomain]);
    }

    #[test]
    fn what_is_unknown_on_either_side_is_neither_broken_nor_fixed() {
        for known in [Pass, Fail, Na] {
            let one = standing(&[(Rule::Matches, known)], &[]);
            let other = standing(&[(Rule::Matches, Unknown)], &[Code::HeloDnsFailure]);
            let unknown = change(&one, &other);
            assert_eq!(unknown.kind, Kind::BecameUnknown);
            assert_eq!(
                (unknown.causes, unknown.new),
                (vec![(Rule::Matches, Cause::Timeout)], vec![Code::HeloDnsFailure])
            );
            let became_known = change(&other, &one);
            assert_eq!((became_known.kind, became_known.alarm()), (Kind::BecameKnown, None), "{known}");
            assert_eq!(became_known.causes, [(Rule::Matches, Cause::Timeout)]);
        }
    }

    #[test]
    fn a_finding_that_could_not_be_seen_is_not_new() {
        // It has no effect on a rule, but without a session nobody could have seen it.
        let down = standing(&[(Rule::Introduces, Unknown)], &[Code::ConnectTimeout]);
        let up = standing(&[], &[Code::SmtpNoStarttls]);
        let seen = change(&down, &up);
        assert_eq!((seen.kind, seen.alarm()), (Kind::BecameKnown, None));
        assert_eq!((seen.new, seen.gone), (vec![Code::SmtpNoStarttls], vec![Code::ConnectTimeout]));
    }

    #[test]
    fn findings_of_no_rule_that_changed_are_told_apart() {
        let new = change(&standing(&[], &[Code::MxNoIpv6]), &standing(&[], &[Code::SmtpNoStarttls]));
        assert_eq!((new.kind, new.alarm()), (Kind::Findings, Some(Severity::Warning)));
        assert_eq!((new.new, new.gone), (vec![Code::SmtpNoStarttls], vec![Code::MxNoIpv6]));
    }

    #[test]
    fn a_rule_that_begins_to_apply_alarms_where_it_fails() {
        let [without, passes, fails] = [Na, Pass, Fail].map(|verdict| standing(&[(Rule::Mx, verdict)], &[]));
        assert_eq!(
            (change(&without, &fails).kind, change(&without, &fails).alarm()),
            (Kind::Applies, Some(Severity::Error))
        );
        assert_eq!(change(&without, &passes).alarm(), Some(Severity::Info));
        assert_eq!(change(&fails, &without).kind, Kind::Ceased);
    }

    #[test]
    fn listings_are_compared_list_by_list() {
        let [clean, on_a, on_both] = [&[][..], &["a"], &["a", "b"]].map(|zones| listed(zones, &[], &[]));
        let newly = change(&clean, &on_a);
        assert_eq!((newly.kind, newly.severity), (Kind::Listed, Severity::Error));
        assert_eq!(newly.zones, ["a".into()]);
        assert_eq!(change(&on_a, &clean).kind, Kind::Delisted);
        let another = change(&on_a, &on_both);
        assert_eq!((another.kind, another.zones), (Kind::Listed, vec!["b".into()]));
        assert_eq!((another.was, another.is), (vec![(Rule::Unlisted, Fail)], vec![(Rule::Unlisted, Fail)]));
        assert_eq!(change(&on_both, &on_a).kind, Kind::Delisted);
    }

    #[test]
    fn a_list_that_was_not_asked_or_gave_no_answer_is_no_delisting() {
        let (clean, on_a) = (listed(&[], &[], &[]), listed(&["a"], &[], &[]));
        let fewer = compare(Some(&on_a), Some(&clean), &asked(&["a", "b"], &["b"]));
        assert_eq!(kinds(&fewer), [Kind::BecameUnknown]);
        assert_eq!(kinds(&compare(Some(&clean), Some(&on_a), &asked(&["b"], &["a", "b"]))), [Kind::BecameKnown]);
        assert_eq!(kinds(&compare(Some(&on_a), Some(&clean), &asked(&["a", "b"], &["a"]))), [Kind::Delisted]);
        let silent = listed(&[], &["a"], &[]);
        assert_eq!(change(&on_a, &silent).kind, Kind::BecameUnknown);
        assert_eq!(change(&silent, &on_a).kind, Kind::BecameKnown);
        // A small listing breaks no rule, and is a finding; nobody can tell whether it is new.
        let minor = standing(&[], &[Code::DnsblListedMinor]);
        let seen = compare(Some(&standing(&[], &[])), Some(&minor), &asked(&["b"], &["a", "b"]));
        assert_eq!((kinds(&seen), seen[0].alarm()), (vec![Kind::BecameKnown], None));
    }

    #[test]
    fn who_mended_everything_and_is_listed_as_before_is_told_so() {
        let bad = listed(&["a"], &[], &[(Rule::Fqdn, Fail), (Rule::Reverse, Fail)]);
        let mended = listed(&["a"], &[], &[]);
        let told = changes(&bad, &mended);
        assert_eq!(kinds(&told), [Kind::StillListed, Kind::Fixed]);
        assert_eq!(told[0].was, [(Rule::Fqdn, Fail), (Rule::Reverse, Fail), (Rule::Unlisted, Fail)]);
        assert_eq!((&told[0].zones, told[0].alarm()), (&vec!["a".into()], None));
        for other in [
            listed(&["a"], &[], &[(Rule::Reverse, Fail)]),
            listed(&["a"], &[], &[(Rule::Reverse, Unknown)]),
            listed(&["a"], &[], &[(Rule::Matches, Fail)]),
            listed(&[], &[], &[]),
        ] {
            assert!(!kinds(&changes(&bad, &other)).contains(&Kind::StillListed), "{other:?}");
        }
        let unlisted = listed(&[], &[], &[(Rule::Fqdn, Fail)]);
        assert!(!kinds(&changes(&unlisted, &mended)).contains(&Kind::StillListed), "it is listed only now");
    }

    #[test]
    fn a_row_of_one_side_tells_all_of_it_and_alarms_nobody() {
        let row = standing(&[(Rule::Fqdn, Fail), (Rule::Mx, Na)], &[Code::HeloNotFqdn]);
        let [came] = &compare(None, Some(&row), &Lists::default())[..] else { panic!("one change") };
        assert_eq!((came.kind, came.severity, came.alarm()), (Kind::Appeared, Severity::Error, None));
        assert_eq!((came.is.len(), came.was.len(), &came.new[..]), (6, 0, &[Code::HeloNotFqdn][..]));
        let [went] = &compare(Some(&row), None, &Lists::default())[..] else { panic!("one change") };
        assert_eq!((went.kind, went.was.len(), &went.gone[..]), (Kind::Vanished, 6, &[Code::HeloNotFqdn][..]));
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        let verdicts = prop::collection::vec(select(Verdict::ALL), Rule::ALL.len());
        let zones = || prop::collection::btree_set(select(&["a", "b", "c"][..]), 0..3);
        let findings = prop::collection::btree_set(select(Code::ALL), 0..12);
        (verdicts, zones(), zones(), findings).prop_map(|(verdicts, counted, silent, findings)| {
            let verdicts: Vec<_> = Rule::ALL.iter().copied().zip(verdicts).collect();
            let mut standing = standing(&verdicts, &findings.into_iter().collect::<Vec<_>>());
            standing.counted = counted.iter().map(|zone| (*zone).into()).collect();
            standing.silent = silent.difference(&counted).map(|zone| (*zone).into()).collect();
            standing
        })
    }

    type Verdicts = Vec<(Rule, Verdict)>;

    /// What of a change is told from both sides.
    fn bare(change: &Change) -> (Kind, Verdicts, Verdicts, [BTreeSet<Code>; 2], BTreeSet<Box<str>>) {
        let set = |codes: &[Code]| codes.iter().copied().collect();
        let codes = [set(&change.gone), set(&change.new)];
        (change.kind, change.was.clone(), change.is.clone(), codes, change.zones.iter().cloned().collect())
    }

    proptest! {
        #[test]
        fn a_row_differs_in_nothing_from_itself(row in any_standing()) {
            prop_assert_eq!(changes(&row, &row), vec![]);
        }

        #[test]
        fn what_changed_is_the_same_from_the_other_side(
            old in prop::option::of(any_standing()), new in prop::option::of(any_standing()), more in any::<(bool, bool)>()
        ) {
            let zones = |more| if more { &["a", "b", "c"][..] } else { &["a"] };
            let there = compare(old.as_ref(), new.as_ref(), &asked(zones(more.0), zones(more.1)));
            let back = compare(new.as_ref(), old.as_ref(), &asked(zones(more.1), zones(more.0)));
            let told = |changes: &[Change]| -> Vec<_> {
                changes.iter().filter(|change| change.kind != Kind::StillListed).map(bare).collect()
            };
            let mut mirrored: Vec<_> = told(&back)
                .into_iter()
                .map(|(kind, was, is, [gone, new], zones)| (kind.mirrored(), is, was, [new, gone], zones))
                .collect();
            mirrored.sort();
            let mut there_told = told(&there);
            there_told.sort();
            prop_assert_eq!(there_told, mirrored);
        }

        #[test]
        fn every_difference_is_told_once(old in any_standing(), new in any_standing()) {
            let told = changes(&old, &new);
            let of = |pick: fn(&Change) -> &Vec<Code>| -> Vec<Code> {
                let mut all: Vec<Code> = told.iter().flat_map(|change| pick(change).clone()).collect();
                all.sort();
                all
            };
            let only = |one: &Standing, other: &Standing| -> Vec<Code> {
                one.findings.iter().copied().filter(|code| !other.findings.contains(code)).collect()
            };
            prop_assert_eq!(of(|change| &change.new), only(&new, &old));
            prop_assert_eq!(of(|change| &change.gone), only(&old, &new));
            for (rule, was) in old.rules().filter(|(rule, was)| new.verdict(*rule) != *was) {
                let by = told.iter().filter(|change| change.kind != Kind::StillListed);
                let by: Vec<_> = by.filter(|change| change.was.contains(&(rule, was))).collect();
                // Of rule 5 each list may tell something else.
                prop_assert!(by.len() == 1 || rule == Rule::Unlisted && !by.is_empty(), "{rule}: {told:#?}");
                let unknown = was == Unknown || new.verdict(rule) == Unknown;
                let is_apart = |change: &&Change| matches!(change.kind, Kind::BecameKnown | Kind::BecameUnknown);
                prop_assert!(!unknown || by.iter().all(is_apart));
            }
        }
    }
}
