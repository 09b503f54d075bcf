//! Replies of noise: random octets of every length, and every flag with every rcode.

use futures_util::future::join_all;
use mxcensus::model::dns::{Data, RecordType};
use mxcensus::model::observed::{Denial, Observed};
use mxcensus::model::words::Cause;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};

use crate::message::{A, Asked, HEADER, Reply};
use crate::server::{Packet, Server, Step, ask, engine};

const HONEST: [u8; 4] = [192, 0, 2, 1];

/// The lengths of the noise.
const LONGEST: u16 = 600;

/// Noise of the asked length, the same in each run; with the query's id and the reply bit, where it is long enough.
fn noise(asked: &Asked, kept: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(u64::from(asked.number()) << 8 | kept as u64);
    let mut bytes = vec![0; usize::from(asked.number())];
    random.fill_bytes(&mut bytes);
    let mut head = asked.reply(0).0;
    // Some records in every section.
    for (at, most) in [(7, 3), (9, 2), (11, 2)] {
        head[at] = random.random_range(1..=most);
    }
    for (octet, right) in bytes.iter_mut().zip(head.into_iter().take(kept)) {
        *octet = right;
    }
    if let Some(flags) = bytes.get_mut(2) {
        *flags |= 0x80;
    }
    bytes
}

/// The id alone is kept, or header and question.
fn kept(asked: &Asked) -> usize {
    if asked.name().contains("question") { HEADER + asked.question().len() } else { 2 }
}

/// Whether the octets behind the question begin with a whole record: only then may they say anything.
fn holds_a_record(bytes: &[u8], mut at: usize) -> bool {
    while let Some(&length) = bytes.get(at) {
        match length {
            0 => at += 1,
            1..=63 => {
                at += 1 + usize::from(length);
                continue;
            }
            192.. => at += 2,
            _ => return false,
        }
        let length = bytes.get(at + 8..at + 10).map(|octets| usize::from(u16::from_be_bytes([octets[0], octets[1]])));
        return length.is_some_and(|length| bytes.len() >= at + 10 + length);
    }
    false
}

#[tokio::test]
async fn noise_of_every_length_is_never_taken_for_records() {
    let server = Server::both(
        |asked| {
            let noise = Reply(noise(asked, kept(asked)));
            vec![Packet::new(noise), Packet::new(asked.reply(0).own(A, &HONEST))]
        },
        |asked| vec![Step::framed(&Reply(noise(asked, kept(asked)))), Step::Close],
    )
    .await;
    let engine = engine(&[server.address], 5000, 2).await;
    let mut honest = 0;
    for way in ["id", "question"] {
        let names: Vec<String> = (0..=LONGEST).map(|length| format!("length-{length}.{way}.example")).collect();
        let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
        for (name, answer) in names.iter().zip(answers) {
            match answer {
                Observed::Seen(records) => {
                    assert_eq!(records.values, [Data::A(HONEST.into())], "{name}");
                    assert_eq!(records.aliases, []);
                    honest += 1;
                }
                Observed::Failed(_) => {}
                Observed::Absent(_) => {
                    let query = server.asked().into_iter().find(|asked| asked.name() == *name).unwrap();
                    let bytes = noise(&query, kept(&query));
                    assert!(holds_a_record(&bytes, kept(&query)), "{name} is denied by nothing");
                }
                Observed::NotAsked(cause) => panic!("{name} was not asked: {cause}"),
            }
        }
    }
    // Where the question does not fit, the noise is not even looked at.
    assert!(honest >= LONGEST, "{honest}");
}

