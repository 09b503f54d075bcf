//! Whether a PTR name was chosen by somebody or made from the address by a template.
//! Comes in: a PTR name and the address it stands for. Goes out: a class, the score behind it, and the reasons.
//! Only the labels below the organisational domain speak: the provider's own name is no evidence.
//! Pure and quick: every PTR name of a run comes through here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::tables::{PtrSets, Tables};
use crate::model::words::PtrClass;

/// From this score on a name counts as made by a template.
const GENERIC: i32 = 45;

/// What a PTR name says about its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generic {
    /// Named, or made by a template in fixed or in pool space; never `None`.
    pub class: PtrClass,
    /// The sum of the evidence; from 45 on the name is generic.
    pub score: i32,
    /// In place of a list: every name of a run gets one, and few of them are ever shown.
    reasons: [Option<&'static str>; REASONS],
}

/// The address or a serial number, two words of access lines, any machine, fixed, mail.
const REASONS: usize = 6;

/// Scores a PTR name against its address, by the words of the tables in force.
pub fn classify(name: &Name, address: IpAddr, naming: Naming) -> Generic {
    let host = naming.host_part(name).as_bytes();
    let mut seen = Words::new(naming.tables());
    for part in parts(host) {
        seen.part(part);
    }
    let found = match address.to_canonical() {
        IpAddr::V4(v4) => in_v4(host, v4),
        IpAddr::V6(v6) => in_v6(host, v6),
    };
    let serial = || looks_random(host).then_some(Found { points: 15, reason: "a serial number for a name" });
    let said = |holds: bool, points, reason| holds.then_some(Found { points, reason });
    let evidence = [
        found.or_else(serial),
        said(seen.access.is_some(), 40, "a word of pools or access lines"),
        said(seen.access.is_some_and(|(_, second)| second), 10, "a second such word"),
        said(seen.sets.any(PtrSets::GENERIC), 15, "a word for any machine"),
        said(seen.sets.any(FIXED), 15, "a word of fixed addresses"),
        said(seen.mail, -40, "a word of mail servers"),
    ];
    let score = evidence.iter().flatten().map(|found| found.points).sum();
    let class = if score < GENERIC {
        PtrClass::Named
    } else {
        let said = seen.sets.any(PtrSets::EXPLICIT) && !seen.sets.any(PtrSets::ALLOC);
        let meant = seen.sets.any(FIXED) && !seen.sets.any(ACCESS);
        if said || meant { PtrClass::GenericStatic } else { PtrClass::GenericDynamic }
    };
    Generic { class, score, reasons: evidence.map(|found| found.map(|found| found.reason)) }
}

/// Words of fixed addresses.
const FIXED: PtrSets = PtrSets::STATIC.and(PtrSets::EXPLICIT);
/// Words of pools and access lines.
const ACCESS: PtrSets = PtrSets::ALLOC.and(PtrSets::TECH);

impl Generic {
    /// What added to the sum or took from it, in words for a person.
    pub fn reasons(&self) -> impl Iterator<Item = &'static str> {
        self.reasons.into_iter().flatten()
    }
}

/// The runs of letters and digits.
fn parts(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    host.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
}

/// The runs of letters, or of digits, inside a text.
fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|a, b| {
        a.is_ascii_digit() == b.is_ascii_digit() && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()
    })
}

/// A first label that is long and hexadecimal, or half of digits.
fn looks_random(host: &[u8]) -> bool {
    let first = host.split(|byte| *byte == b'.').next().unwrap_or_default();
    let digits = first.iter().filter(|byte| byte.is_ascii_digit()).count();
    (first.len() >= 8 && digits > 0 && first.iter().all(u8::is_ascii_hexdigit))
        || (first.len() >= 6 && digits * 2 >= first.len())
}

/// Which words a name holds.
struct Words<'a> {
    tables: &'static Tables,
    sets: PtrSets,
    /// The first word of pools or access lines, and whether another one followed.
    access: Option<(&'a [u8], bool)>,
    mail: bool,
}

impl<'a> Words<'a> {
    const fn new(tables: &'static Tables) -> Self {
        Self { tables, sets: PtrSets::NONE, access: None, mail: false }
    }

