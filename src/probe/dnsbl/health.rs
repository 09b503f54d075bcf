//! Whether a list can be believed: its test entries (RFC 5782 §5, RFC 6471 §3).
//! Comes in: the answers to two questions. Goes out: healthy, or what is wrong.
//! A dead or parked list answers for everything or for nothing; either would be read as a verdict on every server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::dns::{Answer, Question, RecordType, listing_name};
use crate::model::dnsbl::{Health, List, ListClass};
use crate::model::name::Name;
use crate::model::observed::Observed;

/// The entry every list must have, and the one no list may have.
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const UNLISTED: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// More codes than any list gives for one address: a wildcard of a parked zone.
const CODES: usize = 8;

/// The positive and the negative test question.
pub fn test_questions(list: &List) -> [Question; 2] {
    [LISTED, UNLISTED].map(|entry| {
        let address = if list.ipv4 { IpAddr::V4(entry) } else { IpAddr::V6(mapped(entry)) };
        // A list for IPv6 alone is asked for the mapped entries in nibbles, so not through `listing_name`.
        let name = if list.ipv4 { listing_name(address, &list.zone) } else { Some(nibbles(mapped(entry), &list.zone)) };
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
    for answer in [positive, negative] {
        let codes = answer.seen().map_or(&[][..], |records| &records.values);
        let refusal = |code: &&Ipv4Addr| list.meaning(**code).is_some_and(|rule| rule.class == ListClass::Refusal);
        if let Some(code) = codes.iter().find(refusal) {
            return Health::Refused(*code);
        }
        if let Some(code) = codes.iter().find(|code| !code.is_loopback()) {
            return Health::Untrustworthy(format!("answers {code}, outside 127.0.0.0/8").into());
        }
        if codes.len() > CODES {
            return Health::Untrustworthy(format!("answers {} codes at once", codes.len()).into());
        }
    }
    match (positive, negative) {
        (Observed::Failed(failure), _) | (_, Observed::Failed(failure)) => Health::Silent(failure.cause),
        (Observed::NotAsked(cause), _) | (_, Observed::NotAsked(cause)) => Health::Silent(*cause),
        (Observed::Absent(_), _) => {
            Health::Untrustworthy("does not list 127.0.0.2, which every list must (or a resolver filters it)".into())
        }
        // Lists that answer 127.0.0.1 on purpose say so in their table.
        (Observed::Seen(_), Observed::Seen(records))
            if records
                .values
                .iter()
                .any(|code| list.meaning(*code).is_none_or(|rule| rule.class != ListClass::Allow)) =>
        {
            Health::Untrustworthy("lists 127.0.0.1, which no list may".into())
        }
        (Observed::Seen(_), _) => Health::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Request, choose};
    use super::*;
    use crate::model::dns::Records;
    use crate::model::observed::{Absence, Denial};
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
        ] {
            assert!(matches!(verdict(&list, &positive, &negative), Health::Untrustworthy(_)), "{positive:?}");
        }
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