#[tokio::test]
async fn noise_alone_ends_in_a_failure() {
    let server = Server::udp(|asked| vec![Packet::new(Reply(noise(asked, kept(asked)))); 3]).await;
    let engine = engine(&[server.address], 800, 2).await;
    let names: Vec<String> = (0..=LONGEST).map(|length| format!("length-{length}.id.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (name, answer) in names.iter().zip(answers) {
        assert!(matches!(answer, Observed::Failed(_)), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn replies_cut_at_every_octet_hold_all_or_nothing() {
    let whole = |asked: &Asked| asked.reply(0).own(A, &HONEST).own(A, &[192, 0, 2, 2]).extended(0, b"some text");
    let server = Server::udp(move |asked| {
        let mut reply = whole(asked);
        reply.0.truncate(usize::from(asked.number()));
        vec![Packet::new(reply), Packet::new(whole(asked))]
    })
    .await;
    let engine = engine(&[server.address], 5000, 2).await;
    let names: Vec<String> = (0..100).map(|length| format!("length-{length:02}.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    let both = [Data::A(HONEST.into()), Data::A([192, 0, 2, 2].into())];
    let mut malformed = 0;
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Observed::Seen(records) => assert_eq!(records.values, both, "{name}"),
            Observed::Failed(failure) => {
                assert_eq!(failure.cause, Cause::Malformed, "{name}");
                malformed += 1;
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    // The cuts between the question and the end of the second record, which are 32 octets.
    assert_eq!(malformed, 32);
}

/// What a name of the sweep stands for: rcode, TC, AA, RA, AD.
fn combination(number: u16) -> (u8, [bool; 4]) {
    (u8::try_from(number % 16).unwrap(), [16, 32, 64, 128].map(|bit| number & bit != 0))
}

fn swept(asked: &Asked, tcp: bool) -> Reply {
    let (rcode, [cut, authoritative, recursive, authentic]) = combination(asked.number());
    let mut reply = asked.reply(rcode).own(A, &HONEST);
    if !recursive {
        reply.0[3] &= 0x7F;
    }
    let third = if cut && !tcp { 2 } else { 0 } | if authoritative { 4 } else { 0 };
    reply.flags(third, if authentic { 0x20 } else { 0 })
}

#[tokio::test]
async fn every_rcode_with_every_flag_means_what_it_says() {
    let server =
        Server::both(|asked| vec![Packet::new(swept(asked, false))], |asked| vec![Step::framed(&swept(asked, true))])
            .await;
    let engine = engine(&[server.address], 5000, 2).await;
    let names: Vec<String> = (0..256).map(|number| format!("flags-{number}.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (number, answer) in (0..256).zip(answers) {
        let (rcode, flags) = combination(number);
        let expected = match rcode {
            0 => {
                let records = answer.seen().unwrap_or_else(|| panic!("{flags:?}: {answer:?}"));
                assert_eq!(records.values, [Data::A(HONEST.into())]);
                assert_eq!(records.authentic, flags[3], "{flags:?}");
                continue;
            }
            // The record says yes and the rcode no: at least it is no yes.
            3 => {
                assert_eq!(answer.absent().map(|absence| absence.how), Some(Denial::Nxdomain), "{flags:?}");
                continue;
            }
            1 => Cause::Formerr,
            2 => Cause::Servfail,
            5 => Cause::Refused,
            _ => Cause::Notimp,
        };
        assert_eq!(answer.unknown(), Some(expected), "rcode {rcode} {flags:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_upper_rcode_makes_a_failure_of_an_answer() {
    // The upper eight bits stand in the OPT record, where a TTL would.
    let server = Server::udp(|asked| {
        let mut reply = asked.reply(0).own(A, &HONEST).extended(0, b"");
        let at = reply.0.len() - 12;
        reply.0[at] = u8::try_from(asked.number()).unwrap();
        vec![Packet::new(reply)]
    })
    .await;
    let engine = engine(&[server.address], 5000, 2).await;
    let names: Vec<String> = (0..=255).map(|upper| format!("upper-{upper}.example")).collect();
    let answers = join_all(names.iter().map(|name| ask(&engine, name, RecordType::A))).await;
    for (upper, answer) in answers.iter().enumerate() {
        assert_eq!(answer.seen().is_some(), upper == 0, "{upper}: {answer:?}");
        assert_eq!(matches!(answer, Observed::Failed(_)), upper != 0, "{upper}: {answer:?}");
    }
}
