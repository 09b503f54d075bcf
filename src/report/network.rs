//! What is known of a network of an audit: a /24, or a /48 of IPv6.
//! Comes in: an address and what its row came to. Goes out: counts, of addresses too, that can be joined.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::heavy::Known;
use crate::model::finding::Code;
use crate::model::words::Overall;

/// One bit for each address of a network; those of IPv6 share them.
type Addresses = [u64; 4];

/// What is known of a network.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) servers: Addresses,
    pub(super) failing: Addresses,
    pub(super) listed: Addresses,
    pub(super) rows: u64,
    pub(super) misconfigured: u64,
    pub(super) undetermined: u64,
    /// Errors and warnings, in no order.
    pub(super) codes: Vec<(Code, u64)>,
}

impl Known for Network {
    fn weight(&self) -> u64 {
        self.misconfigured
    }

    fn join(&mut self, other: Self) {
        for (own, other) in
            [(&mut self.servers, other.servers), (&mut self.failing, other.failing), (&mut self.listed, other.listed)]
        {
            own.iter_mut().zip(other).for_each(|(own, other)| *own |= other);
        }
        self.rows += other.rows;
        self.misconfigured += other.misconfigured;
        self.undetermined += other.undetermined;
        other.codes.into_iter().for_each(|(code, rows)| self.found(code, rows));
    }
}

impl Network {
    /// Takes a row of the server at this place.
    pub(super) fn meet(&mut self, place: usize, is_listed: bool, overall: Overall) {
        let is_failing = overall == Overall::Misconfigured;
        for (addresses, holds) in
            [(&mut self.servers, true), (&mut self.failing, is_failing), (&mut self.listed, is_listed)]
        {
            *addresses.get_mut(place / 64).expect("there is a bit for each place") |= u64::from(holds) << (place % 64);
        }
        self.rows += 1;
        self.misconfigured += u64::from(is_failing);
        self.undetermined += u64::from(overall == Overall::Undetermined);
    }

    /// Counts rows that have a finding.
    pub(super) fn found(&mut self, code: Code, rows: u64) {
        match self.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += rows,
            None => self.codes.push((code, rows)),
        }
    }
}

/// Addresses that are counted.
pub(super) fn count(addresses: &Addresses) -> u64 {
    addresses.iter().map(|bits| u64::from(bits.count_ones())).sum()
}

/// The network of an address, and the address's place in it; `hash` is the address's.
pub(super) fn place_of(address: IpAddr, hash: u64) -> (IpNet, usize) {
    match address {
        IpAddr::V4(v4) => {
            let [.., last] = v4.octets();
            (Ipv4Net::new(v4, 24).expect("24 bits are not too many").trunc().into(), usize::from(last))
        }
        IpAddr::V6(v6) => {
            let [.., place] = hash.to_be_bytes();
            (Ipv6Net::new(v6, 48).expect("48 bits are not too many").trunc().into(), usize::from(place))
        }
    }
}
