//! What one SMTP session showed.
//! Comes in: a conversation's replies, their times and their oddities. Goes out: the same, as evidence.
//! The server's misbehaviour is a value here, never an error.

use serde::{Deserialize, Serialize};

use super::stored::{is_default, octets};
use super::texts::Texts;
pub use super::tls::{Certificate, Tls};
use super::words::{Cause, ConnectStatus, SmtpStatus, TlsStatus, words};

/// One complete reply (RFC 5321 §4.2), or what there was of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The code of the first line; 0 when the first line has none.
    pub code: u16,
    /// The texts of the lines behind code and separator, escaped: control bytes and bytes above 0x7E as `\xHH`, backslash as `\\`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lines: Texts,
    /// The first 512 bytes as they came.
    #[serde(with = "octets", default, skip_serializing_if = "is_default")]
    pub raw: Box<[u8]>,
    /// False when the reply was cut off before its last line.
    pub complete: bool,
    /// Milliseconds from the request (or the connection) to the first byte.
    pub first_byte_ms: u32,
    /// Milliseconds from the request (or the connection) to the end of the first line.
    pub first_line_ms: u32,
    /// Milliseconds from the request (or the connection) to the end of the reply.
    pub complete_ms: u32,
    /// What is odd about it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub oddities: Oddities,
}

/// Departures from the reply syntax that do not keep it from being read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Oddities {
    /// A line ends in LF without CR, or has a CR inside (RFC 5321 §2.3.8).
    #[serde(skip_serializing_if = "is_default")]
    pub bare_lf: bool,
    /// A line is over 512 octets with its CRLF (§4.5.3.1.5).
    #[serde(skip_serializing_if = "is_default")]
    pub long_line: bool,
    /// The codes of a multi-line reply differ (§4.2.1).
    #[serde(skip_serializing_if = "is_default")]
    pub mixed_codes: bool,
    /// An octet of 0x80 or above.
    #[serde(skip_serializing_if = "is_default")]
    pub non_ascii: bool,
    /// NUL or another control byte than HT.
    #[serde(skip_serializing_if = "is_default")]
    pub control: bool,
    /// Text follows the code without a space or hyphen.
    #[serde(skip_serializing_if = "is_default")]
    pub no_separator: bool,
    /// The code alone, without text.
    #[serde(skip_serializing_if = "is_default")]
    pub bare_code: bool,
    /// The first line does not begin with a reply code (§4.2).
    #[serde(skip_serializing_if = "is_default")]
    pub no_code: bool,
}

/// Where in a greeting the name stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameAt {
    /// Nowhere.
    #[default]
    None,
    /// The first word, as RFC 5321 §4.3.1 has it.
    First,
    /// A later word or line.
    Later,
    /// Inside an APOP-like `<digits@host>`.
    Apop,
}

words! {
    /// What answered instead of SMTP.
    Protocol {
        /// An SSH identification.
        Ssh = "ssh",
        /// An HTTP response.
        Http = "http",
        /// An IMAP greeting.
        Imap = "imap",
        /// A POP3 greeting.
        Pop3 = "pop3",
        /// An FTP greeting.
        Ftp = "ftp",
        /// A TLS record before anything was asked.
        Tls = "tls",
    }
}

/// What a greeting says, drawn from its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The name, escaped like the lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Where it stood.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at: NameAt,
    /// Blanked by a firewall.
    #[serde(default, skip_serializing_if = "is_default")]
    pub masked: bool,
    /// Another protocol than SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The software, guessed for statistics only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<Box<str>>,
    /// A refusal whose text speaks of us: a blocklist, our PTR, our address.
    #[serde(default, skip_serializing_if = "is_default")]
    pub about_us: bool,
    /// A refusal that says there is no mail service here (`greeting-no-service`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_service: bool,
}

