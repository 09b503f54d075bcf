//! Reads one reply out of bytes (RFC 5321 §4.2).
//! Comes in: bytes in pieces of any size. Goes out: a `Reply`, and whether more belongs to it.
//! The caps keep a server from making us hold or scan more than it may say: time is linear in the bytes received.
//! No clock and no socket: the caller says when a piece came.

use std::borrow::Cow;
use std::mem;

use crate::model::smtp::{Reply, escape_into, unescape};
use crate::model::texts::Texts;

/// Octets of a line with its CRLF; no line of RFC 5321 §4.5.3.1.5 has more than 512.
const LINE_CAP: usize = 1024;
const LINE_LIMIT: usize = 512;
const LINES_CAP: usize = 64;
const REPLY_CAP: usize = 16 * 1024;
const RAW_CAP: usize = 512;
/// The header of a TLS record, and enough to know any other binary protocol by.
const BINARY_CAP: usize = 5;

/// What a piece of input did to the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The reply goes on.
    More,
    /// The last line is there, or a first line that is no reply at all.
    Done,
    /// A line, the number of lines or the reply is beyond its cap.
    TooLong,
}

/// The reply at the beginning of these bytes, as if they had come at once and the connection had then been closed.
pub fn read(bytes: &[u8]) -> Reply {
    read_pieces([bytes])
}

/// The same of bytes that came in these pieces.
pub fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Reply {
    let mut incoming = Incoming::default();
    for piece in pieces {
        match incoming.take(piece, 0).1 {
            Progress::Done => return incoming.complete(0),
            Progress::TooLong => break,
            Progress::More => {}
        }
    }
    incoming.cut_off(0)
}

/// A reply on its way in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    reply: Reply,
    raw: Vec<u8>,
    /// The line that has begun and not ended.
    line: Vec<u8>,
    bytes: usize,
    /// Lines of the reply so far.
    lines: usize,
}

impl Incoming {
    /// Octets that belong to the reply so far.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what belongs to this reply off the front of `input`, which came `now_ms` after the request; says how many
    /// octets that were. The rest belongs to nobody yet.
    pub(super) fn take(&mut self, input: &[u8], now_ms: u32) -> (usize, Progress) {
        let mut used = 0;
        if self.bytes == 0 {
            // Nearly every reply comes in one piece: room for all of it at once.
            self.raw.reserve_exact(input.len().min(RAW_CAP));
            self.reply.lines = Texts::with_room(input.len().min(REPLY_CAP));
        }
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let Some(&next) = rest.first() else { return (used, Progress::More) };
            if self.bytes == 0 {
                self.reply.first_byte_ms = now_ms;
            }
            let binary = self.lines == 0 && is_binary(*self.line.first().unwrap_or(&next));
            let cap = if binary { BINARY_CAP } else { LINE_CAP };
            let room = (cap - self.line.len()).min(REPLY_CAP - self.bytes);
            let end = rest.iter().take(room).position(|&byte| byte == b'\n').map(|at| at + 1);
            let piece = rest.get(..end.unwrap_or(room)).unwrap_or(rest);
            used += piece.len();
            self.bytes += piece.len();
            let raw_room = RAW_CAP - self.raw.len();
            self.raw.extend_from_slice(piece.get(..raw_room).unwrap_or(piece));

            if end.is_some() {
                let last = if self.line.is_empty() {
                    self.end_line(piece, now_ms)
                } else {
                    let mut line = mem::take(&mut self.line);
                    line.extend_from_slice(piece);
                    let last = self.end_line(&line, now_ms);
                    line.clear();
                    self.line = line;
                    last
                };
                if last {
                    return (used, Progress::Done);
                }
                if self.lines >= LINES_CAP {
                    return (used, Progress::TooLong);
                }
                continue;
            }
            self.line.extend_from_slice(piece);
            if binary && self.line.len() >= BINARY_CAP {
                let line = mem::take(&mut self.line);
                self.end_line(&line, now_ms);
                return (used, Progress::Done);
            }
            if piece.len() < rest.len() {
                self.reply.oddities.long_line |= self.line.len() > LINE_LIMIT;
                return (used, Progress::TooLong);
            }
        }
    }

    /// The reply with its last line there.
    pub(super) fn complete(self, now_ms: u32) -> Reply {
        Reply { raw: self.raw.into(), complete: true, complete_ms: now_ms, ..self.reply }
    }

    /// What there was of a reply that ended before its last line. The line that broke off stays out of `lines`: half a name
    /// is not a name. Its code counts where it is whole, and so does the lack of one.
    pub(super) fn cut_off(mut self, now_ms: u32) -> Reply {
        if self.lines == 0 {
            match code(&self.line) {
                Some((code, _)) => self.reply.code = code,
                None => self.reply.oddities.no_code = !could_be_code(&self.line),
            }
        }
        Reply { raw: self.raw.into(), complete: false, complete_ms: now_ms, ..self.reply }
    }

    /// Takes a line with its end; true when the reply ends with it.
    fn end_line(&mut self, line: &[u8], now_ms: u32) -> bool {
        let odd = &mut self.reply.oddities;
        odd.long_line |= line.len() > LINE_LIMIT;
        let (text, proper) = match line {
            [text @ .., b'\r', b'\n'] => (text, true),
            [text @ .., b'\n'] => (text, false),
            // A binary beginning that was cut for being binary: nothing is known of its end.
            text => (text, true),
        };
        odd.bare_lf |= !proper;
        for &byte in text {
            match byte {
                b' '..=b'~' | b'\t' => {}
                b'\r' => odd.bare_lf = true,
                0x80.. => odd.non_ascii = true,
                _ => odd.control = true,
            }
        }

        let first = self.lines == 0;
        if first {
            self.reply.first_line_ms = now_ms;
        }
        let (text, last) = match code(text) {
            None if first => {
                odd.no_code = true;
                (text, true)
            }
            // Inside a reply a line without a code is noise: the last line decides.
            None => {
                odd.mixed_codes = true;
                (text, false)
            }
            Some((code, separator)) => {
                if first {
                    self.reply.code = code;
                }
                odd.mixed_codes |= code != self.reply.code;
                odd.no_separator |= separator == Separator::Missing;
                let rest = text.get(if separator == Separator::Missing { 3 } else { 4 }..).unwrap_or_default();
                odd.bare_code |= first && separator != Separator::Hyphen && rest.trim_ascii().is_empty();
                let last = match separator {
                    Separator::Hyphen => false,
                    Separator::Space | Separator::End => true,
                    Separator::Missing => first,
                };
                (rest, last)
            }
        };
        self.lines += 1;
        self.reply.lines.push_with(|lines| escape_into(lines, text));
        last
    }
}

