//! What is no reply to the question that was asked, however like one it looks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use mxcensus::model::dns::{Data, RecordType};
use mxcensus::model::words::Cause;
use tokio::time::sleep;

use crate::message::{A, Asked, HEADER, Reply};
use crate::server::{Origin, Packet, Server, Step, ask, cause, engine, values};

const HONEST: [u8; 4] = [192, 0, 2, 1];
const FORGED: [u8; 4] = [192, 0, 2, 66];

type Forger = fn(&Asked, Reply) -> Packet;

/// Every way of being nearly the reply. All of them carry a record that must not be believed.
const FORGERS: &[(&str, Forger)] = &[
    ("id-low-bit", |_, reply| Packet::new(reply.turned(1, 0x01))),
    ("id-high-bit", |_, reply| Packet::new(reply.turned(0, 0x80))),
    ("port", |_, reply| Packet::from(reply, Origin::OtherPort)),
    ("address", |_, reply| Packet::from(reply, Origin::OtherAddress)),
    ("name", |_, reply| Packet::new(reply.turned(HEADER + 1, 0x01))),
    ("tld", |asked, reply| Packet::new(reply.turned(HEADER + asked.question().len() - 6, 0x01))),
    ("label-length", |_, reply| Packet::new(reply.turned(HEADER, 0x01))),
    ("type", |asked, reply| Packet::new(reply.turned(HEADER + asked.question().len() - 3, 0x1D))),
    ("class-chaos", |asked, reply| Packet::new(reply.turned(HEADER + asked.question().len() - 1, 0x02))),
    ("class-any", |asked, reply| Packet::new(reply.turned(HEADER + asked.question().len() - 1, 0xFE))),
    ("case-of-one-letter", |_, reply| Packet::new(reply.turned(HEADER + 1, 0x20))),
    ("case-of-the-last-letter", |asked, reply| Packet::new(reply.turned(HEADER + asked.question().len() - 6, 0x20))),
    ("no-reply-bit", |_, reply| Packet::new(reply.turned(2, 0x80))),
    ("opcode-iquery", |_, reply| Packet::new(reply.flags(1 << 3, 0))),
    ("opcode-status", |_, reply| Packet::new(reply.flags(2 << 3, 0))),
    ("opcode-notify", |_, reply| Packet::new(reply.flags(4 << 3, 0))),
    ("opcode-update", |_, reply| Packet::new(reply.flags(5 << 3, 0))),
    ("opcode-fifteen", |_, reply| Packet::new(reply.flags(15 << 3, 0))),
    ("no-question", |_, reply| Packet::new(reply.turned(5, 0x01))),
    ("no-question-section", |asked, reply| {
        let mut reply = reply.turned(5, 0x01);
        // The record's owner as a whole name: there is nothing left to point to.
        let record = reply.0.split_off(HEADER + asked.question().len() + 2);
        reply.0.truncate(HEADER);
        let name = &asked.question()[..asked.question().len() - 4];
        Packet::new(Reply([reply.0.as_slice(), name, &record].concat()))
    }),
    ("two-questions", |_, reply| Packet::new(reply.turned(5, 0x03))),
    ("many-questions", |_, reply| Packet::new(reply.turned(4, 0xFF))),
    ("question-cut", |_, reply| Packet::new(Reply(reply.0[..HEADER + 9].to_vec()))),
    ("header-alone", |_, reply| Packet::new(Reply(reply.0[..HEADER].to_vec()))),
    ("header-cut", |_, reply| Packet::new(Reply(reply.0[..HEADER - 1].to_vec()))),
    ("one-octet", |_, reply| Packet::new(Reply(reply.0[..1].to_vec()))),
    ("nothing", |_, _| Packet::new(Reply(Vec::new()))),
];

fn forged(asked: &Asked) -> Packet {
    let (_, forger) = FORGERS.iter().find(|(name, _)| *name == asked.first()).unwrap();
    forger(asked, asked.reply(0).own(A, &FORGED))
}

