//! Mail servers that do their worst, each at an address of its own: one mode of misbehaviour, on request.
//! Comes in: how slow is slow, how many are many. Goes out: addresses on loopback, and what was heard at each.
//! Nothing here is resolved: the farm is scanned by address, and its names stand under `farm.test`, which nobody looks up.
//! A server never tells right from wrong, and none leaves loopback: what a scan has to make of it is said by tests.

mod chain;
mod modes;
mod serve;
mod visits;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

pub use modes::{MODES, Mode};
pub use visits::{Left, Treatment, Visit};

use super::{Error, listen};
use chain::Chain;
use serve::Shared;

/// The first two octets of every address of the farm; the third is the mode's number from 1, the fourth any but 0 and 255.
const NETWORK: [u8; 2] = [127, 77];

/// How slow is slow, how many are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How late a server is that is only late.
    pub late: Duration,
    /// Between two octets of a drip.
    pub drip: Duration,
    /// Between two octets of a drip that an octet a second does not catch.
    pub quick_drip: Duration,
    /// Sessions at a time that a mode bears before it turns slow.
    pub crowd: usize,
    /// Connections from one client that a mode bears before it bans.
    pub welcome: u32,
    /// Octets that an endless sender sends at most.
    pub most: usize,
    /// Whether visits are kept. They are never forgotten then.
    pub recording: bool,
}

impl Default for Settings {
    /// Slow enough for a scan with the deadlines of the census profile to notice.
    fn default() -> Self {
        Self {
            late: Duration::from_secs(15),
            drip: Duration::from_secs(5),
            quick_drip: Duration::from_millis(500),
            crowd: 2,
            welcome: 3,
            most: 1 << 30,
            recording: false,
        }
    }
}

/// A running farm; it stops when it is dropped.
#[derive(Debug)]
pub struct Farm {
    port: u16,
    shared: Arc<Shared>,
    server: AbortHandle,
}

impl Farm {
    /// Starts it on the runtime this is called from.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        let failed = |source| Error::Listen { what: "hostile servers", address: Ipv4Addr::UNSPECIFIED.into(), source };
        let listener = listen::wildcard().map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let shared = Arc::new(Shared::new(settings, Chain::make()?));
        let server = tokio::spawn(serve::serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { port, shared, server })
    }

    /// The port at which all of them listen.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The authority behind the certificates that are not meant to be wrong, as PEM.
    pub fn authority(&self) -> &str {
        &self.shared.chain.authority
    }

    /// The visits so far, in the order in which they began; none unless the settings said to keep them.
    pub fn visits(&self) -> Vec<Visit> {
        self.shared.visits.all()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Mode {
    /// The mode of this name.
    pub fn named(word: &str) -> Option<&'static Self> {
        MODES.iter().find(|mode| mode.word == word)
    }

    /// The first of its 254 addresses: whoever visits several has several servers of one operator before him.
    pub fn address(&self) -> Ipv4Addr {
        self.address_of(1)
    }

    /// One of its addresses, by the last octet.
    pub fn address_of(&self, host: u8) -> Ipv4Addr {
        let number = MODES.iter().position(|mode| mode.word == self.word).expect("every mode stands in the table");
        let third = u8::try_from(number + 1).expect("a test counts the modes");
        Ipv4Addr::new(NETWORK[0], NETWORK[1], third, host)
    }

    /// The name its servers go by.
    pub fn host(&self) -> String {
        format!("{}.farm.test", self.word)
    }

    /// The mode behind an address.
    fn at(address: Ipv4Addr) -> Option<&'static Self> {
        let [a, b, third, host] = address.octets();
        let ours = [a, b] == NETWORK && (1..255).contains(&host);
        MODES.get(usize::from(third).checked_sub(1)?).filter(|_| ours)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_mode_has_a_word_and_addresses_of_its_own() {
        assert!(MODES.len() < 255, "the third octet numbers the modes");
        let words: HashSet<&str> = MODES.iter().map(|mode| mode.word).collect();
        assert_eq!(words.len(), MODES.len());
        for mode in MODES {
            assert!(mode.word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            assert_eq!(Mode::at(mode.address()).unwrap().word, mode.word);
            assert_eq!(Mode::at(mode.address_of(254)).unwrap().word, mode.word);
            assert_eq!(Mode::named(mode.word).unwrap().word, mode.word);
        }
        for nobody in ["127.77.0.1", "127.77.255.1", "127.77.1.0", "127.77.1.255", "127.76.1.1"] {
            assert!(Mode::at(nobody.parse().unwrap()).is_none(), "{nobody}");
        }
    }
}
