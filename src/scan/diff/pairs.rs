//! Rows of two runs, place by place.
//! Comes in: the rows of each by their places. Goes out: a place at a time, with what stands there on either side.
//! A domain or an exchange whose servers could not be found has one row without a server. Where the other run has found some, that
//! row stands for each of them, so that what could not be told, or is no longer there, is held against what was.

use std::cmp::Ordering;
use std::io;

use super::super::sorted::{Record, Sorted};
use crate::model::standing::Place;
use crate::output::csv::{Formulas, cell, restore};

/// A key, and what each side has of it.
type Pair = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Both sides.
#[derive(Debug)]
pub(super) struct Pairs {
    old: Side,
    new: Side,
}

#[derive(Debug)]
struct Side {
    rows: Sorted,
    stand_in: Option<StandIn>,
}

/// A row without a server, and the keys of the servers it stands for.
#[derive(Debug)]
struct StandIn {
    prefix: Vec<u8>,
    rest: Vec<u8>,
}

impl Side {
    const fn new(rows: Sorted) -> Self {
        Self { rows, stand_in: None }
    }

    /// Whether the next row is of a server that such a row stands for.
    fn is_next(&self, prefix: &[u8]) -> bool {
        self.rows.key().is_some_and(|key| key.starts_with(prefix))
    }

    /// What stands for a place that has no row here.
    fn instead(&self, key: &[u8]) -> Option<Vec<u8>> {
        let stand_in = self.stand_in.as_ref().filter(|stand_in| key.starts_with(&stand_in.prefix));
        stand_in.map(|stand_in| stand_in.rest.clone())
    }

    /// Keeps a row that the other side does not have, if it is to be told with the servers that only the other side has.
    fn keeps(&mut self, key: &[u8], rest: &[u8], other: &Self) -> bool {
        let prefix = prefix(key).filter(|prefix| other.is_next(prefix) && !self.is_next(prefix));
        let kept = prefix.map(|prefix| StandIn { prefix, rest: rest.to_vec() });
        let is_kept = kept.is_some();
        self.stand_in = kept.or_else(|| self.stand_in.take());
        is_kept
    }
}

impl Pairs {
    /// The rows of two runs.
    pub(super) const fn new(old: Sorted, new: Sorted) -> Self {
        Self { old: Side::new(old), new: Side::new(new) }
    }

    /// The next place, and what stands there on each side; None at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Pair>> {
        loop {
            return Ok(match self.step()? {
                Some((key, Some(was), None)) => match self.new.instead(&key) {
                    None if self.old.keeps(&key, &was, &self.new) => continue,
                    is => Some((key, Some(was), is)),
                },
                Some((key, None, Some(is))) => match self.old.instead(&key) {
                    None if self.new.keeps(&key, &is, &self.old) => continue,
                    was => Some((key, was, Some(is))),
                },
                step => step,
            });
        }
    }

    fn step(&mut self) -> io::Result<Option<Pair>> {
        let (old, new) = (&mut self.old.rows, &mut self.new.rows);
        let order = match (old.key(), new.key()) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.cmp(other),
        };
        let was = if order.is_le() { old.next()? } else { None };
        let is = if order.is_ge() { new.next()? } else { None };
        let rest = |record: Option<Record>| record.map(|record| (record.key, record.rest)).unzip();
        let ((one, was), (other, is)) = (rest(was), rest(is));
        Ok(one.or(other).map(|key| (key, was, is)))
    }
}

/// A place as a text of its own: the same for one place in every form of file, and nothing in it steers a terminal.
pub(super) fn key(place: &Place, is_csv: bool) -> String {
    let texts = [&place.target, &place.exchange, &place.address, &place.introduction];
    let texts = texts.map(|text| cell(if is_csv { restore(text) } else { text }, Formulas::Raw));
    texts.join("\0")
}

pub(super) fn place(key: &[u8]) -> Place {
    let text = String::from_utf8_lossy(key);
    let mut texts = text.split('\0').map(str::to_owned);
    let mut next = || texts.next().unwrap_or_default();
    Place { target: next(), exchange: next(), address: next(), introduction: next() }
}