    fn part(&mut self, part: &'a [u8]) {
        self.mail = self.mail || self.is_mail(part);
        for run in runs(part).filter(|run| run.first().is_some_and(u8::is_ascii_alphabetic)) {
            let sets = self.tables.ptr_word(run);
            self.sets = self.sets.and(sets);
            if sets.any(ACCESS) {
                self.access = match self.access {
                    None => Some((run, false)),
                    Some((first, second)) => Some((first, second || first != run)),
                };
            }
        }
    }

    /// Whether a part is a mail word, digits and one letter behind it taken off.
    fn is_mail(&self, part: &[u8]) -> bool {
        let undigited = |text: &'_ [u8]| text.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
        let mail =
            |text: &[u8]| text.get(..undigited(text)).is_some_and(|word| self.tables.ptr_word(word).any(PtrSets::MAIL));
        mail(part) || part.split_last().is_some_and(|(last, rest)| last.is_ascii_alphabetic() && mail(rest))
    }
}

/// The best evidence that a name holds its address.
#[derive(Clone, Copy)]
struct Found {
    points: i32,
    reason: &'static str,
}

fn better(best: &mut Option<Found>, points: i32, reason: &'static str) {
    if best.is_none_or(|best| best.points < points) {
        *best = Some(Found { points, reason });
    }
}

/// The last four numbers of a name that can be octets.
#[derive(Default)]
struct Octets {
    window: [u8; 4],
    /// How many of the window are filled, from its end.
    count: usize,
    /// How many of them follow each other with only one character between: written as one sequence.
    joined: usize,
}

impl Octets {
    fn push(&mut self, octet: u8, gap: usize) {
        let [_, b, c, d] = self.window;
        self.window = [b, c, d, octet];
        self.joined = if gap == 1 && self.count > 0 { (self.joined + 1).min(4) } else { 1 };
        self.count = (self.count + 1).min(4);
    }
}

fn in_v4(host: &[u8], address: Ipv4Addr) -> Option<Found> {
    let own = address.octets();
    let mut best = None;
    let mut octets = Octets::default();
    let mut gap = 0;
    for run in runs(host) {
        if !run.first().is_some_and(u8::is_ascii_digit) {
            gap += run.len();
            continue;
        }
        if let Some(octet) = number(run) {
            octets.push(octet, gap);
            octet_evidence(&octets, own, &mut best);
        } else {
            octets = Octets::default();
            digit_evidence(run, own, &mut best);
        }
        gap = 0;
    }
    let forward = hex::<8>(&own);
    let [a, b, c, d] = own;
    let backward = hex::<8>(&[d, c, b, a]);
    if parts(host).any(|part| ends_in(part, &forward) || ends_in(part, &backward)) {
        better(&mut best, 60, "the address as one number");
    }
    best
}

/// A run of at most three digits that is an octet.
fn number(run: &[u8]) -> Option<u8> {
    if run.len() > 3 {
        return None;
    }
    let value = run.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
    u8::try_from(value).ok()
}

fn octet_evidence(octets: &Octets, own: [u8; 4], best: &mut Option<Found>) {
    let in_either_order = |octets: &[u8], own: &[u8]| octets.iter().eq(own) || octets.iter().eq(own.iter().rev());
    let large = |octets: &[u8]| octets.iter().any(|octet| *octet >= 10);
    let window = &octets.window;
    let [_, last_three @ ..] = window;
    let [_, last_two @ ..] = last_three;
    let [first_three @ .., last] = &own;
    let [_, end @ ..] = &own;
    if octets.count == 4 {
        let mut sorted = [*window, own];
        for order in &mut sorted {
            order.sort_unstable();
        }
        if in_either_order(window, &own) {
            better(best, 60, "the address");
        } else if sorted[0] == sorted[1] {
            better(best, 55, "the address in another order");
        } else if octets.joined == 4 && large(window) {
            better(best, 40, "another address");
        }
    }
    let three = in_either_order(last_three, first_three) || in_either_order(last_three, end);
    if octets.count >= 3 && three && large(last_three) {
        better(best, 45, "three octets of the address");
    }
    if octets.count >= 2 && in_either_order(last_two, &end[1..]) && large(last_two) {
        better(best, 30, "two octets of the address");
    }
    if window[3] == *last {
        better(best, 8, "the last octet");
    }
}

