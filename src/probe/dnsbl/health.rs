//! Whether a list can be believed: its test entries (RFC 5782 §5, RFC 6471 §3).
//! Comes in: a list, and the answers to three questions. Goes out: healthy, or what is wrong.
//! A dead or parked list answers for everything or for nothing; either would be read as a verdict on every server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::entry::Terms;
use super::query;
use crate::model::dns::{Answer, Question, RecordType, listing_name};
use crate::model::dnsbl::{Health, List, ListClass};
use crate::model::name::Name;

/// The entry every list of addresses must have, and the one none may have.
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const UNLISTED: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The same for lists of domain names: top-level domains that RFC 2606 reserves.
const LISTED_NAME: &str = "test";
const UNLISTED_NAME: &str = "invalid";
/// More codes than any list gives for one address: a wildcard of a parked zone.
pub(super) const CODES: usize = 8;

/// What a test asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The entry that must be there.
    pub listed: Question,
    /// A list's own entry for tests, asked when that one is missing.
    pub own: Option<Question>,
    /// The entry that must not be there.
    pub unlisted: Question,
    /// A name that nobody has: no address, and never asked before. For lists of addresses only.
    pub nobody: Option<Question>,
}

impl Test {
    /// The test of a list; the number makes up the name that nobody has.
    pub fn of(list: &List, terms: &Terms, random: u64) -> Self {
        let below = |label: &str| query::below(label, &list.zone);
        let entry = |address: Ipv4Addr, label: &str| {
            // A list for IPv6 alone is asked for the mapped entries in nibbles, so not through `listing_name`.
            let name = if list.names {
                below(label)
            } else if list.ipv4 {
                listing_name(IpAddr::V4(address), &list.zone)
            } else {
                six(address, &list.zone)
            };
            question(name.unwrap_or_else(|| list.zone.clone()))
        };
        let nobody = format!("x{:08x}.y{:08x}", random >> 32, random & 0xffff_ffff);
        Self {
            listed: entry(LISTED, LISTED_NAME),
            own: terms.test.as_ref().and_then(|test| below(test.as_str())).map(question),
            unlisted: entry(UNLISTED, UNLISTED_NAME),
            nobody: if list.names { None } else { below(&nobody).map(question) },
        }
    }
}

/// The test entry of a list of both families in its IPv6 part, which many of them do not have; None for other lists.
pub fn test_of_six(list: &List) -> Option<Question> {
    (list.ipv4 && list.ipv6).then(|| six(LISTED, &list.zone)).flatten().map(question)
}

/// Whether the answer to it shows that the list has an IPv6 part.
pub fn has_six(list: &List, answer: &Answer<Ipv4Addr>) -> bool {
    codes(answer).iter().any(|code| code.is_loopback() && !is_refusal(list, *code))
}

fn question(name: Name) -> Question {
    Question { name, kind: RecordType::A }
}

fn six(entry: Ipv4Addr, zone: &Name) -> Option<Name> {
    Some(nibbles(mapped(entry), zone)).filter(|name| name.as_str().len() <= 253)
}

