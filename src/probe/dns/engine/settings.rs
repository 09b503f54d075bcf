//! How the engine asks: whom, how patiently, how fast.
//! Comes in: what a run wants. Goes out: the same, with defaults that suit a resolver next door.
//! Nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::probe::budget::Pace;
use crate::probe::dns::Server;

/// How the engine asks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The recursive resolvers.
    pub upstreams: Vec<Server>,
    /// Certificates trusted besides this machine's roots, for upstreams asked over something encrypted.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Patience for a whole lookup. The first try waits as the upstream's replies suggest, each further one twice as long, and
    /// the last for the rest.
    pub timeout: Duration,
    /// Packets sent for one question before silence is the answer; at least one.
    pub tries: u32,
    /// Questions in flight per upstream at the start; the engine finds out what serves best, up to sixteen times as many.
    pub in_flight: usize,
    /// Sockets per upstream.
    pub sockets: usize,
    /// The rate of all queries together.
    pub pace: Arc<Pace>,
    /// Queries a second to one upstream; 0 is unlimited.
    pub per_upstream: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            extra_roots: Vec::new(),
            timeout: Duration::from_secs(5),
            tries: 5,
            in_flight: 1000,
            sockets: 2,
            pace: Arc::new(Pace::per_second(0.0)),
            per_upstream: 0.0,
        }
    }
}