/// What the keys of the servers begin with that a row without one stands for; None for a row that has one.
fn prefix(key: &[u8]) -> Option<Vec<u8>> {
    let mut texts = key.split(|byte| *byte == 0);
    let (target, exchange, address) = (texts.next()?, texts.next()?, texts.next()?);
    // A null MX is no exchange, and a target without one has no name there.
    let above = if matches!(exchange, b"" | b".") { vec![target] } else { vec![target, exchange] };
    address.is_empty().then(|| above.iter().flat_map(|text| text.iter().copied().chain([0])).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::sorted::Sorter;
    use super::*;

    /// Added to the numbers that are keys here, so that none looks like a place without an address.
    const BASE: u32 = 0x0101_0101;

    /// Sorted in so little memory, each record with its key's number.
    fn side(keys: &[u32], most: usize) -> Sorted {
        let mut sorter = Sorter::with(most, std::env::temp_dir());
        for (at, key) in (0_u32..).zip(keys) {
            sorter.add(&(key + BASE).to_be_bytes(), &at.to_be_bytes()).unwrap();
        }
        sorter.finish().unwrap()
    }

    fn pairs(old: &[u32], new: &[u32], most: usize) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let number = |bytes: Vec<u8>| u32::from_be_bytes(bytes.try_into().unwrap());
        let mut pairs = Pairs::new(side(old, most), side(new, most));
        let mut all = Vec::new();
        while let Some((key, was, is)) = pairs.next().unwrap() {
            all.push((number(key) - BASE, was.map(number), is.map(number)));
        }
        all
    }

    #[test]
    fn rows_of_one_place_are_paired_in_their_order_and_none_is_lost() {
        assert_eq!(
            pairs(&[7, 5, 7, 7], &[7, 9, 7], 10_000),
            [(5, Some(1), None), (7, Some(0), Some(0)), (7, Some(2), Some(2)), (7, Some(3), None), (9, None, Some(1))]
        );
        assert_eq!(pairs(&[], &[], 10), []);
    }

    #[test]
    fn what_memory_does_not_hold_is_paired_as_if_it_did() {
        let some = |step: u32| (0..3_000_u32).map(|n| n.wrapping_mul(step) % 997).collect::<Vec<_>>();
        let (old, new) = (some(2_654_435_761), some(40_503));
        let paired = pairs(&old, &new, 1 << 20);
        assert_eq!(pairs(&old, &new, 1_000), paired);
        assert_eq!(paired.iter().filter(|(_, was, _)| was.is_some()).count(), 3_000);
        assert_eq!(paired.iter().filter(|(_, _, is)| is.is_some()).count(), 3_000);
    }

    #[test]
    fn a_place_has_one_key_in_every_form_of_file() {
        let there = Place {
            target: "=1+1".to_owned(),
            exchange: "mx.example".to_owned(),
            address: "192.0.2.1".to_owned(),
            introduction: "a\u{1b}[2J\u{202e}".to_owned(),
        };
        let in_csv =
            Place { target: "'=1+1".to_owned(), introduction: r"a\x1B[2J\xE2\x80\xAE".to_owned(), ..there.clone() };
        let key = key(&there, false);
        assert_eq!(key, super::key(&in_csv, true));
        assert_eq!(place(key.as_bytes()), Place { target: there.target, ..in_csv });
    }

    /// Rows of these places, each telling its number.
    fn places(places: &[[&str; 3]]) -> Sorted {
        let mut sorter = Sorter::with(1_000, std::env::temp_dir());
        for (at, [target, exchange, address]) in (0_u8..).zip(places) {
            sorter.add(format!("{target}\0{exchange}\0{address}\0").as_bytes(), &[at]).unwrap();
        }
        sorter.finish().unwrap()
    }

    fn told(old: &[[&str; 3]], new: &[[&str; 3]]) -> Vec<(String, Option<u8>, Option<u8>)> {
        let mut pairs = Pairs::new(places(old), places(new));
        let number = |rest: Option<Vec<u8>>| rest.map(|rest| rest[0]);
        let mut all = Vec::new();
        while let Some((key, was, is)) = pairs.next().unwrap() {
            let place = place(&key);
            all.push((format!("{} {} {}", place.target, place.exchange, place.address), number(was), number(is)));
        }
        all
    }

    #[test]
    fn a_row_without_a_server_stands_for_the_servers_that_were_there() {
        let servers = [["a", "mx1", "192.0.2.1"], ["a", "mx2", "192.0.2.2"], ["b", "mx", "192.0.2.3"]];
        // No MX answer, and no MX record any more: what was known of both servers has changed into that.
        for nowhere in ["", "."] {
            let paired = told(&servers, &[["a", nowhere, ""], servers[2]]);
            let [one, two, three] = &paired[..] else { panic!("{paired:?}") };
            assert_eq!(*one, ("a mx1 192.0.2.1".to_owned(), Some(0), Some(0)));
            assert_eq!(*two, ("a mx2 192.0.2.2".to_owned(), Some(1), Some(0)));
            assert_eq!(*three, ("b mx 192.0.2.3".to_owned(), Some(2), Some(1)));
            let back: Vec<_> = told(&[["a", nowhere, ""], servers[2]], &servers);
            let mirrored: Vec<_> = paired.into_iter().map(|(place, was, is)| (place, is, was)).collect();
            assert_eq!(back, mirrored);
        }
        // One exchange has lost its addresses: the other one is there as before.
        let paired = told(&servers[..2], &[["a", "mx1", ""], servers[1]]);
        assert_eq!(
            paired,
            [("a mx1 192.0.2.1".to_owned(), Some(0), Some(0)), ("a mx2 192.0.2.2".to_owned(), Some(1), Some(1))]
        );
    }

    #[test]
    fn a_row_without_a_server_stands_for_nothing_where_there_was_none() {
        let alone = told(&[["b", "mx", "192.0.2.3"]], &[["a", "", ""], ["b", "mx", "192.0.2.3"]]);
        assert_eq!(alone, [("a  ".to_owned(), None, Some(0)), ("b mx 192.0.2.3".to_owned(), Some(0), Some(1))]);
        // Two rows of a target that is listed twice: none is lost.
        let twice = told(&[["a", "mx", "192.0.2.1"]], &[["a", "", ""], ["a", "", ""]]);
        assert_eq!(twice, [("a  ".to_owned(), None, Some(0)), ("a mx 192.0.2.1".to_owned(), Some(0), Some(1))]);
    }
}
