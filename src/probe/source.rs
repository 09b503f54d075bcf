//! The address that packets to the Internet leave this machine from.
//! Comes in: nothing. Goes out: an address per family, where there is a route. No packet is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Public addresses that no network may do without: those of a root name server, a.root-servers.net.
const ROOT_V4: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);
const ROOT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30);

/// The IPv4 address; None without a route.
pub fn v4() -> Option<IpAddr> {
    towards((Ipv4Addr::UNSPECIFIED, 0).into(), (ROOT_V4, 53).into())
}

/// The IPv6 address; None without a route.
pub fn v6() -> Option<IpAddr> {
    towards((Ipv6Addr::UNSPECIFIED, 0).into(), (ROOT_V6, 53).into())
}

/// A socket that is connected has asked for the route, and has sent nothing.
fn towards(from: SocketAddr, to: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_address_is_told_without_a_packet() {
        let to = Ipv4Addr::new(127, 0, 0, 9);
        let loopback = towards((Ipv4Addr::UNSPECIFIED, 0).into(), (to, 53).into());
        assert!(loopback.is_some_and(|address| address.is_loopback()), "{loopback:?}");
        // From an address that is not this machine's there is no way out.
        assert_eq!(towards((Ipv4Addr::new(192, 0, 2, 1), 0).into(), (to, 53).into()), None);
    }
}