/// What stands between the code and the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    /// The reply ends with this line.
    Space,
    /// More lines follow.
    Hyphen,
    /// The code alone.
    End,
    /// Something else.
    Missing,
}

/// The reply code at the start of a line: `%x32-35 %x30-35 %x30-39` (RFC 5321 §4.2), not followed by another digit.
fn code(line: &[u8]) -> Option<(u16, Separator)> {
    let (&[a @ b'2'..=b'5', b @ b'0'..=b'5', c @ b'0'..=b'9'], rest) = line.split_first_chunk()? else { return None };
    let separator = match rest.first() {
        None => Separator::End,
        Some(b' ') => Separator::Space,
        Some(b'-') => Separator::Hyphen,
        Some(b'0'..=b'9') => return None,
        Some(_) => Separator::Missing,
    };
    let digit = |byte: u8| u16::from(byte - b'0');
    Some((digit(a) * 100 + digit(b) * 10 + digit(c), separator))
}

/// Whether a line that has only begun may still turn out to have a code.
fn could_be_code(begun: &[u8]) -> bool {
    let ranges = [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9'];
    begun.len() < 4 && begun.iter().zip(ranges).all(|(byte, range)| range.contains(byte))
}

/// Whether a reply that begins with this octet is no text at all.
const fn is_binary(first: u8) -> bool {
    !matches!(first, b' '..=b'~' | b'\t' | b'\r' | b'\n')
}

/// The bytes behind an escaped line.
pub(super) fn bytes_of(line: &str) -> Cow<'_, [u8]> {
    if line.contains('\\') { Cow::Owned(unescape(line)) } else { Cow::Borrowed(line.as_bytes()) }
}

/// Lines looked at for software and for reasons; a page of rules may follow that tells nothing.
pub(super) const LINES_READ: usize = 16;

/// The text of a reply on one line, lower case.
pub(super) fn lower_text(reply: &Reply) -> String {
    let mut text = String::with_capacity(128);
    for line in reply.lines.iter().take(LINES_READ) {
        text.push_str(line);
        text.push(' ');
    }
    text.make_ascii_lowercase();
    text
}