/// Whether a code says that the list refuses us: by its table, or set aside by the big lists for errors of any kind.
pub(super) fn is_refusal(list: &List, code: Ipv4Addr) -> bool {
    list.meaning(code).is_some_and(|rule| rule.class == ListClass::Refusal)
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

/// The answers to a test, as far as its questions were asked.
#[derive(Debug, Clone)]
pub struct Answers {
    /// For the entry that must be there, or the list's own.
    pub listed: Answer<Ipv4Addr>,
    /// For the entry that must not be there.
    pub unlisted: Answer<Ipv4Addr>,
    /// For the name that nobody has.
    pub nobody: Option<Answer<Ipv4Addr>>,
}

/// What the answers say of the list.
pub fn verdict(list: &List, answers: &Answers) -> Health {
    let untrustworthy = |why: String| Health::Untrustworthy(why.into());
    let meaning = |code: Ipv4Addr| list.meaning(code).map(|rule| rule.class);
    let Answers { listed: positive, unlisted: negative, nobody } = answers;
    let [listed, unlisted] = [positive, negative].map(codes);
    for codes in [listed, unlisted] {
        if let Some(code) = codes.iter().find(|code| is_refusal(list, **code)) {
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
        return untrustworthy(format!("does not list {}, which every list must", shown(list, LISTED, LISTED_NAME)));
    }
    // A list that answers its negative entry on purpose says so in its table.
    if unlisted.iter().any(|code| meaning(*code) != Some(ListClass::Allow)) {
        return untrustworthy(format!("lists {}, which no list may", shown(list, UNLISTED, UNLISTED_NAME)));
    }
    // What is no address at all may be refused or fail; but it must not be listed.
    let nobody = nobody.as_ref().map_or(&[][..], codes);
    let wild = |code: &&Ipv4Addr| !is_refusal(list, **code) && **code != Ipv4Addr::LOCALHOST;
    if let Some(code) = nobody.iter().find(wild) {
        return untrustworthy(format!("answers {code} for a name that was made up"));
    }
    Health::Healthy
}

/// The codes of an answer; none in an answer without addresses, whatever else stands in it.
fn codes(answer: &Answer<Ipv4Addr>) -> &[Ipv4Addr] {
    answer.seen().map_or(&[], |records| &records.values)
}

fn shown(list: &List, entry: Ipv4Addr, name: &str) -> String {
    match (list.names, list.ipv4) {
        (true, _) => name.to_owned(),
        (false, true) => entry.to_string(),
        (false, false) => mapped(entry).to_string(),
    }
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

    /// The verdict on the two test entries alone.
    fn verdict(list: &List, listed: &Answer<Ipv4Addr>, unlisted: &Answer<Ipv4Addr>) -> Health {
        super::verdict(list, &Answers { listed: listed.clone(), unlisted: unlisted.clone(), nobody: None })
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
    fn a_name_that_nobody_has_must_not_be_listed_but_may_be_refused() {
        let list = list("bl.spamcop.net");
        let with = |nobody| Answers { listed: seen(&[[127, 0, 0, 2]]), unlisted: absent(), nobody: Some(nobody) };
        for harmless in [
            absent(),
            seen(&[]),
            seen(&[[127, 255, 255, 252]]),
            seen(&[[127, 0, 0, 1]]),
            Observed::failed(Cause::Servfail),
        ] {
            assert_eq!(super::verdict(&list, &with(harmless.clone())), Health::Healthy, "{harmless:?}");
        }
        for wild in [[127, 0, 0, 2], [203, 0, 113, 80]] {
            assert!(matches!(super::verdict(&list, &with(seen(&[wild]))), Health::Untrustworthy(_)), "{wild:?}");
        }
    }

    #[test]
    fn each_kind_of_list_has_its_test_entries() {
        let names = |zone: &str| {
            let chosen = choose(&Request { zones: vec![zone.into()], ..Request::default() }).unwrap();
            let test = Test::of(&chosen.lists[0], &chosen.terms[0], 0x0123_4567_89ab_cdef);
            let text = |question: Question| question.name.as_str().to_owned();
            (text(test.listed), text(test.unlisted), test.own.map(text), test.nobody.map(text))
        };
        let mapped = "0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.ipv6.spameatingmonkey.net";
        let (listed, unlisted, ..) = names("bl.ipv6.spameatingmonkey.net");
        assert_eq!((listed, unlisted), (format!("2.0.0.0.{mapped}"), format!("1.0.0.0.{mapped}")));
        let (listed, unlisted, own, nobody) = names("bl.spamcop.net");
        assert_eq!((&*listed, &*unlisted, own), ("2.0.0.127.bl.spamcop.net", "1.0.0.127.bl.spamcop.net", None));
        assert_eq!(nobody.as_deref(), Some("x01234567.y89abcdef.bl.spamcop.net"));
        let (listed, unlisted, own, nobody) = names("dbl.spamhaus.org");
        assert_eq!((&*listed, &*unlisted), ("test.dbl.spamhaus.org", "invalid.dbl.spamhaus.org"));
        assert_eq!((own.as_deref(), nobody), (Some("dbltest.com.dbl.spamhaus.org"), None));
    }

    #[test]
    fn a_list_of_both_families_is_asked_whether_it_means_it() {
        let zen = list("zen.spamhaus.org");
        assert!(test_of_six(&zen).unwrap().name.as_str().starts_with("2.0.0.0.0.0.f.7.f.f.f.f."));
        for zone in ["bl.spamcop.net", "bl.ipv6.spameatingmonkey.net", "dbl.spamhaus.org"] {
            assert_eq!(test_of_six(&list(zone)), None, "{zone}");
        }
        assert!(has_six(&zen, &seen(&[[127, 0, 0, 2]])));
        let timeout = Observed::failed(Cause::Timeout);
        for without in [absent(), timeout, seen(&[[127, 255, 255, 254]]), seen(&[[203, 0, 113, 80]])] {
            assert!(!has_six(&zen, &without), "{without:?}");
        }
    }
}
