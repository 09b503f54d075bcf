//! Reads what Sendmail writes about a client.
//! Comes in: a line. Goes out: the client's address, never a HELO, because Sendmail does not log it.
//! So such a log only tells how many clients there were; the pairs stand in the `Received:` fields of the mail itself.

use super::Seen;
use super::cut::{address, bracketed, find, said_by, split};

/// What one line tells; None where it tells of no client.
pub(super) fn parse(line: &[u8]) -> Option<Seen> {
    let text = said_by(line, |program| matches!(program, b"sendmail" | b"sm-mta" | b"sm-msp-queue" | b"sendmail-mta"))?;
    // Not every line is about a message.
    let rest = match split(text, b": ") {
        Some((id, rest)) if id.iter().all(u8::is_ascii_alphanumeric) => rest,
        _ => text,
    };
    if rest.starts_with(b"to=") || rest.starts_with(b"STARTTLS=client") || find(rest, b", stat=").is_some() {
        return None;
    }
    // `relay=NAME [ADDRESS] (may be forged)`, or `relay=[ADDRESS]`.
    let (_, relay) = split(rest, b"relay=")?;
    let open = relay.iter().position(|byte| matches!(byte, b'[' | b','))?;
    let address = match bracketed(relay.get(open..)?) {
        Some((address, _)) => address,
        None => address(split(relay, b",").map_or(relay, |(first, _)| first))?,
    };
    Some(Seen { address, helo: None, authenticated: rest.starts_with(b"AUTH=server") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::assert_reads;
    use super::*;

    #[test]
    fn a_relay_is_a_client_without_helo() {
        assert_reads(
            parse,
            &[
                (
                    "Nov 24 11:50:01 mx sendmail[12]: 0AOB01xx: from=<a@b.org>, size=100, class=0, nrcpts=1, msgid=<1@b.org>, \
                     proto=ESMTP, daemon=MTA, relay=mail.example.org [192.0.2.1]",
                    "192.0.2.1 -",
                ),
                (
                    "Nov 24 11:50:01 mx sm-mta[12]: 0AOB01xx: ruleset=check_rcpt, arg1=<c@d.org>, relay=x.example \
                     [192.0.2.2] (may be forged), reject=550 5.7.1 <c@d.org>... Relaying denied",
                    "192.0.2.2 -",
                ),
                (
                    "Nov 24 11:50:01 mx sm-mta[12]: 0AOB01xx: from=<a@b.org>, proto=ESMTP, relay=[IPv6:2001:db8::1]",
                    "2001:db8::1 -",
                ),
                (
                    "Nov 24 11:50:01 mx sm-mta[12]: AUTH=server, relay=pc.example [192.0.2.3], authid=anna, mech=PLAIN",
                    "192.0.2.3 - authenticated",
                ),
                (
                    "Nov 24 11:50:01 mx sm-mta[12]: 0AOB01xx: AUTH=server, relay=pc.example [192.0.2.3], authid=anna",
                    "192.0.2.3 - authenticated",
                ),
                (
                    "Nov 24 11:50:01 mx sm-mta[12]: 0AOB01xx: to=<a@b.org>, mailer=esmtp, relay=mx.b.org. [192.0.2.9], stat=Sent",
                    "nothing",
                ),
                ("Nov 24 11:50:01 mx sm-mta[12]: STARTTLS=client, relay=mx.b.org., version=TLSv1.3", "nothing"),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
            parse(&[b"sm-mta[1]: x: relay=", &line[..]].concat());
        }
    }
}
