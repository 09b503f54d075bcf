//! Who came to the farm, what he said, and how he left.
//! Comes in: what the servers see of a connection. Goes out: a visit each, for tests of the visitor's manners.
//! Off unless wanted. Of one visit a few lines are kept, however much the visitor says.

use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use crate::model::smtp::escape;

/// Lines kept of one visit, and octets of a line.
const LINES: usize = 32;
const OCTETS: usize = 512;

/// One connection to the farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The word of the mode.
    pub mode: &'static str,
    /// The address that was dialled.
    pub address: Ipv4Addr,
    /// Lines that the visitor sent, in plaintext and inside TLS, escaped; without those of a handshake.
    pub heard: Vec<Box<str>>,
    /// Octets that were sent to him, TLS aside.
    pub said: usize,
    /// How he was received.
    pub treatment: Treatment,
    /// How he left.
    pub left: Left,
}

/// How a visitor was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// As the mode has it for everybody.
    Usual,
    /// Late, for the crowd.
    Slowed,
    /// Not at all: he had come too often.
    Banned,
}

/// How a visitor left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// He is still there.
    Not,
    /// With a FIN.
    Fin,
    /// With a reset.
    Reset,
    /// The server has reset the connection.
    Cut,
}

/// The visits so far.
#[derive(Debug)]
pub(super) struct Visits(Option<Mutex<Vec<Visit>>>);

impl Visits {
    pub(super) fn new(on: bool) -> Self {
        Self(on.then(Mutex::default))
    }

    pub(super) fn all(&self) -> Vec<Visit> {
        let mut all = Vec::new();
        self.with(|visits| all.clone_from(visits));
        all
    }

    /// A visit begins.
    pub(super) fn begin(&self, mode: &'static str, address: Ipv4Addr) -> Note<'_> {
        let mut at = 0;
        self.with(|visits| {
            at = visits.len();
            let (treatment, left) = (Treatment::Usual, Left::Not);
            visits.push(Visit { mode, address, heard: Vec::new(), said: 0, treatment, left });
        });
        Note { visits: self, at }
    }

    fn with(&self, change: impl FnOnce(&mut Vec<Visit>)) {
        if let Some(visits) = &self.0 {
            change(&mut visits.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What is written down of one visit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note<'a> {
    visits: &'a Visits,
    at: usize,
}

impl Note<'_> {
    pub(super) fn heard(&self, line: &[u8]) {
        self.with(|visit| {
            if visit.heard.len() < LINES {
                visit.heard.push(escape(line.get(..OCTETS).unwrap_or(line)));
            }
        });
    }

    pub(super) fn said(&self, octets: usize) {
        self.with(|visit| visit.said += octets);
    }

    pub(super) fn treated(&self, treatment: Treatment) {
        self.with(|visit| visit.treatment = treatment);
    }

    pub(super) fn left(&self, left: Left) {
        self.with(|visit| visit.left = left);
    }

    fn with(&self, change: impl FnOnce(&mut Visit)) {
        self.visits.with(|visits| {
            if let Some(visit) = visits.get_mut(self.at) {
                change(visit);
            }
        });
    }
}
