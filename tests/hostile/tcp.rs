//! Servers that behave badly once they are asked by TCP.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mxcensus::model::dns::{Data, RecordType};
use mxcensus::model::words::Cause;

use crate::message::{A, Asked, HEADER, Reply};
use crate::server::{Packet, Server, Step, ask, cause, engine, values};

const HONEST: [u8; 4] = [192, 0, 2, 1];
const FORGED: [u8; 4] = [192, 0, 2, 66];

fn honest(asked: &Asked) -> Reply {
    asked.reply(0).own(A, &HONEST)
}

/// A fault that never ends in a reply, by the first label of the name.
fn fault(asked: &Asked) -> Vec<Step> {
    let framed = match Step::framed(&honest(asked)) {
        Step::Send(octets) => octets,
        other => panic!("{other:?}"),
    };
    let forged = asked.reply(0).own(A, &FORGED);
    let stall = Step::Wait(Duration::from_secs(60));
    match asked.first().as_str() {
        "stall" => vec![stall],
        "stall-in-the-length" => vec![Step::Send(framed[..1].to_vec()), stall],
        "stall-in-the-reply" => vec![Step::Send(framed[..framed.len() - 1].to_vec()), stall],
        "slow-drip" => Step::drip(&honest(asked), 100),
        "close" => vec![Step::Close],
        "close-in-the-length" => vec![Step::Send(framed[..1].to_vec()), Step::Close],
        "close-in-the-reply" => vec![Step::Send(framed[..framed.len() - 1].to_vec()), Step::Close],
        "much-announced" => vec![Step::Send([&[0xFF, 0xFF], &framed[2..12]].concat()), Step::Close],
        "much-announced-and-stall" => vec![Step::Send([&[0xFF, 0xFF], &framed[2..12]].concat()), stall],
        "little-announced" => vec![Step::Send([&[0, 10], &framed[2..]].concat()), Step::Close],
        "nothing-announced" => vec![Step::Send(vec![0, 0]), Step::Close],
        "many-nothings" => vec![Step::Send(vec![0; 4096]), Step::Close],
        "no-dns" => vec![Step::Send(b"220 mail.example ESMTP\r\n".to_vec()), Step::Close],
        "other-id" => vec![Step::framed(&forged.turned(1, 1)), Step::Close],
        "other-name" => vec![Step::framed(&forged.turned(HEADER + 1, 1)), Step::Close],
        "other-type" => {
            let at = HEADER + asked.question().len() - 3;
            vec![Step::framed(&forged.turned(at, 0x1D)), Step::Close]
        }
        "query" => vec![Step::framed(&forged.turned(2, 0x80)), Step::Close],
        "truncated" => vec![Step::framed(&forged.truncated())],
        other => panic!("no fault is called {other}"),
    }
}

const FAULTS: &[&str] = &[
    "stall",
    "stall-in-the-length",
    "stall-in-the-reply",
    "slow-drip",
    "close",
    "close-in-the-length",
    "close-in-the-reply",
    "much-announced",
    "much-announced-and-stall",
    "little-announced",
    "nothing-announced",
    "many-nothings",
    "no-dns",
    "other-id",
    "other-name",
    "other-type",
    "query",
    "truncated",
];

#[tokio::test]
async fn what_is_truncated_and_cannot_be_had_by_tcp_is_truncated_within_the_patience() {
    let begun = Instant::now();
    let asks = FAULTS.iter().map(|fault_name| async move {
        let server = Server::tcp(fault).await;
        let engine = engine(&[server.address], 500, 1).await;
        let answer = ask(&engine, &format!("{fault_name}.example"), RecordType::A).await;
        assert_eq!(cause(&answer), Cause::Truncated, "{fault_name}: {answer:?}");
        assert!((1..=4).contains(&server.by_tcp()), "{fault_name}: {} connections", server.by_tcp());
    });
    join_all(asks).await;
    // Half a second each, twice at most, and a pause between; each may break a connection and be asked once more on another.
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn bad_connections_delay_others_and_no_more() {
    // More stalls than an engine has connections to one server: what shares them may run out of patience, which is a
    // failure and no fact, and once they are over all is well again.
    let server =
        Server::tcp(
            |asked| {
                if asked.first().starts_with("good") { vec![Step::framed(&honest(asked))] } else { fault(asked) }
            },
        )
        .await;
    let engine = engine(&[server.address], 1000, 1).await;
    let names =
        FAULTS.iter().map(|fault| format!("{fault}.example")).chain((0..30).map(|n| format!("good-{n}.example")));
    let names: Vec<String> = names.collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (name, answer) in names.iter().zip(&answers) {
        match answer.seen() {
            Some(records) => {
                assert!(name.starts_with("good"), "{name}");
                assert_eq!(records.values, [Data::A(HONEST.into())], "{name}");
            }
            None => assert_eq!(cause(answer), Cause::Truncated, "{name}: {answer:?}"),
        }
    }
    for number in 30..50 {
        let answer = ask(&engine, &format!("good-{number}.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A(HONEST.into())], "{number}");
    }
}

#[tokio::test]
async fn a_reply_that_drips_in_time_is_taken() {
    let server = Server::tcp(|asked| Step::drip(&honest(asked), 2)).await;
    let engine = engine(&[server.address], 10_000, 1).await;
    assert_eq!(values(&ask(&engine, "host.example", RecordType::A).await), [Data::A(HONEST.into())]);
}

#[tokio::test]
async fn a_reply_of_the_largest_size_is_taken() {
    let server = Server::tcp(|asked| {
        let reply = honest(asked);
        let room = usize::from(u16::MAX) - reply.0.len() - 12;
        vec![Step::framed(&reply.additional(&[0xC0, 12], 65_280, &vec![0xAA; room]))]
    })
    .await;
    let engine = engine(&[server.address], 10_000, 1).await;
    assert_eq!(values(&ask(&engine, "host.example", RecordType::A).await), [Data::A(HONEST.into())]);
}

#[tokio::test]
async fn another_questions_reply_before_the_right_one_is_not_taken() {
    let server = Server::tcp(|asked| {
        let forged = asked.reply(0).own(A, &FORGED).turned(HEADER + 1, 1);
        vec![Step::framed(&forged), Step::framed(&honest(asked))]
    })
    .await;
    let engine = engine(&[server.address], 1000, 1).await;
    let answer = ask(&engine, "host.example", RecordType::A).await;
    assert!(answer.seen().is_none_or(|records| records.values == [Data::A(HONEST.into())]), "{answer:?}");
}

#[tokio::test]
async fn truncated_where_nobody_listens_on_tcp_is_truncated() {
    let server = Server::udp(|asked| vec![Packet::new(asked.reply(0).own(A, &FORGED).truncated())]).await;
    let engine = engine(&[server.address], 2000, 2).await;
    let answer = ask(&engine, "host.example", RecordType::A).await;
    assert_eq!(cause(&answer), Cause::Truncated);
    assert!(server.asked().len() <= 3);
}
