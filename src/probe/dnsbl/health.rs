//! Whether a list can be believed: its test entries (RFC 5782 §5, RFC 6471 §3).
//! Comes in: the answers to two questions. Goes out: healthy, or what is wrong.
//! A dead or parked list answers for everything or for nothing; either would be read as a verdict on every server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::dns::{Answer, Question, RecordType, listing_name};
use crate::model::dnsbl::{Health, List, ListClass};
use crate::model::name::Name;

/// The entry every list must have, and the one no list may have.
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const UNLISTED: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// More codes than any list gives for one address: a wildcard of a parked zone.
const CODES: usize = 8;

/// The positive and the negative test question.
pub fn test_questions(list: &List) -> [Question; 2] {
    [LISTED, UNLISTED].map(|entry| {
        // A list for IPv6 alone is asked for the mapped entries in nibbles, so not through `listing_name`.
        let name = if list.ipv4 {
            listing_name(IpAddr::V4(entry), &list.zone)
        } else {
            Some(nibbles(mapped(entry), &list.zone)).filter(|name| name.as_str().len() <= 253)
        };
        // A zone too long for any entry is asked itself, and found to list nothing.
        Question { name: name.unwrap_or_else(|| list.zone.clone()), kind: RecordType::A }
    })
}

fn mapped(entry: Ipv4Addr) -> Ipv6Addr {
    entry.to_ipv6_mapped()
}

fn nibbles(address: Ipv6Addr, zone: &Name) -> Name {
    let labels = address.octets().iter().rev().fold(String::with_capacity(96), |mut text, octet| {
        for nibble in [octet & 15, octet >> 4] {
            text.extend(char::from_digit(u32::from(nibble), 16));
            text.push('.');
        }
        text
    });
    Name::trusted(labels + zone.as_str())
}

/// What the two answers say of the list.
pub fn verdict(list: &List, positive: &Answer<Ipv4Addr>, negative: &Answer<Ipv4Addr>) -> Health {
    let untrustworthy = |why: String| Health::Untrustworthy(why.into());
    let meaning = |code: Ipv4Addr| list.meaning(code).map(|rule| rule.class);
    let [listed, unlisted] = [positive, negative].map(codes);
    for codes in [listed, unlisted] {
        if let Some(code) = codes.iter().find(|code| meaning(**code) == Some(ListClass::Refusal)) {
            return Health::Refused(*code);
        }
        if let Some(code) = codes.iter().find(|code| !code.is_loopback()) {
            return untrustworthy(format!("answers {code}, outside 127.0.0.0/8"));
        }
        if codes.len() > CODES {
            return untrustworthy(format!("answers {} codes at once", codes.len()));
        }
        // Some lists refuse with it; none of those that list with it leaves it out of its table.
        if codes.contains(&Ipv4Addr::LOCALHOST) && meaning(Ipv4Addr::LOCALHOST).is_none() {
            return untrustworthy("answers 127.0.0.1, which is no code of it".to_owned());
        }
    }
    if let Some(cause) = positive.unknown().or_else(|| negative.unknown()) {
        return Health::Silent(cause);
    }
    if listed.is_empty() {
        return untrustworthy(format!("does not list {}, which every list must", shown(list, LISTED)));
    }
    // A list that answers its negative entry on purpose says so in its table.
    if unlisted.iter().any(|code| meaning(*code) != Some(ListClass::Allow)) {
        return untrustworthy(format!("lists {}, which no list may", shown(list, UNLISTED)));
    }
    Health::Healthy
}

/// The codes of an answer; none in an answer without addresses, whatever else stands in it.
fn codes(answer: &Answer<Ipv4Addr>) -> &[Ipv4Addr] {
    answer.seen().map_or(&[], |records| &records.values)
}

