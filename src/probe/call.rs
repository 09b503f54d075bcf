//! Calling a server: whether it is the time for it, and the session.
//! Comes in: an address and its exchange. Goes out: leave to call, what stands against it, or the session that was held.
//! The order is always egress, manners, socket, pace: nobody can wait for what a later waiter holds.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep_until;
use tracing::debug;

use super::Prober;
use super::dns::Lookup;
use super::egress::Try;
use super::manners::{Leave, Obstacle, Refusal, Sign};
use super::smtp::{self, session};
use crate::model::address::{neighbourhood, special};
use crate::model::evidence::Host;
use crate::model::name::Name;
use crate::model::smtp::Session;
use crate::model::words::{Cause, ConnectStatus, SmtpStatus};

/// What its events are found under.
const SMTP: &str = "mxcensus::probe::smtp";

/// Sockets at a time that are not given up, however few this machine seems to have.
const FEWEST: usize = 16;
/// How often a connection is tried that this machine has no socket for, and the time between, which grows.
const SHORT_OF_SOCKETS: u32 = 5;
const SHORTAGE: Duration = Duration::from_millis(100);

/// How long a worker waits for a group's turn. For longer the target is put aside.
const SOON: Duration = Duration::from_millis(20);

/// Whether a session may be held.
pub(super) enum Pass<'p> {
    Go {
        leave: Leave,
        socket: SemaphorePermit<'p>,
        /// Held for as long as the connection is tried.
        _try: Try<'p>,
    },
    /// There is none, for this cause.
    Stay(ConnectStatus, Cause),
    /// There was one in an earlier pass that another would not change: only DNS is asked again.
    Had(&'p Host),
}

impl<L: Lookup> Prober<L> {
    /// Whether a session may be held now; waits for what is due soon, and for the limits that all sessions share.
    pub(super) async fn pass(&self, address: IpAddr, exchange: Option<&Name>) -> Result<Pass<'_>, Obstacle> {
        let settings = &self.settings;
        let unasked = match address {
            _ if !settings.wanted.smtp => Some(Cause::NotAsked),
            _ if settings.families.allow(address) && (settings.routed.allow(address) || special(address).is_some()) => {
                None
            }
            IpAddr::V4(_) => Some(Cause::NoLocalV4),
            IpAddr::V6(_) => Some(Cause::NoLocalV6),
        };
        if let Some(cause) = unasked {
            return Ok(Pass::Stay(ConnectStatus::NotAsked, cause));
        }
        let Some(r#try) = self.egress.leave(address) else {
            return Ok(Pass::Stay(ConnectStatus::SelfFault, Cause::PortBlocked));
        };
        let exchange = exchange.filter(|_| self.manners.minds_providers());
        let provider = || exchange.map(|name| settings.naming.organisation(name).unwrap_or_else(|| name.clone()));
        let leave = loop {
            match self.manners.ask(neighbourhood(address), provider()) {
                Ok(leave) => break leave,
                Err(Refusal::TurnedAway) => return Ok(Pass::Stay(ConnectStatus::NotAsked, Cause::TurnedAway)),
                Err(Refusal::Wait(_, Some(due))) if due <= Instant::now() + SOON => sleep_until(due.into()).await,
                Err(Refusal::Wait(obstacle, _)) => return Err(obstacle),
            }
        };
        let socket = self.sockets.take().await;
        self.smtp_pace.turn().await;
        Ok(Pass::Go { leave, socket, _try: r#try })
    }

    /// One session. Where this machine has no socket left the server was not reached, and with fewer at a time it may be.
    pub(super) async fn session(
        &self,
        address: IpAddr,
        exchange: Option<&Name>,
        leave: Leave,
        mut socket: SemaphorePermit<'_>,
    ) -> Box<Session> {
        let settings = &self.settings;
        let endpoint = (settings.endpoint)(address, settings.port);
        let mut tries = 0;
        let session = loop {
            self.connections.fetch_add(1, Ordering::Relaxed);
            leave.depart();
            debug!(target: SMTP, %address, exchange = exchange.map(Name::as_str), "session begun");
            let (port, caller, name) = (settings.port, Arc::clone(&settings.caller), exchange.cloned());
            let hold = || async move { session::hold(endpoint, port, &caller, name.as_ref()).await };
            let session = self.lanes.hold(hold).await;
            self.calls.ended(&session);
            if session.cause != Some(Cause::OutOfSockets) || tries == SHORT_OF_SOCKETS {
                break session;
            }
            tries += 1;
            drop(session);
            self.sockets.give_up(socket);
            tokio::time::sleep(SHORTAGE * tries).await;
            socket = self.sockets.take().await;
        };
        let (connect, status, cause) = (session.connect, session.status, session.cause.map(Cause::as_str));
        debug!(target: SMTP, %address, exchange = exchange.map(Name::as_str), %connect, %status, cause, "session ended");
        drop(socket);
        self.egress.heard(address, session.connect);
        leave.end(sign(&session));
        session
    }
}

/// What a session says of how its network and its provider take us.
fn sign(session: &Session) -> Sign {
    match session.status {
        _ if smtp::turns_away(session) => Sign::TurnedAway,
        SmtpStatus::Ok => Sign::Welcome,
        _ => Sign::None,
    }
}

/// The sockets of all sessions.
#[derive(Debug)]
pub(super) struct Sockets {
    free: Semaphore,
    at_first: usize,
    fewer: AtomicUsize,
}

impl Sockets {
    /// This many at a time.
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(most), at_first: most, fewer: AtomicUsize::new(0) }
    }

    async fn take(&self) -> SemaphorePermit<'_> {
        self.free.acquire().await.expect("the semaphore of sockets is never closed")
    }

    /// There is no such socket on this machine: from now on one fewer is used, down to a few.
    fn give_up(&self, socket: SemaphorePermit<'_>) {
        let most = self.at_first.saturating_sub(FEWEST);
        let used = |fewer: usize| self.at_first - fewer - self.free.available_permits();
        // Where few are in use it is not we who have taken them all.
        let less = |fewer: usize| (fewer < most && used(fewer) >= FEWEST).then_some(fewer + 1);
        if self.fewer.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok() {
            socket.forget();
        }
    }

    /// A sentence for whoever runs the scan; None where there always were enough.
    pub(super) fn complaint(&self) -> Option<String> {
        let fewer = self.fewer.load(Ordering::Acquire);
        (fewer > 0).then(|| {
            format!(
                "this machine ran out of sockets (descriptors, local ports or memory): {} sessions at a time instead of {}; \
                 raise its limits (ulimit -n), or lower --concurrency",
                self.at_first - fewer,
                self.at_first
            )
        })
    }
}
