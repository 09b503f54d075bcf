//! Domain names, normalised once.
//! Comes in: text a person typed, or labels off the wire. Goes out: one comparable form.
//! The form: lower case, A-labels, no final dot, other bytes escaped as `\DDD` (RFC 1035 §5.1, RFC 4343 §2.1).

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _};

/// A domain name in its normal form; the root is the empty text.
///
/// Two names are the same exactly when they compare equal. The text holds printable ASCII only, so it may be shown anywhere.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// The 255 octets that the wire has, each escaped by four characters.
const LONGEST: usize = 4 * 255;

/// Evidence comes back from files that anybody may have written: what is not in the normal form is no name.
impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Arc::<str>::deserialize(deserializer)?;
        Self::stored(&text).ok_or_else(|| D::Error::custom("a name that is not in its normal form"))
    }
}

/// Labels of printable ASCII without capitals, none of them empty, escapes whole.
fn is_normal(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut begun = false;
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'.' => begun,
            b'\\' => match bytes.next() {
                Some(b'0'..=b'2') => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_digit())),
                other => other.is_some_and(|other| other.is_ascii_punctuation()),
            },
            _ => byte.is_ascii_graphic() && !byte.is_ascii_uppercase(),
        };
        if !legal {
            return false;
        }
        begun = byte != b'.';
    }
    begun || text.is_empty()
}

/// Why a text is no domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// A leading dot or two dots in a row.
    #[error("has an empty label")]
    EmptyLabel,
    /// RFC 1035 §2.3.4.
    #[error("has a label over 63 characters")]
    LabelTooLong,
    /// RFC 1035 §2.3.4.
    #[error("is over 253 characters")]
    TooLong,
    /// A character that no domain name in a list should have.
    #[error("has the character {0:?}, which no domain name has")]
    Character(char),
    /// An internationalised label that IDNA does not allow (RFC 5891 §4).
    #[error("is not a valid internationalised name")]
    Idna,
    /// An address or a range where a name is wanted, or a number as top-level domain (RFC 3696 §2).
    #[error("ends in a number, which no top-level domain is")]
    NumericTld,
}

impl Name {
    /// The root.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// Reads a domain name that a person or a list gives: any case, Unicode or A-labels, with or without the final dot.
    /// Underscores and edge hyphens pass: whether the name is proper is judged, not assumed.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| NameError::Idna)?
        };
        let bare = ascii.strip_suffix('.').unwrap_or(&ascii);
        if bare.is_empty() {
            return Err(NameError::Empty);
        }
        if bare.len() > 253 {
            return Err(NameError::TooLong);
        }
        let mut last = "";
        for label in bare.split('.') {
            if label.is_empty() {
                return Err(NameError::EmptyLabel);
            }
            if label.len() > 63 {
                return Err(NameError::LabelTooLong);
            }
            if let Some(wrong) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
                return Err(NameError::Character(wrong));
            }
            last = label;
        }
        if last.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Err(NameError::NumericTld);
        }
        Ok(Self(Arc::from(bare)))
    }

    /// Takes labels as they stand on the wire: bytes are lower-cased, and all but letters, digits, `-` and `_` escaped.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut text = String::with_capacity(64);
        for label in labels {
            if !text.is_empty() {
                text.push('.');
            }
            for &byte in label {
                match byte {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'*' => text.push(char::from(byte)),
                    b'A'..=b'Z' => text.push(char::from(byte.to_ascii_lowercase())),
                    b'!'..=b'~' => {
                        text.push('\\');
                        text.push(char::from(byte));
                    }
                    _ => write!(text, "\\{byte:03}").expect("writing to a String cannot fail"),
                }
            }
        }
        Self(Arc::from(text))
    }

    /// A name as this program stores it; None for a text that is not in the normal form.
    pub fn stored(text: &str) -> Option<Self> {
        (text.len() <= LONGEST && is_normal(text)).then(|| Self(Arc::from(text)))
    }

    /// A text already in normal form: made by this program, never by the network.
    pub fn trusted(text: String) -> Self {
        let dotted = !text.is_empty() && is_border(&text, text.len());
        debug_assert!(text.is_ascii() && !dotted, "{text:?} is not in normal form");
        Self(Arc::from(text))
    }

    /// Some labels of a name, as a name of its own.
    pub(super) fn of_part(part: &str) -> Self {
        Self(Arc::from(part))
    }

    /// The text, without a final dot; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels as bytes, escapes resolved, from left to right.
    pub fn labels(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let mut bytes = self.0.bytes().peekable();
        std::iter::from_fn(move || {
            bytes.peek()?;
            let mut label = Vec::with_capacity(16);
            while let Some(byte) = bytes.next() {
                match byte {
                    b'.' => break,
                    b'\\' => match bytes.next() {
                        Some(first @ b'0'..=b'9') => {
                            let rest = [bytes.next(), bytes.next()];
                            let value = [Some(first), rest[0], rest[1]]
                                .into_iter()
                                .flatten()
                                .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
                            label.push(u8::try_from(value).unwrap_or(b'?'));
                        }
                        Some(escaped) => label.push(escaped),
                        None => label.push(b'\\'),
                    },
                    plain => label.push(plain),
                }
            }
            Some(label)
        })
    }

    /// Whether this name is `zone` or stands below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        let Some(head) = self.0.strip_suffix(&*zone.0) else {
            return false;
        };
        zone.is_root() || is_border(&self.0, head.len())
    }

    /// The name one label up; None for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let mut escaped = false;
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                b'\\' if !escaped => escaped = true,
                b'.' if !escaped => {
                    return Some(Self(Arc::from(self.0.get(at + 1..).unwrap_or(""))));
                }
                _ => escaped = false,
            }
        }
        Some(Self::root())
    }
}

