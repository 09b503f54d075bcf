//! The running world, met with small clients of the tests' own.
//! Over 400 lines: the clients at the top serve every test.

use std::collections::{HashMap, HashSet};
use std::net::UdpSocket;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::world::{Aim, World};
use super::zone::kind;
use super::*;
use crate::model::dns::reverse_name;
use crate::model::finding::{Code, Finding};
use crate::model::words::{Rule, Severity, Verdict};

async fn lab(domains: u64) -> Lab {
    Lab::start(Settings::new(1, domains)).await.unwrap()
}

/// A question as bytes, with or without EDNS and CD.
fn question(name: &str, asked: u16, edns: bool, unchecked: bool) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, if unchecked { 0x10 } else { 0 }, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(asked.to_be_bytes());
    message.extend([0, 1]);
    if edns {
        message.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    }
    message
}

/// A resolver's reply to a question over UDP; None when there is none in time.
async fn ask_for(lab: &Lab, message: Vec<u8>, wait: Duration) -> Option<Vec<u8>> {
    let resolver = lab.resolver();
    tokio::task::spawn_blocking(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(wait)).unwrap();
        socket.send_to(&message, resolver).unwrap();
        let mut reply = vec![0; 4096];
        let (length, _) = socket.recv_from(&mut reply).ok()?;
        reply.truncate(length);
        Some(reply)
    })
    .await
    .unwrap()
}

async fn ask(lab: &Lab, name: &str, asked: u16) -> Vec<u8> {
    ask_for(lab, question(name, asked, true, false), Duration::from_secs(5)).await.unwrap()
}

fn rcode(reply: &[u8]) -> u8 {
    reply[3] & 15
}

/// The number of answers and of authority records.
fn sections(reply: &[u8]) -> (u8, u8) {
    (reply[7], reply[9])
}

/// A name as it stands on the wire.
fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = question(name, 1, false, false).split_off(12);
    wire.truncate(wire.len() - 4);
    wire
}

fn holds(reply: &[u8], part: &[u8]) -> bool {
    reply.windows(part.len()).any(|window| window == part)
}

/// What a scan would make of the addresses: those of one question.
async fn address_of(lab: &Lab, name: &str) -> IpAddr {
    let reply = ask(lab, name, kind::A).await;
    assert_eq!((rcode(&reply), sections(&reply)), (0, (1, 0)), "{name}");
    // The OPT record is the last eleven bytes, the address stands before it.
    let octets: [u8; 4] = reply[reply.len() - 15..reply.len() - 11].try_into().unwrap();
    IpAddr::from(octets)
}

async fn connect(lab: &Lab, address: &str) -> io::Result<TcpStream> {
    let endpoint = lab.endpoint(address.parse().unwrap(), lab.port());
    assert!(endpoint.ip().is_loopback());
    timeout(Duration::from_secs(1), TcpStream::connect(endpoint)).await?
}

/// Reads until a last line of a reply has come, or the connection is closed.
async fn reply<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut got = Vec::new();
    let mut bytes = [0; 512];
    loop {
        let last = got.split(|byte| *byte == b'\n').rev().nth(1).map(<[u8]>::to_vec);
        if got.ends_with(b"\n") && last.is_some_and(|line| line.get(3) == Some(&b' ')) {
            return got;
        }
        match timeout(Duration::from_secs(5), stream.read(&mut bytes)).await.unwrap() {
            Ok(0) | Err(_) => return got,
            Ok(count) => got.extend(&bytes[..count]),
        }
    }
}

async fn say<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    String::from_utf8(reply(stream).await).unwrap()
}

async fn greeting(lab: &Lab, address: &str) -> Vec<u8> {
    reply(&mut connect(lab, address).await.unwrap()).await
}

#[test]
fn every_scenario_is_in_the_world_or_has_a_reason_not_to_be() {
    let world = World::new(&Settings { slow: true, ..Settings::default() }, true);
    for number in 1..=scenarios::SCENARIOS {
        assert_ne!(world.has(number), scenarios::not_plain(number).is_some(), "S{number:02}");
    }
    assert_eq!(scenarios::SCENARIOS, 72);
    assert_eq!(Lab::not_plain().count(), 2);
}

