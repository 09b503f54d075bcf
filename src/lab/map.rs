//! Where an address of the world is dialled.
//! Comes in: an address out of the world's DNS. Goes out: an endpoint on the loopback device, always.
//! Pure and cheap: a connector asks it for each connection. An address the world does not have leads to a closed port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Numbering;
use super::place;
use super::scenarios::Speech;
use super::world::World;

/// The mapping of a running lab.
#[derive(Debug)]
pub struct Map {
    pub(super) world: World,
    /// Where all servers over IPv4 listen.
    pub(super) port: u16,
    /// Where nobody listens, and nobody else can.
    pub(super) closed: u16,
    /// Where connections are never answered.
    pub(super) silent: Option<SocketAddr>,
    /// Where the servers over IPv6 listen, by the number of their scenario.
    pub(super) six: Vec<(u8, SocketAddr)>,
}

impl Map {
    /// The endpoint to dial for a server at `address`. The port is the lab's own, whatever port a scan was told.
    pub fn endpoint(&self, address: IpAddr, _port: u16) -> SocketAddr {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, self.closed));
        let v4 = match address.to_canonical() {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(v6) => {
                let found = self.six.iter().find(|(number, _)| place::v6(*number) == v6);
                return found.map_or(nowhere, |(_, endpoint)| *endpoint);
            }
        };
        let home = match self.world.numbering() {
            Numbering::Reserved => place::to_loopback(v4),
            // The outside tools that this numbering is for dial the address itself.
            Numbering::Loopback => place::from_loopback(v4).map(|_| v4),
        };
        let speech = self.world.at(IpAddr::V4(v4)).map(|(_, server)| server.speech);
        match (home, speech, self.silent) {
            (Some(_), Some(Speech::Silent), Some(silent)) => silent,
            (Some(home), Some(Speech::Refuses) | None, _) => SocketAddr::from((home, self.closed)),
            (Some(home), Some(_), _) => SocketAddr::from((home, self.port)),
            (None, ..) => nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn whatever_is_dialled_is_on_loopback() {
        let settings = Settings { domains: 1_000, servers: 100, ..Settings::default() };
        let map = Map { world: World::new(&settings, false), port: 2525, closed: 1, silent: None, six: Vec::new() };
        for (address, endpoint) in [
            ("198.51.100.7", "127.51.100.7:2525"),
            ("203.0.113.46", "127.113.0.46:1"),
            ("203.0.113.57", "127.113.0.57:2525"),
            ("203.0.113.7", "127.113.0.7:1"),
            ("192.0.2.27", "127.2.0.27:2525"),
            ("192.0.2.28", "127.2.0.28:1"),
            ("8.8.4.4", "127.0.0.1:1"),
            ("127.0.0.1", "127.0.0.1:1"),
            ("2001:db8:25::2", "127.0.0.1:1"),
            ("198.19.255.255", "127.19.255.255:1"),
        ] {
            assert_eq!(map.endpoint(address.parse().unwrap(), 25), endpoint.parse().unwrap(), "{address}");
        }
    }
}
