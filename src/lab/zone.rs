//! What the DNS of the world holds.
//! Comes in: a question. Goes out: records, a denial with the zone that denies, or a failure.
//! Computed from the name on each question. How it looks on the wire, and what gets lost on it, is `dns`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::place::{self, Domain, Place, Site};
use super::scenarios::{List, Mail, Points, Reverse, Role, Server, To};
use super::world::World;

/// Record types, as on the wire.
pub(super) mod kind {
    pub(in super::super) const A: u16 = 1;
    pub(in super::super) const NS: u16 = 2;
    pub(in super::super) const CNAME: u16 = 5;
    pub(in super::super) const SOA: u16 = 6;
    pub(in super::super) const PTR: u16 = 12;
    pub(in super::super) const MX: u16 = 15;
    pub(in super::super) const TXT: u16 = 16;
    pub(in super::super) const AAAA: u16 = 28;
    pub(in super::super) const OPT: u16 = 41;
    pub(in super::super) const TLSA: u16 = 52;
}

pub(super) const NOERROR: u8 = 0;
pub(super) const SERVFAIL: u8 = 2;
pub(super) const NXDOMAIN: u8 = 3;

/// Extended errors (RFC 8914 §4).
const SIGNATURE_EXPIRED: u16 = 7;
const NO_REACHABLE_AUTHORITY: u16 = 22;

/// Length of a TXT answer that does not fit a datagram.
const BIG: usize = 3_000;

/// The data of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Ns(String),
    Cname(String),
    Soa,
    Ptr(String),
    Mx(u16, String),
    Txt(String),
    /// Usage 3, selector 1, matching 1, and this digest (RFC 6698 §2.1).
    Tlsa([u8; 32]),
}

/// An answer. Records after an alias belong to its target.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rcode: u8,
    pub(super) records: Vec<Data>,
    /// The zone that denies.
    pub(super) denied_by: Option<String>,
    pub(super) extended: Option<u16>,
    pub(super) authentic: bool,
    /// The first packet with this question is lost.
    pub(super) lost_once: bool,
}

impl Found {
    /// One address.
    pub(super) fn address(address: Ipv4Addr) -> Self {
        Self { records: vec![Data::A(address)], ..Self::default() }
    }

    fn deny(&mut self, rcode: u8, zone: impl Into<String>) {
        self.rcode = rcode;
        self.denied_by = Some(zone.into());
    }

    fn fail(&mut self, extended: Option<u16>) {
        self.rcode = SERVFAIL;
        self.extended = extended;
    }
}

/// Zones that have data of their own at their top.
const ZONES: &[&str] = &["lab.test", "other.test", "isp.test", "hoster.test", "receiver.test", "test", ""];

/// What answers questions.
#[derive(Debug, Clone)]
pub(super) struct Zones {
    world: World,
    /// SHA-256 of the key that the TLSA record names.
    key: [u8; 32],
}

impl Zones {
    pub(super) const fn new(world: World, key: [u8; 32]) -> Self {
        Self { world, key }
    }

