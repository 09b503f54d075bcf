//! Cuts a line of bytes at words, and reads the addresses in it.
//! Comes in: bytes of a log, not always UTF-8. Goes out: parts of the same bytes, nothing copied.
//! Knows no log's grammar.

use std::net::IpAddr;

/// Where `word` first stands.
pub(super) fn find(line: &[u8], word: &[u8]) -> Option<usize> {
    line.windows(word.len()).position(|window| window == word)
}

/// What stands before and after the first `word`.
pub(super) fn split<'a>(line: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(line, word)?;
    Some((line.get(..at)?, line.get(at + word.len()..)?))
}

/// What stands before and after the last `word`.
pub(super) fn split_last<'a>(line: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(word.len()).rposition(|window| window == word)?;
    Some((line.get(..at)?, line.get(at + word.len()..)?))
}

/// The first word, which ends at a blank, and what follows that blank.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    split(line, b" ").unwrap_or((line, &[]))
}

/// An address as logs write it: bare, or with `IPv6:` before it; a mapped IPv4 address is IPv4.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let bare = match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => text.get(5..)?,
        _ => text,
    };
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// The address between brackets at the beginning, and what follows them.
pub(super) fn bracketed(text: &[u8]) -> Option<(IpAddr, &[u8])> {
    let (inner, rest) = split(text.strip_prefix(b"[")?, b"]")?;
    Some((address(inner)?, rest))
}

/// A name, empty or without blanks and brackets, and the address between brackets after it, and what follows.
pub(super) fn client(text: &[u8]) -> Option<(&[u8], IpAddr, &[u8])> {
    let open = text.iter().position(|byte| matches!(byte, b'[' | b' ' | b'(' | b')'))?;
    let (name, rest) = text.split_at_checked(open)?;
    let (address, rest) = bracketed(rest)?;
    Some((name, address, rest))
}

/// The text behind `program[pid]: ` where the program's name satisfies the test; a path before the name is no part of it.
pub(super) fn said_by(line: &[u8], program: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let (head, text) = split(line, b"]: ")?;
    let (head, pid) = split_last(head, b"[")?;
    let name = head.rsplit(|byte| matches!(byte, b' ' | b'/')).next()?;
    (pid.iter().all(u8::is_ascii_digit) && program(name)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_logs_write_them() {
        for (text, wanted) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("IPv6:2001:db8::1", Some("2001:db8::1")),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("ipv6:::ffff:192.0.2.1", Some("192.0.2.1")),
            ("unknown", None),
            ("", None),
            ("192.0.2.1:25", None),
        ] {
            assert_eq!(address(text.as_bytes()), wanted.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn the_program_stands_before_its_number() {
        let smtpd = |line: &'static str| said_by(line.as_bytes(), |name| name == b"smtpd").map(String::from_utf8_lossy);
        assert_eq!(smtpd("Nov 24 11:50:01 mx postfix/smtpd[12]: connect from a").as_deref(), Some("connect from a"));
        assert_eq!(smtpd("Nov 24 11:50:01 mx smtpd[12]: x").as_deref(), Some("x"));
        assert_eq!(smtpd("Nov 24 11:50:01 mx postfix/smtp[12]: to smtpd[13]: x"), None);
    }
}