#[tokio::test]
async fn there_are_as_many_targets_as_asked_for_and_each_has_its_truth() {
    let lab = lab(3_000).await;
    let targets: Vec<String> = lab.targets().collect();
    assert_eq!(targets.len(), 3_000);
    assert_eq!(targets.iter().collect::<HashSet<_>>().len(), 3_000);
    assert_eq!(targets[0], "s01.lab.test");
    assert!(targets.contains(&"203.0.113.66,mta7.s66.lab.test".to_owned()));
    let named: HashSet<String> = targets.iter().map(|target| target.split(',').next().unwrap().to_owned()).collect();
    let truths: Vec<Truth> = lab.truth().collect();
    assert_eq!(truths.iter().map(|truth| truth.target.clone()).collect::<HashSet<_>>(), named);
    let rows: HashSet<_> =
        truths.iter().map(|truth| (&truth.target, &truth.helo, &truth.exchange, truth.address)).collect();
    assert_eq!(rows.len(), truths.len(), "a row is known by its target, recorded name, exchange and address");
}

#[tokio::test]
async fn the_truth_repeats_and_follows_the_seed() {
    let of = async |seed| Lab::start(Settings::new(seed, 1_000)).await.unwrap().truth().collect::<Vec<_>>();
    assert_eq!(of(1).await, of(1).await);
    assert_ne!(of(1).await, of(2).await);
}

#[tokio::test]
async fn a_row_of_a_scenario_is_the_one_of_the_table() {
    let lab = lab(200).await;
    let truths: Vec<Truth> = lab.truth().collect();
    let row = |target: &str, at: usize| truths.iter().filter(|truth| truth.target == target).nth(at).unwrap();
    let letters = |truth: &Truth| {
        let letter = |verdict: &Verdict| match verdict {
            Verdict::Pass => 'P',
            Verdict::Fail => 'F',
            Verdict::Unknown => 'U',
            Verdict::Na => 'N',
        };
        truth.verdicts.iter().map(letter).collect::<String>()
    };
    for (target, at, exchange, address, verdicts, codes) in [
        ("s01.lab.test", 0, Some("mail.s01.lab.test"), Some("198.51.100.1"), "PPPPPPP", &[][..]),
        (
            "s10.lab.test",
            0,
            Some("mail.s10.lab.test"),
            Some("198.51.100.10"),
            "PFNFPPP",
            &[Code::HeloLiteralSpecial, Code::HeloLiteralMismatch, Code::SmtpNoStarttls],
        ),
        (
            "s37.lab.test",
            0,
            Some("alias.s37.lab.test"),
            Some("198.51.100.37"),
            "PPPPPPF",
            &[Code::MxIsCname, Code::SmtpNoStarttls],
        ),
        ("s38.lab.test", 0, Some("198.51.100.38"), None, "NNNNNNF", &[Code::MxIsIpLiteral]),
        ("s40.lab.test", 0, Some(""), None, "NNNNNNN", &[]),
        ("s41.lab.test", 0, Some(""), None, "NNNNNNF", &[Code::MxNullPlusOthers]),
        ("s42.lab.test", 0, Some("private.s42.lab.test"), Some("192.168.7.42"), "NNNNNNF", &[Code::MxPrivateAddress]),
        (
            "s46.lab.test",
            0,
            Some("mx1.s46.lab.test"),
            Some("203.0.113.46"),
            "UUUUPPP",
            &[Code::MxPrimaryUnreachable, Code::ConnectRefused],
        ),
        (
            "s46.lab.test",
            1,
            Some("mail.s46.lab.test"),
            Some("198.51.100.46"),
            "PPPPPPP",
            &[Code::MxPrimaryUnreachable, Code::SmtpNoStarttls],
        ),
        ("s48.lab.test", 0, None, None, "UUUUUUU", &[Code::MxDnsFailure]),
        ("203.0.113.66", 0, None, Some("203.0.113.66"), "PPPPPPN", &[]),
    ] {
        let truth = row(target, at);
        assert_eq!(truth.exchange.as_ref().map(Name::as_str), exchange, "{target}");
        assert_eq!(truth.address, address.map(|text| text.parse().unwrap()), "{target}");
        assert_eq!(letters(truth), verdicts, "{target}");
        assert_eq!(truth.codes, codes, "{target}");
    }
}

