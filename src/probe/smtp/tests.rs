//! Whole conversations with servers of every kind, in memory; only resets need a socket, on loopback.
//! Over 400 lines: one player of scripts at the top serves every conversation.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::{Caller, Limits, converse, hold};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::smtp::{NameAt, Protocol, Session};
use crate::model::words::{Cause, ConnectStatus, Profile, SmtpStatus, TlsStatus};

/// What a server in a script does.
pub(super) enum Do {
    Say(&'static [u8]),
    /// Says it many times.
    Repeat(&'static [u8], usize),
    /// Takes a line that begins with this.
    Hear(&'static str),
    Wait(u64),
    /// Stays until the client is gone, and takes what comes.
    Stay,
}
pub(super) use Do::{Hear, Repeat, Say, Stay, Wait};

pub(super) fn caller() -> Caller {
    Caller {
        helo: Name::parse("probe.ietf.org").unwrap(),
        tls: None,
        limits: Limits::of(Profile::Census),
        naming: Naming::in_lab(),
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(line).unwrap()
}

pub(super) async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, script: &[Do]) {
    for step in script {
        match step {
            // The client may be gone already: that is for the session to show.
            Say(bytes) => _ = stream.write_all(bytes).await,
            Repeat(bytes, times) => {
                for _ in 0..*times {
                    if stream.write_all(bytes).await.is_err() {
                        break;
                    }
                }
            }
            Hear(start) => {
                let heard = line(stream).await;
                assert!(heard.starts_with(start), "{heard:?} is not {start:?}");
            }
            Wait(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            Stay => _ = stream.read_to_end(&mut Vec::new()).await,
        }
    }
}

pub(super) async fn meet<F: Future<Output = ()>>(caller: &Caller, server: impl FnOnce(DuplexStream) -> F) -> Session {
    let (ours, theirs) = duplex(4096);
    let exchange = Name::parse("mail.ietf.org").unwrap();
    let own = Some("203.0.113.9".parse().unwrap());
    tokio::join!(converse(ours, own, 25, 3, caller, Some(&exchange)), server(theirs)).0
}

async fn played(script: &[Do]) -> Session {
    meet(&caller(), async |mut stream| play(&mut stream, script).await).await
}

/// How a session ended.
pub(super) fn end(session: &Session) -> (SmtpStatus, Option<Cause>) {
    (session.status, session.cause)
}

pub(super) const HI: Do = Say(b"220 mail.ietf.org ESMTP Postfix\r\n");
pub(super) const BYE: Do = Say(b"221 bye\r\n");

#[tokio::test(start_paused = true)]
async fn a_plain_session_keeps_what_it_shows_and_says_goodbye() {
    let session = played(&[
        HI,
        Hear("EHLO probe.ietf.org\r\n"),
        Say(b"250-mail.ietf.org hello\r\n250-SIZE 100\r\n250-AUTH PLAIN\r\n250 8bitmime\r\n"),
        Hear("QUIT\r\n"),
        BYE,
        Stay,
    ])
    .await;
    assert_eq!(end(&session), (SmtpStatus::Ok, None));
    assert_eq!((session.connect, session.connect_ms), (ConnectStatus::Open, Some(3)));
    assert_eq!(session.greeted.name.as_deref(), Some("mail.ietf.org"));
    assert_eq!(session.greeted.at, NameAt::First);
    assert_eq!(session.ehlo_name.as_deref(), Some("mail.ietf.org"));
    assert_eq!(session.extensions.join(" "), "SIZE AUTH 8BITMIME");
    assert_eq!(session.auth.join(" "), "PLAIN");
    assert_eq!(session.tls.status, TlsStatus::NotOffered);
    assert_eq!((session.quit_sent, session.quit_code), (true, Some(221)));
    assert!(!session.desynchronised && !session.bad_keyword && session.helo.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_into_a_teaser() {
    let session = played(&[
        Say(b"220-mail.ietf.org ESMTP\r\n"),
        Wait(6),
        Say(b"220 mail.ietf.org ESMTP\r\n"),
        Hear("EHLO"),
        Say(b"250 mail.ietf.org\r\n"),
        Hear("QUIT"),
        BYE,
    ])
    .await;
    let greeting = session.greeting.as_ref().unwrap();
    assert_eq!(end(&session), (SmtpStatus::Ok, None));
    assert_eq!((greeting.first_line_ms, greeting.complete_ms), (0, 6000));
    assert!(!session.desynchronised);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_apart_and_still_bidden_goodbye() {
    let refused = async |text: &'static [u8]| played(&[Say(text), Hear("QUIT"), BYE, Stay]).await;
    for (text, status, cause) in [
        (b"421 try later\r\n".as_slice(), SmtpStatus::Deferred, Cause::Deferred),
        (b"554 mail.ietf.org no\r\n", SmtpStatus::Rejected, Cause::Rejected),
        (b"554 mail.ietf.org 203.0.113.9 is on a list\r\n", SmtpStatus::Rejected, Cause::ScannerBlocked),
        (b"421 your IP 203.0.113.9\r\n", SmtpStatus::Deferred, Cause::ScannerBlocked),
        (b"521 host does not accept mail\r\n", SmtpStatus::Rejected, Cause::Rejected),
    ] {
        let session = refused(text).await;
        assert_eq!(end(&session), (status, Some(cause)));
        assert!(session.quit_sent && session.ehlo.is_none());
        assert_eq!(session.greeted.no_service, text.starts_with(b"521"));
    }
    assert_eq!(refused(b"354 go on\r\n").await.status, SmtpStatus::Protocol);
}

#[tokio::test(start_paused = true)]
async fn another_positive_code_goes_on() {
    let session =
        played(&[Say(b"250 mail.ietf.org\r\n"), Hear("EHLO"), Say(b"250 mail.ietf.org\r\n"), Hear("QUIT"), BYE]).await;
    assert_eq!(end(&session), (SmtpStatus::Ok, None));
    assert_eq!(session.greeted.name.as_deref(), Some("mail.ietf.org"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_smtp_is_known_at_once_and_left_alone() {
    for (text, protocol) in [
        (b"SSH-2.0-OpenSSH_9.6\r\n".as_slice(), Some(Protocol::Ssh)),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", Some(Protocol::Http)),
        (b"\x16\x03\x01\x02\x00\x01\x00", Some(Protocol::Tls)),
        (b"220 FTP server ready\r\n", Some(Protocol::Ftp)),
        (b"Permission denied\r\n", None),
    ] {
        let session = played(&[Say(text), Stay]).await;
        assert_eq!(end(&session), (SmtpStatus::Protocol, None));
        assert_eq!(session.greeted.protocol, protocol);
        assert!(session.elapsed_ms < 100 && !session.quit_sent);
    }
    // Without the end of its line it is waited for, and still not taken for a slow greeting.
    let prompt = played(&[Say(b"login: "), Stay]).await;
    assert_eq!((end(&prompt), prompt.elapsed_ms), ((SmtpStatus::Protocol, None), 45_003));
}

#[tokio::test(start_paused = true)]
async fn endless_replies_are_cut_at_their_caps() {
    for script in [
        [Repeat(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32_768), Stay],
        [Repeat(b"220 no end of line in sight: ", 32_768), Stay],
        [Repeat(b"220-mail.ietf.org\r\n", 50_000), Stay],
    ] {
        let session = played(&script).await;
        assert_eq!(end(&session), (SmtpStatus::TooLong, Some(Cause::TooLong)));
        let greeting = session.greeting.unwrap();
        assert!(!greeting.complete && greeting.raw.len() == 512 && greeting.lines.len() <= 64);
        assert_eq!((session.greeted.name, session.quit_sent), (None, false));
    }
    let session = played(&[HI, Hear("EHLO"), Repeat(b"250-X-KEYWORD\r\n", 10_000), Stay]).await;
    assert_eq!(end(&session), (SmtpStatus::TooLong, Some(Cause::TooLong)));
    assert!(session.extensions.is_empty() && session.ehlo_name.is_none() && !session.quit_sent);
}

#[tokio::test(start_paused = true)]
async fn a_drip_does_not_push_the_deadline_back() {
    let session = meet(&caller(), async |mut stream: DuplexStream| {
        while stream.write_all(b"2").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
    // "222..." is no code; what matters is that the time is bounded.
    assert!((45_003..46_000).contains(&session.elapsed_ms), "{}", session.elapsed_ms);

    let session = meet(&caller(), async |mut stream: DuplexStream| {
        for byte in b"220 mail.ietf.org ESMTP\r\n" {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
    assert_eq!(end(&session), (SmtpStatus::Deadline, Some(Cause::Tarpit)));
    assert_eq!((session.elapsed_ms, session.greeting.unwrap().code), (45_003, 220));
}

#[tokio::test(start_paused = true)]
async fn patience_is_for_the_late_and_not_for_those_who_drip() {
    let mut patient = caller();
    patient.limits = Limits::of(Profile::Patient);
    let drip = meet(&patient, async |mut stream: DuplexStream| {
        tokio::time::sleep(Duration::from_secs(100)).await;
        for byte in b"220-mail.ietf.org ".iter().cycle() {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
    assert_eq!(end(&drip), (SmtpStatus::Deadline, Some(Cause::Tarpit)));
    assert!((160_000..172_000).contains(&drip.elapsed_ms), "{}", drip.elapsed_ms);

    let late = meet(&patient, async |mut stream: DuplexStream| {
        tokio::time::sleep(Duration::from_secs(200)).await;
        let _written = stream.write_all(b"220 mail.ietf.org ESMTP\r\n").await;
        tokio::time::sleep(Duration::from_secs(900)).await;
    })
    .await;
    assert_eq!(late.greeting.unwrap().code, 220);
}

#[tokio::test(start_paused = true)]
async fn each_step_has_its_own_deadline() {
    let silent = played(&[Stay]).await;
    assert_eq!(end(&silent), (SmtpStatus::NoGreeting, Some(Cause::GreetingTimeout)));
    assert_eq!((silent.elapsed_ms, silent.quit_sent), (45_003, false));
    let teased = played(&[Say(b"220-mail.ietf.org\r\n"), Stay]).await;
    assert_eq!(end(&teased), (SmtpStatus::Deadline, Some(Cause::GreetingTimeout)));
    let mute = played(&[HI, Stay]).await;
    assert_eq!((end(&mute), mute.elapsed_ms), ((SmtpStatus::Deadline, Some(Cause::Deadline)), 30_003));
    let rude = played(&[HI, Hear("EHLO"), Say(b"250 mail.ietf.org\r\n"), Stay]).await;
    assert_eq!((end(&rude), rude.elapsed_ms), ((SmtpStatus::Ok, None), 5_003));
    assert_eq!((rude.quit_sent, rude.quit_code), (true, None));
}

#[tokio::test(start_paused = true)]
async fn the_session_has_a_deadline_of_its_own() {
    let mut caller = caller();
    caller.limits.session = Duration::from_secs(50);
    let session = meet(&caller, async |mut stream: DuplexStream| {
        play(&mut stream, &[Wait(40), HI, Hear("EHLO"), Stay]).await;
    })
    .await;
    assert_eq!(end(&session), (SmtpStatus::Deadline, Some(Cause::Deadline)));
    assert_eq!(session.elapsed_ms, 50_003);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_known_at_every_step() {
    let closed = (SmtpStatus::Closed, Some(Cause::Closed));
    assert_eq!(end(&played(&[]).await), (SmtpStatus::NoGreeting, Some(Cause::GreetingNone)));
    for bytes in [b"2".as_slice(), b"220 mail.ietf.org", b"220-mail.ietf.org\r\n"] {
        let session = played(&[Say(bytes)]).await;
        assert_eq!(end(&session), closed);
        assert!(!session.greeting.unwrap().complete && session.greeted.name.is_none());
    }
    assert_eq!(end(&played(&[HI, Hear("EHLO")]).await), closed);
    let halfway = played(&[HI, Hear("EHLO"), Say(b"250-mail.ietf.org\r\n250-STARTTLS\r\n250-SI")]).await;
    assert_eq!(end(&halfway), closed);
    assert!(!halfway.ehlo.as_ref().unwrap().complete && halfway.extensions.is_empty() && halfway.ehlo_name.is_none());
    let at_quit = played(&[HI, Hear("EHLO"), Say(b"250 mail.ietf.org\r\n"), Hear("QUIT")]).await;
    assert_eq!((end(&at_quit), at_quit.quit_code), ((SmtpStatus::Ok, None), None));
    // The server is gone before we say a word, but its last word stands.
    let gone = played(&[HI]).await;
    assert_eq!((end(&gone), gone.greeted.name.as_deref()), (closed, Some("mail.ietf.org")));
}

#[tokio::test(start_paused = true)]
async fn helo_is_tried_where_ehlo_is_refused_for_good() {
    for code in [b"500 what\r\n".as_slice(), b"501 what\r\n", b"502 what\r\n", b"504 what\r\n", b"550 what\r\n"] {
        let session = played(&[
            HI,
            Hear("EHLO"),
            Say(code),
            Hear("HELO probe.ietf.org\r\n"),
            Say(b"250 mail.ietf.org\r\n"),
            Hear("QUIT"),
            BYE,
        ])
        .await;
        assert_eq!(end(&session), (SmtpStatus::Ok, None));
        assert_eq!(session.ehlo_name.as_deref(), Some("mail.ietf.org"));
        assert!(session.ehlo.unwrap().code >= 500 && session.helo.unwrap().code == 250);
        assert_eq!(session.tls.status, TlsStatus::NotAsked);
    }
    let no = |first: &'static [u8], second: &'static [u8]| {
        [HI, Hear("EHLO"), Say(first), Hear("HELO"), Say(second), Hear("QUIT"), BYE]
    };
    let refused = played(&no(b"502 no\r\n", b"502 no\r\n")).await;
    assert_eq!(end(&refused), (SmtpStatus::Rejected, Some(Cause::EhloRejected)));
    let later = played(&no(b"502 no\r\n", b"450 no\r\n")).await;
    assert_eq!(end(&later), (SmtpStatus::Deferred, Some(Cause::EhloRejected)));
    let closing = played(&no(b"502 no\r\n", b"421 no\r\n")).await;
    assert_eq!(end(&closing), (SmtpStatus::Deferred, Some(Cause::Deferred)));
}

#[tokio::test(start_paused = true)]
async fn other_refusals_of_ehlo_are_final() {
    for (reply, status, cause) in [
        (b"421 later\r\n".as_slice(), SmtpStatus::Deferred, Some(Cause::Deferred)),
        (b"554 no\r\n", SmtpStatus::Rejected, Some(Cause::Rejected)),
        (b"554 bad reputation\r\n", SmtpStatus::Rejected, Some(Cause::ScannerBlocked)),
        (b"354 what\r\n", SmtpStatus::Protocol, None),
        (b"nonsense\r\n", SmtpStatus::Protocol, None),
    ] {
        let session = played(&[HI, Hear("EHLO"), Say(reply), Hear("QUIT"), BYE]).await;
        assert_eq!(end(&session), (status, cause));
        assert!(session.helo.is_none() && session.ehlo_name.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_phrase_in_place_of_the_name_is_kept_apart() {
    let session =
        played(&[HI, Hear("EHLO"), Say(b"250-Hello there\r\n250-XXXXXXXA\r\n250 a_b\r\n"), Hear("QUIT"), BYE]).await;
    assert_eq!((session.ehlo_name, session.ehlo_not_name.as_deref()), (None, Some("Hello")));
    assert!(session.masked_starttls && session.bad_keyword);
}

#[tokio::test(start_paused = true)]
async fn what_comes_unasked_is_no_answer() {
    let session = played(&[
        Say(b"220 mail.ietf.org ESMTP\r\n250-wrong.ietf.org\r\n250 STARTTLS\r\n"),
        Hear("EHLO"),
        Say(b"250 mail.ietf.org\r\n"),
        Hear("QUIT"),
        BYE,
    ])
    .await;
    assert!(session.desynchronised);
    assert_eq!((end(&session), session.ehlo_name.as_deref()), ((SmtpStatus::Ok, None), Some("mail.ietf.org")));
    assert!(session.extensions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_unasked_is_dropped_to_its_last_octet() {
    let page = [b"220 mail.ietf.org ESMTP\r\n".as_slice(), &b"250 wrong.ietf.org\r\n".repeat(150)].concat();
    let session = played(&[Say(page.leak()), Hear("EHLO"), Say(b"250 mail.ietf.org\r\n"), Hear("QUIT"), BYE]).await;
    assert!(session.desynchronised);
    assert_eq!((end(&session), session.ehlo_name.as_deref()), ((SmtpStatus::Ok, None), Some("mail.ietf.org")));
}

#[tokio::test(start_paused = true)]
async fn nul_and_latin_one_are_kept_as_evidence() {
    let session = played(&[
        Say(b"220 mail.ietf.org \0\xfc hi\n"),
        Hear("EHLO"),
        Say(b"250 mail.ietf.org\r\n"),
        Hear("QUIT"),
        BYE,
    ])
    .await;
    let greeting = session.greeting.unwrap();
    assert_eq!(greeting.lines, ["mail.ietf.org \\x00\\xFC hi"].into());
    assert_eq!(*greeting.raw, *b"220 mail.ietf.org \0\xfc hi\n");
    assert!(greeting.oddities.control && greeting.oddities.non_ascii && greeting.oddities.bare_lf);
    assert_eq!(session.greeted.name.as_deref(), Some("mail.ietf.org"));
}

/// A server on loopback that says these words, hears a line between them, and then resets the connection.
async fn reset_after(words: &'static [&'static [u8]]) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        for word in words {
            stream.write_all(word).await.unwrap();
            line(&mut stream).await;
        }
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    };
    // Established before the server may reset: else it is the connection attempt that fails.
    let stream = TcpStream::connect(endpoint).await.unwrap();
    let caller = caller();
    let (session, ()) = tokio::join!(converse(stream, None, 25, 0, &caller, None), server);
    session
}

#[tokio::test]
async fn a_reset_before_the_greeting_is_told_from_one_behind_it() {
    let early = reset_after(&[]).await;
    assert_eq!((early.connect, end(&early)), (ConnectStatus::Reset, (SmtpStatus::Reset, Some(Cause::ConnectReset))));
    let late = reset_after(&[b"220 mail.ietf.org ESMTP\r\n"]).await;
    assert_eq!((late.connect, end(&late)), (ConnectStatus::Open, (SmtpStatus::Reset, Some(Cause::Reset))));
    assert_eq!((late.port, late.greeted.name.as_deref()), (25, Some("mail.ietf.org")));
}

#[tokio::test]
async fn one_connection_is_made_and_closed_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        play(&mut stream, &[HI, Hear("EHLO"), Say(b"250 mail.ietf.org\r\n"), Hear("QUIT"), BYE]).await;
        // FIN reads as the end, RST as an error.
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    };
    let caller = caller();
    let (session, ()) = tokio::join!(hold(endpoint, 2525, &caller, None), server);
    assert_eq!((session.connect, end(&session)), (ConnectStatus::Open, (SmtpStatus::Ok, None)));
    assert_eq!((session.port, session.quit_code), (2525, Some(221)));
}

#[tokio::test]
async fn a_refused_connection_has_no_session() {
    let endpoint = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let session = hold(endpoint, 25, &caller(), None).await;
    assert_eq!((session.connect, session.status), (ConnectStatus::Refused, SmtpStatus::NotAsked));
    assert_eq!(session.cause, Some(Cause::ConnectRefused));
    assert!(session.connect_detail.is_some() && session.connect_ms.is_none());
}

#[test]
fn the_profiles_differ_in_patience_only() {
    let (census, patient) = (Limits::of(Profile::Census), Limits::of(Profile::Patient));
    assert_eq!(census, Limits::of(Profile::Rfc5321));
    assert_eq!((census.greeting.as_secs(), patient.greeting.as_secs()), (45, 300));
    assert!(census.session < patient.session && census.quit < patient.quit);
}
