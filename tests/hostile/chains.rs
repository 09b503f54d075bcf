//! Aliases without end, and records beside the question.

use mxcensus::model::dns::{Data, Mx, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::{Denial, Observed};

use crate::message::{A, Asked, CNAME, MX, NS, Reply, SOA, TXT, name, pointer};
use crate::server::{Packet, Server, Step, ask, engine, question, values};

const HONEST: [u8; 4] = [192, 0, 2, 1];
const FORGED: [u8; 4] = [192, 0, 2, 66];

/// Aliases from the asked name over `1.chain.example` and so on, then a record.
fn chain(asked: &Asked, links: u16) -> Reply {
    let mut reply = asked.reply(0);
    let mut owner = pointer(12);
    for link in 1..=links {
        let target = name(&format!("{link}.chain.example"));
        reply = reply.answer(&owner, CNAME, &target);
        owner = target;
    }
    reply.answer(&owner, A, &HONEST)
}

#[tokio::test]
async fn eight_aliases_are_followed_and_a_longer_chain_is_a_loop() {
    let server = Server::both(
        |asked| {
            vec![Packet::new(if asked.number() > 20 {
                asked.reply(0).truncated()
            } else {
                chain(asked, asked.number())
            })]
        },
        |asked| vec![Step::framed(&chain(asked, asked.number()))],
    )
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for links in [1, 7, 8] {
        let answer = ask(&engine, &format!("links-{links}.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A(HONEST.into())], "{links}");
        assert_eq!(answer.seen().unwrap().aliases.len(), links);
        assert_eq!(answer.seen().unwrap().aliases.last().unwrap().as_str(), format!("{links}.chain.example"));
    }
    for links in [9, 10, 20, 1000] {
        let answer = ask(&engine, &format!("links-{links}.example"), RecordType::A).await;
        let absence = answer.absent().unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!((absence.how, absence.aliases.len()), (Denial::AliasLoop, 8), "{links}");
    }
    assert_eq!(server.asked().len(), 8, "an alias costs no query");
}

#[tokio::test]
async fn a_circle_of_aliases_comes_to_an_end() {
    let server = Server::udp(|asked| {
        let reply = asked.reply(0);
        vec![Packet::new(match asked.first().as_str() {
            "itself" => reply.own(CNAME, &pointer(12)),
            "itself-in-capitals" => reply.own(CNAME, &name("ITSELF-in-CAPITALS.example")),
            "pair" => reply.own(CNAME, &name("b.example")).answer(&name("b.example"), CNAME, &pointer(12)),
            "later" => reply
                .own(CNAME, &name("b.example"))
                .answer(&name("b.example"), CNAME, &name("c.example"))
                .answer(&name("C.example"), CNAME, &name("B.example")),
            // Two aliases at one name: one leads on, the other back.
            _ => reply.own(CNAME, &pointer(12)).own(CNAME, &name("b.example")).answer(&name("b.example"), A, &FORGED),
        })]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for (text, links) in [("itself", 0), ("itself-in-capitals", 0), ("pair", 1), ("later", 2), ("fork", 0)] {
        let answer = ask(&engine, &format!("{text}.example"), RecordType::A).await;
        let absence = answer.absent().unwrap_or_else(|| panic!("{text}: {answer:?}"));
        assert_eq!((absence.how, absence.aliases.len()), (Denial::AliasLoop, links), "{text}");
    }
}

#[tokio::test]
async fn records_of_other_names_are_not_used() {
    let beside = |reply: Reply| {
        reply
            .answer(&name("other.example"), A, &FORGED)
            .answer(&name("ost.example"), A, &FORGED)
            .answer(&name("host.example.example"), A, &FORGED)
            .answer(&name("example"), A, &FORGED)
            .answer(&[0], A, &FORGED)
            .answer(&name("other.example"), CNAME, &pointer(12))
    };
    let behind = |reply: Reply| {
        reply
            .authority(&name("example"), NS, &name("ns.example"))
            .authority(&pointer(12), A, &FORGED)
            .additional(&pointer(12), A, &FORGED)
            .additional(&name("ns.example"), A, &FORGED)
            .additional(&pointer(12), CNAME, &name("other.example"))
    };
    let server = Server::udp(move |asked| {
        let reply = beside(asked.reply(0));
        vec![Packet::new(match asked.first().as_str() {
            "host" => behind(reply.own(A, &HONEST)),
            "alias" => behind(reply.own(CNAME, &name("end.example")).answer(&name("end.example"), A, &HONEST)),
            _ => behind(reply),
        })]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for text in ["host", "alias"] {
        let answer = ask(&engine, &format!("{text}.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A(HONEST.into())], "{text}");
    }
    let nothing = ask(&engine, "nothing.example", RecordType::A).await;
    assert!(nothing.seen().is_none(), "{nothing:?}");
}

#[tokio::test]
async fn records_of_other_types_and_classes_are_not_used() {
    let server = Server::udp(|asked| {
        let mut reply = asked.reply(0).own(A, &FORGED);
        // The class stands behind the type.
        let class = reply.0.len() - 11;
        match asked.first().as_str() {
            "chaos" => reply.0[class] = 3,
            "none" => reply.0[class] = 254,
            "any" => reply.0[class] = 255,
            "text" => reply.0[class - 2] = u8::try_from(TXT).unwrap(),
            "signature" => reply.0[class - 2] = 46,
            // An address of the other family in a record of this one.
            "sixteen" => reply = asked.reply(0).own(A, &[0x20; 16]),
            _ => reply = asked.reply(0).own(A, &[]),
        }
        vec![Packet::new(reply)]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for text in ["chaos", "none", "any", "text", "signature", "sixteen", "empty"] {
        let answer = ask(&engine, &format!("{text}.example"), RecordType::A).await;
        assert!(answer.seen().is_none(), "{text}: {answer:?}");
    }
}

#[tokio::test]
async fn a_denial_names_no_zone_that_does_not_hold_the_name() {
    let server = Server::udp(|asked| {
        let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
        let owner = match asked.first().as_str() {
            "own" => name("example"),
            "root" => vec![0],
            "foreign" => name("org"),
            "below" => name("x.below.example"),
            _ => pointer(0x3FFF),
        };
        vec![Packet::new(asked.reply(3).authority(&owner, SOA, &soa))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for (text, zone) in
        [("own", Some("example")), ("root", Some("")), ("foreign", None), ("below", None), ("broken", None)]
    {
        match ask(&engine, &format!("{text}.example"), RecordType::A).await {
            Observed::Absent(absence) => {
                assert_eq!((absence.how, absence.zone.as_ref().map(Name::as_str)), (Denial::Nxdomain, zone), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn four_thousand_records_are_capped_and_the_first_kept() {
    let server = Server::tcp(|asked| {
        let mut reply = asked.reply(0);
        for number in 0..4096_u16 {
            let [high, low] = number.to_be_bytes();
            // The root as owner: with any other, so many do not fit.
            reply = reply.answer(&[0], A, &[10, 0, high, low]);
        }
        vec![Step::framed(&reply)]
    })
    .await;
    let engine = engine(&[server.address], 10_000, 1).await;
    let answer = ask(&engine, "", RecordType::A).await;
    let values = values(&answer);
    assert_eq!(values.len(), 512);
    for (number, value) in (0..512_u16).zip(values) {
        let [high, low] = number.to_be_bytes();
        assert_eq!(*value, Data::A([10, 0, high, low].into()));
    }
}

#[tokio::test]
async fn one_record_four_thousand_times_is_one_record() {
    let server = Server::tcp(|asked| {
        let mut reply = asked.reply(0);
        for _ in 0..4000 {
            reply = reply.own(A, &HONEST);
        }
        vec![Step::framed(&reply.own(A, &[192, 0, 2, 2]))]
    })
    .await;
    let engine = engine(&[server.address], 10_000, 1).await;
    let answer = ask(&engine, "host.example", RecordType::A).await;
    assert_eq!(values(&answer), [Data::A(HONEST.into()), Data::A([192, 0, 2, 2].into())]);
}

#[tokio::test]
async fn four_hundred_exchanges_behind_an_alias_are_read_whole() {
    let server = Server::tcp(|asked| {
        let target = name("mail.example");
        let mut reply = asked.reply(0).own(CNAME, &target);
        for number in 0..398_u16 {
            let exchange = name(&format!("mx{number}.mail.example"));
            reply = reply.answer(&target, MX, &[&number.to_be_bytes(), exchange.as_slice()].concat());
        }
        vec![Step::framed(&reply)]
    })
    .await;
    let engine = engine(&[server.address], 10_000, 1).await;
    let answer = ask(&engine, "many.example", RecordType::Mx).await;
    let expected: Vec<Data> = (0..398)
        .map(|preference| {
            let exchange = question(&format!("mx{preference}.mail.example"), RecordType::A).name;
            Data::Mx(Mx { preference, exchange })
        })
        .collect();
    assert_eq!(values(&answer), expected);
    assert_eq!(answer.seen().unwrap().aliases.len(), 1);
}
