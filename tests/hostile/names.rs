//! Names that go round, lead nowhere or never end, as data and as owners.

use std::time::{Duration, Instant};

use mxcensus::model::dns::{Data, Mx, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::{Denial, Observed};
use mxcensus::model::words::Cause;

use crate::message::{A, Asked, CNAME, HEADER, MX, NS, PTR, Reply, SOA, labelled, name, pointer};
use crate::server::{Packet, Server, Step, ask, cause, engine, values};

/// A type without meaning, whose data nobody reads.
const PRIVATE: u16 = 65_280;

/// A name at this place of the message that is none.
type Broken = fn(&Asked, u16) -> Vec<u8>;

const BROKEN: &[(&str, Broken)] = &[
    ("itself", |_, at| pointer(at)),
    ("a-label-and-itself", |_, at| [b"\x01a".to_vec(), pointer(at)].concat()),
    ("its-own-pointer", |_, at| [b"\x01a".to_vec(), pointer(at + 2)].concat()),
    ("forward", |_, at| pointer(at + 2)),
    ("forward-behind-a-label", |_, at| [b"\x01a".to_vec(), pointer(at + 4)].concat()),
    ("the-end", |_, _| pointer(0x3FFF)),
    ("half-a-pointer", |_, _| vec![0xC0]),
    ("no-end", |_, _| b"\x01a".to_vec()),
    ("label-beyond-the-record", |_, _| b"\x3Fa".to_vec()),
    ("reserved-01", |_, _| b"\x41a\0".to_vec()),
    ("reserved-10", |_, _| b"\x81a\0".to_vec()),
    ("nothing", |_, _| Vec::new()),
    ("more-than-a-name", |_, _| b"\x01a\0\0".to_vec()),
    ("over-255-octets", |_, _| labelled(&[[b'x'; 63].as_slice(); 4])),
    ("256-octets", |_, _| labelled(&[&[b'x'; 63], &[b'x'; 63], &[b'x'; 63], &[b'x'; 62]])),
    // The longest name stands in the record before, and this adds a label.
    ("over-255-octets-by-a-pointer", |asked, _| [b"\x01a".to_vec(), pointer(asked.reply(0).end() + 12)].concat()),
];

/// A reply with one broken name as data, behind a record that nobody asked for whose data is the longest name.
fn reply(asked: &Asked, kind: u16, before: &[u8], broken: Broken) -> Reply {
    let longest = labelled(&[&[b'x'; 63], &[b'x'; 63], &[b'x'; 63], &[b'x'; 61]]);
    let reply = asked.reply(0).own(PRIVATE, &longest);
    let at = reply.end() + 12 + u16::try_from(before.len()).unwrap();
    // A name stands behind, so that what leads forward would lead to one.
    let data = [before.to_vec(), broken(asked, at)].concat();
    reply.own(kind, &data).answer(&name("mx.example"), PRIVATE, b"")
}

#[tokio::test]
async fn broken_names_are_malformed_in_whatever_record() {
    let server = Server::udp(|asked| {
        let (_, broken) = BROKEN.iter().find(|(name, _)| *name == asked.first()).unwrap();
        let (kind, before): (u16, &[u8]) = match asked.question()[asked.question().len() - 3] {
            // An address cannot be asked for without an alias being followed.
            1 => (CNAME, &[]),
            2 => (NS, &[]),
            6 => (SOA, &[]),
            12 => (PTR, &[]),
            15 => (MX, &[0, 10]),
            other => panic!("nobody asks for type {other}"),
        };
        vec![Packet::new(reply(asked, kind, before, *broken))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 3).await;
    for kind in [RecordType::A, RecordType::Ns, RecordType::Soa, RecordType::Ptr, RecordType::Mx] {
        // Behind the first name of an SOA there is more.
        let broken = BROKEN.iter().filter(|(name, _)| kind != RecordType::Soa || *name != "more-than-a-name");
        let asks = broken.map(|(name, _)| {
            let engine = &engine;
            async move { (name, ask(engine, &format!("{name}.example"), kind).await) }
        });
        for (name, answer) in futures_util::future::join_all(asks).await {
            assert_eq!(cause(&answer), Cause::Malformed, "{name} as data of {kind}");
        }
    }
}

#[tokio::test]
async fn a_pointer_into_the_header_leads_to_no_name() {
    // At several of these places the header's octets look like a name: a zero octet is the root, and an exchange that is
    // the root says that the domain takes no mail.
    let server = Server::udp(|asked| {
        let data = [vec![0, 0], pointer(asked.number())].concat();
        vec![Packet::new(asked.reply(0).own(MX, &data))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 3).await;
    let mut taken = Vec::new();
    for place in 0..u16::try_from(HEADER).unwrap() {
        let answer = ask(&engine, &format!("to-{place}.example"), RecordType::Mx).await;
        if !matches!(&answer, Observed::Failed(failure) if failure.cause == Cause::Malformed) {
            taken.push((place, answer));
        }
    }
    assert!(taken.is_empty(), "a name out of the header: {taken:?}");
}

#[tokio::test]
async fn a_record_whose_owner_is_no_name_is_neither_an_answer_nor_a_denial() {
    // The answer's only record cannot be read. That is no word on whether there are any.
    let server = Server::udp(|asked| {
        let reply = asked.reply(0);
        let at = reply.end();
        let owner = match asked.first().as_str() {
            "itself" => pointer(at),
            "forward" => pointer(at + 2),
            "mutual" => [b"\x04host".to_vec(), pointer(at)].concat(),
            _ => pointer(0x3FFF),
        };
        let reply = reply.answer(&owner, A, &[192, 0, 2, 66]);
        let good = asked.name().contains("good");
        vec![Packet::new(if good { reply.own(A, &[192, 0, 2, 1]) } else { reply })]
    })
    .await;
    let engine = engine(&[server.address], 5000, 3).await;
    let mut wrong = Vec::new();
    for owner in ["itself", "forward", "mutual", "end"] {
        // A neighbour is not spoiled by it.
        let answer = ask(&engine, &format!("{owner}.good.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A([192, 0, 2, 1].into())], "{owner}");
        let answer = ask(&engine, &format!("{owner}.bad.example"), RecordType::A).await;
        if answer.unknown() != Some(Cause::Malformed) {
            wrong.push((owner, answer));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn records_that_are_announced_but_not_there_are_malformed() {
    let server = Server::udp(|asked| {
        let mut reply = asked.reply(0).own(A, &[192, 0, 2, 66]);
        match asked.first().as_str() {
            "count" => reply.0[7] = 2,
            "counts" => reply.0[6] = 0xFF,
            "length" => {
                let at = reply.0.len() - 5;
                reply.0[at] = 5;
            }
            "lengths" => {
                let at = reply.0.len() - 6;
                reply.0[at] = 0xFF;
            }
            "cut" => reply.0.truncate(reply.0.len() - 1),
            _ => reply.0.truncate(reply.0.len() - 10),
        }
        vec![Packet::new(reply)]
    })
    .await;
    let engine = engine(&[server.address], 5000, 3).await;
    for text in ["count", "counts", "length", "lengths", "cut", "cut-deep"] {
        let answer = ask(&engine, &format!("{text}.example"), RecordType::A).await;
        assert_eq!(cause(&answer), Cause::Malformed, "{text}");
    }
}

#[tokio::test]
async fn a_long_way_of_pointers_takes_no_time() {
    // 4,000 records, each owner a pointer to the one before: read naively, that is millions of jumps for one look at them.
    let server = Server::tcp(|asked| {
        let mut reply = asked.reply(0);
        let mut place = 12;
        for _ in 0..4000 {
            let at = reply.end();
            reply = reply.answer(&pointer(place), A, &[192, 0, 2, 1]);
            place = if at < 0x3FFF { at } else { place };
        }
        // And the answer itself at the end, so that all have to be passed.
        vec![Step::framed(&reply.own(A, &[192, 0, 2, 2]))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    let begun = Instant::now();
    let answer = ask(&engine, "host.example", RecordType::A).await;
    assert!(values(&answer).contains(&Data::A([192, 0, 2, 2].into())));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_longest_name_is_a_name_and_the_root_is_one_too() {
    let server = Server::udp(|asked| {
        let data = match asked.first().as_str() {
            "longest" => labelled(&[&[b'x'; 63], &[b'x'; 63], &[b'x'; 63], &[b'x'; 61]]),
            "labels" => labelled(&[b"x".as_slice(); 127]),
            _ => vec![0],
        };
        vec![Packet::new(asked.reply(0).own(MX, &[vec![0, 0], data].concat()))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for (text, length) in [("longest", 253), ("labels", 253), ("root", 0)] {
        match values(&ask(&engine, &format!("{text}.example"), RecordType::Mx).await) {
            [Data::Mx(Mx { exchange, .. })] => assert_eq!(exchange.as_str().len(), length, "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn damage_behind_the_answer_does_not_spoil_it() {
    let server = Server::udp(|asked| {
        let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
        let reply = match asked.first().as_str() {
            "denial" => asked.reply(3).authority(&name("example"), SOA, &soa),
            _ => asked.reply(0).own(A, &[192, 0, 2, 1]).authority(&name("example"), SOA, &soa),
        };
        // The additional section has one record, of which the first octets came.
        let mut reply = reply.additional(&name("ns.example"), A, &[192, 0, 2, 9]);
        reply.0.truncate(reply.0.len() - 7);
        vec![Packet::new(reply)]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    let answer = ask(&engine, "host.example", RecordType::A).await;
    assert_eq!(values(&answer), [Data::A([192, 0, 2, 1].into())]);
    let absence = ask(&engine, "denial.example", RecordType::A).await;
    let absence = absence.absent().unwrap();
    assert_eq!((absence.how, absence.zone.as_ref().map(Name::as_str)), (Denial::Nxdomain, Some("example")));
}
