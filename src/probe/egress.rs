//! Whether connections leave this machine at all.
//! Comes in: what became of each connection. Goes out: whether another is worth a try, and what silence so far means.
//! Many networks forbid their machines to call port 25, most by dropping the packets: then every server looks dead, and none
//! of that is the servers' doing. The families are judged apart: one may get out where the other does not.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ipnet::IpNet;
use tokio::sync::Notify;

use crate::model::address::neighbourhood;
use crate::model::words::ConnectStatus;

/// Networks that stay silent, one after the other and with no other among them, until it is put down to this machine. About a
/// fifth of all exchanges is silent: twenty in a row are not met by accident.
const SILENT: usize = 20;

/// What is known of one family.
#[derive(Debug, Default)]
struct Family {
    state: AtomicU8,
    silent: Mutex<HashSet<IpNet>>,
    /// While nothing gets out, one connection at a time goes on trying.
    trying: AtomicBool,
}

const UNDECIDED: u8 = 0;
const OPEN: u8 = 1;
const BLOCKED: u8 = 2;

/// What is known of both.
#[derive(Debug, Default)]
pub(super) struct Egress {
    v4: Family,
    v6: Family,
    decided: Notify,
    told: AtomicBool,
}

/// Leave to try a connection.
#[derive(Debug)]
pub(super) struct Try<'e>(Option<&'e Family>);

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if let Some(family) = self.0 {
            family.trying.store(false, Ordering::Release);
        }
    }
}

impl Egress {
    const fn of(&self, address: IpAddr) -> &Family {
        match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }

    /// Leave to connect; None where nothing gets out and somebody else is trying already.
    pub(super) fn leave(&self, address: IpAddr) -> Option<Try<'_>> {
        let family = self.of(address);
        if family.state.load(Ordering::Acquire) != BLOCKED {
            return Some(Try(None));
        }
        (!family.trying.swap(true, Ordering::AcqRel)).then_some(Try(Some(family)))
    }

    /// Takes note of what became of a connection.
    pub(super) fn heard(&self, address: IpAddr, status: ConnectStatus) {
        let family = self.of(address);
        match status {
            // Somebody answered, be it with a refusal.
            ConnectStatus::Open | ConnectStatus::Refused | ConnectStatus::Reset
                if family.state.load(Ordering::Acquire) != OPEN =>
            {
                self.decide(family, OPEN);
            }
            ConnectStatus::Timeout | ConnectStatus::Unreachable
                if family.state.load(Ordering::Acquire) == UNDECIDED =>
            {
                let mut silent = family.silent.lock().expect("no holder of this lock can panic");
                silent.insert(neighbourhood(address));
                if silent.len() >= SILENT {
                    silent.clear();
                    self.decide(family, BLOCKED);
                }
            }
            _ => {}
        }
    }

    fn decide(&self, family: &Family, state: u8) {
        family.state.store(state, Ordering::Release);
        self.decided.notify_one();
    }

    /// No more will be known: silence so far is the servers' own.
    pub(super) fn close(&self) {
        for family in [&self.v4, &self.v6] {
            // Where it is decided it stays so.
            let _decided = family.state.compare_exchange(UNDECIDED, OPEN, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Whether it is not known yet what the silence at this address means.
    pub(super) fn is_open(&self, address: IpAddr) -> bool {
        self.of(address).state.load(Ordering::Acquire) == UNDECIDED
    }

    /// Whether nothing gets out to addresses of this kind.
    pub(super) fn is_blocked(&self, address: IpAddr) -> bool {
        self.of(address).state.load(Ordering::Acquire) == BLOCKED
    }

    /// Waits until something is decided.
    pub(super) async fn decided(&self) {
        self.decided.notified().await;
    }

    /// A sentence for whoever runs the scan, once; None where all is well.
    pub(super) fn complaint(&self, port: u16) -> Option<String> {
        let is_blocked = |family: &Family| family.state.load(Ordering::Acquire) == BLOCKED;
        let which = match (is_blocked(&self.v4), is_blocked(&self.v6)) {
            (false, false) => return None,
            (true, false) => "IPv4 ",
            (false, true) => "IPv6 ",
            (true, true) => "",
        };
        if self.told.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(format!(
            "no {which}connection to port {port} gets out of this machine: the first {SILENT} networks were all silent, so the \
             servers there are unknown (port-blocked); ask the network's operator to open port {port}, or scan from elsewhere"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        let number = u8::try_from(number).unwrap();
        IpAddr::from([192, 0, number, 1])
    }

    #[test]
    fn silence_everywhere_is_ours_and_an_answer_ends_it() {
        let egress = Egress::default();
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        for number in 0..SILENT {
            assert!(egress.is_open(address(0)) && egress.complaint(25).is_none());
            egress.heard(address(number), ConnectStatus::Timeout);
            egress.heard(address(number), ConnectStatus::Timeout);
        }
        assert!(egress.is_blocked(address(0)) && egress.is_open(six), "the families are judged apart");
        assert!(egress.complaint(25).unwrap().starts_with("no IPv4 connection to port 25"));
        let trying = egress.leave(address(1)).unwrap();
        assert!(egress.leave(address(2)).is_none(), "one at a time");
        assert!(egress.leave(six).is_some());
        drop(trying);
        egress.heard(address(3), ConnectStatus::Timeout);
        assert!(egress.is_blocked(address(0)));
        egress.heard(address(3), ConnectStatus::Refused);
        assert!(!egress.is_blocked(address(0)) && egress.leave(address(2)).is_some());
    }

    #[test]
    fn one_answer_among_them_and_silence_is_the_servers_own() {
        let egress = Egress::default();
        for number in 0..100 {
            let status = if number == SILENT - 1 { ConnectStatus::Open } else { ConnectStatus::Timeout };
            egress.heard(address(number), status);
        }
        assert!(!egress.is_blocked(address(0)) && !egress.is_open(address(0)));
    }

    #[test]
    fn a_short_list_of_dead_servers_is_no_block() {
        let egress = Egress::default();
        for _ in 0..100 {
            egress.heard(address(1), ConnectStatus::Timeout);
        }
        assert!(egress.is_open(address(1)), "one network is not twenty");
        egress.close();
        assert!(!egress.is_blocked(address(1)) && !egress.is_open(address(1)));
    }
}
