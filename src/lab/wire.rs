//! DNS messages as bytes (RFC 1035 §4, RFC 6891, RFC 8914), the server's half.
//! Comes in: a datagram; an answer of the world. Goes out: the question in it; the datagram that answers.
//! Written apart from the scanner's own code on purpose: a mistake shared by both sides would be seen by neither.

use super::zone::{Data, Found, SERVFAIL, kind};

/// What a server would send over UDP at most, whatever the client allows (DNS flag day 2020).
const DATAGRAM: usize = 1232;
/// What a client takes without EDNS.
const PLAIN: usize = 512;
const TTL: u32 = 300;
/// Of a denial (the SOA's last field, RFC 2308 §4).
const NEGATIVE_TTL: u32 = 60;
const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;
const HEADER: usize = 12;

/// A question, as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query<'a> {
    id: [u8; 2],
    flags: [u8; 2],
    /// Name, type and class as they stood there: their case is echoed.
    question: &'a [u8],
    /// The name in lower case without the final dot; bytes that no name of the world has are `?`.
    pub(super) name: String,
    pub(super) asked: u16,
    edns: Option<Edns>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edns {
    size: u16,
    dnssec: bool,
}

/// What came instead of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoQuery {
    /// Nothing to be answered: too short, or an answer itself.
    Ignore,
    /// To be answered with an error.
    Error {
        /// The id of the message.
        id: [u8; 2],
        /// FORMERR or NOTIMP.
        rcode: u8,
    },
}

/// Reads bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn pair(&mut self) -> Option<[u8; 2]> {
        self.take(2)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u16> {
        self.pair().map(u16::from_be_bytes)
    }
}

impl<'a> Query<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, NoQuery> {
        let mut reader = Reader(message);
        let (Some(id), Some(flags)) = (reader.pair(), reader.pair()) else { return Err(NoQuery::Ignore) };
        if flags[0] & 0x80 != 0 {
            return Err(NoQuery::Ignore);
        }
        if flags[0] & 0x78 != 0 {
            return Err(NoQuery::Error { id, rcode: NOTIMP });
        }
        Self::read_body(id, flags, reader, message).ok_or(NoQuery::Error { id, rcode: FORMERR })
    }

    fn read_body(id: [u8; 2], flags: [u8; 2], mut reader: Reader<'a>, message: &'a [u8]) -> Option<Self> {
        let counts = [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
        let [1, 0, 0, additional] = counts else { return None };
        let mut name = String::with_capacity(64);
        loop {
            let length = usize::from(*reader.take(1)?.first()?);
            if length == 0 {
                break;
            }
            // A pointer has nowhere to lead in a question.
            let label = reader.take(length).filter(|_| length < 64)?;
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(*byte),
                b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
                _ => '?',
            }));
        }
        if name.len() > 253 {
            return None;
        }
        let asked = reader.number()?;
        let class = reader.number()?;
        let question = message.get(HEADER..message.len() - reader.0.len())?;
        let mut edns = None;
        for _ in 0..additional {
            // An OPT record stands at the root.
            let (owner, number, size) = (reader.take(1)?, reader.number()?, reader.number()?);
            let (_, rest, length) = (reader.number()?, reader.number()?, reader.number()?);
            reader.take(usize::from(length))?;
            if owner == [0] && number == kind::OPT {
                edns = Some(Edns { size, dnssec: rest & 0x8000 != 0 });
            }
        }
        (class == 1).then_some(Self { id, flags, question, name, asked, edns })
    }

    /// The CD bit: the client checks signatures itself (RFC 4035 §3.2.2).
    pub(super) const fn is_unchecked(&self) -> bool {
        self.flags[1] & 0x10 != 0
    }

    /// Whether the client wants to hear of authenticity: DO, or AD (RFC 6840 §5.7).
    fn asks_for_authenticity(&self) -> bool {
        self.flags[1] & 0x20 != 0 || self.edns.is_some_and(|edns| edns.dnssec)
    }

    /// Writes the answer. Over UDP it is cut to what the client and a careful server take.
    pub(super) fn answer(&self, found: &Found, udp: bool, out: &mut Vec<u8>) {
        let limit = match (udp, self.edns) {
            (false, _) => usize::from(u16::MAX),
            (true, None) => PLAIN,
            (true, Some(edns)) => usize::from(edns.size).clamp(PLAIN, DATAGRAM),
        };
        self.write(found, false, out);
        if out.len() > limit {
            self.write(found, true, out);
        }
    }

    /// Writes a failure without an answer.
    pub(super) fn fail(&self, out: &mut Vec<u8>) {
        self.write(&Found { rcode: SERVFAIL, ..Found::default() }, false, out);
    }

    fn write(&self, found: &Found, truncated: bool, out: &mut Vec<u8>) {
        out.clear();
        let authentic = found.authentic && self.asks_for_authenticity();
        let authority = found.denied_by.as_deref().filter(|_| !truncated);
        let answers = if truncated { 0 } else { found.records.len() };
        out.extend(self.id);
        out.push(0x80 | if truncated { 0x02 } else { 0 } | self.flags[0] & 0x01);
        out.push(0x80 | if authentic { 0x20 } else { 0 } | self.flags[1] & 0x10 | found.rcode & 0x0F);
        number(out, 1);
        number(out, count(answers));
        number(out, u16::from(authority.is_some()));
        number(out, u16::from(self.edns.is_some()));
        out.extend(self.question);
        if !truncated {
            let mut owner: Option<&str> = None;
            for data in &found.records {
                record(out, owner, &self.name, data);
                if let Data::Cname(target) = data {
                    owner = Some(target);
                }
            }
        }
        if let Some(zone) = authority {
            record(out, Some(zone), zone, &Data::Soa);
        }
        if let Some(edns) = self.edns {
            out.push(0);
            number(out, kind::OPT);
            number(out, u16::try_from(DATAGRAM).unwrap_or(u16::MAX));
            number(out, 0);
            number(out, if edns.dnssec { 0x8000 } else { 0 });
            match found.extended {
                // Option 15 with its code and no text.
                Some(code) => [6, 15, 2, code].into_iter().for_each(|part| number(out, part)),
                None => number(out, 0),
            }
        }
    }
}