/// Runs of more digits than an octet has: padded octets, or the address as one decimal number.
fn digit_evidence(run: &[u8], own: [u8; 4], best: &mut Option<Found>) {
    let [a, b, c, d] = own;
    let is = |octets: &[u8]| {
        run.len() == octets.len() * 3 && run.chunks(3).zip(octets).all(|(digits, octet)| number(digits) == Some(*octet))
    };
    let decimal =
        || run.len() <= 10 && str::from_utf8(run).is_ok_and(|text| text.parse() == Ok(u32::from_be_bytes(own)));
    if is(&[a, b, c, d]) || is(&[d, c, b, a]) || decimal() {
        better(best, 60, "the address as one number");
    } else if is(&[a, b, c]) || is(&[c, b, a]) || is(&[b, c, d]) || is(&[d, c, b]) {
        better(best, 45, "three octets of the address");
    } else if is(&[c, d]) || is(&[d, c]) {
        better(best, 35, "two octets of the address");
    }
}

/// Lower-case hexadecimal digits of some octets.
fn hex<const DIGITS: usize>(octets: &[u8]) -> [u8; DIGITS] {
    let mut out = [0; DIGITS];
    let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    for (digit, nibble) in out.iter_mut().zip(nibbles) {
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    out
}

/// Whether a part is these digits, behind `0x` or letters or nothing.
fn ends_in(part: &[u8], digits: &[u8]) -> bool {
    part.strip_suffix(digits).is_some_and(|head| head == b"0x" || head.iter().all(u8::is_ascii_alphabetic))
}

fn in_v6(host: &[u8], address: Ipv6Addr) -> Option<Found> {
    let mut best = None;
    let forward = hex::<32>(&address.octets());
    let mut backward = forward;
    backward.reverse();
    let low = (&forward[16..], &backward[..16]);
    let long = |part: &[u8]| {
        ends_in(part, &forward) || ends_in(part, &backward) || ends_in(part, low.0) || ends_in(part, low.1)
    };
    if parts(host).any(long) {
        better(&mut best, 60, "the address as one number");
    }
    if longest(
        host.split(|byte| *byte == b'.').map(|label| label.len() == 1 && label.iter().all(u8::is_ascii_hexdigit)),
    ) >= 16
    {
        better(&mut best, 60, "the address nibble by nibble");
    }
    let groups = address.segments();
    let mut turned = groups;
    turned.reverse();
    match common(host, groups).max(common(host, turned)) {
        0..=2 => {}
        3 => better(&mut best, 45, "three groups of the address"),
        _ => better(&mut best, 60, "the address"),
    }
    best
}

/// The longest run of trues.
fn longest(facts: impl Iterator<Item = bool>) -> usize {
    let (_, most) = facts.fold((0, 0_usize), |(now, most), fact| {
        let now = if fact { now + 1 } else { 0 };
        (now, most.max(now))
    });
    most
}

/// How many groups in a row stand in the name, in this order; a row of zeros is none.
fn common(host: &[u8], groups: [u16; 8]) -> usize {
    // How long a row ends at each group with the part before this one, and whether any of it is not zero.
    let mut rows = [(0_usize, false); 8];
    let mut most = 0;
    for part in parts(host) {
        let value = (part.len() <= 4).then(|| str::from_utf8(part).ok()).flatten();
        let value = value.and_then(|text| u16::from_str_radix(text, 16).ok());
        let mut before = (0, false);
        for (row, group) in rows.iter_mut().zip(groups) {
            let here = if value == Some(group) { (before.0 + 1, before.1 || group != 0) } else { (0, false) };
            before = *row;
            *row = here;
            if here.1 {
                most = most.max(here.0);
            }
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: &str = "203.0.113.45";
    const V6: &str = "2001:db8:1:2:3:4:5:6";

    fn of(name: &str, address: &str) -> Generic {
        classify(&Name::parse(name).unwrap(), address.parse().unwrap(), Naming::built_in())
    }

    #[expect(clippy::too_many_lines, reason = "a table of vectors reads best in one piece")]
    #[test]
    fn every_vector_has_its_class_and_score() {
        type Vector = (&'static str, &'static str, i32);
        let table: &[(PtrClass, &[Vector])] = &[
            (
                PtrClass::GenericDynamic,
                &[
                    ("c-203-0-113-45.hsd1.ca.isp.example", V4, 60),
                    ("203-0-113-45.dyn.isp.example", V4, 100),
                    ("45.113.0.203.dynamic.isp.example", V4, 100),
                    ("dsl-203-0-113-45.isp.example", V4, 100),
                    ("pool-203-0-113-45.bos.east.isp.example", V4, 100),
                    ("ppp-45-113.isp.example", V4, 70),
                    ("host-203-0-113-45.isp.example", V4, 75),
                    ("203.0.113.45.isp.example", V4, 60),
                    ("ip203-0-113-45.isp.example", V4, 75),
                    ("x203x0x113x45.ap203.ftth.isp.example", V4, 100),
                    ("203000113045.ctinets.isp.example", V4, 60),
                    ("isp203000113045.bbtec.isp.example", V4, 60),
                    ("dhcp203-000-113-045.columbus.isp.example", V4, 100),
                    ("pcb00712d.dip0.isp.example", V4, 100),
                    ("0xcb00712d.adsl-dhcp.isp.example", V4, 110),
                    ("catv-cb00712d.isp.example", V4, 100),
                    ("3405803821.isp.example", V4, 60),
                    ("2d7100cb.cst.isp.example", V4, 60),
                    ("118.red-80-35-201.pooles.isp.example", "80.35.201.118", 55),
                    ("modemcable045.113-0-203.mc.isp.example", V4, 60),
                    ("74.67-201-80.adsl.isp.example", "80.201.67.74", 100),
                    ("d113-45-0-203.nap.isp.example", V4, 55),
                    ("fia160-115-100.dsl.isp.example", "80.100.115.160", 85),
                    ("vaise-1-82-203-0-113-45.fbx.isp.example", V4, 100),
                    ("lns-vlq-11-203-0-113-45.adsl.isp.example", V4, 100),
                    ("cpe-203-0-113-45.socal.res.isp.example", V4, 100),
                    ("user-cb00712d.broadband.isp.example", V4, 115),
                    ("customer-203-0-113-45.cable.isp.example", V4, 115),
                    ("adsl.dynamic45.isp.example", V4, 58),
                    ("h45.113.wireless.isp.example", V4, 85),
                    ("cgn-203-0-113-45.mobile.isp.example", V4, 110),
                    ("host-198-51-100-7.isp.example", V4, 55),
                    ("203-0-113-45.ip.linodeusercontent.example", V4, 75),
                    ("203-0-113-45.static.dyn.isp.example", V4, 115),
                    ("203-0-113-45.cprapid.example", V4, 60),
                    ("2001-db8-1-2-3-4-5-6.dyn.isp.example", V6, 100),
                    ("6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.isp.example", V6, 75),
                    ("h-3-4-5-6.pool.isp.example", V6, 115),
                ],
            ),
            (
                PtrClass::GenericStatic,
                &[
                    ("203-0-113-45.static.isp.example", V4, 75),
                    ("static-203-0-113-45.isp.example", V4, 75),
                    ("203-0-113-45-static.hfc.business.isp.example", V4, 115),
                    ("static.45.113.0.203.clients.host.example", V4, 90),
                    ("vps-cb00712d.vps.host.example", V4, 90),
                    ("ec2-203-0-113-45.eu-west-1.compute.cloud.example", V4, 90),
                    ("45.113.0.203.bc.googleusercontent.example", V4, 75),
                    ("vmi1234567.host.example", V4, 45),
                    ("static-203-0-113-45.adsl.isp.example", V4, 115),
                    ("server-203-0-113-45.da.host.example", V4, 90),
                    ("203-0-113-45.business.isp.example", V4, 75),
                    ("fixed-203-0-113-45.iusacell.example", V4, 75),
                    ("2001-0db8-0001-0002-0003-0004-0005-0006.static.isp.example", V6, 75),
                ],
            ),
            (
                PtrClass::Named,
                &[
                    ("unassigned.isp.example", V4, 40),
                    ("dynamic.isp.example", V4, 40),
                    ("g113045.upc-g.isp.example", V4, 35),
                    ("198-51-100-7.other.isp.example", V4, 40),
                    ("node-1-2.rack.host.example", "203.0.1.2", 23),
                    ("45.fix.isp.example", V4, 23),
                    ("mail.corp.example", V4, -40),
                    ("mx1.corp.example", V4, -40),
                    ("smtp-out-45.corp.example", V4, -32),
                    ("mail-45-113.outbound.esp.example", V4, -10),
                    ("o203-0-113-45.outbound-mail.esp.example", V4, 20),
                    ("203-0-113-45.mail-mail.social.example", V4, 20),
                    ("mta-203-0-113-45.esp.example", V4, 20),
                    ("a45-113.smtp-out.eu-west-1.cloudses.example", V4, -10),
                    ("mail-wr1-f45.bigmail.example", V4, -32),
                    ("corp.example", V4, 0),
                    ("gw.corp.example", V4, 0),
                    ("web45.host.example", V4, 8),
                    ("hermes.cs.uni.example", V4, 0),
                    ("pool.ntp.example", V4, 40),
                    ("cable-company.example", V4, 0),
                    ("node7.cluster.corp.example", V4, 15),
                    ("dedi1234.host.example", V4, 30),
                    ("mail.adsl.corp.example", V4, 0),
                    ("dyn-mail.corp.example", V4, 0),
                    ("srv01.corp.example", V4, 30),
                ],
            ),
        ];
        for (class, vectors) in table {
            for (name, address, score) in *vectors {
                let generic = of(name, address);
                assert_eq!((generic.class, generic.score), (*class, *score), "{name}: {generic:?}");
            }
        }
    }

    #[test]
    fn the_providers_own_name_is_no_evidence() {
        for name in ["203-0-113-45.example", "dsl-pool-203-0-113-45.co.uk", "co.uk"] {
            let generic = of(name, V4);
            assert_eq!((generic.class, generic.score, generic.reasons().next()), (PtrClass::Named, 0, None), "{name}");
        }
    }

    #[test]
    fn numbers_of_a_cluster_are_no_address() {
        assert_eq!(of("row1.rack2.blade3.slot4.corp.example", V4).score, 0);
        assert_eq!(of("blade-1-2-3-4.corp.example", V4).score, 0);
    }

    #[test]
    fn a_mapped_address_is_read_as_ipv4() {
        assert_eq!(of("203-0-113-45.isp.example", "::ffff:203.0.113.45").score, 60);
    }

    #[test]
    fn ipv6_in_its_other_spellings_is_seen() {
        for (name, score) in [
            ("20010db8000100020003000400050006.isp.example", 60),
            ("x0003000400050006.isp.example", 60),
            ("6-5-4-3.isp.example", 60),
            ("x.4-5-6.isp.example", 45),
            ("5-6.isp.example", 0),
        ] {
            assert_eq!(of(name, V6).score, score, "{name}");
        }
        assert_eq!(of("x.0-0-0-0.isp.example", "2001:db8::1").score, 0);
    }

    #[test]
    fn mail_words_may_be_numbered() {
        for name in ["mx.corp.example", "mx12.corp.example", "mx1a.corp.example", "a-smtp-b.corp.example"] {
            assert_eq!(of(name, V4).score, -40, "{name}");
        }
        for name in ["mailserver.corp.example", "1mx.corp.example", "12.corp.example"] {
            assert_eq!(of(name, V4).score, 0, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_scored(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8), v4: u32, v6: u128) {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice));
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                let generic = classify(&name, address, Naming::built_in());
                prop_assert_eq!(generic.class == PtrClass::Named, generic.score < GENERIC);
            }
        }

        #[test]
        fn an_address_in_its_name_is_always_seen(v4: u32) {
            let [a, b, c, d] = v4.to_be_bytes();
            for text in [
                format!("{a}-{b}-{c}-{d}.isp.example"),
                format!("x{d:03}x{c:03}x{b:03}x{a:03}.isp.example"),
                format!("h{a:03}{b:03}{c:03}{d:03}.isp.example"),
                format!("0x{v4:08x}.isp.example"),
            ] {
                let generic = classify(&Name::parse(&text).unwrap(), IpAddr::V4(v4.into()), Naming::built_in());
                prop_assert!(generic.score >= 60, "{}: {:?}", text, generic);
            }
        }
    }
}
