//! Who is talking to which server just now.
//! Comes in: an address. Goes out: the right to ask it, or a way to wait for whoever has that right.
//! So a server is asked by one target at a time, and a target need not wait for another's slow session.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Semaphore;

/// The servers that are being asked.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<IpAddr, Arc<Semaphore>>>);

/// The right to ask a server; given up when this is dropped.
#[derive(Debug)]
pub(super) struct Mine<'s> {
    sessions: &'s Sessions,
    address: IpAddr,
}

/// Somebody else asks.
#[derive(Debug)]
pub(super) struct Theirs(Arc<Semaphore>);

impl Theirs {
    /// Waits until they are done.
    pub(super) async fn over(self) {
        // There never is a permit: that it is closed is the news.
        let _closed = self.0.acquire().await;
    }
}

impl Sessions {
    /// The right to ask this server, unless somebody has it.
    pub(super) fn begin(&self, address: IpAddr) -> Result<Mine<'_>, Theirs> {
        match self.all().entry(address) {
            Entry::Occupied(taken) => Err(Theirs(Arc::clone(taken.get()))),
            Entry::Vacant(free) => {
                free.insert(Arc::new(Semaphore::new(0)));
                Ok(Mine { sessions: self, address })
            }
        }
    }

    /// Whether this server is being asked.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.all().contains_key(&address)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        let mine = self.sessions.all().remove(&self.address).expect("it was put there when the session began");
        mine.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_is_asked_by_one_at_a_time() {
        let sessions = Sessions::default();
        let address = "192.0.2.1".parse().unwrap();
        let mine = sessions.begin(address).unwrap();
        let theirs = sessions.begin(address).unwrap_err();
        assert!(sessions.has(address) && sessions.begin("192.0.2.2".parse().unwrap()).is_ok());
        drop(mine);
        theirs.over().await;
        assert!(!sessions.has(address));
        drop(sessions.begin(address).unwrap());
    }
}
