//! What is done with bytes that nobody vouches for: one function per fuzz target.
//! Comes in: any bytes. Goes out: nothing, or a panic, which is a fault of ours.
//! `tests/corpora.rs` sends the seeds through the same functions.

mod dns;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use mxcensus::judge::{Policy, assess, generic};
use mxcensus::model::address::Allowed;
use mxcensus::model::dnsbl::Health;
use mxcensus::model::evidence::Evidence;
use mxcensus::model::introduction::{Introduction, Naming};
use mxcensus::model::name::Name;
use mxcensus::model::smtp::{NameAt, Reply, unescape};
use mxcensus::model::words::{IntroducedBy, IntroductionClass, Profile, PtrClass, Rule, Verdict};
use mxcensus::observe::{self, Format};
use mxcensus::probe::dnsbl::catalogue::{self, Request};
use mxcensus::probe::smtp::{ehlo_name, greeting, offer, reply};

pub use dns::dns;

const NAMING: Naming = Naming::built_in();

/// A name of any bytes: its class, and to whom it belongs.
pub fn names(bytes: &[u8]) {
    let (class, _) = NAMING.classify(bytes);
    let _ = Naming::in_lab().classify(bytes);
    if !bytes.contains(&b'X') {
        assert_eq!(NAMING.classify(&bytes.to_ascii_lowercase()).0, class, "the class hangs on the case");
    }
    let introduction = Introduction::new(bytes, IntroducedBy::Observed, NAMING);
    assert_eq!(introduction.name().is_some(), class.may_be_asked());
    let parsed = str::from_utf8(bytes).ok().and_then(|text| Name::parse(text).ok());
    let labels = Name::from_labels(bytes.split(|byte| *byte == b'.').filter(|label| !label.is_empty()));
    for name in introduction.name().into_iter().chain(parsed).chain([labels]) {
        parted(&name);
    }
}

fn parted(name: &Name) {
    let own = NAMING.registrable(name);
    assert_eq!(NAMING.same_organisation(name, name), own.is_some());
    let Some(own) = own else { return assert_eq!(NAMING.host_part(name), "") };
    let host = NAMING.host_part(name);
    let whole = if host.is_empty() { own.to_owned() } else { format!("{host}.{own}") };
    assert_eq!(whole, name.as_str());
    assert!(NAMING.organisation(name).is_some_and(|organisation| name.is_within(&organisation)));
}

/// The bytes of a reply: read, at once and in pieces, then taken for a greeting and for an answer to EHLO.
pub fn replies(bytes: &[u8]) {
    let reply = reply::read(bytes);
    for size in [1, 3, 1024] {
        assert_eq!(reply::read_pieces(bytes.chunks(size)), reply, "in pieces of {size}");
    }
    assert!(reply.lines.len() <= 64 && reply.raw.len() <= 512 && bytes.starts_with(&reply.raw));
    welcomed(&reply);
    let _ = ehlo_name(&reply, NAMING);
    let offer = offer(&reply);
    assert!(offer.keywords.len() <= 100 && offer.auth.len() <= 100);
}

/// A digit for the code of a greeting, and the texts of its lines.
pub fn greetings(bytes: &[u8]) {
    const CODES: [&str; 10] = ["220", "250", "354", "421", "450", "521", "550", "554", "556", "555"];
    let Some((&first, text)) = bytes.split_first() else { return };
    let code = CODES.into_iter().cycle().nth(usize::from(first.wrapping_sub(b'0'))).expect("a cycle has no end");
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    let mut whole = Vec::new();
    while let Some(line) = lines.next() {
        let separator = if lines.peek().is_some() { "-" } else { " " };
        whole.extend([code.as_bytes(), separator.as_bytes(), line, b"\r\n"].concat());
    }
    let reply = reply::read(&whole);
    assert!(reply.code.to_string() == code && !reply.oddities.no_code);
    welcomed(&reply);
}

/// What is read out of a greeting has been said, and its parts do not contradict each other.
fn welcomed(reply: &Reply) {
    let own = Some(IpAddr::from([203, 0, 113, 9]));
    let greeting = greeting::read(reply, own, NAMING);
    assert_eq!(greeting.name.is_some(), greeting.at != NameAt::None);
    assert!(!(greeting.about_us && greeting.no_service));
    let nameless = greeting.masked || greeting.protocol.is_some() || !reply.complete || reply.oddities.no_code;
    let Some(name) = &greeting.name else { return };
    assert!(!nameless && name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert!(reply.lines.iter().any(|line| line.contains(&**name)), "{name} was never said");
    let class = Introduction::new(&unescape(name), IntroducedBy::Greeting, NAMING).class;
    assert!(reply.code < 400 || class == IntroductionClass::Fqdn, "{name}, the word of somebody who refuses");
}

/// Sixteen bytes of an address, and the name it may have.
pub fn reverse(bytes: &[u8]) {
    let Some((address, labels)) = bytes.split_first_chunk::<16>() else { return };
    let name = Name::from_labels(labels.split(|byte| *byte == b'.').filter(|label| !label.is_empty()));
    let v6 = Ipv6Addr::from(*address);
    for address in [IpAddr::V6(v6), IpAddr::from(*address.last_chunk::<4>().expect("four of sixteen"))] {
        let generic = generic::classify(&name, address, NAMING);
        assert_eq!(generic.class == PtrClass::Named, generic.score < 45);
        assert!(generic.reasons().count() <= 6 && (-40..=140).contains(&generic.score));
    }
}

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let chosen = catalogue::choose(&Request { zones: Vec::new(), files: Vec::new(), none: false });
    let chosen = chosen.expect("the catalogue is sound");
    Policy {
        profile: Profile::Census,
        naming: NAMING,
        allowed: Allowed::new(Vec::new()),
        health: vec![Health::Healthy; chosen.lists.len()],
        lists: chosen.lists.into(),
        quorum: chosen.quorum,
        receivers: Vec::new(),
        history: Arc::default(),
    }
});

/// Evidence as it stands in a file, judged by every profile. Says whether it was evidence at all.
pub fn judge(bytes: &[u8]) -> bool {
    let Ok(evidence) = serde_json::from_slice::<Evidence>(bytes) else { return false };
    for &profile in Profile::ALL {
        let policy = Policy { profile, ..POLICY.clone() };
        let judged = assess(evidence.clone(), &policy);
        assert!(!judged.rows.is_empty(), "a target without a row");
        for row in &judged.rows {
            for &rule in Rule::ALL {
                let causes = row.unknown_why.iter().filter(|(of, _)| *of == rule).count();
                assert_eq!(causes, usize::from(row.verdict(rule) == Verdict::Unknown), "{rule} and its causes");
            }
        }
        assert_eq!(assess(judged.evidence, &policy).rows, judged.rows, "judged twice, and not alike");
    }
    true
}

/// A byte for the format, and a log.
pub fn logs(bytes: &[u8]) {
    const FORMATS: [Format; 6] =
        [Format::Auto, Format::Postfix, Format::Exim, Format::Sendmail, Format::Exchange, Format::Received];
    let Some((&first, log)) = bytes.split_first() else { return };
    let format = FORMATS.into_iter().cycle().nth(usize::from(first)).expect("a cycle has no end");
    let relays = ["192.0.2.0/24".parse().expect("a network")];
    let lines = log.split(|byte| *byte == b'\n').count();
    let seen = observe::clients(log, format, &relays);
    assert!(seen.len() <= lines, "{} clients of {lines} lines", seen.len());
}
