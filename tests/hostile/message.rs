//! DNS messages as a hostile name server writes them: nothing is checked, everything can be bent.
//! Comes in: a query's bytes. Goes out: replies, byte by byte.
//! This is code of the tests' own: a mistake of the engine's reader cannot hide behind the same mistake here.

/// Where the question section starts.
pub(crate) const HEADER: usize = 12;

/// Numbers of record types (IANA).
pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;

/// One query as the server sees it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) bytes: Vec<u8>,
}

impl Asked {
    fn labels(&self) -> Vec<&[u8]> {
        let mut rest = &self.bytes[HEADER..];
        let mut labels = Vec::new();
        while let Some((&length, tail)) = rest.split_first()
            && length > 0
        {
            let (label, tail) = tail.split_at(usize::from(length));
            labels.push(label);
            rest = tail;
        }
        labels
    }

    /// The asked name in lower case.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.labels().join(&b'.')).to_lowercase()
    }

    /// The name's first label.
    pub(crate) fn first(&self) -> String {
        self.name().split('.').next().unwrap().to_owned()
    }

    /// The number that a label such as `late-17` ends in.
    pub(crate) fn number(&self) -> u16 {
        self.first().rsplit('-').next().unwrap().parse().unwrap()
    }

    /// The question section.
    pub(crate) fn question(&self) -> &[u8] {
        let name: usize = self.labels().iter().map(|label| label.len() + 1).sum();
        &self.bytes[HEADER..HEADER + name + 5]
    }

    /// A reply: recursion available, this rcode, the question repeated.
    pub(crate) fn reply(&self, rcode: u8) -> Reply {
        let mut bytes = self.bytes[..2].to_vec();
        bytes.extend_from_slice(&[0x81, 0x80 | rcode, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(self.question());
        Reply(bytes)
    }
}

/// A reply being written.
#[derive(Debug, Clone)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl Reply {
    fn count(&mut self, section: usize) {
        let count = u16::from_be_bytes([self.0[section], self.0[section + 1]]) + 1;
        self.0[section..section + 2].copy_from_slice(&count.to_be_bytes());
    }

    fn record(mut self, section: usize, owner: &[u8], kind: u16, data: &[u8]) -> Self {
        self.count(section);
        self.0.extend_from_slice(owner);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&[0, 1, 0, 0, 1, 0x2C]);
        self.0.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        self.0.extend_from_slice(data);
        self
    }

    /// A record in the answer section, its owner as octets of the wire.
    pub(crate) fn answer(self, owner: &[u8], kind: u16, data: &[u8]) -> Self {
        self.record(6, owner, kind, data)
    }

    /// A record of the asked name itself, by a pointer to it.
    pub(crate) fn own(self, kind: u16, data: &[u8]) -> Self {
        self.record(6, &[0xC0, 12], kind, data)
    }

    /// A record in the authority section.
    pub(crate) fn authority(self, owner: &[u8], kind: u16, data: &[u8]) -> Self {
        self.record(8, owner, kind, data)
    }

    /// A record in the additional section.
    pub(crate) fn additional(self, owner: &[u8], kind: u16, data: &[u8]) -> Self {
        self.record(10, owner, kind, data)
    }

    /// An OPT record with an extended error.
    pub(crate) fn extended(self, code: u16, text: &[u8]) -> Self {
        let length = u16::try_from(text.len() + 2).unwrap();
        let data = [&[0, 15], length.to_be_bytes().as_slice(), &code.to_be_bytes(), text].concat();
        self.additional(&[0], 41, &data)
    }

    /// More flags in the third and fourth octet.
    pub(crate) fn flags(mut self, third: u8, fourth: u8) -> Self {
        self.0[2] |= third;
        self.0[3] |= fourth;
        self
    }

    /// Cut short, as it says.
    pub(crate) fn truncated(self) -> Self {
        self.flags(0x02, 0)
    }

    /// The octet at a place, with these bits turned.
    pub(crate) fn turned(mut self, at: usize, bits: u8) -> Self {
        self.0[at] ^= bits;
        self
    }

    /// Where the next octet goes.
    pub(crate) fn end(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap()
    }
}

/// A name on the wire; its labels are split at dots.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let labels: Vec<&[u8]> = text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes).collect();
    labelled(&labels)
}

/// A name on the wire, of any labels.
pub(crate) fn labelled(labels: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend_from_slice(label);
    }
    wire.push(0);
    wire
}

/// A pointer to a place in the message.
pub(crate) fn pointer(to: u16) -> Vec<u8> {
    (0xC000 | to).to_be_bytes().to_vec()
}