/// The blank-delimited words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of `bytes` when they come in pieces of these sizes and then the connection closes.
    fn in_pieces(bytes: &[u8], sizes: &[usize]) -> (Reply, Progress, usize) {
        let mut incoming = Incoming::default();
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < bytes.len() {
            let size = (*sizes.next().unwrap()).min(bytes.len() - at);
            let (used, progress) = incoming.take(&bytes[at..at + size], 7);
            at += used;
            match progress {
                Progress::More => {}
                Progress::Done => return (incoming.complete(7), progress, at),
                Progress::TooLong => return (incoming.cut_off(7), progress, at),
            }
        }
        (incoming.cut_off(7), Progress::More, at)
    }

    /// The reply in these bytes.
    pub(in super::super) fn reply(bytes: &[u8]) -> Reply {
        in_pieces(bytes, &[usize::MAX]).0
    }

    #[test]
    fn a_reply_ends_with_the_first_line_that_has_a_code_and_no_hyphen() {
        let (reply, progress, used) =
            in_pieces(b"250-a.example\r\n250-SIZE\r\n250 HELP\r\n250 more\r\n", &[usize::MAX]);
        assert_eq!((reply.code, reply.complete, progress), (250, true, Progress::Done));
        assert_eq!(reply.lines, ["a.example", "SIZE", "HELP"].into());
        assert_eq!(used, 35, "the line behind the reply is not taken");
        assert_eq!(reply.oddities, crate::model::smtp::Oddities::default());
    }

    #[test]
    fn a_reply_cut_after_a_hyphen_is_not_an_answer() {
        let reply = reply(b"250-mail.example\r\n250-SI");
        assert!(!reply.complete);
        assert_eq!(reply.lines.len(), 1, "the broken line is left out");
    }

    #[test]
    fn each_oddity_is_seen_where_it_is_and_only_there() {
        for (bytes, name) in [
            (b"220 a\r\n".as_slice(), ""),
            (b"220 a\n", "bare-lf"),
            (b"220 a\rb\r\n", "bare-lf"),
            (b"220-a\r\n250 b\r\n", "mixed"),
            (b"220-a\r\nnoise\r\n220 b\r\n", "mixed"),
            (b"220 \xFC\r\n", "non-ascii"),
            (b"220 \0\r\n", "control"),
            (b"220 \x7f\r\n", "control"),
            (b"220 \t\r\n", "bare-code"),
            (b"220\r\n", "bare-code"),
            (b"220a\r\n", "no-separator"),
            (b"2200 a\r\n", "no-code"),
            (b"260 a\r\n", "no-code"),
            (b"Permission denied\r\n", "no-code"),
            (b"\r\n", "no-code"),
        ] {
            let (reply, progress, _) = in_pieces(bytes, &[usize::MAX]);
            let odd = reply.oddities;
            let seen = [
                (odd.bare_lf, "bare-lf"),
                (odd.long_line, "long"),
                (odd.mixed_codes, "mixed"),
                (odd.non_ascii, "non-ascii"),
                (odd.control, "control"),
                (odd.no_separator, "no-separator"),
                (odd.bare_code, "bare-code"),
                (odd.no_code, "no-code"),
            ];
            let seen: Vec<_> = seen.into_iter().filter_map(|(on, name)| on.then_some(name)).collect();
            assert_eq!(seen.join(" "), name, "{}", crate::model::smtp::escape(bytes));
            assert_eq!(progress, Progress::Done);
        }
    }

    #[test]
    fn caps_hold_at_their_exact_size() {
        let line = |length: usize| [b"220 ".as_slice(), &vec![b'x'; length - 6], b"\r\n"].concat();
        assert!(!reply(&line(512)).oddities.long_line);
        assert!(reply(&line(513)).oddities.long_line);
        assert_eq!(in_pieces(&line(1024), &[usize::MAX]).1, Progress::Done);
        assert_eq!(in_pieces(&line(1025), &[usize::MAX]).1, Progress::TooLong);
        let lines = |count: usize| [b"220-x\r\n".repeat(count - 1), b"220 x\r\n".to_vec()].concat();
        assert_eq!(in_pieces(&lines(64), &[usize::MAX]).1, Progress::Done);
        assert_eq!(in_pieces(&lines(65), &[usize::MAX]).1, Progress::TooLong);
        let long = [b"220-".as_slice(), &[b'x'; 900], b"\r\n"].concat().repeat(30);
        let (cut, progress, used) = in_pieces(&long, &[usize::MAX]);
        assert_eq!((progress, used, cut.raw.len(), cut.code), (Progress::TooLong, 16 * 1024, 512, 220));
    }

    #[test]
    fn a_beginning_that_is_no_text_is_not_waited_for() {
        let (reply, progress, _) = in_pieces(b"\x16\x03\x01\x00\xff\x01", &[1]);
        assert_eq!(progress, Progress::Done);
        assert!(reply.oddities.no_code);
        assert_eq!(*reply.raw, *b"\x16\x03\x01\x00\xff");
    }

    #[test]
    fn a_broken_first_line_tells_its_code_when_that_is_whole() {
        assert_eq!(reply(b"220 mail.exam").code, 220);
        let begun = reply(b"22");
        assert!(begun.code == 0 && !begun.oddities.no_code);
        assert!(reply(b"login: ").oddities.no_code);
    }

    fn replies() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"220-".to_vec()),
            Just(b"220 ".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\x16\x03".to_vec()),
            prop::collection::vec(any::<u8>(), 0..12),
            (1_usize..1100).prop_map(|length| vec![b'x'; length]),
        ];
        prop::collection::vec(piece, 0..100).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_reply(bytes in replies(), sizes in prop::collection::vec(1_usize..200, 1..8)) {
            prop_assert_eq!(in_pieces(&bytes, &sizes), in_pieces(&bytes, &[usize::MAX]));
        }
    }
}