#[tokio::test]
async fn a_domain_has_one_mx_verdict_in_all_its_rows() {
    let lab = lab(5_000).await;
    let mut seen: HashMap<String, Verdict> = HashMap::new();
    let mut several = 0;
    for truth in lab.truth() {
        let mx = truth.verdicts[6];
        if let Some(other) = seen.insert(truth.target, mx) {
            several += 1;
            assert_eq!(other, mx);
        }
    }
    assert!(several > 100, "{several} rows are second rows");
}

#[test]
fn a_truth_tells_what_differs() {
    let truth = Truth {
        target: "a.test".into(),
        helo: None,
        exchange: None,
        address: None,
        verdicts: [Verdict::Pass; Rule::ALL.len()],
        codes: vec![Code::SmtpNoStarttls],
        info: vec![Code::MxNoIpv6],
        open: vec![Code::PtrHeloDiffers],
    };
    let finding = |code, severity| Finding { code, severity, detail: "".into() };
    let good = vec![
        finding(Code::SmtpNoStarttls, Severity::Warning),
        finding(Code::MxNoIpv6, Severity::Info),
        finding(Code::PtrHeloDiffers, Severity::Warning),
        finding(Code::MxImplicit, Severity::Info),
    ];
    let passes = [Verdict::Pass; 7];
    assert_eq!(truth.disagreement(&passes, &good), None);
    let mut verdicts = passes;
    verdicts[4] = Verdict::Unknown;
    assert_eq!(truth.contradiction(&verdicts), None);
    assert!(truth.disagreement(&verdicts, &good).unwrap().contains("unlisted is unknown, must be pass"));
    verdicts[4] = Verdict::Fail;
    assert!(truth.contradiction(&verdicts).unwrap().contains("unlisted is fail"));
    assert!(truth.disagreement(&passes, &good[1..]).unwrap().contains("smtp-no-starttls is missing"));
    let more = [good, vec![finding(Code::PtrMissing, Severity::Error)]].concat();
    assert!(truth.disagreement(&passes, &more).unwrap().contains("ptr-missing must not be there"));
}

#[tokio::test]
async fn dns_answers_for_scenarios_and_for_the_bulk_world() {
    let lab = lab(2_000).await;
    let mx = ask(&lab, "S01.lab.TEST", kind::MX).await;
    assert_eq!((rcode(&mx), sections(&mx)), (0, (1, 0)));
    assert!(holds(&mx, b"\x03S01\x03lab\x04TEST"), "the question comes back as it was written");
    assert!(holds(&mx, &wire_name("mail.s01.lab.test")));
    assert_eq!(mx[2] & 0x04, 0, "not authoritative");
    assert_eq!(mx[3] & 0x80, 0x80, "recursion available");
    assert_eq!(address_of(&lab, "mail.s01.lab.test").await.to_string(), "198.51.100.1");

    let bulk = lab.truth().find(|truth| truth.target.starts_with('d') && truth.verdicts == [Verdict::Pass; 7]).unwrap();
    let exchange = bulk.exchange.unwrap();
    assert!(holds(&ask(&lab, &bulk.target, kind::MX).await, &wire_name(exchange.as_str())));
    assert_eq!(Some(address_of(&lab, exchange.as_str()).await), bulk.address);
    let ptr = ask(&lab, reverse_name(bulk.address.unwrap()).as_str(), kind::PTR).await;
    assert_eq!(sections(&ptr), (1, 0));
    assert_eq!(rcode(&ask(&lab, "d99999.lab.test", kind::MX).await), 3);
}

#[tokio::test]
async fn a_missing_ptr_is_denied_by_its_zone_and_a_missing_zone_by_the_registry() {
    let lab = lab(100).await;
    for (name, zone) in
        [("26.100.51.198.in-addr.arpa", "100.51.198.in-addr.arpa"), ("27.2.0.192.in-addr.arpa", "192.in-addr.arpa")]
    {
        let reply = ask(&lab, name, kind::PTR).await;
        assert_eq!((rcode(&reply), sections(&reply)), (3, (0, 1)), "{name}");
        let authority = &reply[12 + wire_name(name).len() + 4..];
        assert!(authority.starts_with(&wire_name(zone)), "{name}");
    }
}