    /// Answers one question. `name` is in lower case without a final dot; `unchecked` is the CD bit.
    pub(super) fn answer(&self, name: &str, asked: u16, unchecked: bool) -> Found {
        let mut found = Found::default();
        if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
            self.reverse(octets, asked, &mut found);
        } else if let Some(nibbles) = name.strip_suffix(".ip6.arpa") {
            self.reverse_six(nibbles, asked, &mut found);
        } else if let Some((list, labels)) = in_list(name) {
            self.list(list, labels, asked, &mut found);
        } else {
            self.forward(name, asked, unchecked, &mut found);
        }
        found
    }

    fn forward(&self, name: &str, asked: u16, unchecked: bool, found: &mut Found) {
        let zone = zone_of(name);
        if name == zone && ZONES.contains(&name) {
            return top(name, asked, found);
        }
        match (name, asked) {
            ("web9.hoster.test", kind::A) => {
                return found.records.push(Data::A(self.world.shown(Ipv4Addr::new(203, 0, 113, 62))));
            }
            ("big.lab.test", kind::TXT) => return found.records.push(Data::Txt("big ".repeat(BIG / 4))),
            (place::RECEIVER, kind::A) => {
                return found.records.push(Data::A(self.world.shown(Ipv4Addr::new(203, 0, 113, 254))));
            }
            (
                "web9.hoster.test"
                | place::RECEIVER
                | "big.lab.test"
                | "mx.lab.test"
                | "pool.isp.test"
                | "static.isp.test",
                _,
            ) => {
                return found.deny(NOERROR, zone);
            }
            ("_25._tcp.mail.s64.lab.test", _) if self.world.has(64) => {
                found.authentic = true;
                if asked == kind::TLSA {
                    found.records.push(Data::Tlsa(self.key));
                } else {
                    found.deny(NOERROR, zone);
                }
                return;
            }
            _ => {}
        }
        found.authentic = name == "s64.lab.test" || name.ends_with(".s64.lab.test");
        match self.world.find(name) {
            Some(Place::Domain(domain)) => self.domain(domain, asked, found),
            Some(Place::Exchange(domain, to)) => self.exchange(domain, to, asked, found),
            Some(Place::Server(site, role)) => self.role(site, role, asked, unchecked, found),
            None => found.deny(NXDOMAIN, zone),
        }
    }

    fn domain(&self, domain: Domain, asked: u16, found: &mut Found) {
        let Some(shape) = self.world.shape(domain) else { return found.deny(NXDOMAIN, "lab.test") };
        match (shape.mail, asked) {
            (Mail::Records(records), kind::MX) => {
                let mx = |&(preference, to)| Data::Mx(preference, self.world.exchange(domain, to));
                found.records.extend(records.iter().map(mx));
            }
            (Mail::Servfail, kind::MX) => found.fail(None),
            (Mail::Implicit | Mail::Servfail, kind::A) => match self.world.site(domain, To::Server) {
                Some(site) => self.here(site, asked, found),
                None => found.deny(NOERROR, "lab.test"),
            },
            _ => found.deny(NOERROR, "lab.test"),
        }
    }

    /// An exchange's name that is the domain's own, where its MX records have it.
    fn exchange(&self, domain: Domain, to: To, asked: u16, found: &mut Found) {
        let shape = self.world.shape(domain);
        let exists = to != To::Absent
            && shape.is_some_and(|shape| match shape.mail {
                Mail::Records(records) => records.iter().any(|(_, other)| *other == to),
                Mail::Implicit | Mail::Servfail => false,
            });
        match (exists, to, asked) {
            (true, To::Alias, _) => {
                let target = self.world.exchange(domain, To::Server);
                found.records.push(Data::Cname(target.clone()));
                if asked != kind::CNAME {
                    self.forward(&target, asked, false, found);
                }
            }
            (true, To::Private, kind::A) => found.records.push(Data::A(place::private(domain))),
            (true, To::Loopback, kind::A) => found.records.push(Data::A(Ipv4Addr::LOCALHOST)),
            (true, ..) => found.deny(NOERROR, "lab.test"),
            (false, ..) => found.deny(NXDOMAIN, "lab.test"),
        }
    }

    /// A name of a server.
    fn role(&self, site: Site, role: Role, asked: u16, unchecked: bool, found: &mut Found) {
        let zone = || zone_of(&self.world.name(site, role)).to_owned();
        let points = self.world.server(site).and_then(|server| {
            let at = server.forward.iter().find(|(other, _)| *other == role).map(|(_, points)| *points);
            at.map(|points| (server, points))
        });
        let Some((server, points)) = points else { return found.deny(NXDOMAIN, zone()) };
        match (points, asked) {
            (Points::Servfail, _) => found.fail(None),
            (Points::Bogus, _) if !unchecked => found.fail(Some(SIGNATURE_EXPIRED)),
            (Points::Alias(target), _) => {
                let target = self.world.name(site, target);
                found.records.push(Data::Cname(target.clone()));
                if asked != kind::CNAME {
                    self.forward(&target, asked, unchecked, found);
                }
            }
            (Points::Text, kind::TXT) => found.records.push(Data::Txt("v=spf1 a -all".into())),
            (Points::Here | Points::Bogus | Points::LostOnce, kind::A) => self.here(site, asked, found),
            (Points::There, kind::A) => found.records.push(Data::A(self.world.shown(place::elsewhere(site)))),
            (Points::Inside, kind::A) => found.records.push(Data::A(Ipv4Addr::new(10, 1, 2, 3))),
            (Points::Here, kind::AAAA) if self.has_six(site, server, role) => self.here(site, asked, found),
            _ => found.deny(NOERROR, zone()),
        }
        found.lost_once = points == Points::LostOnce;
    }

    fn has_six(&self, site: Site, server: &Server, role: Role) -> bool {
        let Site::Main(number) = site else { return false };
        self.world.server(Site::Six(number)).is_some() && server.six.as_ref().is_some_and(|six| six.name == role)
    }

    fn here(&self, site: Site, asked: u16, found: &mut Found) {
        match (site, asked, self.world.address(site)) {
            (Site::Main(number), kind::AAAA, _) => found.records.push(Data::Aaaa(place::v6(number))),
            (_, kind::A, IpAddr::V4(v4)) => found.records.push(Data::A(v4)),
            _ => found.deny(NOERROR, "lab.test"),
        }
    }

    /// A name below in-addr.arpa. `octets` are the labels in front.
    fn reverse(&self, octets: &str, asked: u16, found: &mut Found) {
        let (classless, octets_only) = match octets.split_once('.') {
            // RFC 2317 §4: the host's octet stands before the label of its block.
            Some((own, rest)) if rest.split('.').next().is_some_and(|label| label.contains('-')) => {
                (true, rest.split_once('.').map(|(block, net)| (block, format!("{own}.{net}"))))
            }
            _ => (false, Some(("", octets.to_owned()))),
        };
        let Some((block, plain)) = octets_only else { return found.deny(NXDOMAIN, reverse_zone(octets)) };
        let server = place::reversed(&plain).and_then(|v4| Some((v4, self.world.at(IpAddr::V4(v4))?)));
        let zone = reverse_zone(&plain);
        let Some((v4, (site, server))) = server else { return found.deny(NXDOMAIN, zone) };
        let names =
            |roles: &[Role]| roles.iter().map(|&role| Data::Ptr(self.world.name(site, role))).collect::<Vec<_>>();
        let child = format!("{}.{}", block_of(v4), plain.split_once('.').map_or("", |(_, net)| net));
        let alias = format!("{}.{child}.in-addr.arpa", v4.octets()[3]);
        match (server.reverse, classless, asked) {
            (Reverse::Names(roles), false, kind::PTR) => found.records.extend(names(roles)),
            (Reverse::Names(_), false, _) => found.deny(NOERROR, zone),
            (Reverse::ZoneMissing, false, _) => {
                found.deny(NXDOMAIN, format!("{}.in-addr.arpa", v4.octets()[0]));
            }
            (Reverse::Lame, false, _) => found.fail(Some(NO_REACHABLE_AUTHORITY)),
            (Reverse::Classless(_) | Reverse::ClasslessBroken, false, kind::CNAME) => {
                found.records.push(Data::Cname(alias));
            }
            (Reverse::Classless(role), false, kind::PTR) => {
                found.records.push(Data::Cname(alias));
                found.records.extend(names(&[role]));
            }
            (Reverse::Classless(_), false, _) => {
                found.records.push(Data::Cname(alias));
                found.deny(NOERROR, format!("{child}.in-addr.arpa"));
            }
            (Reverse::ClasslessBroken, false, _) => {
                found.records.push(Data::Cname(alias));
                found.deny(NXDOMAIN, format!("{child}.in-addr.arpa"));
            }
            (Reverse::Classless(role), true, kind::PTR) if block == block_of(v4) => {
                found.records.extend(names(&[role]));
            }
            _ => found.deny(NXDOMAIN, zone),
        }
    }

    /// A name below ip6.arpa.
    fn reverse_six(&self, nibbles: &str, asked: u16, found: &mut Found) {
        const OWN: &str = "5.2.0.0.8.b.d.0.1.0.0.2";
        let zone = if nibbles == OWN || nibbles.ends_with(".5.2.0.0.8.b.d.0.1.0.0.2") {
            "5.2.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        } else {
            "ip6.arpa"
        };
        let server = place::reversed_nibbles(nibbles).and_then(|v6| self.world.at(IpAddr::V6(v6)));
        let six = server.and_then(|(site, server)| Some((site, server.six.as_ref()?)));
        match six {
            Some((site, six)) if six.reverse && asked == kind::PTR => {
                found.records.push(Data::Ptr(self.world.name(site, six.name)));
            }
            Some((_, six)) if six.reverse => found.deny(NOERROR, zone),
            _ => found.deny(NXDOMAIN, zone),
        }
    }

    /// A question to a blocklist: reversed octets or nibbles in front of its zone (RFC 5782 §2.1, §2.4).
    fn list(&self, list: List, labels: &str, asked: u16, found: &mut Found) {
        let zone = format!("{}.lab.test", list.label());
        if labels.is_empty() {
            return match asked {
                kind::SOA | kind::NS => top(&zone, asked, found),
                _ => found.deny(NOERROR, zone),
            };
        }
        let v4 = place::reversed(labels);
        let address =
            v4.map(IpAddr::V4).or_else(|| place::reversed_nibbles(labels).map(|v6| IpAddr::V6(v6).to_canonical()));
        let Some(address) = address else { return found.deny(NXDOMAIN, zone) };
        let entry = if address == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)) {
            Some(list.code())
        } else {
            // An entry is for one address: over IPv6 the same server has a better name.
            let server = self.world.at(address).filter(|(site, _)| !matches!(site, Site::Six(_)));
            let listed = server.map_or(&[][..], |(_, server)| server.listed);
            listed.iter().find(|(other, _)| *other == list).map(|(_, code)| *code)
        };
        match (entry, asked) {
            (None, _) => found.deny(NXDOMAIN, zone),
            (Some(code), kind::A) => found.records.push(Data::A(Ipv4Addr::from(code))),
            (Some(_), kind::TXT) => {
                found.records.push(Data::Txt(format!("listed, see https://{zone}/lookup?{address}")));
            }
            (Some(_), _) => found.deny(NOERROR, zone),
        }
    }
}

