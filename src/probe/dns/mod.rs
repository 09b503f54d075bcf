//! Asks DNS questions of the upstream recursive resolvers.
//! Comes in: a name and a type. Goes out: typed records with their alias chain, or why there are none.
//! No answer is ever made up: whatever was not said by a resolver is a failure.
//! The wire format and hickory's types end in this room.

mod cache;
mod connection;
mod engine;
mod hickory;
#[doc(hidden)]
pub mod hooks;
mod reply;
#[cfg(test)]
mod script;
mod secure;
mod server;
mod stream;
mod wire;
mod zone;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

pub use cache::{Cache, Remembered};
pub use engine::{Engine, Settings, Stats};
pub use hickory::{Hickory, system_upstreams};
pub use server::{Server, ServerError};
pub use zone::Zone;

use crate::model::dns::{Answer, Data, Question};
use crate::model::observed::How;

/// An answer, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is known now.
    pub answer: Answer<Data>,
    /// For how many seconds it may be remembered, says who answers: the lowest TTL on the way, for a denial that of the zone
    /// (RFC 2308 §5), zero for a failure.
    pub ttl: u32,
    /// Extended errors that came with records or a denial (RFC 8914), as text; those of a failure are its detail.
    pub extended: Option<Box<str>>,
    /// How it was asked and answered.
    pub how: How,
}

impl Told {
    /// An answer of which nothing more is known.
    pub fn plainly(answer: Answer<Data>) -> Self {
        let ttl = answer.seen().map_or(0, |records| records.ttl);
        Self { answer, ttl, extended: None, how: How::default() }
    }
}

/// Something that answers DNS questions.
pub trait Lookup: Send + Sync + 'static {
    /// Asks one question, to its end: the answer is final for this pass.
    fn lookup(&self, question: &Question) -> impl Future<Output = Answer<Data>> + Send;

    /// The same, with how the answer came about, as far as that is known.
    fn tell(&self, question: &Question) -> impl Future<Output = Told> + Send {
        async { Told::plainly(self.lookup(question).await) }
    }

    /// Whether nobody answers any question of late, so that what is asked now says nothing of what it is asked about.
    fn is_cut_off(&self) -> bool {
        false
    }
}

/// Why a resolver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list of upstream resolvers is empty.
    #[error("no upstream resolver is given; name one with --resolver")]
    NoUpstream,
    /// No socket towards any upstream; this is what the last one said.
    #[error("cannot open a socket towards the resolver {address}")]
    Socket {
        /// The upstream.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system's resolver configuration cannot be read or used.
    #[error("cannot read the system's resolver configuration")]
    System {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No certificate could be trusted.
    #[error("no trusted root certificates on this machine, which an encrypted resolver needs ({0})")]
    NoRoots(String),
    /// The cryptography lacks a protocol version.
    #[error("no usable TLS configuration")]
    Tls {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// hickory cannot be set up.
    #[error("cannot set up the second resolver")]
    Hickory {
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A line of a fixture zone that is no record.
    #[error("zone line {line}: {why}")]
    Zone {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}
