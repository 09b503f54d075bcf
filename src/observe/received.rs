//! Reads one `Received:` field, as Postfix, Exim, Sendmail, qmail, Exchange and others write it (RFC 5321 §4.4).
//! Comes in: the field's body, unfolded. Goes out: the client's address and its HELO.
//! A field of any other protocol than SMTP tells nothing, and one that names two addresses is not believed.
//! Which field of a message counts is not decided here.

use std::net::IpAddr;

use super::Seen;
use super::cut::{address, bracketed, find, split, word};

/// What a field tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// Of a client.
    Client(Seen),
    /// Of a delivery by LMTP without an address: an own server has handed on what it got (RFC 2033 §5).
    HandedOn,
    /// Of no client that could be known.
    Nothing,
}

/// Reads the body of a field whose lines have been joined.
pub(super) fn parse(body: &[u8]) -> Field {
    let Some(parts) = Parts::of(body) else { return Field::Nothing };
    if let Some(seen) = parts.smtp().then(|| parts.client()).flatten() {
        return Field::Client(seen);
    }
    let lmtp = parts.protocol.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"lmtp"));
    if lmtp { Field::HandedOn } else { Field::Nothing }
}

/// `from WORD (comment)... by ... with PROTOCOL`.
struct Parts<'a> {
    /// The word behind `from`.
    word: &'a [u8],
    /// What stands in parentheses between it and `by`.
    comments: Vec<&'a [u8]>,
    /// The words behind `with`; empty where there is none.
    protocol: &'a [u8],
    /// The whole body.
    body: &'a [u8],
}

/// More comments than this stand in no field that is read.
const COMMENTS: usize = 8;

impl<'a> Parts<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let body = body.trim_ascii();
        let (from, rest) = word(body);
        if !from.eq_ignore_ascii_case(b"from") {
            return None;
        }
        let (word, mut rest) = word_or_rest(rest.trim_ascii_start());
        let mut comments = Vec::new();
        while let Some(comment) = rest.strip_prefix(b"(") {
            let end = closing(comment)?;
            if comments.len() == COMMENTS {
                return None;
            }
            comments.push(comment.get(..end)?);
            rest = comment.get(end + 1..)?.trim_ascii_start();
        }
        let by = rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"by "));
        if word.is_empty() || !by {
            return None;
        }
        Some(Self { word, comments, protocol: protocol(rest), body })
    }

    /// SMTP in one of its names, or no protocol at all, as old servers write it. Web and POP are no introduction.
    fn smtp(&self) -> bool {
        let words = self.protocol.get(..self.protocol.len().min(24)).unwrap_or_default().to_ascii_lowercase();
        words.is_empty() || find(&words, b"smtp").is_some() || words.starts_with(b"lmtp")
    }

    fn client(&self) -> Option<Seen> {
        let mut addresses = Vec::new();
        let mut helo = None;
        for comment in &self.comments {
            for part in comment.split(u8::is_ascii_whitespace) {
                if let Some(name) = part.strip_prefix(b"helo=").filter(|_| helo.is_none()) {
                    helo = Some(name);
                } else if let Some(address) = stands_in(part) {
                    addresses.push(address);
                }
            }
            let (verb, name) = word(comment);
            if verb.eq_ignore_ascii_case(b"HELO") || verb.eq_ignore_ascii_case(b"EHLO") {
                helo = Some(name.trim_ascii());
            }
        }
        // Exim knows no reverse name here: `from [ADDRESS] (helo=HELO)`. Elsewhere this is the HELO.
        let literal = bracketed(self.word).map(|(address, _)| address);
        let address = match (addresses.as_slice(), literal) {
            ([address], _) => *address,
            ([], Some(address)) => address,
            _ => return None,
        };
        let alone = addresses.is_empty();
        let helo = helo.or_else(|| (!alone).then_some(self.word));
        Some(Seen { address, helo: helo.map(Into::into), authenticated: self.authenticated() })
    }

    /// `with ESMTPA` and its kin (RFC 3848), and what servers say in comments.
    fn authenticated(&self) -> bool {
        let (word, _) = word_or_rest(self.protocol);
        let word = word.to_ascii_lowercase();
        let said = |text: &[u8]| find(&self.body.to_ascii_lowercase(), text).is_some();
        word.ends_with(b"mtpa") || word.ends_with(b"mtpsa") || word == b"asmtp" || said(b"(authenticated")
    }
}

/// An address that is a word of a comment: `[ADDRESS]`, `[ADDRESS]:PORT`, `user@[ADDRESS]` or `ADDRESS` alone.
fn stands_in(part: &[u8]) -> Option<IpAddr> {
    let part = split(part, b"@").map_or(part, |(_, host)| host);
    match bracketed(part) {
        Some((address, rest)) => (rest.is_empty() || rest.starts_with(b":")).then_some(address),
        None => address(part),
    }
}

/// The first word, ending at any blank, and what follows, its leading blanks dropped.
fn word_or_rest(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (word, rest.trim_ascii_start())
}

/// Where the parenthesis closes that was open at the beginning.
fn closing(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    text.iter().position(|byte| match byte {
        b'(' => {
            depth += 1;
            false
        }
        b')' if depth == 0 => true,
        b')' => {
            depth -= 1;
            false
        }
        _ => false,
    })
}

