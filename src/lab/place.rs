//! Where things stand: the addresses of servers, the names of servers and domains, and back again.
//! Comes in: a server or a domain of the world. Goes out: its address or name; or from those, what they belong to.
//! Computed both ways: nothing is stored per server or domain.
//! Whether a thing is part of this run's world is `world`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::scenarios::{Role, To};

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Site {
    /// A scenario's server.
    Main(u8),
    /// A scenario's second server.
    Second(u8),
    /// A scenario's server over IPv6.
    Six(u8),
    /// A server of the bulk world, from 0.
    Bulk(u32),
}

/// A domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Domain {
    /// A scenario's.
    Scenario(u8),
    /// One of the bulk world, from 0.
    Bulk(u64),
    /// The one around a server of the bulk world: it leads to that server only.
    Around(u32),
}

/// What a forward name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A name of a server.
    Server(Site, Role),
    /// A domain.
    Domain(Domain),
    /// An exchange's name that belongs to a domain, not to a server.
    Exchange(Domain, To),
}

/// The receiver that has recorded what clients called themselves.
pub(super) const RECEIVER: &str = "mx.receiver.test";
/// The scenario whose server stands where no reverse zone is.
const ZONELESS: u8 = 27;
/// How many servers the bulk world has room for: 198.18.0.0/15 less its first address.
pub(super) const ROOM: u32 = (1 << 17) - 1;

/// The address of a server, in the numbering of documentation and benchmarking nets; None over IPv6.
pub(super) fn v4(site: Site) -> Option<Ipv4Addr> {
    match site {
        Site::Main(ZONELESS) => Some(Ipv4Addr::new(192, 0, 2, ZONELESS)),
        Site::Main(number) => Some(Ipv4Addr::new(198, 51, 100, number)),
        Site::Second(number) => Some(Ipv4Addr::new(203, 0, 113, number)),
        Site::Six(_) => None,
        Site::Bulk(server) => Some(Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 1).to_bits().wrapping_add(server))),
    }
}

/// Another address than the server's: nobody's, or another server's.
pub(super) fn elsewhere(site: Site) -> Ipv4Addr {
    match site {
        Site::Main(number) | Site::Second(number) | Site::Six(number) => Ipv4Addr::new(203, 0, 113, number),
        Site::Bulk(server) => Ipv4Addr::new(203, 0, 113, u8::try_from(server % 100).unwrap_or(0) + 101),
    }
}

/// The private address of a domain's exchange, where it has one.
pub(super) fn private(domain: Domain) -> Ipv4Addr {
    let last = match domain {
        Domain::Scenario(number) => number,
        Domain::Bulk(index) => u8::try_from(index % 250).unwrap_or(0) + 1,
        Domain::Around(_) => 1,
    };
    Ipv4Addr::new(192, 168, 7, last)
}

/// The server at an address of the same numbering.
pub(super) fn site(address: Ipv4Addr) -> Option<Site> {
    match address.octets() {
        [192, 0, 2, ZONELESS] => Some(Site::Main(ZONELESS)),
        [198, 51, 100, ZONELESS] => None,
        [198, 51, 100, number] => Some(Site::Main(number)),
        [203, 0, 113, number] => Some(Site::Second(number)),
        [198, 18 | 19, _, _] => address.to_bits().checked_sub(Ipv4Addr::new(198, 18, 0, 1).to_bits()).map(Site::Bulk),
        _ => None,
    }
}

/// The IPv6 address of a scenario's server: its number, read as if it were hexadecimal.
pub(super) fn v6(number: u8) -> Ipv6Addr {
    let digits = u16::from(number / 10) << 4 | u16::from(number % 10);
    Ipv6Addr::new(0x2001, 0xdb8, 0x25, 0, 0, 0, 0, digits)
}

/// The server at an IPv6 address.
pub(super) fn site_v6(address: Ipv6Addr) -> Option<Site> {
    let number = u8::try_from(address.segments()[7]).ok()?;
    let number = (number >> 4).checked_mul(10)?.checked_add(number & 15)?;
    (v6(number) == address).then_some(Site::Six(number))
}

/// Where an address of documentation or benchmarking nets is on the loopback device.
pub(super) const fn to_loopback(address: Ipv4Addr) -> Option<Ipv4Addr> {
    Some(match address.octets() {
        [198, 51, 100, n] => Ipv4Addr::new(127, 51, 100, n),
        [203, 0, 113, n] => Ipv4Addr::new(127, 113, 0, n),
        [192, 0, 2, n] => Ipv4Addr::new(127, 2, 0, n),
        [198, net @ (18 | 19), a, b] => Ipv4Addr::new(127, net, a, b),
        _ => return None,
    })
}