/// The list below whose zone a name stands, and the labels in front.
fn in_list(name: &str) -> Option<(List, &str)> {
    let inner = name.strip_suffix(".lab.test")?;
    let (labels, label) = inner.rsplit_once('.').unwrap_or(("", inner));
    List::ALL.into_iter().find(|list| list.label() == label).map(|list| (list, labels))
}

/// The zone that holds a forward name.
fn zone_of(name: &str) -> &'static str {
    let within = |zone: &&&str| {
        zone.is_empty() || name == **zone || name.strip_suffix(**zone).is_some_and(|head| head.ends_with('.'))
    };
    ZONES.iter().find(within).copied().unwrap_or("")
}

/// SOA and NS at the top of a zone.
fn top(zone: &str, asked: u16, found: &mut Found) {
    match asked {
        kind::SOA => found.records.push(Data::Soa),
        kind::NS => found.records.push(Data::Ns("ns.lab.test".into())),
        _ => found.deny(NOERROR, zone),
    }
}

/// The zone that holds a reverse name: two octets deep for the bulk world, three for the scenarios, else a registry's.
fn reverse_zone(octets: &str) -> String {
    let mut labels = octets.rsplit('.');
    let (a, b, c) = (labels.next().unwrap_or(""), labels.next().unwrap_or(""), labels.next().unwrap_or(""));
    match (a, b, c) {
        ("198" | "127", "18" | "19", _) => format!("{b}.{a}.in-addr.arpa"),
        ("198" | "127", "51", "100") | ("203", "0", "113") | ("127", "113", "0") => format!("{c}.{b}.{a}.in-addr.arpa"),
        _ => format!("{a}.in-addr.arpa"),
    }
}

