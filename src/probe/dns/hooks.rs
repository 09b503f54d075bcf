//! A door to the reply path for those who throw bytes at it: the fuzz target and the benchmarks.
//! Comes in: a datagram and the question it may answer. Goes out: what the engine would make of it.
//! No scan enters here, and nothing is sent.

use super::reply::{self, Reading};
use super::wire::{self, Case, Fit, Manner};
use crate::model::dns::{Answer, Data, Question};
use crate::model::observed::Observed;

/// What a datagram comes to as the reply to a question, letters being equal in either case. None for one that is no
/// reply to it, and for one that is truncated.
///
/// Fuzzing and benchmarks are its only users: it may change at any time.
#[doc(hidden)]
pub fn read_reply(bytes: &[u8], question: &Question) -> Option<Answer<Data>> {
    let section = wire::question(question, Case::Plain)?;
    if wire::fit(bytes, &section) == Fit::Other {
        return None;
    }
    match reply::read(bytes, question) {
        Reading::Fact(fact) => Some(fact.answer),
        Reading::Trouble(trouble) => Some(Observed::Failed(trouble.failure)),
        Reading::Truncated => None,
    }
}

/// Writes the query that asks a question, letters mixed, under this id; false when the name fits into none.
#[doc(hidden)]
pub fn write_query(packet: &mut Vec<u8>, id: u16, question: &Question) -> bool {
    let Some(section) = wire::question(question, Case::Mixed) else { return false };
    wire::query(packet, id, &section, Manner { edns: true, checking_disabled: false });
    true
}

/// Whether a datagram is the reply to a query, in id, name, type, class and the case of every letter.
#[doc(hidden)]
pub fn is_reply(datagram: &[u8], query: &[u8]) -> bool {
    let section = wire::Message(query).name_end(wire::HEADER).and_then(|end| query.get(wire::HEADER..end + 4));
    section.is_some_and(|section| wire::id(datagram) == wire::id(query) && wire::fit(datagram, section) == Fit::Exact)
}

/// What a reply says, whoever it is to.
#[doc(hidden)]
pub fn decode(bytes: &[u8], question: &Question) -> Option<Answer<Data>> {
    match reply::read(bytes, question) {
        Reading::Fact(fact) => Some(fact.answer),
        Reading::Trouble(_) | Reading::Truncated => None,
    }
}
