//! STARTTLS handshakes that record instead of judging.
//! Comes in: a stream and the exchange's name. Goes out: the facts of channel and chain, or why there is none, and the
//! stream inside TLS.
//! Any certificate is accepted: opportunistic TLS has nothing better to fall back to (RFC 7435), and what is wrong with it
//! is what we came to see. Nothing is resumed, so every session shows its certificate.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::{Anchors, Shown, describe};
use super::failure::{self, Unverified};
use super::head::{Head, Remembering};
use crate::model::name::Name;
use crate::model::smtp::Tls;
use crate::model::words::TlsStatus;

/// Why there can be no TLS client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every certificate would look untrusted.
    #[error("no trusted root certificates on this machine ({0}): install ca-certificates, or scan with --no-starttls")]
    NoRoots(String),
    /// The cryptography lacks a protocol version.
    #[error("no usable TLS configuration")]
    Configuration(#[source] rustls::Error),
}

/// This machine's roots, read from disk, and these; resolvers asked over TLS are trusted by them too. The error says why there
/// are none at all.
pub(in crate::probe) fn trusted(extra: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let native = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(native.certs.into_iter().chain(extra.iter().cloned()));
    if roots.is_empty() {
        return Err(native.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string));
    }
    Ok(roots)
}

/// Negotiates TLS 1.2 and 1.3 and records what the other side shows.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    anchors: Anchors,
}

impl Client {
    /// A client that calls a chain trusted when it leads to one of this machine's roots or of `extra_roots`. Reads the
    /// machine's roots from disk.
    pub fn new(extra_roots: &[CertificateDer<'static>]) -> Result<Self, Error> {
        let roots = trusted(extra_roots).map_err(Error::NoRoots)?;
        let provider = ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let mut config = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(Error::Configuration)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder::new(algorithms)))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { config, anchors: Anchors { roots, algorithms } })
    }

    /// Shakes hands until `deadline`. The name is sent (SNI) when it is a proper DNS name. No stream comes back from a
    /// handshake that failed; the certificate does, if it was shown.
    pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        server_name: Option<&Name>,
        deadline: Instant,
    ) -> (Tls, Option<TlsStream<Remembering<S>>>) {
        let sent = server_name.and_then(|name| ServerName::try_from(name.as_str().to_owned()).ok());
        let sent = sent.filter(|name| matches!(name, ServerName::DnsName(_)));
        // For an address no SNI is sent; which one does not matter, since nothing is compared with it.
        let name = sent.clone().unwrap_or_else(|| ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()));

        let recorder = Arc::new(Recorder::new(self.anchors.algorithms));
        let mut config = self.config.clone();
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<Recorder>::clone(&recorder);
        config.dangerous().set_certificate_verifier(verifier);
        let head = Head::default();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, Remembering::new(stream, head.clone()));
        let shaken = timeout_at(deadline, connecting).await;

        let shown = recorder.shown();
        let (mut tls, stream) = match shaken {
            Ok(Ok(stream)) => (channel(stream.get_ref().1), Some(stream)),
            Ok(Err(error)) => (failure::failed(&error, &head.octets()), None),
            Err(_) => (failure::late(&head.octets()), None),
        };
        tls.server_name = sent.map(|name| name.to_str().into());
        describe(&shown, &self.anchors, UnixTime::now(), &mut tls);
        (tls, stream)
    }
}

/// What was agreed on.
fn channel(connection: &ClientConnection) -> Tls {
    let mut tls = Tls::none(TlsStatus::Ok);
    tls.version = connection.protocol_version().and_then(|version| version.as_str()).map(version_text);
    tls.cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(cipher_text);
    tls.group = connection.negotiated_key_exchange_group().and_then(|group| group.name().as_str()).map(group_text);
    tls
}

/// `TLSv1_3` is rustls' spelling of what everybody else writes `TLSv1.3`.
fn version_text(version: &str) -> Box<str> {
    version.replace('_', ".").into()
}

/// rustls says `TLS13_` where the IANA registry says `TLS_`.
fn cipher_text(cipher: &str) -> Box<str> {
    cipher.replacen("TLS13_", "TLS_", 1).into()
}

/// rustls says `X25519` where the registry says `x25519`.
fn group_text(group: &str) -> Box<str> {
    group.to_ascii_lowercase().into()
}

/// Accepts any certificate and keeps it.
#[derive(Debug)]
struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    shown: Mutex<Shown>,
}

impl Recorder {
    fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms, shown: Mutex::default() }
    }

    fn shown(&self) -> Shown {
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A signature that fails is noted, and the handshake goes on.
    fn note(
        &self,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
        signed: &DigitallySignedStruct,
    ) -> HandshakeSignatureValid {
        if let Err(error) = verified {
            let unverified = Unverified { error, scheme: signed.scheme };
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).unverified = Some(unverified);
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).chain =
            chain.map(|certificate| certificate.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.note(verify_tls12_signature(message, certificate, signed, &self.algorithms), signed))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.note(verify_tls13_signature(message, certificate, signed, &self.algorithms), signed))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
