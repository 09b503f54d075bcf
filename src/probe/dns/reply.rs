//! What a reply says about the question that was asked.
//! Comes in: a datagram that repeats our question. Goes out: records, a denial, or what is the trouble.
//! Only records on the question's own alias chain are believed; of the rest, the SOA of a denial and the OPT record are read.
//! One broken record does not spoil its neighbours.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::{HEADER, Message, Record, number, type_number};
use crate::model::dns::{Answer, Data, Mx, Question, RecordType, Records};
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Failure, Observed};
use crate::model::smtp::escape;
use crate::model::words::Cause;

/// Links of an alias chain that are followed.
pub(super) const ALIASES: usize = 8;
/// Records kept of one answer.
pub(super) const RECORDS: usize = 512;
/// Characters kept of one TXT record.
const TEXT: usize = 1024;
/// Characters kept of what a resolver says about a failure.
const DETAIL: usize = 200;
/// The EDNS option of extended errors (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;

/// What a reply comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Records or a denial: final.
    Fact(Fact),
    /// Cut short to fit a datagram (TC): ask by TCP.
    Truncated,
    /// No fact.
    Trouble(Trouble),
}

/// Records or a denial.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// Which.
    pub(super) answer: Answer<Data>,
    /// For how many seconds it may be remembered.
    pub(super) ttl: u32,
    /// Extended errors as text: an answer may be stale, or made up by a policy (RFC 8914 §4).
    pub(super) extended: Option<Box<str>>,
}

/// A reply without a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The cause and what the resolver says of it.
    pub(super) failure: Failure,
    /// Which way out may be left.
    pub(super) way_out: WayOut,
}

/// What may still turn trouble into a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayOut {
    /// The server may not understand EDNS (RFC 6891 §7): ask without.
    WithoutEdns,
    /// The resolver says that it does not validate: ask with checking disabled whether there is data at all.
    Unchecked,
    /// Ask another resolver, or again.
    Again,
    /// None: the resolver means it.
    None,
}

/// Reads a reply.
pub(super) fn read(bytes: &[u8], question: &Question) -> Reading {
    let Some(reply) = Sections::of(Message(bytes), question.kind) else {
        return malformed("a record runs over the end of the message");
    };
    let detail = reply.detail();
    if reply.extended.iter().any(|(code, _)| matches!(code, 15..=18)) {
        return trouble(Cause::Filtered, detail, WayOut::None);
    }
    match reply.rcode {
        0 | 3 if reply.flags & 0x0200 != 0 => Reading::Truncated,
        0 | 3 => reply.follow(question),
        1 | 16 => trouble(Cause::Formerr, detail, WayOut::WithoutEdns),
        2 if reply.extended.iter().any(|(code, _)| matches!(code, 6..=12)) => {
            trouble(Cause::Servfail, detail, WayOut::Unchecked)
        }
        2 if reply.extended.iter().any(|(code, _)| matches!(code, 22 | 23)) => {
            trouble(Cause::Lame, detail, WayOut::Again)
        }
        2 => trouble(Cause::Servfail, detail, WayOut::Again),
        4 => trouble(Cause::Notimp, detail, WayOut::WithoutEdns),
        5 => trouble(Cause::Refused, detail, WayOut::Again),
        other => trouble(Cause::Notimp, detail.or_else(|| Some(format!("rcode {other}").into())), WayOut::Again),
    }
}

fn trouble(cause: Cause, detail: Option<Box<str>>, way_out: WayOut) -> Reading {
    Reading::Trouble(Trouble { failure: Failure { detail, ..Failure::of(cause) }, way_out })
}

fn malformed(why: &str) -> Reading {
    trouble(Cause::Malformed, Some(why.into()), WayOut::Again)
}

