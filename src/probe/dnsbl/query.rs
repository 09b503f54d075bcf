//! What to ask a list, and whether its answer is worth a second question.
//! Comes in: an address, a list, its answer. Goes out: the name to ask for, or yes and no.
//! Pure: what an answer means for an address is the judge's.

use std::net::{IpAddr, Ipv4Addr};

use super::health::{CODES, is_refusal};
use super::watch::Said;
use crate::model::dns::{Answer, listing_name};
use crate::model::dnsbl::{List, ListClass};
use crate::model::name::Name;
use crate::model::observed::{Denial, Observed};
use crate::model::words::Cause;

/// The name to ask for; None when the list does not serve this family.
pub fn name(list: &List, address: IpAddr) -> Option<Name> {
    list.serves(address).then(|| listing_name(address, &list.zone)).flatten()
}

/// The name to ask a list of domain names for (RFC 5782 §3); None when the whole is longer than a name may be.
pub fn below(domain: &str, zone: &Name) -> Option<Name> {
    let text = format!("{domain}.{}", zone.as_str());
    (text.len() <= 253).then(|| Name::trusted(text))
}

/// Whether the answer holds a listing, so that its reason is worth asking for: a code in 127/8 that is no refusal.
pub fn hit(codes: &Answer<Ipv4Addr>, list: &List) -> bool {
    let codes = codes.seen().map_or(&[][..], |records| &records.values);
    codes
        .iter()
        .any(|code| code.is_loopback() && list.meaning(*code).is_some_and(|rule| rule.class != ListClass::Refusal))
}

/// What an answer says of the health of the list.
pub fn said(answer: &Answer<Ipv4Addr>, list: &List) -> Said {
    match answer {
        Observed::Seen(records) => {
            let codes = &records.values;
            let odd = |code: &&Ipv4Addr| {
                !code.is_loopback() || (**code == Ipv4Addr::LOCALHOST && list.meaning(**code).is_none())
            };
            match (codes.iter().find(|code| is_refusal(list, **code)), codes.first()) {
                (Some(code), _) => Said::Refused(*code),
                (None, Some(_)) if codes.len() > CODES || codes.iter().any(|code| odd(&code)) => Said::Strange,
                (None, Some(code)) => Said::Listed(*code),
                (None, None) => Said::Unlisted,
            }
        }
        Observed::Absent(absence) if absence.how == Denial::AliasLoop => Said::Strange,
        Observed::Absent(_) => Said::Unlisted,
        Observed::Failed(failure) if failure.cause == Cause::Timeout => Said::Silent,
        Observed::Failed(_) | Observed::NotAsked(_) => Said::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Request, choose};
    use super::*;
    use crate::model::dns::Records;

    fn list() -> List {
        choose(&Request { zones: vec!["bl.spamcop.net".into()], ..Request::default() }).unwrap().lists.remove(0)
    }

    #[test]
    fn a_list_without_ipv6_is_not_asked_for_it() {
        let list = list();
        assert_eq!(name(&list, "192.0.2.9".parse().unwrap()).unwrap().as_str(), "9.2.0.192.bl.spamcop.net");
        assert_eq!(name(&list, "2001:db8::1".parse().unwrap()), None);
        let v6 = List { ipv4: false, ipv6: true, ..list.clone() };
        assert_eq!(name(&v6, "192.0.2.9".parse().unwrap()), None, "nor one without IPv4");
        assert!(name(&v6, "2001:db8::1".parse().unwrap()).unwrap().as_str().starts_with("1.0.0.0."));
        assert!(name(&list, "::ffff:192.0.2.9".parse().unwrap()).is_some(), "a mapped address is IPv4");
    }

    #[test]
    fn only_a_listing_is_worth_a_reason() {
        let answer = |code: [u8; 4]| {
            Observed::Seen(Records { values: vec![code.into()], aliases: Vec::new(), ttl: 60, authentic: false })
        };
        assert!(hit(&answer([127, 0, 0, 2]), &list()));
        for code in [[127, 255, 255, 254], [203, 0, 113, 80], [127, 0, 0, 77]] {
            assert!(!hit(&answer(code), &list()), "{code:?}");
        }
    }

    #[test]
    fn what_an_answer_says_of_its_list_is_told_apart() {
        let list = list();
        let seen = |codes: &[[u8; 4]]| {
            let values = codes.iter().copied().map(Ipv4Addr::from).collect();
            Observed::Seen(Records { values, aliases: Vec::new(), ttl: 60, authentic: false })
        };
        for (answer, expected) in [
            (seen(&[[127, 0, 0, 2]]), Said::Listed([127, 0, 0, 2].into())),
            (seen(&[[127, 0, 0, 77]]), Said::Listed([127, 0, 0, 77].into())),
            (seen(&[]), Said::Unlisted),
            (seen(&[[127, 255, 255, 254]]), Said::Refused([127, 255, 255, 254].into())),
            (seen(&[[203, 0, 113, 80]]), Said::Strange),
            (seen(&[[127, 0, 0, 1]]), Said::Strange),
            (seen(&[[127, 0, 0, 2]; 9]), Said::Strange),
            (Observed::failed(Cause::Timeout), Said::Silent),
            (Observed::failed(Cause::Servfail), Said::Failed),
        ] {
            assert_eq!(said(&answer, &list), expected, "{answer:?}");
        }
    }
}
