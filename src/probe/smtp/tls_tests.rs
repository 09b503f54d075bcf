//! STARTTLS with servers of every kind, in memory: what they show is kept, and no handshake takes the rest along.
//! What rustls would never say is said octet by octet.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::certificate::hex;
use super::tests::Do::{Hear, Say, Stay, Wait};
use super::tests::{BYE, Do, HI, caller, end, meet, play};
use super::{Caller, converse, tls};
use crate::model::smtp::Session;
use crate::model::words::{Cause, CertTrust, SmtpStatus, TlsFailure, TlsStatus, Unproven};

/// Who signs the server's certificate, and what the server makes of it.
#[derive(Clone, Copy, PartialEq)]
enum Signed {
    ByRoot,
    /// By an intermediate, which is shown with the root behind it.
    ThroughIntermediate,
    /// The same, and the leaf shown alone.
    IntermediateForgotten,
    /// The same, and the intermediate has expired.
    IntermediateExpired,
    ByStranger,
    ByItself,
    LongAgo,
    /// By the root, and shown by a server without its key.
    Stolen,
    /// An RSA key of 1024 bits, signed by itself.
    WithWeakKey,
}

const LONG_AGO: [i32; 2] = [2001, 2002];

fn between(params: &mut CertificateParams, [from, to]: [i32; 2]) {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn of_its_own(params: CertificateParams) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A caller that trusts a root, and a server with a certificate signed as asked.
fn with_tls(signed: Signed) -> (Caller, TlsAcceptor) {
    let root = of_its_own(authority("Root, of Trust"));
    let mut between_them = authority("Intermediate");
    if signed == Signed::IntermediateExpired {
        between(&mut between_them, LONG_AGO);
    }
    let intermediate = CertifiedIssuer::signed_by(between_them, KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["mail.ietf.org".to_owned(), "192.0.2.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "mail.ietf.org");
    if signed == Signed::LongAgo {
        between(&mut params, LONG_AGO);
    }
    let leaf = match signed {
        Signed::ByRoot | Signed::Stolen => params.signed_by(&key, &root).unwrap(),
        Signed::ThroughIntermediate | Signed::IntermediateForgotten | Signed::IntermediateExpired => {
            params.signed_by(&key, &intermediate).unwrap()
        }
        Signed::ByStranger => params.signed_by(&key, &of_its_own(authority("Stranger"))).unwrap(),
        Signed::ByItself | Signed::LongAgo | Signed::WithWeakKey => params.self_signed(&key).unwrap(),
    };
    let mut chain = vec![leaf.der().clone()];
    match signed {
        Signed::ThroughIntermediate | Signed::IntermediateExpired => {
            chain.extend([intermediate.der().clone(), root.der().clone()]);
        }
        // Nothing here signs by so small a key, so the signature is somebody else's; that is looked at last.
        Signed::WithWeakKey => chain = vec![small()],
        _ => {}
    }
    let key = if signed == Signed::Stolen { KeyPair::generate().unwrap() } else { key };
    let anchor: CertificateDer<'static> = root.der().clone();
    let client = Arc::new(tls::Client::new(&[anchor]).unwrap());
    (Caller { tls: Some(client), ..caller() }, acceptor(chain, &key, &[&TLS13, &TLS12]))
}

/// A certificate for an RSA key of 1024 bits, as a real server shows it in `tests/servers.rs`.
fn small() -> CertificateDer<'static> {
    let pem = include_bytes!("../../../fixtures/servers/small-certificate.pem");
    CertificateDer::from_pem_slice(pem).unwrap()
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsAcceptor {
    let signer = any_supported_type(&PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, signer))));
    TlsAcceptor::from(Arc::new(config))
}

const OFFER: [Do; 3] = [HI, Hear("EHLO"), Say(b"250-mail.ietf.org\r\n250-SIZE\r\n250 STARTTLS\r\n")];