/// The parts of a reply that are looked at.
struct Sections<'a> {
    message: Message<'a>,
    flags: u16,
    /// With the upper bits out of the OPT record (RFC 6891 §6.1.3).
    rcode: u16,
    /// The answer's aliases and records of the asked type.
    answers: Vec<Record>,
    /// SOA records of the authority section.
    authorities: Vec<Record>,
    /// Whether the authority section delegates.
    delegates: bool,
    /// Extended errors: code and text.
    extended: Vec<(u16, &'a [u8])>,
}

impl<'a> Sections<'a> {
    /// None when the answer section is not whole. Damage behind it does no harm and ends the reading.
    fn of(message: Message<'a>, kind: RecordType) -> Option<Self> {
        let flags = message.u16_at(2)?;
        let counts = [message.u16_at(6)?, message.u16_at(8)?, message.u16_at(10)?];
        let mut at = if message.u16_at(4)? == 0 { HEADER } else { message.name_end(HEADER)? + 4 };
        let mut sections = Self {
            message,
            flags,
            rcode: flags & 0xF,
            answers: Vec::new(),
            authorities: Vec::new(),
            delegates: false,
            extended: Vec::new(),
        };
        let wanted = type_number(kind);
        // A reply cut short (TC) may end anywhere.
        let cut = flags & 0x0200 != 0;
        for _ in 0..counts[0] {
            let Some(record) = message.record(at) else { return cut.then_some(sections) };
            at = record.end;
            if record.class == 1 && (record.kind == wanted || record.kind == number::CNAME) {
                sections.answers.push(record);
            }
        }
        for _ in 0..counts[1] {
            let Some(record) = message.record(at) else { return Some(sections) };
            at = record.end;
            match record.kind {
                number::SOA => sections.authorities.push(record),
                2 => sections.delegates = true,
                _ => {}
            }
        }
        for _ in 0..counts[2] {
            let Some(record) = message.record(at) else { return Some(sections) };
            at = record.end;
            if record.kind == number::OPT {
                let upper = u16::try_from(record.ttl >> 24).unwrap_or(0);
                sections.rcode |= upper << 4;
                sections.options(record);
            }
        }
        Some(sections)
    }

    /// Picks the extended errors out of an OPT record's options; a broken option is the last.
    fn options(&mut self, record: Record) {
        let mut at = record.data;
        while let (Some(code), Some(length)) = (self.message.u16_at(at), self.message.u16_at(at + 2)) {
            let end = at + 4 + usize::from(length);
            if end > record.end || self.extended.len() >= 8 {
                return;
            }
            if let (EXTENDED_ERROR, Some(info), Some(text)) =
                (code, self.message.u16_at(at + 4), self.message.between(at + 6, end))
            {
                self.extended.push((info, text));
            }
            at = end;
        }
    }

    /// The extended errors as text.
    fn detail(&self) -> Option<Box<str>> {
        let mut text = String::new();
        for (code, words) in &self.extended {
            let joint = if text.is_empty() { "" } else { "; " };
            let colon = if words.is_empty() { "" } else { ": " };
            write!(text, "{joint}EDE {code}{colon}{}", escape(words)).expect("writing to a String cannot fail");
        }
        text.truncate(DETAIL);
        (!text.is_empty()).then(|| text.into_boxed_str())
    }

