//! Changes for people: a line of counts, and under it the changes by their kinds, the worst first.
//! Comes in: changes with their places. Goes out: text for a mail or a terminal.
//! Bounded: of each kind only so many are kept, and the others counted. Places are escaped before they come here.

use std::fmt::Write as _;

use super::change::{Change, Kind};
use crate::model::standing::Place;
use crate::model::words::{Rule, Severity, Verdict};

/// Characters of a text that are shown.
const SHOWN: usize = 120;
const STRING: &str = "writing to a String cannot fail";

/// What is told of all changes.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    colour: bool,
    /// One for each kind.
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    count: u64,
    /// Lines, by their severity.
    kept: [Vec<String>; Severity::ALL.len()],
}

impl Page {
    /// Nothing has changed yet; of each kind at most so many lines are kept.
    pub(super) fn new(limit: usize, colour: bool) -> Self {
        Self { limit, colour, groups: vec![Group::default(); Kind::ALL.len()] }
    }

    /// A change.
    pub(super) fn add(&mut self, place: &Place, change: &Change) {
        let limit = self.limit;
        let group = self.groups.get_mut(change.kind as usize).expect("one for each kind");
        group.count += 1;
        let kept = group.kept.get_mut(change.severity as usize).expect("one for each severity");
        if kept.len() < limit {
            kept.push(line(place, change));
        }
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.count == 0)
    }

    /// The line of counts: so many rows were there, and so many are.
    pub(super) fn summary(&self, [old, new]: [u64; 2]) -> String {
        let rows = format!("{old} rows before, {new} now");
        if self.is_empty() {
            return format!("nothing has changed: {rows}");
        }
        let told = self.counted().map(|(kind, group)| format!("{} {}", group.count, heading(kind)));
        format!("{rows}: {}", told.collect::<Vec<_>>().join(", "))
    }

    /// All that is told.
    pub(super) fn text(&self, rows: [u64; 2]) -> String {
        let mut text = self.summary(rows);
        text.push('\n');
        for (kind, group) in self.counted() {
            let heading = self.painted(kind, &format!("{} ({})", heading(kind), group.count));
            writeln!(text, "\n{heading}").expect(STRING);
            let lines = group.kept.iter().flatten().take(self.limit);
            let mut shown = 0;
            for line in lines {
                writeln!(text, "  {line}").expect(STRING);
                shown += 1;
            }
            if group.count > shown {
                writeln!(text, "  and {} more: --limit tells more, --format csv all", group.count - shown)
                    .expect(STRING);
            }
        }
        text
    }

    /// The kinds of which there is something.
    fn counted(&self) -> impl Iterator<Item = (Kind, &Group)> {
        Kind::ALL.iter().copied().zip(&self.groups).filter(|(_, group)| group.count > 0)
    }

    fn painted(&self, kind: Kind, text: &str) -> String {
        let colour = match kind {
            Kind::Broken | Kind::Listed => "31",
            Kind::StillListed | Kind::BecameUnknown => "33",
            Kind::Fixed | Kind::Delisted => "32",
            _ => "1",
        };
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A kind, for a person.
const fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Broken => "broken",
        Kind::Listed => "newly listed",
        Kind::StillListed => "still listed though mended",
        Kind::Applies => "judged now by rules that did not apply",
        Kind::BecameUnknown => "became unknown",
        Kind::BecameKnown => "became known",
        Kind::Findings => "with other findings",
        Kind::Fixed => "fixed",
        Kind::Delisted => "delisted",
        Kind::Ceased => "no longer judged by rules that applied",
        Kind::Appeared => "appeared",
        Kind::Vanished => "vanished",
    }
}

/// A change in a line: where, and what.
fn line(place: &Place, change: &Change) -> String {
    let introduced = if place.introduction.is_empty() { String::new() } else { format!("({})", place.introduction) };
    let texts = [&place.target, &place.exchange, &place.address, &introduced];
    let mut line =
        texts.into_iter().filter(|text| !text.is_empty()).map(|text| clipped(text)).collect::<Vec<_>>().join("  ");
    let findings = |codes: &[_]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let why = change.causes.iter().map(|(rule, cause)| format!("{rule} {cause}")).collect::<Vec<_>>().join(", ");
    let parts = [
        ("", verdicts(change)),
        ("on ", change.zones.join(", ")),
        ("for ", why),
        ("new ", findings(&change.new)),
        ("gone ", findings(&change.gone)),
    ];
    let parts = parts.iter().filter(|(_, told)| !told.is_empty()).map(|(what, told)| format!("{what}{told}"));
    let parts = parts.collect::<Vec<_>>().join("; ");
    if !parts.is_empty() {
        write!(line, "  {parts}").expect(STRING);
    }
    line
}

/// The rules, those together that changed alike.
fn verdicts(change: &Change) -> String {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    let told: Vec<(Rule, String)> = match change.kind {
        Kind::Appeared => change.is.iter().map(|(rule, is)| (*rule, is.to_string())).collect(),
        Kind::Vanished => change.was.iter().map(|(rule, was)| (*rule, was.to_string())).collect(),
        _ => change.was.iter().zip(&change.is).map(|((rule, was), (_, is))| (*rule, turned(*was, *is))).collect(),
    };
    for (rule, how) in told {
        match alike.iter_mut().find(|(known, _)| *known == how) {
            Some((_, rules)) => rules.push(rule.as_str()),
            None => alike.push((how, vec![rule.as_str()])),
        }
    }
    alike.iter().map(|(how, rules)| format!("{}: {how}", rules.join(", "))).collect::<Vec<_>>().join("; ")
}

fn turned(was: Verdict, is: Verdict) -> String {
    if was == is { format!("{is} as before") } else { format!("{was} -> {is}") }
}

/// The beginning of a text that may be long.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