fn shown(list: &List, entry: Ipv4Addr) -> IpAddr {
    if list.ipv4 { IpAddr::V4(entry) } else { IpAddr::V6(mapped(entry)) }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Request, choose};
    use super::*;
    use crate::model::dns::Records;
    use crate::model::observed::{Absence, Denial, Observed};
    use crate::model::words::Cause;

    fn list(zone: &str) -> List {
        choose(&Request { zones: vec![zone.into()], ..Request::default() }).unwrap().lists.remove(0)
    }

    fn seen(codes: &[[u8; 4]]) -> Answer<Ipv4Addr> {
        let values = codes.iter().copied().map(Ipv4Addr::from).collect();
        Observed::Seen(Records { values, aliases: Vec::new(), ttl: 60, authentic: false })
    }

    fn absent() -> Answer<Ipv4Addr> {
        Observed::Absent(Absence { how: Denial::Nxdomain, zone: None, aliases: Vec::new() })
    }

    #[test]
    fn the_test_entries_decide() {
        let list = list("bl.spamcop.net");
        assert_eq!(verdict(&list, &seen(&[[127, 0, 0, 2]]), &absent()), Health::Healthy);
        assert_eq!(
            verdict(&list, &seen(&[[127, 255, 255, 254]]), &absent()),
            Health::Refused(Ipv4Addr::new(127, 255, 255, 254))
        );
        assert_eq!(verdict(&list, &Observed::failed(Cause::Timeout), &absent()), Health::Silent(Cause::Timeout));
        for (positive, negative) in [
            (absent(), absent()),
            (seen(&[[127, 0, 0, 2]]), seen(&[[127, 0, 0, 2]])),
            (seen(&[[203, 0, 113, 80]]), seen(&[[203, 0, 113, 80]])),
            (seen(&[[127, 0, 0, 2]; 9]), absent()),
            (seen(&[]), absent()),
            (seen(&[[127, 0, 0, 1]]), absent()),
            (seen(&[[127, 0, 0, 2]]), seen(&[[127, 0, 0, 77]])),
        ] {
            assert!(matches!(verdict(&list, &positive, &negative), Health::Untrustworthy(_)), "{positive:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_silence_and_from_a_wildcard() {
        let refused = |code: [u8; 4]| Health::Refused(code.into());
        let spamcop = list("bl.spamcop.net");
        let both = seen(&[[127, 255, 255, 252]]);
        assert_eq!(
            verdict(&spamcop, &both, &both),
            refused([127, 255, 255, 252]),
            "a refusal answers everything alike"
        );
        assert_eq!(verdict(&spamcop, &Observed::failed(Cause::Timeout), &both), refused([127, 255, 255, 252]));
        let allow = list("list.dnswl.org");
        assert_eq!(verdict(&allow, &seen(&[[127, 0, 0, 255]]), &absent()), refused([127, 0, 0, 255]));
        let silent = Health::Silent(Cause::Servfail);
        assert_eq!(verdict(&spamcop, &seen(&[[127, 0, 0, 2]]), &Observed::failed(Cause::Servfail)), silent);
        assert_eq!(verdict(&spamcop, &Observed::NotAsked(Cause::Excluded), &absent()), Health::Silent(Cause::Excluded));
    }

    #[test]
    fn several_codes_and_unknown_codes_are_still_healthy() {
        let zen = list("zen.spamhaus.org");
        let composite = seen(&[[127, 0, 0, 2], [127, 0, 0, 4], [127, 0, 0, 10]]);
        assert_eq!(verdict(&zen, &composite, &absent()), Health::Healthy);
        assert_eq!(verdict(&zen, &seen(&[[127, 0, 0, 99]]), &seen(&[])), Health::Healthy);
        let hostkarma = list("hostkarma.junkemailfilter.com");
        assert_eq!(verdict(&hostkarma, &seen(&[[127, 0, 0, 2]]), &seen(&[[127, 0, 0, 1]])), Health::Healthy);
    }

    #[test]
    fn an_ipv6_list_is_tested_with_the_mapped_entries() {
        let [positive, _] = test_questions(&list("bl.ipv6.spameatingmonkey.net"));
        assert_eq!(
            positive.name.as_str(),
            "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.ipv6.spameatingmonkey.net"
        );
        let [_, negative] = test_questions(&list("bl.spamcop.net"));
        assert_eq!(negative.name.as_str(), "1.0.0.127.bl.spamcop.net");
    }
}
