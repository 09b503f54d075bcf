//! The rows that are shown as such: those that are worst.
//! Comes in: rows, by their file and their number in it. Goes out: a few of those of which a rule fails, and how many there were.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::census::{Settings, capped};
use super::survey::{self, WorstRow};
use crate::model::sighting::Sighting;
use crate::model::words::{Basis, Severity, Verdict};

/// Bytes of a text that are kept.
const KEPT: usize = 300;

/// The worst of the rows so far.
#[derive(Debug, Default)]
pub(super) struct Worst {
    /// Rows of which a rule fails.
    of: u64,
    /// The best of the worst first.
    kept: BinaryHeap<Reverse<Bad>>,
}

/// A row that may be among the worst: the worse is the greater, and of two as bad the earlier.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bad {
    /// Rules that fail, errors, warnings.
    score: [u16; 3],
    place: Reverse<(usize, u64)>,
    row: Shown,
}

/// What is shown of it says nothing about its order.
#[derive(Debug)]
struct Shown(WorstRow);

impl PartialEq for Shown {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Shown {}

impl PartialOrd for Shown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shown {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Worst {
    /// Keeps a row if it is among the worst so far.
    pub(super) fn meet(&mut self, (run, row): (usize, u64), sighting: &Sighting<'_>, settings: &Settings) {
        let fails = sighting.gist.verdicts.iter().filter(|verdict| **verdict == Verdict::Fail).count();
        if fails == 0 {
            return;
        }
        self.of += 1;
        let basis = sighting.basis.unwrap_or(Basis::Announced);
        let of =
            |severity| sighting.findings.iter().filter(|code| (settings.severity)(**code, basis) == severity).count();
        let score =
            [fails, of(Severity::Error), of(Severity::Warning)].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        let place = Reverse((run, row));
        let is_full = self.kept.len() >= settings.worst;
        if is_full && self.kept.peek().is_none_or(|Reverse(least)| (score, place) <= (least.score, least.place)) {
            return;
        }
        let texts = &sighting.texts;
        let text = |text: &str| capped(text, KEPT);
        let row = WorstRow {
            run,
            row,
            target: text(texts.target),
            exchange: text(texts.exchange),
            address: text(texts.address),
            ptr: text(&texts.ptr_names()),
            introduction: text(texts.introduction),
            greeting: text(texts.greeting),
            basis: sighting.basis,
            verdicts: sighting.gist.verdicts,
            overall: sighting.gist.overall,
            findings: sighting.findings.to_vec(),
            blocklists: texts.counted().map(text).collect(),
        };
        self.kept.push(Reverse(Bad { score, place, row: Shown(row) }));
        self.trim(settings);
    }

    /// Takes those of other rows.
    pub(super) fn join(&mut self, other: Self, settings: &Settings) {
        self.of += other.of;
        self.kept.extend(other.kept);
        self.trim(settings);
    }

    fn trim(&mut self, settings: &Settings) {
        while self.kept.len() > settings.worst {
            self.kept.pop();
        }
    }

    /// What is told of them, the worst first.
    pub(super) fn told(self) -> survey::Worst {
        let rows = self.kept.into_sorted_vec().into_iter().map(|Reverse(bad)| bad.row.0).collect();
        survey::Worst { of: self.of, rows }
    }
}
