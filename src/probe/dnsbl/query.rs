//! What to ask a list, and whether its answer is worth a second question.
//! Comes in: an address, a list, its answer. Goes out: the name to ask for, or yes and no.
//! Pure: what an answer means for an address is the judge's.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::dns::{Answer, listing_name};
use crate::model::dnsbl::{List, ListClass};
use crate::model::name::Name;

/// The name to ask for; None when the list does not serve this family.
pub fn name(list: &List, address: IpAddr) -> Option<Name> {
    let served = match address.to_canonical() {
        IpAddr::V4(_) => list.ipv4,
        IpAddr::V6(_) => list.ipv6,
    };
    served.then(|| listing_name(address, &list.zone)).flatten()
}

/// Whether the answer holds a listing, so that its reason is worth asking for: a code in 127/8 that is no refusal.
pub fn hit(codes: &Answer<Ipv4Addr>, list: &List) -> bool {
    let codes = codes.seen().map_or(&[][..], |records| &records.values);
    codes
        .iter()
        .any(|code| code.is_loopback() && list.meaning(*code).is_some_and(|rule| rule.class != ListClass::Refusal))
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Request, choose};
    use super::*;
    use crate::model::dns::Records;
    use crate::model::observed::Observed;

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
}