/// A session with a server that says `go` to STARTTLS and then these words inside.
async fn secured(signed: Signed, go: &'static [u8], inside: &[Do]) -> Session {
    let (caller, acceptor) = with_tls(signed);
    accepted(&caller, &acceptor, go, inside).await
}

async fn accepted(caller: &Caller, acceptor: &TlsAcceptor, go: &'static [u8], inside: &[Do]) -> Session {
    meet(caller, async |mut stream: DuplexStream| {
        play(&mut stream, &OFFER).await;
        play(&mut stream, &[Hear("STARTTLS\r\n"), Say(go)]).await;
        let mut stream = acceptor.accept(stream).await.unwrap();
        play(&mut stream, inside).await;
    })
    .await
}

const INSIDE: [Do; 5] = [
    Hear("EHLO probe.ietf.org\r\n"),
    Say(b"250-mail.ietf.org\r\n250-SIZE\r\n250 AUTH PLAIN\r\n"),
    Hear("QUIT\r\n"),
    BYE,
    Stay,
];

#[tokio::test(start_paused = true)]
async fn starttls_shows_channel_certificate_and_new_keywords() {
    let session = secured(Signed::ByRoot, b"220 go\r\n", &INSIDE).await;
    assert_eq!(end(&session), (SmtpStatus::Ok, None));
    assert_eq!(session.extensions.join(" "), "SIZE STARTTLS");
    assert_eq!((session.quit_sent, session.quit_code), (true, Some(221)));
    let tls = session.tls;
    assert_eq!((tls.status, tls.detail.as_deref(), tls.injected_bytes), (TlsStatus::Ok, None, 0));
    assert_eq!((tls.failure, tls.unproven, tls.issuers.len()), (None, None, 0));
    assert_eq!(tls.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(tls.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
    assert_eq!(tls.group.as_deref(), Some("x25519"));
    assert_eq!(tls.server_name.as_deref(), Some("mail.ietf.org"));
    assert_eq!(tls.extensions.join(" "), "SIZE AUTH");
    assert!(!tls.is_for_another("mail.ietf.org"));
    let certificate = tls.certificate.unwrap();
    assert_eq!(certificate.names.join(" "), "mail.ietf.org 192.0.2.1");
    assert_eq!(&*certificate.subject, "CN=mail.ietf.org");
    assert_eq!(&*certificate.issuer, "CN=Root\\\\, of Trust", "the comma escaped, and the backslash once more");
    assert_eq!((&*certificate.key, certificate.sha256.len()), ("ecdsa-256", 64));
    assert_eq!(&*certificate.signature, "ecdsa-with-SHA256");
    assert!(certificate.not_before < certificate.not_after);
    assert_eq!(certificate.chain, Some(CertTrust::Trusted));
}

#[tokio::test(start_paused = true)]
async fn a_server_of_tls_1_2_shows_as_much() {
    let (caller, _) = with_tls(Signed::ByRoot);
    let made = rcgen::generate_simple_self_signed(["other.ietf.org".to_owned()]).unwrap();
    let acceptor = acceptor(vec![made.cert.der().clone()], &made.signing_key, &[&TLS12]);
    let session = accepted(&caller, &acceptor, b"220 go\r\n", &INSIDE).await;
    let tls = session.tls;
    assert_eq!((tls.status, tls.version.as_deref()), (TlsStatus::Ok, Some("TLSv1.2")));
    assert_eq!(tls.cipher.as_deref(), Some("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
    assert_eq!((tls.group.as_deref(), tls.unproven), (Some("x25519"), None));
    assert!(tls.is_for_another("mail.ietf.org"), "the exchange that was asked for");
    let certificate = tls.certificate.unwrap();
    assert!(certificate.covers("other.ietf.org"));
    // As a TLSA record of selector 1 names it (RFC 6698 §2.1.2).
    let key = rcgen::PublicKeyData::subject_public_key_info(&made.signing_key);
    assert_eq!(certificate.key_sha256, hex(&Sha256::digest(key)));
    assert_eq!(certificate.sha256, hex(&Sha256::digest(made.cert.der())));
}

#[tokio::test(start_paused = true)]
async fn the_whole_chain_is_kept_in_the_order_shown() {
    let session = secured(Signed::ThroughIntermediate, b"220 go\r\n", &INSIDE).await;
    let leaf = session.tls.certificate.unwrap();
    assert_eq!((leaf.chain, leaf.self_issued), (Some(CertTrust::Trusted), false));
    let [intermediate, root] = &session.tls.issuers[..] else { panic!("{:?}", session.tls.issuers) };
    assert_eq!((&*leaf.issuer, &*intermediate.subject), ("CN=Intermediate", "CN=Intermediate"));
    assert_eq!((&*intermediate.issuer, &*root.subject), (&*root.subject, "CN=Root\\\\, of Trust"));
    assert_eq!((intermediate.self_issued, root.self_issued), (false, true));
    for issuer in [intermediate, root] {
        assert_eq!((issuer.chain, &*issuer.key, issuer.names.len()), (None, "ecdsa-256", 0));
        assert!(issuer.sha256.len() == 64 && issuer.key_sha256.len() == 64 && issuer.not_before < issuer.not_after);
        assert_eq!(&*issuer.signature, "ecdsa-with-SHA256");
    }
    assert_ne!((&leaf.sha256, &leaf.key_sha256), (&intermediate.sha256, &intermediate.key_sha256));
}

#[tokio::test(start_paused = true)]
async fn no_certificate_keeps_the_handshake_from_its_end() {
    for (signed, trust, unproven) in [
        (Signed::IntermediateForgotten, CertTrust::UnknownIssuer, None),
        (Signed::IntermediateExpired, CertTrust::Expired, None),
        (Signed::ByStranger, CertTrust::UnknownIssuer, None),
        (Signed::ByItself, CertTrust::SelfSigned, None),
        (Signed::LongAgo, CertTrust::Expired, None),
        (Signed::Stolen, CertTrust::Invalid, Some(Unproven::BadSignature)),
        (Signed::WithWeakKey, CertTrust::SelfSigned, Some(Unproven::WeakKey)),
    ] {
        let session = secured(signed, b"220 go\r\n", &INSIDE).await;
        assert_eq!((end(&session), session.quit_code), ((SmtpStatus::Ok, None), Some(221)));
        assert_eq!((session.tls.status, session.tls.failure), (TlsStatus::Ok, None));
        let certificate = session.tls.certificate.unwrap();
        assert_eq!((certificate.chain, session.tls.unproven), (Some(trust), unproven));
        assert_eq!(&*certificate.key == "rsa-1024", signed == Signed::WithWeakKey);
    }
}

#[tokio::test(start_paused = true)]
async fn plaintext_behind_the_go_ahead_is_dropped_and_told() {
    let session = secured(Signed::ByRoot, b"220 go\r\n250-evil\r\n250 AUTH\r\n", &INSIDE).await;
    assert_eq!((session.tls.status, session.tls.injected_bytes), (TlsStatus::Injected, 20));
    assert_eq!(session.tls.extensions.join(" "), "SIZE AUTH");
    assert_eq!(session.quit_code, Some(221));

    // More than is read at once.
    let page = [b"220 go\r\n".as_slice(), &b"250 evil\r\n".repeat(300)].concat();
    let session = secured(Signed::ByRoot, page.leak(), &INSIDE).await;
    assert_eq!((session.tls.status, session.tls.injected_bytes), (TlsStatus::Injected, 3_000));
    assert_eq!(session.tls.extensions.join(" "), "SIZE AUTH");
}

#[tokio::test(start_paused = true)]
async fn ehlo_inside_tls_may_fail_without_taking_the_rest_along() {
    let session = secured(Signed::ByRoot, b"220 go\r\n", &[Hear("EHLO"), Say(b"503 no\r\n"), Hear("QUIT"), BYE]).await;
    assert_eq!((end(&session), session.tls.status), ((SmtpStatus::Ok, None), TlsStatus::Ok));
    assert_eq!(session.tls.detail.as_deref(), Some("EHLO inside TLS: 503 no"));
    let session = secured(Signed::ByRoot, b"220 go\r\n", &[]).await;
    assert_eq!((end(&session), session.tls.status), ((SmtpStatus::Ok, None), TlsStatus::Ok));
    assert_eq!(session.tls.detail.as_deref(), Some("EHLO inside TLS: closed"));
    let session = secured(Signed::ByRoot, b"220 go\r\n", &[Hear("EHLO"), Say(b"421 no\r\n"), Hear("QUIT"), BYE]).await;
    assert_eq!(end(&session), (SmtpStatus::Deferred, Some(Cause::Deferred)));
}

/// A session with a server that offers STARTTLS and does this when it comes.
async fn unsecured(script: &[Do]) -> Session {
    let (caller, _) = with_tls(Signed::ByRoot);
    meet(&caller, async |mut stream: DuplexStream| {
        play(&mut stream, &OFFER).await;
        play(&mut stream, &[Hear("STARTTLS\r\n")]).await;
        play(&mut stream, script).await;
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn starttls_offered_and_then_refused() {
    let session = unsecured(&[Say(b"454 not now\r\n"), Hear("QUIT\r\n"), BYE]).await;
    assert_eq!((end(&session), session.tls.status), ((SmtpStatus::Ok, None), TlsStatus::Refused));
    assert_eq!((session.tls.detail.as_deref(), session.tls.failure), (Some("454 not now"), None));
    assert_eq!((session.quit_code, session.extensions.len()), (Some(221), 2));
    let session = unsecured(&[Say(b"421 closing\r\n"), Hear("QUIT\r\n")]).await;
    assert_eq!(
        (end(&session), session.tls.status),
        ((SmtpStatus::Deferred, Some(Cause::Deferred)), TlsStatus::Refused)
    );
}

/// A `ServerHello` of this version with `TLS_RSA_WITH_AES_128_CBC_SHA`, in a record of TLS 1.0 (RFC 5246 §7.4.1.3).
macro_rules! hello {
    ($major:literal, $minor:literal) => {
        &[
            22, 3, 1, 0, 42, 2, 0, 0, 38, $major, $minor, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 0x2f, 0,
        ]
    };
}

#[tokio::test(start_paused = true)]
async fn a_failed_handshake_keeps_the_facts_of_the_plaintext_and_says_why() {
    use TlsFailure::{Alert, Closed, NoCommonCipher, NotTls, OldProtocol, ProtocolError, Timeout};
    const GO: Do = Say(b"220 go\r\n");
    let says = |octets: &'static [u8]| vec![GO, Wait(1), Say(octets), Stay];
    for (script, failure, alert, detail) in [
        (says(b"not tls at all, and long enough\r\n"), NotTls, None, "it began with not tls at all"),
        (says(b"454 TLS not available\r\n"), NotTls, None, "it began with 454 TLS not available\\x0D\\x0A"),
        (says(b"no"), NotTls, None, "it began with no"),
        (vec![GO, Wait(1), Say(b"no")], NotTls, None, "it began with no"),
        (says(b"\x15\x03\x03\x00\x02\x02\x28"), NoCommonCipher, Some("handshake_failure"), "received fatal alert"),
        (says(b"\x15\x03\x03\x00\x02\x02\x47"), NoCommonCipher, Some("insufficient_security"), "fatal alert"),
        (says(b"\x15\x03\x01\x00\x02\x02\x46"), OldProtocol, Some("protocol_version"), "received fatal alert"),
        (says(b"\x15\x03\x03\x00\x02\x02\x50"), Alert, Some("internal_error"), "received fatal alert"),
        (says(hello!(3, 0)), OldProtocol, None, "the server chose SSLv3"),
        (says(hello!(3, 1)), OldProtocol, None, "the server chose TLSv1.0"),
        (says(hello!(3, 2)), OldProtocol, None, "the server chose TLSv1.1"),
        (says(hello!(3, 3)), NoCommonCipher, None, "SelectedUnofferedCipherSuite"),
        (says(hello!(3, 9)), ProtocolError, None, "peer is incompatible"),
        (says(b"\x17\x03\x03\x00\x01\x00"), ProtocolError, None, "received unexpected"),
        (vec![GO], Closed, None, "broken pipe"),
        (vec![GO, Wait(1)], Closed, None, "tls handshake eof"),
        (vec![GO, Stay], Timeout, None, "handshake timed out"),
        (says(b"\x16\x03\x03\x00"), Timeout, None, "handshake timed out"),
        (vec![], Closed, None, "no reply to STARTTLS: closed"),
        (vec![Stay], Timeout, None, "no reply to STARTTLS: timed out"),
    ] {
        let session = unsecured(&script).await;
        assert_eq!((end(&session), session.tls.status), ((SmtpStatus::Ok, None), TlsStatus::HandshakeFailed));
        let text = session.tls.detail.as_deref().unwrap();
        assert!(text.contains(detail), "{text}");
        assert_eq!((session.tls.failure, session.tls.alert.as_deref()), (Some(failure), alert), "{text}");
        assert_eq!((session.extensions.len(), session.ehlo_name.as_deref()), (2, Some("mail.ietf.org")));
        assert!(!session.quit_sent && session.elapsed_ms <= 20_003);
    }
}

#[tokio::test]
async fn a_reset_in_the_handshake_is_told_from_a_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        play(&mut stream, &OFFER).await;
        play(&mut stream, &[Hear("STARTTLS\r\n"), Say(b"220 go\r\n")]).await;
        stream.read_exact(&mut [0; 5]).await.unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    };
    let stream = TcpStream::connect(endpoint).await.unwrap();
    let (caller, _) = with_tls(Signed::ByRoot);
    let (session, ()) = tokio::join!(converse(stream, None, 25, 0, &caller, None), server);
    assert_eq!((end(&session), session.tls.failure), ((SmtpStatus::Ok, None), Some(TlsFailure::Reset)));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_was_shown_is_kept_though_the_handshake_fails_behind_it() {
    let (caller, _) = with_tls(Signed::ByRoot);
    let made = rcgen::generate_simple_self_signed(["mail.ietf.org".to_owned()]).unwrap();
    let acceptor = acceptor(vec![made.cert.der().clone()], &made.signing_key, &[&TLS12]);
    let session = meet(&caller, async |mut stream: DuplexStream| {
        play(&mut stream, &OFFER).await;
        play(&mut stream, &[Hear("STARTTLS\r\n"), Say(b"220 go\r\n")]).await;
        // TLS 1.2 shows its certificate before the server's last word, which never comes.
        let (ours, mut theirs) = tokio::io::duplex(65_536);
        let to_the_end = async {
            let mut octets = vec![0; 65_536];
            let heard = stream.read(&mut octets).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut theirs, &octets[..heard]).await.unwrap();
            let said = theirs.read(&mut octets).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, &octets[..said]).await.unwrap();
            assert!(stream.read(&mut octets).await.unwrap() > 0);
            drop(stream);
        };
        tokio::select! {
            () = to_the_end => {}
            _ = acceptor.accept(ours) => panic!("it waits for the client"),
        }
    })
    .await;
    assert_eq!((end(&session), session.tls.status), ((SmtpStatus::Ok, None), TlsStatus::HandshakeFailed));
    assert_eq!(session.tls.failure, Some(TlsFailure::Closed));
    assert_eq!(session.tls.certificate.unwrap().chain, Some(CertTrust::SelfSigned));
}

#[tokio::test(start_paused = true)]
async fn without_a_tls_client_the_offer_is_only_noted() {
    let session = meet(&caller(), async |mut stream: DuplexStream| {
        play(&mut stream, &OFFER).await;
        play(&mut stream, &[Hear("QUIT"), BYE]).await;
    })
    .await;
    assert_eq!((session.tls.status, session.extensions.join(" ")), (TlsStatus::NotAsked, "SIZE STARTTLS".to_owned()));
}
