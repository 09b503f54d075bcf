//! DNS questions and answers as this program speaks of them.
//! Comes in: a resolver's reply. Goes out: typed records with the alias chain that led to them.
//! The wire format and the resolver's own types stay in `probe::dns`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::observed::Observed;
use super::stored::is_default;
use super::words::words;

words! {
    /// The record types this program asks for.
    RecordType {
        /// IPv4 address (RFC 1035).
        A = "A",
        /// IPv6 address (RFC 3596).
        Aaaa = "AAAA",
        /// Mail exchanger (RFC 1035 §3.3.9).
        Mx = "MX",
        /// Pointer (RFC 1035 §3.3.12).
        Ptr = "PTR",
        /// Text (RFC 1035 §3.3.14).
        Txt = "TXT",
        /// Name server (RFC 1035 §3.3.11).
        Ns = "NS",
        /// Start of authority (RFC 1035 §3.3.13).
        Soa = "SOA",
    }
}

/// A question: a name and a type, class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub kind: RecordType,
}

/// A mail exchanger record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host; the root for a null MX (RFC 7505).
    pub exchange: Name,
}

/// The data of one record of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchanger.
    Mx(Mx),
    /// A pointer's target.
    Ptr(Name),
    /// A TXT record: its strings joined, non-printing bytes escaped as `\DDD`.
    Txt(Box<str>),
    /// A name server.
    Ns(Name),
    /// A zone's primary server (the SOA's MNAME).
    Soa(Name),
}

/// The records of an answer and how they were reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records<T> {
    /// The data, in the order of the wire, without doubles.
    pub values: Vec<T>,
    /// The CNAME targets between the asked name and the records' owner, in order; empty when there was no alias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aliases: Vec<Name>,
    /// The lowest TTL on the way, in seconds.
    pub ttl: u32,
    /// The resolver says it has validated this (the AD bit, RFC 4035 §3.2.3).
    #[serde(default, skip_serializing_if = "is_default")]
    pub authentic: bool,
}

/// The answer to a question, typed.
pub type Answer<T> = Observed<Records<T>>;

/// A kind of data that can be picked out of an answer.
pub trait Pick: Sized {
    /// The record type that carries it.
    const KIND: RecordType;
    /// The value, if this record is of that type.
    fn pick(data: &Data) -> Option<Self>;
}

macro_rules! pick {
    ($type:ty, $kind:ident, $variant:ident) => {
        impl Pick for $type {
            const KIND: RecordType = RecordType::$kind;
            fn pick(data: &Data) -> Option<Self> {
                match data {
                    Data::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    };
}
pick!(Ipv4Addr, A, A);
pick!(Ipv6Addr, Aaaa, Aaaa);
pick!(Mx, Mx, Mx);
pick!(Name, Ptr, Ptr);
pick!(Box<str>, Txt, Txt);

impl Records<Data> {
    /// The records of one type.
    pub fn typed<T: Pick>(&self) -> Records<T> {
        Records {
            values: self.values.iter().filter_map(T::pick).collect(),
            aliases: self.aliases.clone(),
            ttl: self.ttl,
            authentic: self.authentic,
        }
    }
}

impl Observed<Records<Data>> {
    /// The same observation with the records of one type.
    pub fn typed<T: Pick>(&self) -> Answer<T> {
        match self {
            Self::Seen(records) => Observed::Seen(records.typed()),
            Self::Absent(absence) => Observed::Absent(absence.clone()),
            Self::Failed(failure) => Observed::Failed(failure.clone()),
            Self::NotAsked(cause) => Observed::NotAsked(*cause),
        }
    }
}

/// Both address families of a name. One failing does not void the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The A question.
    pub v4: Answer<Ipv4Addr>,
    /// The AAAA question.
    pub v6: Answer<Ipv6Addr>,
}

impl Addresses {
    /// Whether one of the families was not asked for.
    pub const fn not_asked(&self) -> bool {
        matches!(self.v4, Observed::NotAsked(_)) || matches!(self.v6, Observed::NotAsked(_))
    }

    /// All addresses seen, IPv4 first, in the order of the wire.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = self.v4.seen().into_iter().flat_map(|records| records.values.iter().copied().map(IpAddr::V4));
        let v6 = self.v6.seen().into_iter().flat_map(|records| records.values.iter().copied().map(IpAddr::V6));
        v4.chain(v6)
    }
}

/// The name under which a PTR record for this address stands (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse_name(address: IpAddr) -> Name {
    let (labels, tree) = reversed(address);
    Name::trusted(format!("{labels}.{tree}"))
}

/// The name to ask a blocklist for: reversed octets or nibbles before the zone (RFC 5782 §2.1, §2.4).
/// An IPv4-mapped address is asked as IPv4. None when the whole is longer than a name may be.
pub fn listing_name(address: IpAddr, zone: &Name) -> Option<Name> {
    let (labels, _) = reversed(address.to_canonical());
    let text = format!("{labels}.{}", zone.as_str());
    (text.len() <= 253).then(|| Name::trusted(text))
}

fn reversed(address: IpAddr) -> (String, &'static str) {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            write!(text, "{d}.{c}.{b}.{a}").expect("writing to a String cannot fail");
            (text, "in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            for octet in v6.octets().iter().rev() {
                let dot = if text.is_empty() { "" } else { "." };
                write!(text, "{dot}{:x}.{:x}", octet & 15, octet >> 4).expect("writing to a String cannot fail");
            }
            (text, "ip6.arpa")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names_are_the_textbook_ones() {
        assert_eq!(reverse_name("192.0.2.5".parse().unwrap()).as_str(), "5.2.0.192.in-addr.arpa");
        assert_eq!(
            reverse_name("2001:db8::567:89ab".parse().unwrap()).as_str(),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }

    #[test]
    fn a_mapped_address_is_looked_up_as_ipv4() {
        let zone = Name::trusted("bl.example".into());
        let asked = listing_name("::ffff:127.0.0.2".parse().unwrap(), &zone).unwrap();
        assert_eq!(asked.as_str(), "2.0.0.127.bl.example");
    }
}