#[tokio::test]
async fn failures_carry_their_extended_error_and_yield_to_checking_disabled() {
    let lab = lab(100).await;
    let lame = ask(&lab, "28.100.51.198.in-addr.arpa", kind::PTR).await;
    assert_eq!(rcode(&lame), 2);
    assert!(lame.ends_with(&[0, 15, 0, 2, 0, 22]));
    let bogus = ask(&lab, "mail.bogus.s24.lab.test", kind::A).await;
    assert!(rcode(&bogus) == 2 && bogus.ends_with(&[0, 15, 0, 2, 0, 7]));
    let message = question("mail.bogus.s24.lab.test", kind::A, true, true);
    let unchecked = ask_for(&lab, message, Duration::from_secs(5)).await.unwrap();
    assert_eq!((rcode(&unchecked), sections(&unchecked)), (0, (1, 0)));
}

#[tokio::test]
async fn the_lost_packet_of_s23_is_answered_when_it_comes_again() {
    let lab = lab(100).await;
    for asked in [kind::A, kind::AAAA] {
        let message = question("smtp.s23.lab.test", asked, false, false);
        assert_eq!(ask_for(&lab, message.clone(), Duration::from_millis(200)).await, None);
        assert!(ask_for(&lab, message, Duration::from_secs(5)).await.is_some());
    }
}

#[tokio::test]
async fn a_big_answer_is_cut_over_udp_and_whole_over_tcp() {
    let lab = lab(10).await;
    let message = question("big.lab.test", kind::TXT, true, false);
    let cut = ask_for(&lab, message.clone(), Duration::from_secs(5)).await.unwrap();
    assert_eq!(cut[2] & 2, 2);
    let mut stream = TcpStream::connect(lab.resolver()).await.unwrap();
    for _ in 0..2 {
        stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
        stream.write_all(&message).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut reply = vec![0; usize::from(length)];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!((reply[2] & 2, sections(&reply)), (0, (1, 0)));
        assert!(reply.len() > 3_000);
    }
}