/// The label of the block of 32 addresses around an address.
fn block_of(address: Ipv4Addr) -> String {
    let first = address.octets()[3] & !31;
    format!("{first}-{}", first + 31)
}

#[cfg(test)]
mod tests {
    use super::super::{Numbering, Settings};
    use super::*;

    fn zones(numbering: Numbering) -> Zones {
        let settings = Settings { domains: 5_000, servers: 1_000, numbering, ..Settings::default() };
        Zones::new(World::new(&settings, true), [7; 32])
    }

    fn records(name: &str, asked: u16) -> Vec<Data> {
        zones(Numbering::Reserved).answer(name, asked, false).records
    }

    fn a(text: &str) -> Vec<Data> {
        vec![Data::A(text.parse().unwrap())]
    }

    #[test]
    fn scenarios_have_the_records_they_tell_of() {
        assert_eq!(records("s01.lab.test", kind::MX), [Data::Mx(10, "mail.s01.lab.test".into())]);
        assert_eq!(records("mail.s01.lab.test", kind::A), a("198.51.100.1"));
        assert_eq!(records("1.100.51.198.in-addr.arpa", kind::PTR), [Data::Ptr("mail.s01.lab.test".into())]);
        assert_eq!(records("mail.s02.lab.test", kind::AAAA), [Data::Aaaa("2001:db8:25::2".parse().unwrap())]);
        assert_eq!(records("h18.other.test", kind::A), a("198.51.100.18"));
        assert_eq!(records("mail.s18.lab.test", kind::A), a("203.0.113.18"));
        assert_eq!(records("s40.lab.test", kind::MX), [Data::Mx(0, String::new())]);
        assert_eq!(records("s38.lab.test", kind::MX), [Data::Mx(10, "198.51.100.38".into())]);
        assert_eq!(records("private.s42.lab.test", kind::A), a("192.168.7.42"));
        assert_eq!(records("s44.lab.test", kind::A), a("198.51.100.44"));
        assert_eq!(records("dsl-198-51-100-33.pool.isp.test", kind::A), a("198.51.100.33"));
        assert_eq!(records("49.100.51.198.bl1.lab.test", kind::A), a("127.0.0.2"));
        assert_eq!(records("53.100.51.198.bl2.lab.test", kind::A), a("203.0.113.80"));
        assert_eq!(records("2.0.0.127.wl.lab.test", kind::A), a("127.0.5.1"));
    }

