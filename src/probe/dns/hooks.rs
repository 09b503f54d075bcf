//! A door to the reply path for those who throw bytes at it: the fuzz target and the benchmarks.
//! Comes in: a datagram and the question it may answer. Goes out: what the engine would make of it.
//! No scan enters here, and nothing is sent.

use super::reply::{self, Reading};
use super::wire::{self, Case, Fit};
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