/// Whether a label begins here. An escaped dot is no border: `x\.isp.com` is nobody at `isp.com`.
pub(super) fn is_border(name: &str, at: usize) -> bool {
    let Some(dot) = at.checked_sub(1) else { return true };
    let bytes = name.as_bytes();
    let escapes = bytes.get(..dot).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
    bytes.get(dot) == Some(&b'.') && escapes % 2 == 0
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_final_dot_and_unicode_meet_in_one_form() {
        assert_eq!(Name::parse("MÜLLER.de.").unwrap(), Name::parse("xn--mller-kva.DE").unwrap());
        assert_eq!(Name::parse("_dmarc.Example.ORG").unwrap().as_str(), "_dmarc.example.org");
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        for (text, why) in [
            ("", NameError::Empty),
            (".", NameError::Empty),
            ("a..b", NameError::EmptyLabel),
            ("a b.org", NameError::Character(' ')),
            ("x@y.org", NameError::Character('@')),
            ("192.0.2.300", NameError::NumericTld),
            ("192.0.2.1-5", NameError::NumericTld),
        ] {
            assert_eq!(Name::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Name::parse(&format!("{}.org", "x".repeat(64))), Err(NameError::LabelTooLong));
    }

    #[test]
    fn a_dot_inside_a_label_is_no_border() {
        let name = Name::from_labels([b"a.b".as_slice(), b"org"]);
        assert_eq!(name.as_str(), "a\\.b.org");
        assert_eq!(name.parent().unwrap().as_str(), "org");
        assert!(!name.is_within(&Name::trusted("b.org".into())));
        let backslash = Name::from_labels([b"a\\".as_slice(), b"b", b"org"]);
        assert!(backslash.is_within(&Name::trusted("b.org".into())));
    }

    #[test]
    fn what_is_stored_and_not_in_normal_form_is_no_name() {
        for text in ["Mail.org", "a..b", ".a", "a.", "a b", "m\u{fc}ller.de", "a\\", "a\\a", "a\\25", "a\\999.b"] {
            let stored = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Name>(&stored).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn labels_survive_the_round_trip(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..6)) {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice));
            let lower: Vec<Vec<u8>> = labels.iter().map(|label| label.to_ascii_lowercase()).collect();
            prop_assert_eq!(name.labels().collect::<Vec<_>>(), lower);
            prop_assert!(name.as_str().bytes().all(|byte| (0x21..0x7f).contains(&byte)));
            let stored = serde_json::to_string(&name).unwrap();
            prop_assert_eq!(serde_json::from_str::<Name>(&stored).unwrap(), name);
        }
    }
}