/// The way back.
pub(super) const fn from_loopback(address: Ipv4Addr) -> Option<Ipv4Addr> {
    Some(match address.octets() {
        [127, 51, 100, n] => Ipv4Addr::new(198, 51, 100, n),
        [127, 113, 0, n] => Ipv4Addr::new(203, 0, 113, n),
        [127, 2, 0, n] => Ipv4Addr::new(192, 0, 2, n),
        [127, net @ (18 | 19), a, b] => Ipv4Addr::new(198, net, a, b),
        _ => return None,
    })
}

/// The networks above, in both numberings.
pub(super) const NETWORKS: [(&str, &str); 4] = [
    ("198.51.100.0/24", "127.51.100.0/24"),
    ("203.0.113.0/24", "127.113.0.0/24"),
    ("192.0.2.0/24", "127.2.0.0/24"),
    ("198.18.0.0/15", "127.18.0.0/15"),
];

/// First labels of names that follow no template: of a scenario, and of the bulk world.
const PREFIXES: &[(Role, &str, &str)] = &[
    (Role::Mail, "mail", "mail"),
    (Role::Mx, "mx", "mx"),
    (Role::Smtp, "smtp", "smtp"),
    (Role::Node, "n1", "n1"),
    (Role::Underscore, "mail_out", "mail_out"),
    (Role::Dead, "mail.dead", "dead"),
    (Role::Bogus, "mail.bogus", "bogus"),
    (Role::Backup, "mx1", "mx1"),
    (Role::Client, "mta7", "mta7"),
    // A domain has no prefix in a scenario, and must have one among the bulk servers.
    (Role::Domain, "", "dom"),
];

/// First labels of exchanges that belong to a domain.
const EXCHANGES: &[(To, &str)] =
    &[(To::Alias, "alias"), (To::Absent, "nx"), (To::Private, "private"), (To::Loopback, "loopback")];

/// The name of a server in a role; `address` is the address as the world shows it.
pub(super) fn server_name(site: Site, role: Role, address: IpAddr) -> String {
    if let (Role::Dynamic | Role::Static, IpAddr::V4(v4)) = (role, address) {
        let [a, b, c, d] = v4.octets();
        return match role {
            Role::Dynamic => format!("dsl-{a}-{b}-{c}-{d}.pool.isp.test"),
            _ => format!("{d}.{c}.{b}.{a}.static.isp.test"),
        };
    }
    let prefix = PREFIXES.iter().find(|(other, ..)| *other == role);
    let (scenario, bulk) = prefix.map_or(("", ""), |(_, scenario, bulk)| (*scenario, *bulk));
    match (site, role) {
        (Site::Bulk(server), Role::Foreign) => format!("gate-{server}.other.test"),
        (Site::Bulk(server), _) => format!("{bulk}-{server}.mx.lab.test"),
        (Site::Main(number) | Site::Second(number) | Site::Six(number), Role::Foreign) => {
            format!("h{number:02}.other.test")
        }
        (Site::Main(number) | Site::Second(number) | Site::Six(number), Role::Domain) => {
            domain_name(Domain::Scenario(number))
        }
        (Site::Main(number) | Site::Second(number) | Site::Six(number), _) => {
            format!("{scenario}.s{number:02}.lab.test")
        }
    }
}

/// The name of a domain.
pub(super) fn domain_name(domain: Domain) -> String {
    match domain {
        Domain::Scenario(number) => format!("s{number:02}.lab.test"),
        Domain::Bulk(index) => format!("d{index}.lab.test"),
        Domain::Around(server) => format!("dom-{server}.mx.lab.test"),
    }
}

/// The exchange name that belongs to a domain; the server's exchanges and the root are not of this kind.
pub(super) fn exchange_name(domain: Domain, to: To) -> String {
    let own = domain_name(domain);
    match EXCHANGES.iter().find(|(other, _)| *other == to) {
        Some((_, prefix)) => format!("{prefix}.{own}"),
        None => format!("mail.gone-{}.test", own.split('.').next().unwrap_or("")),
    }
}

/// What a name in lower case is, by its form. None for names the world never gives out, for those in unregistered domains,
/// and for those of templates over addresses, which `templated` reads.
pub(super) fn find(name: &str) -> Option<Place> {
    if let Some(label) = name.strip_suffix(".other.test") {
        let site = match label.strip_prefix("gate-") {
            Some(server) => Site::Bulk(number(server)?),
            None => Site::Main(scenario_number(label.strip_prefix('h')?)?),
        };
        return Some(Place::Server(site, Role::Foreign));
    }
    let inner = name.strip_suffix(".lab.test")?;
    if let Some(first) = inner.strip_suffix(".mx") {
        let (prefix, server) = first.rsplit_once('-')?;
        let server = number(server)?;
        let (role, ..) = PREFIXES.iter().find(|(.., bulk)| *bulk == prefix)?;
        return Some(match role {
            Role::Domain => Place::Domain(Domain::Around(server)),
            role => Place::Server(Site::Bulk(server), *role),
        });
    }
    let (prefix, label) = inner.rsplit_once('.').unwrap_or(("", inner));
    let domain = match label.split_at_checked(1)? {
        ("s", digits) => Domain::Scenario(scenario_number(digits)?),
        ("d", digits) => Domain::Bulk(number(digits)?),
        _ => return None,
    };
    if prefix.is_empty() {
        return Some(Place::Domain(domain));
    }
    if let Some((to, _)) = EXCHANGES.iter().find(|(_, other)| *other == prefix) {
        return Some(Place::Exchange(domain, *to));
    }
    let Domain::Scenario(number) = domain else { return None };
    let (role, ..) = PREFIXES.iter().find(|(_, scenario, _)| *scenario == prefix)?;
    let site = if matches!(role, Role::Backup | Role::Client) { Site::Second(number) } else { Site::Main(number) };
    Some(Place::Server(site, *role))
}

