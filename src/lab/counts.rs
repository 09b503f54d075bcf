//! How often each question was asked and each server called.
//! Comes in: what the servers see. Goes out: the tallies, for tests of "asked once".
//! Off unless wanted, and capped: beyond the cap only the totals grow.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Different questions, and different servers, that are told apart.
const MOST: usize = 1 << 20;

/// What a lab was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets by question: the name in lower case, and the number of the record type. Retransmissions count.
    pub questions: HashMap<(String, u16), u64>,
    /// Connections by the address of the server, as the world shows it.
    pub connections: HashMap<IpAddr, u64>,
    /// Packets with questions, in all.
    pub all_questions: u64,
    /// Connections, in all.
    pub all_connections: u64,
}

/// Counts while the servers run.
#[derive(Debug)]
pub(super) struct Counter(Option<Mutex<Counts>>);

impl Counter {
    pub(super) fn new(on: bool) -> Self {
        Self(on.then(Mutex::default))
    }

    pub(super) fn question(&self, name: &str, asked: u16) {
        self.with(|counts| {
            counts.all_questions += 1;
            let key = (name.to_owned(), asked);
            if counts.questions.len() < MOST || counts.questions.contains_key(&key) {
                *counts.questions.entry(key).or_default() += 1;
            }
        });
    }

    pub(super) fn connection(&self, address: IpAddr) {
        self.with(|counts| {
            counts.all_connections += 1;
            if counts.connections.len() < MOST || counts.connections.contains_key(&address) {
                *counts.connections.entry(address).or_default() += 1;
            }
        });
    }

    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.with(|counts| all = counts.clone());
        all
    }

    fn with(&self, change: impl FnOnce(&mut Counts)) {
        if let Some(counts) = &self.0 {
            change(&mut counts.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
