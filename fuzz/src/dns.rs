//! The replies of name servers, beside a second reader of them: hickory's.
//! Comes in: a type, a name and a datagram. Goes out: nothing, or a panic, which is a fault of ours.
//! Where hickory accepts the message, both have to see the same chain and the same records.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{self, DNSClass, RData};
use mxcensus::model::dns::{Answer, Data, Mx, Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::{Denial, Observed};
use mxcensus::probe::dns::hooks;

/// Names that may be asked for: plain, the root, a reverse one, one with odd labels.
const NAMES: [&[&[u8]]; 4] =
    [&[b"a", b"example"], &[], &[b"5", b"2", b"0", b"192", b"in-addr", b"arpa"], &[b"a.b\0", b"x"]];

/// A byte for the type, one for the name, and a datagram. Says whether it was a whole reply to that question.
pub fn dns(bytes: &[u8]) -> bool {
    let [kind, name, datagram @ ..] = bytes else { return false };
    let labels = NAMES.into_iter().cycle().nth(usize::from(*name)).expect("a cycle has no end");
    let kind = RecordType::ALL.iter().copied().cycle().nth(usize::from(*kind)).expect("a cycle has no end");
    let question = Question { name: Name::from_labels(labels.iter().copied()), kind };
    let Some(answer) = hooks::read_reply(datagram, &question) else { return false };
    is_sound(&answer, kind);
    // hickory follows a pointer into the header; whether its octets are a name is not for it to say.
    let into_the_header = datagram.windows(2).any(|pair| matches!(pair, [0xC0, ..12]));
    if let Ok(theirs) = Message::from_vec(datagram)
        && !into_the_header
    {
        compare(&answer, &question, &theirs);
    }
    true
}

/// What holds whatever the bytes are.
fn is_sound(answer: &Answer<Data>, kind: RecordType) {
    let stored = serde_json::to_string(answer).expect("an answer has a form");
    assert!(stored.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{stored}");
    // A name that is not in the normal form does not come back.
    assert_eq!(serde_json::from_str::<Answer<Data>>(&stored).ok().as_ref(), Some(answer), "{stored}");
    match answer {
        Observed::Seen(records) => {
            assert!((1..=512).contains(&records.values.len()) && records.aliases.len() <= 8);
            assert!(records.ttl <= 0x7FFF_FFFF, "{}", records.ttl);
            for (at, value) in records.values.iter().enumerate() {
                assert!(!records.values.iter().take(at).any(|before| before == value), "{value:?} twice");
                assert_eq!(kind_of(value), kind);
                assert!(!matches!(value, Data::Txt(text) if text.len() > 1024));
            }
        }
        Observed::Absent(absence) => assert!(absence.aliases.len() <= 8),
        Observed::Failed(failure) => assert!(failure.detail.as_ref().is_none_or(|detail| detail.len() <= 200)),
        Observed::NotAsked(cause) => panic!("a reply to what was not asked: {cause}"),
    }
}

fn kind_of(value: &Data) -> RecordType {
    match value {
        Data::A(_) => RecordType::A,
        Data::Aaaa(_) => RecordType::Aaaa,
        Data::Mx(_) => RecordType::Mx,
        Data::Ptr(_) => RecordType::Ptr,
        Data::Txt(_) => RecordType::Txt,
        Data::Ns(_) => RecordType::Ns,
        Data::Soa(_) => RecordType::Soa,
    }
}

/// Our reading beside hickory's.
fn compare(answer: &Answer<Data>, question: &Question, theirs: &Message) {
    let code = theirs.metadata.response_code;
    // With an extended error the same records may be no answer: a filter's, for one.
    let has_options = theirs.edns.as_ref().is_some_and(|edns| !edns.options().options.is_empty());
    let (values, aliases) = follow(question, theirs);
    match answer {
        Observed::Seen(records) => {
            assert_eq!(code, ResponseCode::NoError);
            assert_eq!(records.aliases, aliases, "the chain is another");
            assert_eq!(records.authentic, theirs.metadata.authentic_data);
            same(&records.values, &values);
        }
        Observed::Absent(absence) => {
            assert!(matches!(code, ResponseCode::NoError | ResponseCode::NXDomain), "a denial by {code}");
            assert!(code == ResponseCode::NXDomain || values.is_empty(), "denied beside {values:?}");
            assert_eq!(absence.aliases, aliases, "the chain is another");
            assert_eq!(
                absence.how == Denial::Nxdomain,
                code == ResponseCode::NXDomain && absence.how != Denial::AliasLoop
            );
            let owners = || theirs.authorities.iter().filter(|record| record.record_type() == rr::RecordType::SOA);
            assert!(absence.zone.as_ref().is_none_or(|zone| owners().any(|soa| plain(&soa.name) == *zone)));
        }
        _ => assert!(has_options || code != ResponseCode::NoError || values.is_empty(), "{answer:?} with {values:?}"),
    }
}

/// Texts are compared by their number only: how they are made printable is ours alone.
fn same(ours: &[Data], theirs: &[Data]) {
    if matches!(ours, [Data::Txt(_), ..]) {
        return assert!(ours.len() <= theirs.len());
    }
    let mut expected: Vec<&Data> = Vec::new();
    for value in theirs {
        if expected.len() < 512 && !expected.contains(&value) {
            expected.push(value);
        }
    }
    assert_eq!(ours.iter().collect::<Vec<_>>(), expected);
}

/// The records at the end of the chain, and the chain.
fn follow(question: &Question, theirs: &Message) -> (Vec<Data>, Vec<Name>) {
    // Where a name is denied, its chain is followed past the records.
    let denied = theirs.metadata.response_code == ResponseCode::NXDomain;
    let mut aliases: Vec<Name> = Vec::new();
    loop {
        let owner = aliases.last().unwrap_or(&question.name);
        let of_owner = || {
            let records = theirs.answers.iter().filter(|record| record.dns_class == DNSClass::IN);
            records.filter(|record| plain(&record.name) == *owner).map(|record| &record.data)
        };
        let values: Vec<Data> = of_owner().filter_map(value).filter(|value| kind_of(value) == question.kind).collect();
        let target =
            of_owner().find_map(|data| if let RData::CNAME(target) = data { Some(plain(target)) } else { None });
        let goes_on = |target: &Name| {
            (values.is_empty() || denied) && aliases.len() < 8 && *target != question.name && !aliases.contains(target)
        };
        match target.filter(goes_on) {
            Some(target) => aliases.push(target),
            None => return (values, aliases),
        }
    }
}

/// The value of a record; of a text only that it is one.
fn value(data: &RData) -> Option<Data> {
    Some(match data {
        RData::A(address) => Data::A(address.0),
        RData::AAAA(address) => Data::Aaaa(address.0),
        RData::MX(mx) => Data::Mx(Mx { preference: mx.preference, exchange: plain(&mx.exchange) }),
        RData::PTR(target) => Data::Ptr(plain(target)),
        RData::NS(target) => Data::Ns(plain(target)),
        RData::SOA(soa) => Data::Soa(plain(&soa.mname)),
        RData::TXT(_) => Data::Txt("".into()),
        _ => return None,
    })
}

fn plain(name: &rr::Name) -> Name {
    Name::from_labels(name.iter())
}
