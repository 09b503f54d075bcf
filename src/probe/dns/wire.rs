//! DNS messages as bytes: how a query is written and how the parts of a reply are read (RFC 1035 §4, RFC 6891).
//! Comes in: a question, or a datagram. Goes out: a datagram, or names and records by their place in it.
//! Every read is checked and bounded; what the records mean is `reply`'s business.

use rand::Rng as _;

use crate::model::dns::{Question, RecordType};
use crate::model::name::Name;

/// Where the question starts: right behind the header.
pub(super) const HEADER: usize = 12;
/// The largest reply we take over UDP: fits every path without fragments (DNS flag day 2020).
const PAYLOAD: u16 = 1232;
/// Jumps within one name. A name has at most 127 labels, so an honest one needs no more.
const JUMPS: usize = 127;
/// Octets of a name without its root label (RFC 1035 §2.3.4).
const NAME_OCTETS: usize = 254;

/// Numbers of record types (IANA).
pub(super) mod number {
    pub(in crate::probe::dns) const CNAME: u16 = 5;
    pub(in crate::probe::dns) const SOA: u16 = 6;
    pub(in crate::probe::dns) const OPT: u16 = 41;
}

/// The number of a record type.
pub(super) const fn type_number(kind: RecordType) -> u16 {
    match kind {
        RecordType::A => 1,
        RecordType::Ns => 2,
        RecordType::Soa => number::SOA,
        RecordType::Ptr => 12,
        RecordType::Mx => 15,
        RecordType::Txt => 16,
        RecordType::Aaaa => 28,
    }
}

/// The case of a question's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Drawn at random: a forger has to guess it for every letter besides id and port (draft-vixie-dnsext-dns0x20).
    Mixed,
    /// As the name stands.
    Plain,
}

/// The question section: name, type and class IN. None when the name does not fit the wire (RFC 1035 §2.3.4).
pub(super) fn question(question: &Question, case: Case) -> Option<Box<[u8]>> {
    let text = question.name.as_str();
    let mut wire = Vec::with_capacity(text.len() + 6);
    if text.contains('\\') {
        for label in question.name.labels() {
            push_label(&mut wire, &label)?;
        }
    } else if !text.is_empty() {
        for label in text.split('.') {
            push_label(&mut wire, label.as_bytes())?;
        }
    }
    if wire.len() > NAME_OCTETS {
        return None;
    }
    if case == Case::Mixed {
        mix(&mut wire);
    }
    wire.push(0);
    wire.extend_from_slice(&type_number(question.kind).to_be_bytes());
    wire.extend_from_slice(&[0, 1]);
    Some(wire.into_boxed_slice())
}

fn mix(name: &mut [u8]) {
    let mut random = rand::rng();
    for part in name.chunks_mut(64) {
        let mut bits: u64 = random.random();
        for byte in part {
            // Lengths are below 64 and thus no letters.
            if bits & 1 == 1 && byte.is_ascii_alphabetic() {
                *byte ^= 0x20;
            }
            bits >>= 1;
        }
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Option<()> {
    let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
    wire.push(length);
    wire.extend_from_slice(label);
    Some(())
}

/// How a query is put, besides its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// With an OPT record: larger replies and extended errors (RFC 6891).
    pub(super) edns: bool,
    /// The CD bit: the resolver hands out what does not validate (RFC 4035 §3.2.2).
    pub(super) checking_disabled: bool,
}

/// Appends a query: recursion desired, and the AD bit to ask for the resolver's verdict (RFC 6840 §5.7).
pub(super) fn query(packet: &mut Vec<u8>, id: u16, question: &[u8], manner: Manner) {
    packet.extend_from_slice(&id.to_be_bytes());
    let checking = if manner.checking_disabled { 0x10 } else { 0 };
    packet.extend_from_slice(&[0x01, 0x20 | checking, 0, 1, 0, 0, 0, 0, 0, u8::from(manner.edns)]);
    packet.extend_from_slice(question);
    if manner.edns {
        packet.extend_from_slice(&[0, 0, 41]);
        packet.extend_from_slice(&PAYLOAD.to_be_bytes());
        packet.extend_from_slice(&[0; 6]);
    }
}

/// The id of a message.
pub(super) fn id(bytes: &[u8]) -> Option<u16> {
    Message(bytes).u16_at(0)
}

/// The rcode in a message's header, without the upper bits that an OPT record may add.
pub(super) fn rcode(bytes: &[u8]) -> Option<u16> {
    Message(bytes).u16_at(2).map(|flags| flags & 0xF)
}

/// How well a reply fits the question that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Ours in every letter.
    Exact,
    /// Ours but for the case of letters: a server that does not keep it, or a forger.
    CaseOnly,
    /// Not ours.
    Other,
}