/// What stands behind `with`, outside comments.
fn protocol(by: &[u8]) -> &[u8] {
    let mut rest = by;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix(b"(") {
            let Some(behind) = closing(comment).and_then(|end| comment.get(end + 1..)) else { return &[] };
            rest = behind;
            continue;
        }
        let (word, behind) = word_or_rest(rest);
        if word.is_empty() {
            return &[];
        }
        if word.eq_ignore_ascii_case(b"with") {
            return behind;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{assert_reads, brief};
    use super::*;

    fn client(body: &[u8]) -> Option<Seen> {
        match parse(body) {
            Field::Client(seen) => Some(seen),
            Field::HandedOn | Field::Nothing => None,
        }
    }

    #[test]
    fn every_servers_field_is_read() {
        assert_reads(
            client,
            &[
                // Postfix
                (
                    "from mail.example.org (ptr.example.org [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \
                     (256/256 bits)) (No client certificate requested) by mx.example.net (Postfix) with ESMTPS id 4ABC for \
                     <c@d.org>; Tue, 24 Nov 2026 11:50:01 +0000 (UTC)",
                    "192.0.2.1 mail.example.org",
                ),
                (
                    "from [192.0.2.1] (unknown [IPv6:2001:db8::1]) by mx (Postfix) with ESMTP id 4ABC",
                    "2001:db8::1 [192.0.2.1]",
                ),
                (
                    "from pc (pc.example [192.0.2.2]) (Authenticated sender: anna) by mx (Postfix) with ESMTPSA id 4ABC",
                    "192.0.2.2 pc authenticated",
                ),
                // Exim
                (
                    "from ptr.example.org ([192.0.2.3] helo=mail.example.org) by mx with esmtps (TLS1.3) (Exim 4.97) id 1t",
                    "192.0.2.3 mail.example.org",
                ),
                ("from ptr.example.org ([192.0.2.3]:4123 helo=h) by mx with esmtp (Exim 4.97) id 1t", "192.0.2.3 h"),
                ("from [192.0.2.3] (port=4123 helo=h.example) by mx with smtp (Exim 4.97)", "192.0.2.3 h.example"),
                (
                    "from [192.0.2.3] (helo=h.example) by mx with esmtpsa (Exim 4.97)",
                    "192.0.2.3 h.example authenticated",
                ),
                ("from mail.example.org ([192.0.2.3]) by mx with esmtp (Exim 4.97)", "192.0.2.3 mail.example.org"),
                ("from [192.0.2.3] by mx with esmtp (Exim 4.97)", "192.0.2.3 -"),
                // Sendmail
                (
                    "from h.example (p.example [192.0.2.4] (may be forged)) by mx (8.18.1/8.18.1) with ESMTP id 0AOB",
                    "192.0.2.4 h.example",
                ),
                (
                    "from h.example (anna@p.example [192.0.2.4]) by mx (8.18.1/8.18.1) with ESMTP id 0AOB",
                    "192.0.2.4 h.example",
                ),
                (
                    "from h.example (p.example [192.0.2.4]) (authenticated bits=0) by mx (8.18.1/8.18.1) with ESMTP id 0AOB",
                    "192.0.2.4 h.example authenticated",
                ),
                // qmail
                (
                    "from p.example (HELO h.example) (192.0.2.5) by mx with SMTP; 24 Nov 2026 11:50:01 -0000",
                    "192.0.2.5 h.example",
                ),
                ("from unknown (HELO x) (anna@192.0.2.5) by mx with SMTP; 24 Nov 2026", "192.0.2.5 x"),
                ("from p.example (192.0.2.5) by mx with SMTP", "192.0.2.5 p.example"),
                // Exchange
                (
                    "from h.example (192.0.2.6) by EX01.corp.example (10.0.0.2) with Microsoft SMTP Server (version=TLS1_2, \
                     cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.1.2507.6; Tue, 24 Nov 2026",
                    "192.0.2.6 h.example",
                ),
                (
                    "from h.example (2001:db8::6) by EX01 (10.0.0.2) with Microsoft SMTP Server id 15.2",
                    "2001:db8::6 h.example",
                ),
                // Others
                (
                    "from h.example (h.example. [192.0.2.7]) by mx.g.example with ESMTPS id x (version=TLS1_3)",
                    "192.0.2.7 h.example",
                ),
                ("FROM h.example (h.example [192.0.2.7]) BY mx", "192.0.2.7 h.example"),
            ],
        );
    }

    #[test]
    fn fields_that_introduce_nobody_tell_nothing() {
        for body in [
            "",
            "by mx.example.org (Postfix, from userid 1000) id 4ABC",
            "from h.example (192.0.2.6) by web.example with HTTP",
            "from EX02 ([2001:db8::1]) by EX01 ([2001:db8::2]) with mapi id 15.01",
            "from mail.isp.example [192.0.2.1] by localhost with POP3 (fetchmail-6.4.37)",
            "from h.example (h.example [192.0.2.1]",
            "from h.example (unknown [unknown]) by mx with SMTP",
            "from x (a [192.0.2.1]) (b [192.0.2.2]) by mx with SMTP",
            "from two words (a [192.0.2.1]) by mx with SMTP",
        ] {
            assert_eq!(brief(client(body.as_bytes())), "nothing", "{body}");
        }
        assert_eq!(parse(b"from mx.example by imap.example with LMTP id 7"), Field::HandedOn);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
            parse(&[b"from ", &line[..], b" by x with SMTP"].concat());
            parse(&[b"from x (", &line[..], b" [192.0.2.1]) by x with SMTP"].concat());
        }
    }
}