    /// Goes from the question along the aliases to the records, or to where there are none.
    fn follow(&self, question: &Question) -> Reading {
        let mut aliases: Vec<Name> = Vec::new();
        let mut ttl = u32::MAX;
        let mut owner = HEADER;
        loop {
            let mut values = Vec::new();
            let mut broken = false;
            for record in self.answers.iter().filter(|record| record.kind == type_number(question.kind)) {
                if values.len() == RECORDS || !self.message.same_name(record.owner, owner) {
                    continue;
                }
                match data(self.message, *record, question.kind) {
                    Some(value) => {
                        ttl = ttl.min(seconds(record.ttl));
                        if !values.contains(&value) {
                            values.push(value);
                        }
                    }
                    None => broken = true,
                }
            }
            if !values.is_empty() && self.rcode == 0 {
                let authentic = self.flags & 0x20 != 0;
                return self.fact(Observed::Seen(Records { values, aliases, ttl, authentic }), ttl);
            }
            if broken {
                return malformed("no record of the answer can be read");
            }
            let alias = self
                .answers
                .iter()
                .find(|record| record.kind == number::CNAME && self.message.same_name(record.owner, owner));
            let Some(alias) = alias else {
                // Whose record it is cannot be said: it may be the one that was asked for.
                if self.rcode == 0 && self.answers.iter().any(|record| !self.message.is_name(record.owner)) {
                    return malformed("a record of the answer has an owner that is no name");
                }
                return self.denial(question, aliases, ttl);
            };
            let Some(target) = self.message.name_between(alias.data, alias.end) else {
                return malformed("an alias leads to no name");
            };
            if aliases.len() == ALIASES || target == question.name || aliases.contains(&target) {
                let how = Denial::AliasLoop;
                return self.fact(Observed::Absent(Absence { how, zone: None, aliases }), ttl);
            }
            ttl = ttl.min(seconds(alias.ttl));
            owner = alias.data;
            aliases.push(target);
        }
    }

    /// There is nothing of the asked type at the end of the chain (RFC 2308 §2).
    fn denial(&self, question: &Question, aliases: Vec<Name>, ttl: u32) -> Reading {
        let last = aliases.last().unwrap_or(&question.name);
        let soa = self.authorities.iter().find_map(|soa| {
            let owner = self.message.name(soa.owner)?;
            last.is_within(&owner).then_some((owner, self.negative(*soa)))
        });
        let (zone, negative) = soa.map_or((None, 0), |(owner, negative)| (Some(owner), negative));
        // Neither authoritative nor recursive, and it points elsewhere: a referral says nothing about the name.
        let referral = self.delegates && zone.is_none() && self.flags & 0x0480 == 0;
        if self.rcode == 0 && aliases.is_empty() && referral {
            let why = "the upstream does not recurse: it sent a referral";
            return trouble(Cause::Lame, Some(why.into()), WayOut::Again);
        }
        let how = if self.rcode == 3 { Denial::Nxdomain } else { Denial::Nodata };
        self.fact(Observed::Absent(Absence { how, zone, aliases }), ttl.min(negative))
    }

    fn fact(&self, answer: Answer<Data>, ttl: u32) -> Reading {
        Reading::Fact(Fact { answer, ttl, extended: self.detail() })
    }

    /// How long a denial may be remembered: the lesser of the SOA's own TTL and its minimum field (RFC 2308 §5).
    fn negative(&self, soa: Record) -> u32 {
        // Two names of at least an octet each stand before the five numbers.
        let minimum = soa.end.checked_sub(4).filter(|at| *at >= soa.data + 18);
        let minimum = minimum.and_then(|at| self.message.u32_at(at)).unwrap_or(0);
        seconds(soa.ttl).min(seconds(minimum))
    }
}

/// A TTL with the top bit set is zero (RFC 2181 §8).
const fn seconds(ttl: u32) -> u32 {
    if ttl > 0x7FFF_FFFF { 0 } else { ttl }
}

/// The data of one record; None when it is not what its type wants.
fn data(message: Message<'_>, record: Record, kind: RecordType) -> Option<Data> {
    let octets = message.between(record.data, record.end)?;
    Some(match kind {
        RecordType::A => Data::A(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)),
        RecordType::Aaaa => Data::Aaaa(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)),
        RecordType::Mx => Data::Mx(Mx {
            preference: u16::from_be_bytes(*octets.first_chunk()?),
            exchange: message.name_between(record.data + 2, record.end)?,
        }),
        RecordType::Ptr => Data::Ptr(message.name_between(record.data, record.end)?),
        RecordType::Ns => Data::Ns(message.name_between(record.data, record.end)?),
        RecordType::Soa => {
            let primary = message.name_end(record.data).filter(|end| *end < record.end)?;
            Data::Soa(message.name_between(record.data, primary)?)
        }
        RecordType::Txt => Data::Txt(text(strings(octets)?)),
    })
}

