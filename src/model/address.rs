//! Which addresses are public, by the IANA special-purpose registries (RFC 6890).
//! Comes in: an address and the networks the user allows. Goes out: public, or which special purpose it has.
//! Asked at the moment of connecting, on the literal address, whatever DNS said; and again by the rules.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// The purpose a block is set aside for.
    Special {
        /// The unspecified address and "this network".
        Unspecified = "unspecified",
        /// Loopback.
        Loopback = "loopback",
        /// Private use (RFC 1918, RFC 4193).
        Private = "private",
        /// Shared by carrier-grade NAT (RFC 6598).
        SharedCgn = "shared-cgn",
        /// Link-local, and the old site-local.
        LinkLocal = "link-local",
        /// IETF protocol assignments.
        Protocol = "protocol",
        /// Documentation.
        Documentation = "documentation",
        /// Benchmarking (RFC 2544, RFC 5180).
        Benchmarking = "benchmarking",
        /// 6to4, Teredo, NAT64, IPv4-mapped and -compatible.
        Transition = "transition",
        /// Multicast.
        Multicast = "multicast",
        /// Reserved, discard, broadcast, or outside `2000::/3`.
        Reserved = "reserved",
    }
}

impl Special {
    /// Whether such an address belongs to somebody's inside: the rules call these "private" (D.4, `mx-private-address`).
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Private | Self::SharedCgn | Self::LinkLocal)
    }
}

/// The first block that holds the address decides; exceptions stand before the block they are cut from.
const BLOCKS: &[(&str, Option<Special>)] = &[
    ("0.0.0.0/8", Some(Special::Unspecified)),
    ("10.0.0.0/8", Some(Special::Private)),
    ("100.64.0.0/10", Some(Special::SharedCgn)),
    ("127.0.0.0/8", Some(Special::Loopback)),
    ("169.254.0.0/16", Some(Special::LinkLocal)),
    ("172.16.0.0/12", Some(Special::Private)),
    ("192.0.0.9/32", None),
    ("192.0.0.10/32", None),
    ("192.0.0.0/24", Some(Special::Protocol)),
    ("192.0.2.0/24", Some(Special::Documentation)),
    ("192.88.99.0/24", Some(Special::Transition)),
    ("192.168.0.0/16", Some(Special::Private)),
    ("198.18.0.0/15", Some(Special::Benchmarking)),
    ("198.51.100.0/24", Some(Special::Documentation)),
    ("203.0.113.0/24", Some(Special::Documentation)),
    ("233.252.0.0/24", Some(Special::Documentation)),
    ("224.0.0.0/4", Some(Special::Multicast)),
    ("240.0.0.0/4", Some(Special::Reserved)),
    ("::/128", Some(Special::Unspecified)),
    ("::1/128", Some(Special::Loopback)),
    ("::ffff:0:0/96", Some(Special::Transition)),
    ("::/96", Some(Special::Transition)),
    ("64:ff9b::/96", Some(Special::Transition)),
    ("64:ff9b:1::/48", Some(Special::Transition)),
    ("100::/64", Some(Special::Reserved)),
    ("100:0:0:1::/64", Some(Special::Reserved)),
    ("2001::/32", Some(Special::Transition)),
    ("2001:1::1/128", None),
    ("2001:1::2/128", None),
    ("2001:1::3/128", None),
    ("2001:2::/48", Some(Special::Benchmarking)),
    ("2001:3::/32", None),
    ("2001:4:112::/48", None),
    ("2001:10::/28", Some(Special::Reserved)),
    ("2001:20::/28", None),
    ("2001:30::/28", None),
    ("2001::/23", Some(Special::Protocol)),
    ("2001:db8::/32", Some(Special::Documentation)),
    ("2002::/16", Some(Special::Transition)),
    ("3fff::/20", Some(Special::Documentation)),
    ("5f00::/16", Some(Special::Reserved)),
    ("fc00::/7", Some(Special::Private)),
    ("fe80::/10", Some(Special::LinkLocal)),
    ("fec0::/10", Some(Special::LinkLocal)),
    ("ff00::/8", Some(Special::Multicast)),
    ("2000::/3", None),
    ("::/0", Some(Special::Reserved)),
];

static TABLE: LazyLock<Vec<(IpNet, Option<Special>)>> = LazyLock::new(|| {
    BLOCKS.iter().map(|(net, kind)| (net.parse().expect("the table holds networks"), *kind)).collect()
});

/// The special-purpose networks a run treats as public (`--allow-special`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Allowed(Vec<IpNet>);

impl Allowed {
    /// These networks count as public, in every rule and for connecting.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// These and more.
    pub fn extend(&mut self, more: impl IntoIterator<Item = IpNet>) {
        self.0.extend(more);
    }

    /// The special purpose of an address; None when it is public or allowed.
    pub fn special(&self, address: IpAddr) -> Option<Special> {
        let kind = special(address)?;
        (!self.0.iter().any(|network| network.contains(&address))).then_some(kind)
    }
}

/// The special purpose of an address by the IANA registries; None when it is public.
pub fn special(address: IpAddr) -> Option<Special> {
    TABLE.iter().find(|(network, _)| network.contains(&address)).and_then(|(_, kind)| *kind)
}

/// The group that shares one pace: the IPv4 /24 or IPv6 /48 around an address (`--per-network`).
pub fn neighbourhood(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, length).expect("24 and 48 are prefix lengths of their families").trunc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_their_exceptions_are_told_apart() {
        for (address, kind) in [
            ("8.8.4.4", None),
            ("127.1.2.3", Some(Special::Loopback)),
            ("192.0.0.9", None),
            ("192.0.0.8", Some(Special::Protocol)),
            ("100.127.255.255", Some(Special::SharedCgn)),
            ("100.128.0.0", None),
            ("172.32.0.1", None),
            ("255.255.255.255", Some(Special::Reserved)),
            ("2001:4860:4860::8888", None),
            ("2001:db8::1", Some(Special::Documentation)),
            ("2001:1::2", None),
            ("2001:1::4", Some(Special::Protocol)),
            ("2001:0:5::1", Some(Special::Transition)),
            ("::ffff:8.8.8.8", Some(Special::Transition)),
            ("64:ff9b::808:808", Some(Special::Transition)),
            ("fe80::1", Some(Special::LinkLocal)),
            ("4000::1", Some(Special::Reserved)),
        ] {
            assert_eq!(special(address.parse().unwrap()), kind, "{address}");
        }
    }

    #[test]
    fn an_allowed_network_is_public_and_its_neighbours_are_not() {
        let allowed = Allowed::new(vec!["127.51.0.0/16".parse().unwrap()]);
        assert_eq!(allowed.special("127.51.100.7".parse().unwrap()), None);
        assert_eq!(allowed.special("127.0.0.1".parse().unwrap()), Some(Special::Loopback));
    }
}