/// The answer to what is no question.
pub(super) fn error(id: [u8; 2], rcode: u8, out: &mut Vec<u8>) {
    out.clear();
    out.extend(id);
    out.extend([0x80, 0x80 | rcode]);
    out.extend([0; 8]);
}

fn record(out: &mut Vec<u8>, owner: Option<&str>, asked: &str, data: &Data) {
    match owner {
        // Where the question's name stands.
        None => out.extend([0xC0, 0x0C]),
        Some(owner) => name(out, owner),
    }
    let (number_of, ttl) = match data {
        Data::A(_) => (kind::A, TTL),
        Data::Aaaa(_) => (kind::AAAA, TTL),
        Data::Ns(_) => (kind::NS, TTL),
        Data::Cname(_) => (kind::CNAME, TTL),
        Data::Soa => (kind::SOA, NEGATIVE_TTL),
        Data::Ptr(_) => (kind::PTR, TTL),
        Data::Mx(..) => (kind::MX, TTL),
        Data::Txt(_) => (kind::TXT, TTL),
        Data::Tlsa(_) => (kind::TLSA, TTL),
    };
    number(out, number_of);
    number(out, 1);
    out.extend(ttl.to_be_bytes());
    let length_at = out.len();
    number(out, 0);
    match data {
        Data::A(v4) => out.extend(v4.octets()),
        Data::Aaaa(v6) => out.extend(v6.octets()),
        Data::Ns(target) | Data::Cname(target) | Data::Ptr(target) => name(out, target),
        Data::Mx(preference, exchange) => {
            number(out, *preference);
            name(out, exchange);
        }
        Data::Soa => {
            name(out, "ns.lab.test");
            name(out, &format!("hostmaster.{}", owner.unwrap_or(asked)));
            for field in [1, 3600, 600, 86_400, NEGATIVE_TTL] {
                out.extend(field.to_be_bytes());
            }
        }
        Data::Txt(text) => {
            for part in text.as_bytes().chunks(255) {
                out.push(u8::try_from(part.len()).unwrap_or(255));
                out.extend(part);
            }
        }
        Data::Tlsa(digest) => {
            out.extend([3, 1, 1]);
            out.extend(digest);
        }
    }
    let length = count(out.len() - length_at - 2).to_be_bytes();
    if let Some(place) = out.get_mut(length_at..length_at + 2) {
        place.copy_from_slice(&length);
    }
}

fn name(out: &mut Vec<u8>, text: &str) {
    for label in text.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap_or(0));
        out.extend(label.as_bytes());
    }
    out.push(0);
}

fn number(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

fn count(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(text: &str, asked: u16, edns: bool) -> Vec<u8> {
        let mut out = vec![0xAB, 0xCD, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
        name(&mut out, text);
        number(&mut out, asked);
        number(&mut out, 1);
        if edns {
            out.extend([0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
        }
        out
    }

    #[test]
    fn the_question_is_echoed_in_its_own_case() {
        let message = question("MaIl.S01.lab.test", kind::A, false);
        let query = Query::read(&message).unwrap();
        assert_eq!((query.name.as_str(), query.asked), ("mail.s01.lab.test", kind::A));
        let mut out = Vec::new();
        query.answer(&Found { records: vec![Data::A([192, 0, 2, 1].into())], ..Found::default() }, true, &mut out);
        assert_eq!(out[..2], [0xAB, 0xCD]);
        assert_eq!(out[2..4], [0x81, 0x80]);
        assert_eq!(out[12..message.len()], message[12..]);
        assert_eq!(out[message.len()..], [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    }

    #[test]
    fn what_does_not_fit_is_truncated_over_udp_only() {
        let found = Found { records: vec![Data::Txt("x".repeat(1_300))], ..Found::default() };
        for (edns, udp, truncated) in [(true, true, true), (true, false, false), (false, true, true)] {
            let message = question("big.lab.test", kind::TXT, edns);
            let mut out = Vec::new();
            Query::read(&message).unwrap().answer(&found, udp, &mut out);
            assert_eq!(out[2] & 2 != 0, truncated);
            assert_eq!(out.len() < 100, truncated);
        }
    }

    #[test]
    fn an_extended_error_rides_in_the_opt_record() {
        let message = question("s22.lab.test", kind::A, true);
        let mut out = Vec::new();
        let found = Found { rcode: SERVFAIL, extended: Some(22), ..Found::default() };
        Query::read(&message).unwrap().answer(&found, true, &mut out);
        assert!(out.ends_with(&[0, 6, 0, 15, 0, 2, 0, 22]), "{out:?}");
        assert_eq!(out[3] & 15, SERVFAIL);
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_nothing() {
        assert_eq!(Query::read(&[1, 2, 3]), Err(NoQuery::Ignore));
        let mut answer = question("a.test", 1, false);
        answer[2] |= 0x80;
        assert_eq!(Query::read(&answer), Err(NoQuery::Ignore));
        let cut = question("a.test", 1, false);
        assert_eq!(Query::read(&cut[..20]), Err(NoQuery::Error { id: [0xAB, 0xCD], rcode: FORMERR }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(query) = Query::read(&bytes) {
                let mut out = Vec::new();
                query.answer(&Found::default(), true, &mut out);
                prop_assert!(out.len() >= HEADER);
            }
        }
    }
}