    #[test]
    fn aliases_bring_what_they_lead_to() {
        let canonical = Data::Cname("mail.s37.lab.test".into());
        assert_eq!(records("alias.s37.lab.test", kind::A), [canonical.clone(), a("198.51.100.37").remove(0)]);
        assert_eq!(records("alias.s37.lab.test", kind::AAAA), [canonical]);
        let alias = Data::Cname("29.0-31.100.51.198.in-addr.arpa".into());
        let name = Data::Ptr("mail.s29.lab.test".into());
        assert_eq!(records("29.100.51.198.in-addr.arpa", kind::PTR), [alias, name.clone()]);
        assert_eq!(records("29.0-31.100.51.198.in-addr.arpa", kind::PTR), [name]);
        let broken = zones(Numbering::Reserved).answer("30.100.51.198.in-addr.arpa", kind::PTR, false);
        assert_eq!((broken.rcode, broken.records.len()), (NXDOMAIN, 1));
    }

    #[test]
    fn denials_name_the_zone_that_denies() {
        for (name, asked, rcode, zone) in [
            ("26.100.51.198.in-addr.arpa", kind::PTR, NXDOMAIN, "100.51.198.in-addr.arpa"),
            ("27.2.0.192.in-addr.arpa", kind::PTR, NXDOMAIN, "192.in-addr.arpa"),
            ("3.2.1.8.in-addr.arpa", kind::PTR, NXDOMAIN, "8.in-addr.arpa"),
            ("9.9.18.198.in-addr.arpa", kind::PTR, NXDOMAIN, "18.198.in-addr.arpa"),
            ("mail.s01.lab.test", kind::AAAA, NOERROR, "lab.test"),
            ("smtp.s16.lab.test", kind::A, NXDOMAIN, "lab.test"),
            ("smtp.s17.lab.test", kind::A, NOERROR, "lab.test"),
            ("mail.gone-s45.test", kind::A, NXDOMAIN, "test"),
            ("gone-s45.test", kind::SOA, NXDOMAIN, "test"),
            ("mail.s15.nosuchtld99", kind::A, NXDOMAIN, ""),
            ("1.100.51.198.bl1.lab.test", kind::A, NXDOMAIN, "bl1.lab.test"),
            (
                "5.3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.2.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                kind::PTR,
                NXDOMAIN,
                "5.2.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            ),
        ] {
            let found = zones(Numbering::Reserved).answer(name, asked, false);
            assert_eq!((found.rcode, found.denied_by.as_deref()), (rcode, Some(zone)), "{name}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let zones = zones(Numbering::Reserved);
        let of = |name, unchecked| {
            let found = zones.answer(name, kind::A, unchecked);
            (found.rcode, found.extended, found.records.len())
        };
        assert_eq!(of("mail.dead.s22.lab.test", false), (SERVFAIL, None, 0));
        assert_eq!(of("mail.bogus.s24.lab.test", false), (SERVFAIL, Some(7), 0));
        assert_eq!(of("mail.bogus.s24.lab.test", true), (NOERROR, None, 1));
        assert_eq!(of("28.100.51.198.in-addr.arpa", false), (SERVFAIL, Some(22), 0));
        assert!(zones.answer("smtp.s23.lab.test", kind::A, false).lost_once);
    }

    #[test]
    fn the_other_numbering_leads_to_loopback_throughout() {
        let zones = zones(Numbering::Loopback);
        let of = |name, asked| zones.answer(name, asked, false).records;
        assert_eq!(of("mail.s01.lab.test", kind::A), a("127.51.100.1"));
        assert_eq!(of("1.100.51.127.in-addr.arpa", kind::PTR), [Data::Ptr("mail.s01.lab.test".into())]);
        assert_eq!(of("33.100.51.127.in-addr.arpa", kind::PTR), [Data::Ptr("dsl-127-51-100-33.pool.isp.test".into())]);
        assert_eq!(of("dsl-127-51-100-33.pool.isp.test", kind::A), a("127.51.100.33"));
        assert_eq!(of("s38.lab.test", kind::MX), [Data::Mx(10, "127.51.100.38".into())]);
        assert_eq!(
            zones.answer("27.0.2.127.in-addr.arpa", kind::PTR, false).denied_by.as_deref(),
            Some("127.in-addr.arpa")
        );
        assert_eq!(of("mail.s02.lab.test", kind::A), []);
    }

    #[test]
    fn any_name_gets_an_answer() {
        let zones = zones(Numbering::Reserved);
        for name in [
            "",
            "test",
            "a",
            ".",
            "...",
            "-.mx.lab.test",
            "1.in-addr.arpa",
            "x.y-z",
            "1.0-31.in-addr.arpa",
            "mail-4294967295.mx.lab.test",
        ] {
            for asked in [kind::A, kind::MX, kind::PTR, kind::NS, kind::SOA, 255] {
                let found = zones.answer(name, asked, false);
                assert!(!found.records.is_empty() || found.denied_by.is_some(), "{name} {asked}");
            }
        }
    }
}