/// Compares a message with the question section it should repeat.
pub(super) fn fit(bytes: &[u8], question: &[u8]) -> Fit {
    let message = Message(bytes);
    let (Some(flags), Some(questions)) = (message.u16_at(2), message.u16_at(4)) else {
        return Fit::Other;
    };
    // QR set and opcode QUERY.
    if flags & 0xF800 != 0x8000 {
        return Fit::Other;
    }
    // A server that cannot read our query may repeat nothing of it (RFC 6891 §7).
    if questions == 0 && bytes.len() == HEADER && flags & 0xF == 1 {
        return Fit::Exact;
    }
    match bytes.get(HEADER..HEADER + question.len()) {
        _ if questions != 1 => Fit::Other,
        Some(theirs) if theirs == question => Fit::Exact,
        Some(theirs) if theirs.eq_ignore_ascii_case(question) => Fit::CaseOnly,
        _ => Fit::Other,
    }
}

/// A message whose parts are found by their place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

/// One record, its parts as places in the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Where its owner name starts.
    pub(super) owner: usize,
    /// Its type.
    pub(super) kind: u16,
    /// Its class; the payload size in an OPT record.
    pub(super) class: u16,
    /// Its time to live; flags in an OPT record.
    pub(super) ttl: u32,
    /// Where its data starts.
    pub(super) data: usize,
    /// Where its data ends.
    pub(super) end: usize,
}

impl<'a> Message<'a> {
    /// Two octets as a number.
    pub(super) fn u16_at(self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
    }

    /// Four octets as a number.
    pub(super) fn u32_at(self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    /// The octets between two places.
    pub(super) fn between(self, start: usize, end: usize) -> Option<&'a [u8]> {
        self.0.get(start..end)
    }

    /// The record that starts here.
    pub(super) fn record(self, at: usize) -> Option<Record> {
        let fixed = self.name_end(at)?;
        let data = fixed + 10;
        let end = data + usize::from(self.u16_at(fixed + 8)?);
        self.between(data, end)?;
        Some(Record {
            owner: at,
            kind: self.u16_at(fixed)?,
            class: self.u16_at(fixed + 2)?,
            ttl: self.u32_at(fixed + 4)?,
            data,
            end,
        })
    }

    /// Where the name that starts here ends; a pointer ends it.
    pub(super) fn name_end(self, mut at: usize) -> Option<usize> {
        loop {
            let length = *self.0.get(at)?;
            match length {
                0 => return Some(at + 1),
                1..=63 => at += 1 + usize::from(length),
                0xC0.. => return self.0.get(at + 1).map(|_| at + 2),
                _ => return None,
            }
        }
    }

    /// The name that starts here; None when it is no name.
    pub(super) fn name(self, at: usize) -> Option<Name> {
        // One pass to see that it is whole, one to write it: nothing is kept between.
        if !self.is_name(at) {
            return None;
        }
        Some(Name::from_labels(self.labels(at).flatten()))
    }

    /// The name that fills the octets between two places.
    pub(super) fn name_between(self, start: usize, end: usize) -> Option<Name> {
        if self.name_end(start)? == end { self.name(start) } else { None }
    }

    /// Whether two names are the same, letters of either case being equal (RFC 4343).
    pub(super) fn same_name(self, left: usize, right: usize) -> bool {
        let (mut left, mut right) = (self.labels(left), self.labels(right));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(Some(one)), Some(Some(other))) if one.eq_ignore_ascii_case(other) => {
                    // From a common tail on there is nothing to compare.
                    if left.at == right.at {
                        return left.all(|label| label.is_some());
                    }
                }
                _ => return false,
            }
        }
    }

    /// Whether a name starts here.
    pub(super) fn is_name(self, at: usize) -> bool {
        self.labels(at).all(|label| label.is_some())
    }

    /// The labels of the name that starts here, pointers followed. A None inside says that the name is broken, and is the last.
    fn labels(self, at: usize) -> Labels<'a> {
        Labels { message: self, at, floor: at, octets: 0, jumps: 0, over: false }
    }
}

struct Labels<'a> {
    message: Message<'a>,
    at: usize,
    /// A pointer has to lead before this place, so a name always comes to an end.
    floor: usize,
    octets: usize,
    jumps: usize,
    over: bool,
}

