//! Asks DNS questions of the upstream recursive resolvers.
//! Comes in: a name and a type. Goes out: typed records with their alias chain, or why there are none.
//! Nothing is cached here, and no answer is ever made up: whatever was not said by a resolver is a failure.
//! The wire format and hickory's types end in this room.

mod engine;
mod hickory;
mod line;
mod reply;
#[cfg(test)]
mod script;
mod stats;
mod tcp;
mod upstream;
mod wire;
mod zone;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

pub use engine::{Engine, Settings};
pub use hickory::{Hickory, system_upstreams};
pub use stats::Stats;
pub use zone::Zone;

use crate::model::dns::{Answer, Data, Question};

/// Something that answers DNS questions.
pub trait Lookup: Send + Sync + 'static {
    /// Asks one question, to its end: the answer is final for this pass.
    fn lookup(&self, question: &Question) -> impl Future<Output = Answer<Data>> + Send;
}

/// Why a resolver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list of upstream resolvers is empty.
    #[error("no upstream resolver is given")]
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