/// One SMTP session, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The port dialled.
    pub port: u16,
    /// What the connection came to.
    pub connect: ConnectStatus,
    /// Milliseconds to the established connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u32>,
    /// What the system said of a connection that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_detail: Option<Box<str>>,
    /// How far the session got and what ended it.
    pub status: SmtpStatus,
    /// What ended it, when it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The first reply, complete or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting: Option<Reply>,
    /// What it says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub greeted: Greeting,
    /// The EHLO reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo: Option<Reply>,
    /// The HELO reply, asked only when EHLO was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<Reply>,
    /// The host word of the EHLO reply (else the HELO reply) that was positive, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<Box<str>>,
    /// The first word of that reply when it cannot be a name: a phrase or a keyword.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo_not_name: Option<Box<str>>,
    /// EHLO keywords before TLS, upper case, in the order sent, at most 100.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extensions: Texts,
    /// `AUTH` mechanisms offered before TLS, upper case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auth: Texts,
    /// A keyword line outside the `ehlo-line` grammar.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bad_keyword: bool,
    /// STARTTLS hidden behind a run of `X` or `*`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub masked_starttls: bool,
    /// STARTTLS and what it showed.
    #[serde(default = "Tls::not_asked", skip_serializing_if = "Tls::is_not_asked")]
    pub tls: Tls,
    /// Bytes arrived after a complete reply and before our next command.
    #[serde(default, skip_serializing_if = "is_default")]
    pub desynchronised: bool,
    /// The code of the QUIT reply; None when none came in time or QUIT was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quit_code: Option<u16>,
    /// Whether QUIT was sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quit_sent: bool,
    /// Milliseconds from the connection attempt to the end.
    pub elapsed_ms: u32,
}

impl Session {
    /// No session was held: the connection failed or was not made.
    pub fn none(port: u16, connect: ConnectStatus) -> Self {
        Self {
            port,
            connect,
            connect_ms: None,
            connect_detail: None,
            status: SmtpStatus::NotAsked,
            cause: None,
            greeting: None,
            greeted: Greeting::default(),
            ehlo: None,
            helo: None,
            ehlo_name: None,
            ehlo_not_name: None,
            extensions: Texts::none(),
            auth: Texts::none(),
            bad_keyword: false,
            masked_starttls: false,
            tls: Tls::none(TlsStatus::NotAsked),
            desynchronised: false,
            quit_code: None,
            quit_sent: false,
            elapsed_ms: 0,
        }
    }
}

/// Makes bytes off the network safe to show and store: printable ASCII as it is, backslash doubled, all else `\xHH`.
pub fn escape(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len());
    escape_into(&mut text, bytes);
    text.into_boxed_str()
}

/// The same at the end of a text.
pub fn escape_into(text: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'[' | b']'..=b'~');
    let mut rest = bytes;
    while !rest.is_empty() {
        let (plain, odd) = rest.split_at(rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len()));
        text.push_str(str::from_utf8(plain).expect("printable ASCII is UTF-8"));
        rest = match odd.split_first() {
            None => odd,
            Some((b'\\', rest)) => {
                text.push_str("\\\\");
                rest
            }
            Some((byte, rest)) => {
                write!(text, "\\x{byte:02X}").expect("writing to a String cannot fail");
                rest
            }
        };
    }
}

/// The octets behind an escaped text: `\xHH` stands for the octet HH and `\\` for a backslash, as [`escape`] writes them.
/// Text that was never escaped, such as a recorded introduction, comes back as its own UTF-8.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match tail {
            [b'\\', ..] if first == b'\\' => Some((b'\\', 1)),
            [b'x', high, low, ..] if first == b'\\' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, 3))
            }
            _ => None,
        };
        let (octet, length) = escaped.unwrap_or((first, 0));
        octets.push(octet);
        rest = tail.get(length..).unwrap_or_default();
    }
    octets
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_only_looks_escaped_stays_as_it_is() {
        assert_eq!(unescape("a\\b\\xZZ\\x4\\"), b"a\\b\\xZZ\\x4\\");
    }

    proptest! {
        #[test]
        fn escaping_loses_nothing_and_shows_nothing_raw(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = escape(&bytes);
            prop_assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(unescape(&text), bytes);
        }
    }
}
