//! Servers that refuse everything, or are not there: the engine gives up, soon and without a storm of queries.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mxcensus::model::dns::{Data, RecordType};
use mxcensus::model::words::Cause;

use crate::message::{A, Asked};
use crate::server::{Packet, Server, ask, cause, engine, values};

const HONEST: [u8; 4] = [192, 0, 2, 1];

/// A port on which nobody listens.
fn closed() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_closed_port_is_a_resolver_that_is_down() {
    let engine = engine(&[closed()], 1000, 3).await;
    let begun = Instant::now();
    let names: Vec<String> = (0..100).map(|number| format!("x{number}.example")).collect();
    for answer in join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await {
        assert_eq!(cause(&answer), Cause::ResolverDown, "{answer:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(engine.stats().sent <= 300, "{:?}", engine.stats());
    assert_eq!(engine.stats().own_side, 100);
}

#[tokio::test]
async fn a_closed_port_beside_one_that_answers_costs_no_answer() {
    let server = Server::udp(|asked| vec![Packet::new(asked.reply(0).own(A, &HONEST))]).await;
    let engine = engine(&[closed(), server.address, closed()], 3000, 3).await;
    let names: Vec<String> = (0..100).map(|number| format!("x{number}.example")).collect();
    for answer in join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await {
        assert_eq!(values(&answer), [Data::A(HONEST.into())]);
    }
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_asked_a_few_times_per_name() {
    const REFUSALS: [(u8, Cause); 8] = [
        (1, Cause::Formerr),
        (2, Cause::Servfail),
        (4, Cause::Notimp),
        (5, Cause::Refused),
        (6, Cause::Notimp),
        (9, Cause::Notimp),
        (11, Cause::Notimp),
        (15, Cause::Notimp),
    ];
    // The rcode is the number that the name ends in.
    let refuse = |asked: &Asked| vec![Packet::new(asked.reply(u8::try_from(asked.number()).unwrap()))];
    for servers in 1..=2 {
        let servers = join_all((0..servers).map(|_| Server::udp(refuse))).await;
        let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
        let engine = engine(&addresses, 3000, 3).await;
        let asks = REFUSALS.map(|(rcode, expected)| {
            let engine = &engine;
            async move {
                let answer = ask(engine, &format!("x-{rcode}.example"), RecordType::A).await;
                assert_eq!(cause(&answer), expected, "rcode {rcode}");
            }
        });
        join_all(asks).await;
        for (rcode, _) in REFUSALS {
            let of_name = |asked: &&Asked| asked.number() == u16::from(rcode);
            let queries: usize = servers.iter().map(|server| server.asked().iter().filter(of_name).count()).sum();
            assert!((1..=3).contains(&queries), "rcode {rcode}: {queries} queries");
        }
    }
}

#[tokio::test]
async fn a_validator_that_finds_everything_bogus_is_asked_a_few_times_per_name() {
    // Extended errors six to twelve are those of validation.
    let server = Server::udp(|asked| vec![Packet::new(asked.reply(2).extended(asked.number(), b"bogus"))]).await;
    let engine = engine(&[server.address], 3000, 3).await;
    let names: Vec<String> = (0..=30).map(|code| format!("x-{code}.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (name, answer) in names.iter().zip(answers) {
        assert!(answer.unknown().is_some(), "{name}: {answer:?}");
        let queries = server.asked().iter().filter(|asked| asked.name() == *name).count();
        assert!((1..=3).contains(&queries), "{name}: {queries} queries");
    }
}

#[tokio::test]
async fn a_silent_server_is_asked_as_often_as_there_are_tries() {
    let server = Server::udp(|_| Vec::new()).await;
    let engine = engine(&[server.address], 600, 3).await;
    let begun = Instant::now();
    let names: Vec<String> = (0..200).map(|number| format!("x{number}.example")).collect();
    for answer in join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await {
        assert_eq!(cause(&answer), Cause::Timeout);
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!((200..=600).contains(&server.asked().len()), "{}", server.asked().len());
}

#[tokio::test]
async fn a_referral_is_not_taken_for_a_denial() {
    let server = Server::udp(|asked| {
        let mut reply = asked.reply(0).authority(&[0xC0, 12], 2, b"\x02ns\xC0\x0C");
        reply.0[3] &= 0x7F;
        vec![Packet::new(reply)]
    })
    .await;
    let engine = engine(&[server.address], 1000, 2).await;
    assert_eq!(cause(&ask(&engine, "host.example", RecordType::A).await), Cause::Lame);
}
