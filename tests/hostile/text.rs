//! Octets that would do harm on a terminal or in a file, in names and in texts.

use mxcensus::model::dns::{Answer, Data, Mx, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::Observed;

use crate::message::{A, Asked, CNAME, MX, NS, PTR, Reply, SOA, TXT, labelled, name, pointer};
use crate::server::{Packet, Server, Step, ask, engine, values};

/// Labels that no honest name has.
const LABELS: [&[u8]; 10] =
    [b"\0", b"a.b", b"a\nb", b"\r\n250 OK", b"\xFF\xFE\x80", b"\x1B[2J", b"a\\b", b"\"',;=", b" ", b"\x7F\x9B\xC2\xA0"];

fn odd(asked: &Asked) -> (usize, Vec<u8>) {
    let at = usize::from(asked.number());
    (at, labelled(&[LABELS[at], b"UPPER", b"example"]))
}

fn with_odd_names(asked: &Asked) -> Reply {
    let (_, odd) = odd(asked);
    match asked.question()[asked.question().len() - 3] {
        1 => asked.reply(0).own(CNAME, &odd).answer(&odd, A, &[192, 0, 2, 1]),
        2 => asked.reply(0).own(NS, &odd),
        // Denied, by a zone with an odd name.
        6 => {
            let soa = [odd, name("root.example"), vec![0; 20]].concat();
            asked.reply(0).own(SOA, &soa)
        }
        12 => asked.reply(0).own(PTR, &odd),
        _ => asked.reply(0).own(MX, &[vec![0, 10], odd].concat()),
    }
}

/// All texts of an answer.
fn texts(answer: &Answer<Data>) -> Vec<String> {
    let name = |name: &Name| name.as_str().to_owned();
    match answer {
        Observed::Seen(records) => {
            let values = records.values.iter().map(|value| match value {
                Data::A(address) => address.to_string(),
                Data::Aaaa(address) => address.to_string(),
                Data::Mx(Mx { exchange, .. }) => name(exchange),
                Data::Ptr(target) | Data::Ns(target) | Data::Soa(target) => name(target),
                Data::Txt(text) => text.to_string(),
            });
            values.chain(records.aliases.iter().map(name)).collect()
        }
        Observed::Absent(absence) => absence.zone.iter().chain(&absence.aliases).map(name).collect(),
        Observed::Failed(failure) => failure.detail.iter().map(ToString::to_string).collect(),
        Observed::NotAsked(_) => Vec::new(),
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[tokio::test]
async fn odd_labels_are_escaped_wherever_they_stand_and_nothing_of_them_is_lost() {
    let server = Server::udp(|asked| vec![Packet::new(with_odd_names(asked))]).await;
    let engine = engine(&[server.address], 5000, 1).await;
    for kind in [RecordType::A, RecordType::Ns, RecordType::Soa, RecordType::Ptr, RecordType::Mx] {
        for (number, label) in LABELS.iter().enumerate() {
            let answer = ask(&engine, &format!("odd-{number}.example"), kind).await;
            let found = match values(&answer) {
                [Data::A(_)] => answer.seen().unwrap().aliases[0].clone(),
                [Data::Ns(target) | Data::Soa(target) | Data::Ptr(target)] => target.clone(),
                [Data::Mx(Mx { exchange, .. })] => exchange.clone(),
                other => panic!("{other:?}"),
            };
            let labels: Vec<Vec<u8>> = found.labels().collect();
            assert_eq!(labels, [label.to_ascii_lowercase().as_slice(), b"upper", b"example"], "{kind} {label:?}");
            assert_eq!(Name::stored(found.as_str()).as_ref(), Some(&found), "{kind} {label:?}");
            assert!(texts(&answer).iter().all(|text| is_printable(text)), "{kind} {label:?}: {answer:?}");
            // A blank is a border in many files.
            assert!(!found.as_str().contains(' '), "{found}");
        }
    }
}

#[tokio::test]
async fn an_odd_zone_and_odd_words_of_an_error_are_escaped_too() {
    let server = Server::udp(|asked| {
        let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
        if asked.first().starts_with("words") {
            let label = LABELS[usize::from(asked.number())];
            return vec![Packet::new(asked.reply(2).extended(22, label))];
        }
        let (_, odd) = odd(asked);
        vec![Packet::new(asked.reply(3).own(CNAME, &odd).authority(&odd, SOA, &soa))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for number in 0..LABELS.len() {
        for text in ["words", "zone"] {
            let answer = ask(&engine, &format!("{text}-{number}.example"), RecordType::A).await;
            let texts = texts(&answer);
            assert!(!texts.is_empty(), "{answer:?}");
            assert!(texts.iter().all(|text| is_printable(text)), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn texts_are_capped_and_printable_however_long_they_are() {
    let server = Server::tcp(|asked| {
        let string = |octet: u8, length: u8| [vec![length], vec![octet; usize::from(length)]].concat();
        let reply = asked.reply(0);
        vec![Step::framed(&match asked.first().as_str() {
            "plain" => reply.own(TXT, &string(b'x', 250).repeat(259)),
            "odd" => reply.own(TXT, &string(0x1B, 250).repeat(259)),
            "empty-strings" => reply.own(TXT, &vec![0; 65_000]),
            "one-by-one" => reply.own(TXT, &string(b'\n', 1).repeat(32_500)),
            "none" => reply.own(TXT, &[]),
            "string-beyond-the-record" => reply.own(TXT, &[255, b'x', b'y']),
            // An error's text, as long as a record can be.
            _ => asked.reply(2).extended(22, &vec![0x1B; 65_000]),
        })]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for (text, length) in [("plain", 1024), ("odd", 1024), ("one-by-one", 1024), ("empty-strings", 0), ("none", 0)] {
        let answer = ask(&engine, &format!("{text}.example"), RecordType::Txt).await;
        match values(&answer) {
            [Data::Txt(text)] => assert!(text.len() == length && is_printable(text), "{} of {length}", text.len()),
            other => panic!("{text}: {other:?}"),
        }
    }
    let broken = ask(&engine, "string-beyond-the-record.example", RecordType::Txt).await;
    assert!(broken.unknown().is_some(), "{broken:?}");
    match ask(&engine, "words.example", RecordType::Txt).await {
        Observed::Failed(failure) => {
            let detail = failure.detail.unwrap();
            assert!(detail.len() <= 200 && is_printable(&detail), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_with_a_dot_in_a_label_is_not_the_name_without() {
    // `a.b` as one label is another owner than `a` below `b`: its record is not on the chain.
    let server = Server::udp(|asked| {
        let one_label = labelled(&[b"a.b", b"example"]);
        let reply = asked.reply(0).answer(&one_label, A, &[192, 0, 2, 66]);
        // Neither is one whose escape would read the same.
        let escape = labelled(&[b"a\\.b", b"example"]);
        vec![Packet::new(reply.answer(&escape, A, &[192, 0, 2, 66]).answer(&pointer(12), A, &[192, 0, 2, 1]))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    let answer = ask(&engine, "a.b.example", RecordType::A).await;
    assert_eq!(values(&answer), [Data::A([192, 0, 2, 1].into())]);
}
