//! The zones and the questions of the cross-check, written down together: who adds an odd case asks about it.
//! Comes in: records and questions by name. Goes out: zone files in the format of RFC 1035 §5, and the list of questions.
//! Which cases there are is `cases`'s. Names are kept as octets, so that nothing of the program under test is trusted here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mxcensus::model::dns::{Question, RecordType};
use mxcensus::model::name::Name;

/// Seconds to live where a case does not say otherwise.
pub(crate) const TTL: u32 = 3600;
/// Every type there is.
pub(crate) const TYPES: [RecordType; 7] = [
    RecordType::A,
    RecordType::Aaaa,
    RecordType::Mx,
    RecordType::Ptr,
    RecordType::Txt,
    RecordType::Ns,
    RecordType::Soa,
];

/// A name as the octets of its labels, from left to right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Octets(Vec<Vec<u8>>);

impl Octets {
    /// A name without anything odd in it.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split('.').filter(|label| !label.is_empty()).map(|label| label.as_bytes().to_vec()).collect())
    }

    /// This name with labels before it that have nothing odd in them.
    pub(crate) fn below(&self, labels: &str) -> Self {
        let mut name = Self::of(labels);
        name.0.extend_from_slice(&self.0);
        name
    }

    /// This name with one more label before it.
    pub(crate) fn under(&self, label: impl AsRef<[u8]>) -> Self {
        let mut labels = vec![label.as_ref().to_vec()];
        labels.extend_from_slice(&self.0);
        Self(labels)
    }

    /// The name made 255 octets long on the wire, by labels before it that are as long as they may be.
    pub(crate) fn filled(&self, letter: u8) -> Self {
        let mut name = self.clone();
        loop {
            let room = 255 - name.length();
            // Neither a label of no letters nor a rest of one octet, which no label fits.
            let label = match room {
                0 => return name,
                65 => 62,
                _ => 63.min(room - 1),
            };
            name = name.under(vec![letter; label]);
        }
    }

    fn length(&self) -> usize {
        self.0.iter().map(|label| label.len() + 1).sum::<usize>() + 1
    }

    /// The program's form of it.
    pub(crate) fn name(&self) -> Name {
        Name::from_labels(self.0.iter().map(Vec::as_slice))
    }

    /// As it stands in a zone file: all but letters, digits and the hyphen by number.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for label in &self.0 {
            for byte in label {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(*byte)),
                    // The asterisk by number would be one all the same; as itself it is what people write.
                    b'*' => text.push('*'),
                    _ => write!(text, "\\{byte:03}").unwrap(),
                }
            }
            text.push('.');
        }
        if text.is_empty() { ".".into() } else { text }
    }
}

/// A string of TXT data as it stands in a zone file.
pub(crate) fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in octets {
        match byte {
            b'"' | b'\\' | 0..b' ' | 0x7F.. => write!(text, "\\{byte:03}").unwrap(),
            _ => text.push(char::from(*byte)),
        }
    }
    text + "\""
}

/// One question, and which case it is of.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) case: &'static str,
    pub(crate) question: Question,
}

/// All zones, all questions.
#[derive(Debug, Default)]
pub(crate) struct World {
    zones: BTreeMap<String, String>,
    /// The questions.
    pub(crate) asks: Vec<Ask>,
}

impl World {
    /// Adds a zone, with its SOA and one name server, which has an address if it is inside.
    pub(crate) fn zone(&mut self, origin: &str) {
        let apex = Octets::of(origin);
        let server = apex.under("ns");
        let (owner, ns) = (apex.text(), server.text());
        let soa = format!("{owner} {TTL} IN SOA {ns} hostmaster.example. 1 3600 600 86400 900\n");
        self.zones.insert(origin.to_owned(), soa);
        self.record(origin, &apex, TTL, &format!("NS {ns}"));
        self.record(origin, &server, TTL, "A 192.0.2.53");
    }

    /// Adds a record: type and data as they stand in a zone file.
    pub(crate) fn record(&mut self, zone: &str, owner: &Octets, ttl: u32, data: &str) {
        let zone = self.zones.get_mut(zone).unwrap();
        writeln!(zone, "{} {ttl} IN {data}", owner.text()).unwrap();
    }

    /// Asks for every type of a name.
    pub(crate) fn ask(&mut self, case: &'static str, name: &Octets) {
        for kind in TYPES {
            self.ask_for(case, name, kind);
        }
    }

    /// Asks for one type of a name.
    pub(crate) fn ask_for(&mut self, case: &'static str, name: &Octets, kind: RecordType) {
        self.asks.push(Ask { case, question: Question { name: name.name(), kind } });
    }

    /// The zones by origin, each as the text of its file.
    pub(crate) fn zones(&self) -> impl Iterator<Item = (String, &str)> {
        self.zones.iter().map(|(origin, text)| (Octets::of(origin).text(), text.as_str()))
    }
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(mixed % limit).unwrap()
    }
}