/// The strings of a TXT record, each behind its length (RFC 1035 §3.3.14).
fn strings(mut octets: &[u8]) -> Option<Vec<&[u8]>> {
    let mut strings = Vec::new();
    while let Some((length, rest)) = octets.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        strings.push(string);
        octets = rest;
    }
    Some(strings)
}

/// The strings of a TXT record joined, made printable and capped. The backslash is escaped too, so that nothing is lost.
pub(super) fn text<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Box<str> {
    let mut text = String::new();
    for &byte in strings.into_iter().flatten() {
        let room = TEXT - text.len();
        match byte {
            b'\\' | 0..b' ' | 0x7F.. if room >= 4 => {
                write!(text, "\\{byte:03}").expect("writing to a String cannot fail");
            }
            b' '..=b'~' if byte != b'\\' && room >= 1 => text.push(char::from(byte)),
            _ => break,
        }
    }
    text.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::script::{Asked, Reply, name};
    use super::super::wire::{self, Case, Manner};
    use super::*;

    fn question(text: &str, kind: RecordType) -> Question {
        Question { name: Name::trusted(text.into()), kind }
    }

    fn asked(question: &Question) -> Asked {
        let mut bytes = Vec::new();
        let manner = Manner { edns: true, checking_disabled: false };
        wire::query(&mut bytes, 7, &wire::question(question, Case::Mixed).unwrap(), manner);
        Asked { bytes, tcp: false }
    }

    fn absent(how: Denial, zone: Option<&str>, aliases: &[&str]) -> Answer<Data> {
        let name = |text: &&str| Name::trusted((*text).into());
        let aliases = aliases.iter().map(name).collect();
        Observed::Absent(Absence { how, zone: zone.as_ref().map(name), aliases })
    }

    fn answer(reading: Reading) -> Answer<Data> {
        match reading {
            Reading::Fact(fact) => fact.answer,
            other => panic!("{other:?} is no fact"),
        }
    }

    fn cause(reading: Reading) -> (Cause, WayOut, String) {
        match reading {
            Reading::Trouble(Trouble { failure, way_out }) => {
                (failure.cause, way_out, failure.detail.map(String::from).unwrap_or_default())
            }
            other => panic!("{other:?} is no trouble"),
        }
    }

    fn seen(reading: Reading) -> Records<Data> {
        match reading {
            Reading::Fact(Fact { answer: Observed::Seen(records), .. }) => records,
            other => panic!("{other:?} holds no records"),
        }
    }

    fn mx(preference: u16, exchange: &str) -> Vec<u8> {
        [preference.to_be_bytes().to_vec(), name(exchange)].concat()
    }

    #[test]
    fn records_beside_the_chain_are_ignored() {
        let q = question("a.example", RecordType::A);
        let reply = asked(&q)
            .reply(0)
            .answer("evil.example", 1, &[192, 0, 2, 66])
            .own(1, &[192, 0, 2, 1])
            .own(1, &[192, 0, 2, 1])
            .own(28, &[0; 16])
            .additional("a.example", 1, &[192, 0, 2, 67]);
        let records = seen(read(&reply.0, &q));
        assert_eq!(records.values, [Data::A([192, 0, 2, 1].into())]);
        assert_eq!((records.ttl, records.authentic, records.aliases), (300, false, vec![]));
    }

    #[test]
    fn a_chain_is_followed_in_any_order_and_in_any_case() {
        let q = question("a.example", RecordType::A);
        let reply = asked(&q)
            .reply(0)
            .flags(0, 0x20)
            .answer("C.example", 1, &[192, 0, 2, 1])
            .answer("b.EXAMPLE", 5, &name("c.example"))
            .own(5, &name("B.example"));
        let records = seen(read(&reply.0, &q));
        assert_eq!(records.aliases.iter().map(Name::as_str).collect::<Vec<_>>(), ["b.example", "c.example"]);
        assert!(records.authentic);
    }

    #[test]
    fn eight_aliases_are_followed_and_nine_are_a_loop() {
        let q = question("0.example", RecordType::A);
        for (links, looped) in [(8, false), (9, true), (200, true)] {
            let mut reply = asked(&q).reply(0);
            for link in 0..links {
                reply = reply.answer(&format!("{link}.example"), 5, &name(&format!("{}.example", link + 1)));
            }
            let reading = read(&reply.answer(&format!("{links}.example"), 1, &[192, 0, 2, 1]).0, &q);
            match reading {
                Reading::Fact(Fact { answer: Observed::Seen(records), .. }) => {
                    assert!(!looped && records.aliases.len() == links);
                }
                Reading::Fact(Fact { answer: Observed::Absent(absence), .. }) => {
                    assert_eq!((looped, absence.how, absence.aliases.len()), (true, Denial::AliasLoop, 8));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_circle_of_aliases_is_a_loop() {
        let q = question("a.example", RecordType::Mx);
        let itself = asked(&q).reply(0).own(5, &name("a.example"));
        assert_eq!(answer(read(&itself.0, &q)), absent(Denial::AliasLoop, None, &[]));
        let pair = asked(&q).reply(0).own(5, &name("b.example")).answer("b.example", 5, &name("a.example"));
        assert_eq!(answer(read(&pair.0, &q)), absent(Denial::AliasLoop, None, &["b.example"]));
    }

    #[test]
    fn a_denial_names_the_zone_only_when_the_zone_holds_the_name() {
        let q = question("a.b.example", RecordType::Mx);
        let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
        for (rcode, how) in [(0, Denial::Nodata), (3, Denial::Nxdomain)] {
            for (owner, zone) in [("example", Some("example")), ("a.b.example", Some("a.b.example")), ("org", None)] {
                let reply = asked(&q).reply(rcode).authority(owner, 6, &soa);
                assert_eq!(answer(read(&reply.0, &q)), absent(how, zone, &[]));
            }
            let root = asked(&q).reply(rcode).authority("", 6, &soa);
            assert_eq!(answer(read(&root.0, &q)), absent(how, Some(""), &[]));
            assert_eq!(answer(read(&asked(&q).reply(rcode).0, &q)), absent(how, None, &[]));
            let chain = asked(&q).reply(rcode).own(5, &name("x.org")).authority("org", 6, &soa);
            assert_eq!(answer(read(&chain.0, &q)), absent(how, Some("org"), &["x.org"]));
        }
    }

    #[test]
    fn a_denial_may_be_remembered_as_long_as_its_zone_says() {
        let q = question("a.example", RecordType::Mx);
        let ttl = |reply: Reply| match read(&reply.0, &q) {
            Reading::Fact(fact) => fact.ttl,
            other => panic!("{other:?} is no fact"),
        };
        let soa = |minimum: u32| {
            [name("ns.example"), name("root.example"), vec![0; 16], minimum.to_be_bytes().into()].concat()
        };
        // The script's records have a TTL of 300.
        for (minimum, wanted) in [(60, 60), (86_400, 300), (u32::MAX, 0)] {
            assert_eq!(ttl(asked(&q).reply(3).authority("example", 6, &soa(minimum))), wanted);
        }
        assert_eq!(ttl(asked(&q).reply(0)), 0, "no zone says anything");
        assert_eq!(ttl(asked(&q).reply(0).authority("example", 6, &[0, 0, 0, 0, 0, 60])), 0, "an SOA that is none");
        assert_eq!(ttl(asked(&q).reply(3).own(5, &name("b.example")).authority("example", 6, &soa(900))), 300);
    }

    #[test]
    fn a_referral_is_no_denial() {
        let q = question("a.example", RecordType::A);
        let mut reply = asked(&q).reply(0).authority("example", 2, &name("ns.example"));
        reply.0[3] &= 0x7F;
        assert_eq!(cause(read(&reply.0, &q)).0, Cause::Lame);
    }

    #[test]
    fn rcodes_and_extended_errors_have_their_causes() {
        let q = question("a.example", RecordType::A);
        let of = |reply: Reply| cause(read(&reply.0, &q));
        let empty = String::new();
        assert_eq!(of(asked(&q).reply(1)), (Cause::Formerr, WayOut::WithoutEdns, empty.clone()));
        assert_eq!(of(asked(&q).reply(2)), (Cause::Servfail, WayOut::Again, empty.clone()));
        assert_eq!(of(asked(&q).reply(4)), (Cause::Notimp, WayOut::WithoutEdns, empty.clone()));
        assert_eq!(of(asked(&q).reply(5)), (Cause::Refused, WayOut::Again, empty));
        assert_eq!(of(asked(&q).reply(9)), (Cause::Notimp, WayOut::Again, "rcode 9".into()));
        let lame = asked(&q).reply(2).extended(22, "at delegation\n");
        assert_eq!(of(lame), (Cause::Lame, WayOut::Again, "EDE 22: at delegation\\x0A".into()));
        assert_eq!(of(asked(&q).reply(2).extended(9, "")), (Cause::Servfail, WayOut::Unchecked, "EDE 9".into()));
        let filtered = asked(&q).reply(0).own(1, &[0; 4]).extended(17, &"x".repeat(900));
        let (why, way_out, detail) = of(filtered);
        assert_eq!((why, way_out, detail.len()), (Cause::Filtered, WayOut::None, 200));
    }

    #[test]
    fn an_upper_rcode_out_of_the_opt_record_counts() {
        let q = question("a.example", RecordType::A);
        let mut reply = asked(&q).reply(0).extended(0, "");
        // The upper eight bits stand where a TTL would: BADVERS is 16.
        let at = reply.0.len() - 12;
        reply.0[at] = 1;
        assert_eq!(cause(read(&reply.0, &q)).1, WayOut::WithoutEdns);
    }

    #[test]
    fn null_mx_is_the_root() {
        let q = question("a.example", RecordType::Mx);
        let records = seen(read(&asked(&q).reply(0).own(15, &mx(0, "")).0, &q));
        assert_eq!(records.values, [Data::Mx(Mx { preference: 0, exchange: Name::root() })]);
    }

    #[test]
    fn one_broken_record_does_not_spoil_the_others_and_all_broken_is_no_denial() {
        let q = question("a.example", RecordType::A);
        let reply = asked(&q).reply(0).own(1, &[1, 2, 3]);
        assert_eq!(cause(read(&reply.0, &q)).0, Cause::Malformed);
        let records = seen(read(&reply.own(1, &[192, 0, 2, 1]).0, &q));
        assert_eq!(records.values.len(), 1);
    }

    #[test]
    fn pointers_that_go_nowhere_or_round_are_malformed() {
        let q = question("a.example", RecordType::Ptr);
        let start = u16::try_from(asked(&q).reply(0).0.len() + 12).unwrap();
        for target in [start, start + 2, 0x3FFF, start - 12] {
            let pointer = (0xC000 | target).to_be_bytes();
            let reply = asked(&q).reply(0).own(12, &pointer);
            let reading = read(&reply.0, &q);
            // The last one points at the record's own owner, which is itself a pointer: to the asked name.
            if target == start - 12 {
                assert_eq!(seen(reading).values, [Data::Ptr(q.name.clone())]);
            } else {
                assert_eq!(cause(reading).0, Cause::Malformed, "{target}");
            }
        }
    }

    #[test]
    fn a_name_longer_than_names_may_be_is_malformed() {
        let q = question("a.example", RecordType::Ptr);
        let label = "x".repeat(63);
        let long = [label.as_str(), &label, &label, &"y".repeat(61)].join(".");
        assert_eq!(name(&long).len(), 255);
        assert_eq!(seen(read(&asked(&q).reply(0).own(12, &name(&long)).0, &q)).values.len(), 1);
        let longer = format!("{long}z");
        assert_eq!(cause(read(&asked(&q).reply(0).own(12, &name(&longer)).0, &q)).0, Cause::Malformed);
    }

    #[test]
    fn odd_bytes_in_names_and_texts_are_escaped() {
        let q = question("a.example", RecordType::Ptr);
        let target = [b"\x05a.\n\x00\xff".as_slice(), &name("example")].concat();
        let records = seen(read(&asked(&q).reply(0).own(12, &target).0, &q));
        assert_eq!(records.values, [Data::Ptr(Name::trusted("a\\.\\010\\000\\255.example".into()))]);
        let q = question("a.example", RecordType::Txt);
        let records = seen(read(&asked(&q).reply(0).own(16, b"\x03a\tb\x02\\c").0, &q));
        assert_eq!(records.values, [Data::Txt("a\\009b\\092c".into())]);
    }

    #[test]
    fn long_texts_and_huge_answers_are_capped() {
        let q = question("a.example", RecordType::Txt);
        let string = [vec![255], vec![7; 255]].concat().repeat(8);
        match seen(read(&asked(&q).reply(0).own(16, &string).0, &q)).values.as_slice() {
            [Data::Txt(text)] => assert_eq!(text.len(), 1024),
            other => panic!("{other:?}"),
        }
        let q = question("a.example", RecordType::A);
        let mut reply = asked(&q).reply(0);
        for number in 0..2000_u16 {
            reply.0[6..8].copy_from_slice(&number.to_be_bytes());
            // The count's low octet is raised by the record itself.
            reply.0[7] &= 0xFE;
            let [high, low] = number.to_be_bytes();
            reply = reply.own(1, &[10, 0, high, low]);
        }
        reply.0[6..8].copy_from_slice(&2000_u16.to_be_bytes());
        assert_eq!(seen(read(&reply.0, &q)).values.len(), RECORDS);
    }

    #[test]
    fn truncation_is_seen_even_where_the_cut_goes_through_a_record() {
        let q = question("a.example", RecordType::A);
        let mut reply = asked(&q).reply(0).own(1, &[192, 0, 2, 1]).own(1, &[192, 0, 2, 2]).truncated();
        reply.0.truncate(reply.0.len() - 3);
        assert_eq!(read(&reply.0, &q), Reading::Truncated);
        reply.0[2] &= !0x02;
        assert_eq!(cause(read(&reply.0, &q)).0, Cause::Malformed);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(mut bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..RecordType::ALL.len()) {
            let q = question("a.example", RecordType::ALL[kind]);
            read(&bytes, &q);
            // Nearer to a real reply: a clean header and question before the noise.
            let mut reply = asked(&q).reply(0).0;
            reply[6..12].copy_from_slice(&[0, 4, 0, 2, 0, 2]);
            reply.append(&mut bytes);
            read(&reply, &q);
        }

        #[test]
        fn mutated_replies_can_be_read(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let q = question("a.example", RecordType::Mx);
            let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
            let mut reply = asked(&q)
                .reply(0)
                .own(5, &name("b.example"))
                .answer("b.example", 15, &[&[0, 10, 2], b"mx".as_slice(), &[0xC0, 14]].concat())
                .answer("b.example", 15, &mx(20, "mx2.example"))
                .authority("example", 6, &soa)
                .extended(22, "some text")
                .0;
            for (index, byte) in changes {
                let at = index.index(reply.len());
                reply[at] = byte;
            }
            if let Reading::Fact(Fact { answer: Observed::Seen(records), .. }) = read(&reply, &q) {
                prop_assert!(records.values.iter().all(|data| matches!(data, Data::Mx(_))));
            }
        }
    }
}
