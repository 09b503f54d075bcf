//! Finds the one `Received:` field of a message that may be believed.
//! Comes in: the lines of a message, or of a mailbox in the mbox format (RFC 4155). Goes out: per message its client.
//! The topmost field was written by the own server; every older one can be forged. A field whose client is one of the
//! own relays was handed on inside the house, and so the next one is the own relay's.

use ipnet::IpNet;

use super::Seen;
use super::received::{self, Field};

/// Longest field, unfolded.
const FIELD: usize = 64 * 1024;

/// Header fields with which a message may begin: enough to know one from a log.
const FIRST_FIELDS: [&str; 16] = [
    "return-path:",
    "received:",
    "delivered-to:",
    "envelope-to:",
    "delivery-date:",
    "from:",
    "to:",
    "date:",
    "subject:",
    "message-id:",
    "mime-version:",
    "content-type:",
    "dkim-signature:",
    "authentication-results:",
    "arc-seal:",
    "x-",
];

/// Whether a message begins with this line of a mailbox: `From `, a sender, and a date with its time (RFC 4155). Prose
/// that begins alike is not taken for one; who writes mailboxes marks what is.
fn separates(line: &[u8]) -> bool {
    let time = |word: &[u8]| {
        word.len() >= 5 && word.get(2) == Some(&b':') && word.iter().all(|byte| b"0123456789:".contains(byte))
    };
    line.starts_with(b"From ") && line.split(|byte| *byte == b' ').any(time)
}

/// Whether a message or a mailbox begins with this line.
pub(super) fn begins(line: &[u8]) -> bool {
    let known = |name: &&str| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()));
    separates(line) || FIRST_FIELDS.iter().any(known)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing was read.
    Start,
    /// In a header in which the field is still looked for.
    Searching,
    /// Behind the field that counts, or in the body.
    Passing,
}

/// The messages of one file.
#[derive(Debug)]
pub(super) struct Messages {
    relays: Box<[IpNet]>,
    place: Place,
    mailbox: bool,
    after_blank: bool,
    /// The body of the `Received:` field at work; None between such fields.
    field: Option<Vec<u8>>,
}

impl Messages {
    /// Nothing read yet. Fields whose client is in `relays` are passed over.
    pub(super) fn new(relays: &[IpNet]) -> Self {
        Self { relays: relays.into(), place: Place::Start, mailbox: false, after_blank: true, field: None }
    }

    /// Takes a line, without its end; the client of a message goes to `settled` once.
    pub(super) fn take(&mut self, line: &[u8], settled: &mut impl FnMut(Seen)) {
        let after_blank = std::mem::replace(&mut self.after_blank, line.is_empty());
        if self.place == Place::Start {
            if line.is_empty() {
                return;
            }
            self.mailbox = separates(line);
            self.place = Place::Searching;
        }
        if self.mailbox && after_blank && separates(line) {
            self.field = None;
            self.place = Place::Searching;
        } else if self.place == Place::Searching {
            self.header(line, settled);
        }
    }

    /// The file has ended, perhaps within a header.
    pub(super) fn finish(&mut self, settled: &mut impl FnMut(Seen)) {
        self.complete(settled);
    }

