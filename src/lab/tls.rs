//! The certificates of the world.
//! Comes in: the names that need one. Goes out: an authority, and what the servers show in a handshake.
//! Keys are made anew at each start and leave the memory with the lab. The authority signs for the lab's names only.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use super::Error;

/// The names a good certificate is for: the scenario with TLS, and every server of the bulk world.
const NAMES: &[&str] = &["mail.s01.lab.test", "*.mx.lab.test"];
const EXPIRED: &str = "mail.s64.lab.test";

/// What servers show.
pub(super) struct Certificates {
    pub(super) authority: CertificateDer<'static>,
    pub(super) good: TlsAcceptor,
    pub(super) expired: TlsAcceptor,
    /// SHA-256 of the expired certificate's public key, as a TLSA record names it (RFC 6698 §2.1.2).
    pub(super) expired_key: [u8; 32],
}

impl Certificates {
    pub(super) fn make() -> Result<Self, Error> {
        let mut authority = parameters(&[], (2020, 2099))?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "mxcensus lab authority");
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?.der().clone();
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate()?;
        let good = parameters(NAMES, (2020, 2099))?.signed_by(&key, &issuer)?;
        let expired_key = KeyPair::generate()?;
        let expired = parameters(&[EXPIRED], (2020, 2021))?.self_signed(&expired_key)?;
        Ok(Self {
            authority: authority_certificate,
            good: acceptor(vec![good.der().clone()], &key)?,
            expired: acceptor(vec![expired.der().clone()], &expired_key)?,
            expired_key: Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&expired_key)).into(),
        })
    }
}

/// What a certificate says: the names it is for, and its first and last year.
pub(super) fn parameters(names: &[&str], (from, to): (i32, i32)) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = names.first() {
        parameters.distinguished_name.push(DnType::CommonName, *name);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
    }
    Ok(parameters)
}

/// Shows a chain, whose first certificate is for this key.
pub(super) fn acceptor(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<TlsAcceptor, Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Nobody comes back: sessions would only be memory and packets.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
