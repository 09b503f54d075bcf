//! Reads what Postfix's `smtpd`, `postscreen` and `cleanup` write about a client.
//! Comes in: a line. Goes out: the client's address, and its HELO where the line holds it.
//! Only texts at their fixed place are believed: senders, recipients and header fields are the client's to choose.
//! Accepted mail is logged without HELO: `client=` says who it was, and no more.

use super::Seen;
use super::cut::{bracketed, client, said_by, split, split_last};

/// What one line tells; None where it tells of no client.
pub(super) fn parse(line: &[u8]) -> Option<Seen> {
    let text = said_by(line, |program| matches!(program, b"smtpd" | b"postscreen" | b"cleanup"))?;
    if let Some(seen) = early_talker(text) {
        return Some(seen);
    }
    let (id, rest) = split(text, b": ")?;
    if id.is_empty() || !id.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    if let Some(accepted) = rest.strip_prefix(b"client=") {
        let (_, address, rest) = client(accepted)?;
        return Some(Seen { address, helo: None, authenticated: split(rest, b", sasl_").is_some() });
    }
    // `ACTION: WHERE from NAME[ADDRESS]: text; from=<> to=<> proto=ESMTP helo=<NAME>`. In the lines of header checks
    // a header field stands in WHERE's place, and could name anybody's address.
    let (action, rest) = split(rest, b": ")?;
    let (place, rest) = split(rest, b" from ")?;
    let capitals = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    if !action.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
        || !place.iter().all(capitals)
    {
        return None;
    }
    let (_, address, rest) = client(rest)?;
    let Some((_, last)) = split_last(rest, b" helo=<") else {
        return Some(Seen { address, helo: None, authenticated: split(rest, b" sasl_username=").is_some() });
    };
    let (helo, authenticated) = match split(last, b"> sasl_") {
        Some((helo, _)) => (Some(helo), true),
        // A line that syslog has cut is without its end, and so may be the name.
        None => (last.strip_suffix(b">"), false),
    };
    Some(Seen { address, helo: helo.map(Into::into), authenticated })
}