/// The address in a provider's template, and which template.
pub(super) fn templated(name: &str) -> Option<(Ipv4Addr, Role)> {
    if let Some(label) = name.strip_suffix(".pool.isp.test") {
        return Some((label.strip_prefix("dsl-")?.replace('-', ".").parse().ok()?, Role::Dynamic));
    }
    let octets = name.strip_suffix(".static.isp.test")?;
    Some((reversed(octets)?, Role::Static))
}

/// The address whose octets stand in reverse order.
pub(super) fn reversed(octets: &str) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = octets.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(d, c, b, a))
}

/// The address whose 32 nibbles stand in reverse order.
pub(super) fn reversed_nibbles(nibbles: &str) -> Option<Ipv6Addr> {
    let mut bits = 0_u128;
    let mut count = 0;
    for (at, label) in nibbles.split('.').enumerate() {
        let digit = label.chars().next().filter(|_| label.len() == 1)?.to_digit(16)?;
        bits |= u128::from(digit).checked_shl(u32::try_from(at).ok()? * 4)?;
        count = at + 1;
    }
    (count == 32).then(|| Ipv6Addr::from_bits(bits))
}

/// A number in its shortest form.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain)
}

/// The number of a scenario: two digits.
fn scenario_number(digits: &str) -> Option<u8> {
    let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back_to_their_servers() {
        for site_of in [Site::Main(1), Site::Main(27), Site::Second(46), Site::Bulk(0), Site::Bulk(ROOM - 1)] {
            let address = v4(site_of).unwrap();
            assert_eq!(site(address), Some(site_of));
            assert_eq!(from_loopback(to_loopback(address).unwrap()), Some(address));
        }
        assert_eq!(v6(35), "2001:db8:25::35".parse::<Ipv6Addr>().unwrap());
        assert_eq!(site_v6(v6(35)), Some(Site::Six(35)));
        assert_eq!(site_v6("2001:db8:25::3a".parse().unwrap()), None);
        assert_eq!(site(Ipv4Addr::new(8, 8, 8, 8)), None);
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for site in [Site::Main(7), Site::Bulk(0), Site::Bulk(99_999)] {
            let address = IpAddr::V4(v4(site).unwrap());
            for role in [Role::Mail, Role::Mx, Role::Node, Role::Underscore, Role::Dead, Role::Foreign] {
                let name = server_name(site, role, address);
                assert_eq!(find(&name), Some(Place::Server(site, role)), "{name}");
            }
            for role in [Role::Dynamic, Role::Static] {
                let name = server_name(site, role, address);
                assert_eq!(templated(&name).map(|(v4, role)| (IpAddr::V4(v4), role)), Some((address, role)), "{name}");
            }
        }
        for domain in [Domain::Scenario(7), Domain::Bulk(123_456), Domain::Around(5)] {
            assert_eq!(find(&domain_name(domain)), Some(Place::Domain(domain)));
        }
        let alias = exchange_name(Domain::Bulk(8), To::Alias);
        assert_eq!(find(&alias), Some(Place::Exchange(Domain::Bulk(8), To::Alias)), "{alias}");
        assert_eq!(find("mta7.s66.lab.test"), Some(Place::Server(Site::Second(66), Role::Client)));
    }

    #[test]
    fn names_nobody_gave_out_belong_to_nobody() {
        for name in
            ["", "lab.test", "d01.lab.test", "d.lab.test", "s7.lab.test", "x.d1.lab.test", "mail-01.mx.lab.test"]
        {
            assert_eq!(find(name), None, "{name}");
        }
        for name in ["dsl-1-2-3.pool.isp.test", "1.2.3.static.isp.test"] {
            assert_eq!(templated(name), None, "{name}");
        }
    }

    #[test]
    fn nibbles_are_read_backwards() {
        let name = crate::model::dns::reverse_name(IpAddr::V6(v6(35)));
        let nibbles = name.as_str().strip_suffix(".ip6.arpa").unwrap();
        assert_eq!(reversed_nibbles(nibbles), Some(v6(35)));
        assert_eq!(reversed_nibbles("1.2"), None);
        assert_eq!(reversed_nibbles(&format!("0.{nibbles}")), None);
    }
}