impl<'a> Labels<'a> {
    /// The next label; `Err` for a broken name.
    fn step(&mut self) -> Result<Option<&'a [u8]>, Broken> {
        loop {
            let length = *self.message.0.get(self.at).ok_or(Broken)?;
            match length {
                0 => return Ok(None),
                1..=63 => {
                    let start = self.at + 1;
                    let end = start + usize::from(length);
                    self.octets += end - self.at;
                    self.at = end;
                    if self.octets > NAME_OCTETS {
                        return Err(Broken);
                    }
                    return self.message.between(start, end).map(Some).ok_or(Broken);
                }
                0xC0.. => {
                    let target = usize::from(self.message.u16_at(self.at).ok_or(Broken)? & 0x3FFF);
                    self.jumps += 1;
                    // No name begins inside the header.
                    if target < HEADER || target >= self.floor || self.jumps > JUMPS {
                        return Err(Broken);
                    }
                    self.floor = target;
                    self.at = target;
                }
                _ => return Err(Broken),
            }
        }
    }
}

struct Broken;

impl<'a> Iterator for Labels<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.step() {
            Ok(Some(label)) => Some(Some(label)),
            Ok(None) => {
                self.over = true;
                None
            }
            Err(Broken) => {
                self.over = true;
                Some(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Option<Box<[u8]>> {
        question(&Question { name: Name::trusted(text.into()), kind: RecordType::Mx }, Case::Mixed)
    }

    #[test]
    fn a_query_has_the_bytes_of_the_rfc() {
        let mut packet = Vec::new();
        let manner = Manner { edns: true, checking_disabled: true };
        let section = asked("a1.example").unwrap();
        query(&mut packet, 0xABCD, &section, manner);
        packet.make_ascii_lowercase();
        let wanted = b"\xab\xcd\x01\x30\0\x01\0\0\0\0\0\x01\x02a1\x07example\0\0\x0f\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
        assert_eq!(packet, wanted);
        packet.clear();
        query(&mut packet, 0, &section, Manner { edns: false, checking_disabled: false });
        assert_eq!((packet[3], packet[11], packet.len()), (0x20, 0, wanted.len() - 11));
    }

    #[test]
    fn hickory_reads_our_queries() {
        use hickory_resolver::proto::op::Message as Theirs;
        let mut packet = Vec::new();
        let manner = Manner { edns: true, checking_disabled: false };
        query(&mut packet, 7, &asked("x\\.y.\\000.example").unwrap(), manner);
        let message = Theirs::from_vec(&packet).unwrap();
        assert_eq!(message.queries[0].name().num_labels(), 3);
        assert_eq!(message.edns.unwrap().max_payload(), PAYLOAD);
    }

    #[test]
    fn names_that_do_not_fit_are_not_asked() {
        let label = "x".repeat(63);
        let longest = [label.as_str(), &label, &label, &"y".repeat(61)].join(".");
        assert_eq!(asked(&longest).unwrap().len(), 255 + 4);
        assert_eq!(asked(&format!("{longest}y")), None);
        assert_eq!(asked(&"x".repeat(64)), None);
        assert_eq!(asked("a..b"), None);
        assert_eq!(*asked("").unwrap(), [0, 0, 15, 0, 1]);
    }

    #[test]
    fn the_case_of_letters_differs_from_one_question_to_the_next() {
        let text = "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz";
        let (one, other) = (asked(text).unwrap(), asked(text).unwrap());
        assert_ne!(one, other);
        assert!(one.eq_ignore_ascii_case(&other));
        assert!(one[54..].iter().any(u8::is_ascii_uppercase));
    }

    #[test]
    fn a_reply_fits_only_its_own_question() {
        let section = asked("ab.example").unwrap();
        let mut reply = Vec::new();
        query(&mut reply, 7, &section, Manner { edns: false, checking_disabled: false });
        assert_eq!(fit(&reply, &section), Fit::Other, "a query is no reply");
        reply[2] |= 0x80;
        assert_eq!(fit(&reply, &section), Fit::Exact);
        assert_eq!(fit(&reply, &asked("ac.example").unwrap()), Fit::Other);
        reply[13] ^= 0x20;
        assert_eq!(fit(&reply, &section), Fit::CaseOnly);
        assert_eq!(fit(&reply[..20], &section), Fit::Other);
        assert_eq!(fit(b"\0\x07\x80\x01\0\0\0\0\0\0\0\0", &section), Fit::Exact, "a bare FORMERR");
        assert_eq!(fit(b"\0\x07\x80\x02\0\0\0\0\0\0\0\0", &section), Fit::Other, "a bare SERVFAIL");
    }

    proptest! {
        #[test]
        fn names_come_back_from_the_wire(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 0..7)) {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice));
            let section = question(&Question { name: name.clone(), kind: RecordType::A }, Case::Mixed).unwrap();
            let message = Message(&section);
            prop_assert_eq!(message.name(0), Some(name));
            prop_assert_eq!(message.name_end(0), Some(section.len() - 4));
            prop_assert!(message.same_name(0, 0));
        }
    }
}
