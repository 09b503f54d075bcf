//! One SMTP session per address: how a server introduces itself.
//! Comes in: an endpoint and who we are. Goes out: a [`Session`](crate::model::smtp::Session), with all that was seen.
//! The server's misbehaviour is part of the session, never an error.
//! Nothing here sends mail, authenticates, or connects twice.

mod alarm;
mod certificate;
mod connect;
mod dialogue;
mod ehlo;
mod failure;
pub mod greeting;
mod head;
mod refusal;
pub mod reply;
pub mod session;
mod software;
pub mod tls;

pub use ehlo::{EhloName, Offer, ehlo_name, offer};
pub(super) use refusal::turns_away;
pub(super) use session::line_of as first_line;
pub use session::{Caller, Limits, converse, hold};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