    fn header(&mut self, line: &[u8], settled: &mut impl FnMut(Seen)) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            match &mut self.field {
                Some(field) if field.len() + line.len() <= FIELD => {
                    field.push(b' ');
                    field.extend_from_slice(line.trim_ascii());
                }
                // What cannot be read whole settles the message: the next field is not the topmost.
                Some(_) => self.place = Place::Passing,
                None => {}
            }
            return;
        }
        self.complete(settled);
        if line.is_empty() {
            self.place = Place::Passing;
        }
        let name = line.get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"received:"));
        self.field =
            (name && self.place == Place::Searching).then(|| line.get(9..).unwrap_or_default().trim_ascii().to_owned());
    }

    fn complete(&mut self, settled: &mut impl FnMut(Seen)) {
        let Some(field) = self.field.take().filter(|_| self.place == Place::Searching) else { return };
        match received::parse(&field) {
            Field::HandedOn => {}
            Field::Client(seen) if self.relays.iter().any(|network| network.contains(&seen.address)) => {}
            Field::Client(seen) => {
                self.place = Place::Passing;
                settled(seen);
            }
            Field::Nothing => self.place = Place::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::brief;
    use super::*;

    fn read(text: &str, relays: &[&str]) -> Vec<String> {
        let relays: Vec<IpNet> = relays.iter().map(|text| text.parse().unwrap()).collect();
        let mut messages = Messages::new(&relays);
        let mut all = Vec::new();
        let mut settled = |seen| all.push(brief(Some(seen)));
        text.lines().for_each(|line| messages.take(line.as_bytes(), &mut settled));
        messages.finish(&mut settled);
        all
    }

    const CHAIN: &str = "Return-Path: <a@b>\n\
        Received: from mx.example.net (mx.example.net [10.0.0.2])\n\tby store.example.net with ESMTP id 1\n\
        received: from mail.example.org (ptr.example.org [192.0.2.1])\n   by mx.example.net with ESMTPS id 2;\n\tnow\n\
        Received: from victim.example (victim.example [198.51.100.9]) by mail.example.org with SMTP id 3\n\
        Subject: x\n\
        \n\
        Received: from body.example (body.example [198.51.100.8]) by x with SMTP\n";

    #[test]
    fn only_the_topmost_field_counts() {
        assert_eq!(read(CHAIN, &[]), ["10.0.0.2 mx.example.net"]);
    }

    #[test]
    fn below_an_own_relay_the_next_field_counts() {
        assert_eq!(read(CHAIN, &["10.0.0.0/8"]), ["192.0.2.1 mail.example.org"]);
    }

    #[test]
    fn a_topmost_field_that_cannot_be_read_lets_no_older_one_speak() {
        let text = "Received: by mx.example.net (Postfix, from userid 33) id 1\n\
            Received: from victim.example (victim.example [198.51.100.9]) by x with SMTP id 3\n";
        assert_eq!(read(text, &[]), [""; 0]);
        let long = format!(
            "Received: from a (b [192.0.2.1])\n {}\n by x with SMTP\nReceived: from v (v [192.0.2.2]) by x with SMTP\n",
            "y".repeat(FIELD)
        );
        assert_eq!(read(&long, &[]), [""; 0]);
    }

    #[test]
    fn local_delivery_is_passed_over() {
        let text = "Received: from mx.example.net\n by imap.example.net with LMTP id 1\n\
            Received: from h.example (h.example [192.0.2.1]) by mx.example.net with SMTP id 3";
        assert_eq!(read(text, &[]), ["192.0.2.1 h.example"]);
    }

    #[test]
    fn a_mailbox_is_cut_at_its_separators_only() {
        let one = |helo: &str| {
            format!(
                "From a@b Tue Nov 24 11:50:01 2026\nReceived: from {helo} (x [192.0.2.1]) by x with SMTP\n\nFrom here on\n\n"
            )
        };
        let text = format!(
            "{}{}From c Tue Nov 24 11:50 2026\nSubject: none\n\nFrom d Tue Nov 24 11:50:01 2026\nReceived: from three (x [192.0.2.1]) by x with SMTP",
            one("one"),
            one("two")
        );
        assert_eq!(read(&text, &[]), ["192.0.2.1 one", "192.0.2.1 two", "192.0.2.1 three"]);
        let single = format!(
            "Subject: x\n\nFrom a Tue Nov 24 11:50:01 2026\n{}",
            "Received: from h (x [192.0.2.1]) by x with SMTP\n"
        );
        assert_eq!(read(&single, &[]), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(lines in prop::collection::vec("(From |Received:|Received: from | |\t|)[ -~]{0,40}", 0..12)) {
            prop_assert!(read(&lines.join("\n"), &["10.0.0.0/8"]).len() <= lines.len());
        }
    }
}