/// `PREGREET 26 after 0.1 from [192.0.2.1]:40312: EHLO mail.example.org\r\n`: spoken before the greeting.
fn early_talker(text: &[u8]) -> Option<Seen> {
    let (_, rest) = split(text.strip_prefix(b"PREGREET ")?, b" from ")?;
    let (address, rest) = bracketed(rest)?;
    let (_, said) = split(rest, b": ")?;
    let verb = said.get(..5)?;
    if !verb.eq_ignore_ascii_case(b"EHLO ") && !verb.eq_ignore_ascii_case(b"HELO ") {
        return Some(Seen { address, helo: None, authenticated: false });
    }
    let said = said.get(5..)?;
    let (name, _) = split(said, b"\\r\\n").or_else(|| split(said, b"\\n"))?;
    Some(Seen { address, helo: Some(name.into()), authenticated: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{assert_reads, brief};
    use super::*;

    #[test]
    fn lines_of_postfix_are_read() {
        assert_reads(
            parse,
            &[
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[123]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.7.25 Client \
                     host rejected: cannot find your hostname, [192.0.2.1]; from=<a@b.org> to=<c@d.org> proto=ESMTP \
                     helo=<mail.example.org>",
                    "192.0.2.1 mail.example.org",
                ),
                (
                    "2026-11-24T11:50:02.123456+01:00 mx postfix/submission/smtpd[7]: 4ABC1Z: reject: RCPT from \
                     pc.example.net[2001:db8::5]:51500: 554 5.7.1 <x@y.org>: Relay access denied; from=<a@b.org> \
                     to=<x@y.org> proto=ESMTP helo=<[IPv6:2001:db8::5]> sasl_username=<anna>",
                    "2001:db8::5 [IPv6:2001:db8::5] authenticated",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject_warning: RCPT from a.example[192.0.2.3]: 504 5.5.2 \
                     <PC1>: Helo command rejected: need fully-qualified hostname; from=<> to=<c@d.org> proto=SMTP helo=<PC1>",
                    "192.0.2.3 PC1",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: info: RCPT from a.example[192.0.2.4]: introduced; \
                     from=<u@v.org> to=<c@d.org> proto=ESMTP helo=<a.example>",
                    "192.0.2.4 a.example",
                ),
                ("Nov 24 11:50:01 mx postfix/smtpd[1]: proxy-reject: END-OF-MESSAGE", "nothing"),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: proxy-reject: END-OF-MESSAGE from a.example[192.0.2.4]: 554 \
                     5.7.0 spam; from=<u@v.org> to=<c@d.org> proto=ESMTP helo=<b.example>",
                    "192.0.2.4 b.example",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/cleanup[1]: 4ABC: milter-reject: END-OF-MESSAGE from a.example[192.0.2.4]: \
                     5.7.1 no; from=<u@v.org> to=<c@d.org> proto=ESMTP helo=<c.example>",
                    "192.0.2.4 c.example",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.9]:40001: 550 5.7.1 Service \
                     unavailable; client [192.0.2.9] blocked using bl.example; from=<a@b>, to=<c@d>, proto=ESMTP, \
                     helo=<win-1>",
                    "192.0.2.9 win-1",
                ),
                (
                    r"Nov 24 11:50:01 mx postfix/postscreen[1]: PREGREET 14 after 0.05 from [192.0.2.9]:40001: EHLO ylmf-pc\r\n",
                    "192.0.2.9 ylmf-pc",
                ),
                ("Nov 24 11:50:01 mx postfix/smtpd[1]: 4ABC: client=a.example[192.0.2.4]", "192.0.2.4 -"),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: 4ABC: client=u[10.0.0.4], sasl_method=PLAIN, sasl_username=anna",
                    "10.0.0.4 - authenticated",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: CONNECT from unknown[192.0.2.1]: 554 5.7.1 no; \
                     proto=SMTP",
                    "192.0.2.1 -",
                ),
                (
                    "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 554 no; proto=SMTP helo=<>",
                    "192.0.2.1 <>",
                ),
            ],
        );
    }

    #[test]
    fn lines_without_a_client_tell_nothing() {
        for line in [
            "",
            "Nov 24 11:50:01 mx postfix/qmgr[1]: 4ABC: from=<a@b>, size=1, nrcpt=1 (queue active)",
            "Nov 24 11:50:01 mx postfix/smtp[1]: 4ABC: to=<a@b>, relay=mx.b[192.0.2.1]:25, status=sent (250 helo=<x>)",
            "Nov 24 11:50:01 mx postfix/smtpd[1]: connect from unknown[192.0.2.1]",
            "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[unknown]: 421; helo=<x>",
            "Nov 24 11:50:01 mx postfix/smtpd[1]: warning: hostname a.example does not resolve to address 192.0.2.1",
        ] {
            assert_eq!(brief(parse(line.as_bytes())), "nothing", "{line}");
        }
    }

    #[test]
    fn a_header_field_cannot_name_the_client() {
        let line = "Nov 24 11:50:01 mx postfix/cleanup[1]: 4ABC: info: header Subject: x from v[198.51.100.7]; from=<a> to=<b> \
                    proto=ESMTP helo=<victim.example> from real[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<r.example>";
        assert_eq!(brief(parse(line.as_bytes())), "nothing");
    }

    #[test]
    fn a_sender_cannot_speak_for_the_client() {
        let line = "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from real[192.0.2.1]: 550 no; from=<\"x> \
                    proto=ESMTP helo=<fake.example> from v[198.51.100.7]: \"@b> to=<c@d> proto=ESMTP helo=<r.example>";
        assert_eq!(brief(parse(line.as_bytes())), "192.0.2.1 r.example");
    }

    #[test]
    fn a_line_that_was_cut_off_gives_no_half_name() {
        let line =
            "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from r[192.0.2.1]: 550 no; helo=<mail.exam";
        assert_eq!(brief(parse(line.as_bytes())), "192.0.2.1 -");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
            let framed = [b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: ", &line[..]].concat();
            prop_assert!(parse(&framed).is_some());
        }
    }
}