#[tokio::test]
async fn what_is_nearly_the_reply_is_not_taken_and_the_reply_behind_it_is() {
    let server = Server::udp(|asked| {
        let forged = forged(asked);
        vec![forged.clone(), forged.clone(), forged, Packet::new(asked.reply(0).own(A, &HONEST))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 1).await;
    for (forger, _) in FORGERS {
        let answer = ask(&engine, &format!("{forger}.behind.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A(HONEST.into())], "{forger}");
    }
    let stats = engine.stats();
    assert_eq!((stats.sent, stats.seen), (FORGERS.len() as u64, FORGERS.len() as u64));
    // Three each; those from another port or address never reach the socket.
    assert!(stats.ignored >= 3 * (FORGERS.len() as u64 - 4), "{stats:?}");
    assert!(stats.wrong_case >= 6, "{stats:?}");
}

#[tokio::test]
async fn what_is_nearly_the_reply_leaves_the_question_without_one() {
    let server = Server::udp(|asked| vec![forged(asked)]).await;
    let engine = engine(&[server.address], 800, 2).await;
    let names: Vec<String> = FORGERS.iter().map(|(forger, _)| format!("{forger}.alone.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (name, answer) in names.iter().zip(&answers) {
        assert_eq!(cause(answer), Cause::Timeout, "{name}");
    }
    assert_eq!(engine.stats().answered, 0);
}

#[tokio::test]
async fn a_forger_who_cannot_guess_the_case_only_makes_the_engine_ask_by_tcp() {
    let forge = |asked: &Asked| vec![Packet::new(asked.reply(0).own(A, &FORGED).turned(HEADER + 1, 0x20))];
    let server = Server::both(forge, |asked| vec![Step::framed(&asked.reply(0).own(A, &HONEST))]).await;
    let engine = engine(&[server.address], 400, 2).await;
    for number in 0..3 {
        let answer = ask(&engine, &format!("x{number}.example"), RecordType::A).await;
        assert_eq!(values(&answer), [Data::A(HONEST.into())]);
    }
    // The connection has shown that the server keeps the case: the engine must not give it up.
    let letters: Vec<Asked> = server.asked();
    assert!(letters.iter().any(|asked| asked.question().iter().any(u8::is_ascii_uppercase)));
    let before = letters.len();
    let name = format!("{}.example", "x".repeat(63));
    let answer = ask(&engine, &name, RecordType::A).await;
    assert_eq!(values(&answer), [Data::A(HONEST.into())]);
    assert!(server.asked()[before..].iter().all(|asked| asked.question().iter().any(u8::is_ascii_uppercase)));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_not_taken_for_another_question() {
    // As many as have a place in flight at once: nobody waits for one and is there when they come.
    const LATE: u16 = 100;
    const NOW: u16 = 2000;
    let missed: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let server = Server::udp(move |asked| {
        let mut missed = missed.lock().unwrap();
        if asked.first().starts_with("late") {
            let reply = asked.reply(0).own(A, &FORGED);
            missed.push(reply.clone());
            return vec![Packet::late(reply, 1500)];
        }
        // Ids are used again: as if three of the late answers had the one of this question.
        let mut packets = Vec::new();
        for reply in missed.iter().cycle().skip(usize::from(asked.number()) * 3).take(3) {
            let mut reply = reply.clone();
            reply.0[..2].copy_from_slice(&asked.bytes[..2]);
            packets.push(Packet::new(reply));
        }
        let [high, low] = asked.number().to_be_bytes();
        packets.push(Packet::late(asked.reply(0).own(A, &[10, 0, high, low]), u64::from(asked.number()) % 50));
        packets
    })
    .await;
    let engine = engine(&[server.address], 1200, 1).await;
    let names: Vec<String> = (0..LATE).map(|number| format!("late-{number}.example")).collect();
    for answer in join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await {
        assert_eq!(cause(&answer), Cause::Timeout);
    }
    let mut wrong = Vec::new();
    for round in 0..NOW / 100 {
        let numbers: Vec<u16> = (round * 100..round * 100 + 100).collect();
        let names: Vec<String> = numbers.iter().map(|number| format!("now-{number}.example")).collect();
        let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
        for (number, answer) in numbers.iter().zip(answers) {
            let [high, low] = number.to_be_bytes();
            if values(&answer) != [Data::A([10, 0, high, low].into())] {
                wrong.push((*number, answer));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    let stats = engine.stats();
    assert_eq!((stats.timeout, stats.seen, stats.answered), (LATE.into(), NOW.into(), NOW.into()));
    assert!(stats.ignored >= u64::from(NOW), "{stats:?}");
}

#[tokio::test]
async fn of_a_hundred_copies_one_is_the_answer() {
    let server = Server::udp(|asked| vec![Packet::new(asked.reply(0).own(A, &HONEST)); 100]).await;
    let engine = engine(&[server.address], 5000, 1).await;
    assert_eq!(values(&ask(&engine, "host.example", RecordType::A).await), [Data::A(HONEST.into())]);
    for _ in 0..1000 {
        if engine.stats().ignored == 99 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let stats = engine.stats();
    assert_eq!((stats.answered, stats.seen, stats.ignored, stats.sent), (1, 1, 99, 1));
}

#[tokio::test]
async fn a_reply_to_one_question_is_none_to_its_neighbour() {
    // Two questions at the same time, each answered with the other's question under its own id.
    let waiting: Arc<Mutex<Option<Asked>>> = Arc::default();
    let server = Server::udp(move |asked| {
        let Some(first) = waiting.lock().unwrap().replace(asked.clone()) else { return Vec::new() };
        let mut crossed = first.reply(0).own(A, &FORGED);
        crossed.0[..2].copy_from_slice(&asked.bytes[..2]);
        vec![Packet::new(crossed), Packet::new(asked.reply(0).own(A, &HONEST))]
    })
    .await;
    let engine = engine(&[server.address], 300, 1).await;
    let asks = [ask(&engine, "one.example", RecordType::A), ask(&engine, "two.example", RecordType::A)];
    let answers = join_all(asks).await;
    let seen: Vec<_> = answers.iter().filter_map(|answer| answer.seen()).collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].values, [Data::A(HONEST.into())]);
}
