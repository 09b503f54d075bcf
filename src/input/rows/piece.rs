//! A piece of a file of rows, to be read by whichever thread has time.
//! Comes in: some lines, or a group of rows of Parquet. Goes out: row after row, as from the file itself.

use super::super::Error;
use super::super::columnar::{Batch, Columnar};
use super::{Hand, next_of_batch};

/// Rows that stand behind each other in a file.
pub(in super::super) struct Piece<const N: usize> {
    hand: Hand<N>,
    source: Source,
}

enum Source {
    /// Lines without their ends, where each of them ends, and which is the next.
    Lines(Vec<u8>, Vec<usize>, usize),
    Group(Box<Columnar>, Option<(Batch, usize)>),
}

impl<const N: usize> Piece<N> {
    /// Lines that stand behind the row at hand.
    pub(super) const fn of_lines(hand: Hand<N>, lines: Vec<u8>, ends: Vec<usize>) -> Self {
        Self { hand, source: Source::Lines(lines, ends, 0) }
    }

    /// A group of rows that stands there.
    pub(super) fn of_group(hand: Hand<N>, group: Columnar) -> Self {
        Self { hand, source: Source::Group(Box::new(group), None) }
    }

    /// The row read last.
    pub(in super::super) const fn hand(&self) -> &Hand<N> {
        &self.hand
    }

    /// Reads the next row; false at the end. After an error there is nothing more.
    pub(in super::super) fn next(&mut self) -> Result<bool, Error> {
        match &mut self.source {
            Source::Group(group, at_work) => {
                let Some((batch, row)) = next_of_batch(group, at_work)? else { return Ok(false) };
                self.hand.take_of(batch, row);
                Ok(true)
            }
            Source::Lines(lines, ends, next) => {
                let Some(end) = ends.get(*next) else { return Ok(false) };
                let begin = next.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
                *next += 1;
                self.hand.number += 1;
                self.hand.take(lines.get(begin..*end).unwrap_or_default()).map(|()| true)
            }
        }
    }
}