#[tokio::test]
async fn a_server_greets_answers_ehlo_and_takes_leave() {
    let lab = lab(2_000).await;
    let good =
        lab.truth().find(|truth| truth.target.starts_with('d') && truth.codes == [Code::SmtpNoStarttls]).unwrap();
    let exchange = good.exchange.unwrap();
    let mut stream = connect(&lab, &good.address.unwrap().to_string()).await.unwrap();
    assert_eq!(reply(&mut stream).await, format!("220 {exchange} ESMTP\r\n").as_bytes());
    let ehlo = say(&mut stream, "ehlo probe.lab.test").await;
    assert!(ehlo.starts_with(&format!("250-{exchange}\r\n")) && !ehlo.contains("STARTTLS"), "{ehlo}");
    assert!(say(&mut stream, "MAIL FROM:<>").await.starts_with("550 "));
    assert!(say(&mut stream, "STARTTLS").await.starts_with("502 "));
    assert!(say(&mut stream, "QUIT").await.starts_with("221 "));
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn starttls_shows_a_certificate_of_the_authority() {
    let lab = lab(100).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(lab.roots().remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector =
        tokio_rustls::TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    for (address, name, trusted) in
        [("198.51.100.1", "mail.s01.lab.test", true), ("198.51.100.64", "mail.s64.lab.test", false)]
    {
        let mut stream = connect(&lab, address).await.unwrap();
        reply(&mut stream).await;
        assert!(say(&mut stream, "EHLO probe.lab.test").await.contains("250-STARTTLS\r\n"));
        assert!(say(&mut stream, "STARTTLS").await.starts_with("220 "));
        let secured = connector.connect(name.try_into().unwrap(), stream).await;
        assert_eq!(secured.is_ok(), trusted, "{name}");
        if let Ok(mut stream) = secured {
            assert!(!say(&mut stream, "EHLO probe.lab.test").await.contains("STARTTLS"));
            assert!(say(&mut stream, "QUIT").await.starts_with("221 "));
        }
    }
    let tlsa = ask(&lab, "_25._tcp.mail.s64.lab.test", kind::TLSA).await;
    assert_eq!((rcode(&tlsa), sections(&tlsa)), (0, (1, 0)));
    assert_eq!(tlsa[3] & 0x20, 0x20, "authentic");
}

#[tokio::test]
async fn greetings_are_those_of_the_scenarios() {
    let lab = lab(100).await;
    for (address, expected) in [
        ("198.51.100.4", &b"220 ESMTP\r\n"[..]),
        ("198.51.100.5", b"220 ****************\r\n"),
        ("198.51.100.9", b"220 [198.51.100.9] ESMTP\r\n"),
        ("198.51.100.11", b"220 198.51.100.11 ESMTP\r\n"),
        ("198.51.100.12", b"220 postmaster@s12.lab.test ESMTP\r\n"),
        ("198.51.100.54", b"554-mail.s54.lab.test\r\n554 blocked using bl1, 203.0.113.250\r\n"),
        ("198.51.100.58", b"220 mail.s58.lab.test ESMTP\n"),
        ("198.51.100.60", b""),
        ("198.51.100.65", b"521 host does not accept mail\r\n"),
        ("198.51.100.71", b"220 mail.s71.lab.test ESMTP \0gr\xFC\xDFt\r\n"),
        ("192.0.2.27", b"220 mail.s27.lab.test ESMTP\r\n"),
    ] {
        assert_eq!(greeting(&lab, address).await, expected, "{address}");
    }
    let mut ssh = connect(&lab, "198.51.100.59").await.unwrap();
    let mut first = [0; 8];
    ssh.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"SSH-2.0-");
    for expected in [&b"421 "[..], b"421 ", b"220 "] {
        assert!(greeting(&lab, "198.51.100.55").await.starts_with(expected));
    }
    for address in ["198.51.100.57", "203.0.113.57"] {
        let mut endless = vec![0; 64 << 10];
        connect(&lab, address).await.unwrap().read_exact(&mut endless).await.unwrap();
        assert!(endless.starts_with(b"220"), "{address}");
    }
}

#[tokio::test]
async fn a_teaser_waits_and_does_not_like_to_be_interrupted() {
    let lab = lab(100).await;
    let start = Instant::now();
    let patient = greeting(&lab, "198.51.100.3").await;
    assert_eq!(patient, b"220-mail.s03.lab.test ESMTP\r\n220 mail.s03.lab.test ESMTP\r\n");
    assert!(start.elapsed() >= Duration::from_secs(2));
    let mut stream = connect(&lab, "198.51.100.3").await.unwrap();
    stream.write_all(b"EHLO too.soon\r\n").await.unwrap();
    assert!(holds(&reply(&mut stream).await, b"521 "));
}

#[tokio::test]
async fn nobody_answers_where_nobody_is() {
    let lab = Lab::start(Settings { slow: true, ..Settings::new(1, 100) }).await.unwrap();
    let refused = connect(&lab, "203.0.113.46").await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let silent = connect(&lab, "198.51.100.47").await.unwrap_err();
    assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    assert_eq!(connect(&lab, "8.8.4.4").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(lab.truth().any(|truth| truth.codes.contains(&Code::MxAllUnreachable)));
}

#[tokio::test]
async fn servers_over_ipv6_are_there_or_left_out() {
    let lab = lab(100).await;
    let six = lab.truth().filter(|truth| truth.address.is_some_and(|address| address.is_ipv6())).count();
    if lab.without_ipv6() {
        assert_eq!(six, 0);
        return;
    }
    assert_eq!(six, 3);
    assert_eq!(greeting(&lab, "2001:db8:25::36").await, b"220 mail.s36.lab.test ESMTP\r\n");
}

#[tokio::test]
async fn the_other_numbering_needs_no_mapping() {
    let lab = Lab::start(Settings { numbering: Numbering::Loopback, ..Settings::new(1, 500) }).await.unwrap();
    let address = address_of(&lab, "mail.s09.lab.test").await;
    assert_eq!(address.to_string(), "127.51.100.9");
    assert!(lab.networks().iter().any(|network| network.contains(&address)));
    let mut stream = TcpStream::connect((address, lab.port())).await.unwrap();
    assert_eq!(reply(&mut stream).await, b"220 [127.51.100.9] ESMTP\r\n");
    assert!(lab.truth().all(|truth| truth.address.is_none_or(|address| address.is_ipv4())));
    assert!(!lab.truth().any(|truth| truth.codes.contains(&Code::ConnectRefused)));
}

#[tokio::test]
async fn faults_fail_lose_delay_and_reset() {
    let with = async |faults| {
        let lab = Lab::start(Settings { faults, ..Settings::new(1, 100) }).await.unwrap();
        let reply = ask_for(&lab, question("s01.lab.test", kind::MX, false, false), Duration::from_millis(200)).await;
        let stream = connect(&lab, "198.51.100.1").await.unwrap();
        (lab, reply, stream)
    };
    let (_, reply, _) = with(Faults { servfail: 1.0, ..Faults::default() }).await;
    assert_eq!(rcode(&reply.unwrap()), 2);
    let (_, reply, _) = with(Faults { lost: 1.0, ..Faults::default() }).await;
    assert_eq!(reply, None);
    let (_lab, _, mut stream) = with(Faults { slow: 1.0, ..Faults::default() }).await;
    assert!(timeout(Duration::from_millis(200), stream.read(&mut [0; 8])).await.is_err());
    let faults = Faults { reset: 1.0, ..Faults::default() };
    let lab = Lab::start(Settings { faults, ..Settings::new(1, 100) }).await.unwrap();
    let mut heard = 0;
    for number in [1, 4, 7, 8, 9, 11, 12, 13, 14, 15] {
        // The reset can be faster than the news of the connection.
        let Ok(mut stream) = connect(&lab, &format!("198.51.100.{number}")).await else { continue };
        let mut bytes = [0; 512];
        if matches!(stream.read(&mut bytes).await, Ok(1..)) {
            heard += 1;
            stream.write_all(b"EHLO probe.lab.test\r\n").await.unwrap();
            assert_eq!(stream.read(&mut bytes).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
    }
    assert!((1..10).contains(&heard), "{heard} of 10 were heard");
}

#[tokio::test]
async fn what_is_asked_is_counted() {
    let lab = Lab::start(Settings { counting: true, ..Settings::new(1, 100) }).await.unwrap();
    ask(&lab, "S01.lab.test", kind::MX).await;
    ask(&lab, "s01.lab.test", kind::MX).await;
    greeting(&lab, "198.51.100.1").await;
    let counts = lab.counts();
    assert_eq!(counts.questions, HashMap::from([(("s01.lab.test".to_owned(), kind::MX), 2)]));
    assert_eq!(counts.connections, HashMap::from([("198.51.100.1".parse().unwrap(), 1)]));
    assert_eq!((counts.all_questions, counts.all_connections), (2, 1));
}

#[tokio::test]
async fn a_dropped_lab_is_gone() {
    let lab = lab(100).await;
    let (resolver, endpoint) = (lab.resolver(), lab.endpoint("198.51.100.1".parse().unwrap(), lab.port()));
    let mut open = TcpStream::connect(endpoint).await.unwrap();
    reply(&mut open).await;
    drop(lab);
    // The runtime drops the sockets of the tasks it has aborted when it next gets to them.
    assert!(matches!(timeout(Duration::from_secs(5), open.read(&mut [0; 8])).await.unwrap(), Ok(0) | Err(_)));
    assert!(TcpStream::connect(endpoint).await.is_err());
    assert!(UdpSocket::bind(resolver).is_ok());
}

#[test]
fn a_million_domains_take_no_more_room_than_ten() {
    assert!(size_of::<World>() <= 64);
    let world = World::new(&Settings::new(1, 1_000_000), true);
    let mut targets = world.aims();
    assert!(matches!(targets.nth(999_999), Some(Aim::Domain(_))));
    assert!(targets.next().is_none());
}

#[tokio::test]
async fn lists_carry_the_quorum_and_their_test_entries() {
    let lab = lab(100).await;
    let (lists, quorum) = lab.lists();
    let weight: f32 = lists.iter().map(dnsbl::List::weight).sum();
    assert!(weight >= quorum.weight && lists.iter().any(|list| list.core));
    for list in lists {
        let code = address_of(&lab, &format!("2.0.0.127.{}", list.zone)).await;
        let IpAddr::V4(code) = code else { panic!("{code} is an IPv4 address") };
        assert!(list.meaning(code).is_some(), "{}", list.zone);
        assert_eq!(rcode(&ask(&lab, &format!("1.0.0.127.{}", list.zone), kind::A).await), 3);
    }
}
