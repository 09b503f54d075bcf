//! Who must never be contacted.
//! Comes in: names, addresses and networks. Goes out: yes or no, fast enough for every probe.
//! Asked for a target when it is planned, and for an address again in the line before the connection.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::name::{Name, NameError};
use super::target::parse_network;

/// Domains, addresses and networks never to be contacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    names: HashSet<Name>,
    v4: Ranges,
    v6: Ranges,
}

impl Exclusions {
    /// Excludes a name and all below it, or an address, or a network (host bits are dropped: all of it is meant).
    pub fn add(&mut self, text: &str) -> Result<(), NameError> {
        match parse_network(text) {
            Some(IpNet::V4(network)) => {
                self.v4.0.push((u32::from(network.network()).into(), u32::from(network.broadcast()).into()));
            }
            Some(IpNet::V6(network)) => self.v6.0.push((network.network().into(), network.broadcast().into())),
            None => {
                let bare = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
                self.names.insert(Name::parse(bare)?);
            }
        }
        Ok(())
    }

    /// Makes the addresses ready to be asked for, after the last `add`.
    pub fn seal(&mut self) {
        self.v4.merge();
        self.v6.merge();
    }

    /// Whether this name, or one above it, is excluded.
    pub fn covers_name(&self, name: &Name) -> bool {
        let mut next = (!self.names.is_empty()).then(|| name.clone());
        while let Some(name) = next {
            if self.names.contains(&name) {
                return true;
            }
            next = name.parent();
        }
        false
    }

    /// Whether this address is excluded; an IPv4-mapped one counts as IPv4.
    pub fn covers_address(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.contains(u32::from(v4).into()),
            IpAddr::V6(v6) => self.v6.contains(v6.into()),
        }
    }

    /// Whether nothing is excluded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// First and last addresses; after `merge` sorted, with gaps between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    fn merge(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|later, earlier| {
            let joined = later.0 <= earlier.1.saturating_add(1);
            if joined {
                earlier.1 = earlier.1.max(later.1);
            }
            joined
        });
    }

    fn contains(&self, address: u128) -> bool {
        let above = self.0.partition_point(|(first, _)| *first <= address);
        above.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| address <= *last)
    }
}
