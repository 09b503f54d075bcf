//! Facts of a certificate, and whether its chain would be trusted.
//! Comes in: the chain as it was shown. Goes out: a `Certificate`. Pure but for the cryptography.
//! The name is left out of the trust: which name is wanted is known elsewhere.

use std::fmt::Write as _;
use std::net::IpAddr;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

use crate::model::smtp::{Certificate, escape};
use crate::model::words::CertTrust;

/// Alternative names kept.
const NAMES_CAP: usize = 100;
/// Octets kept of one alternative name, of the subject and of the issuer.
const TEXT_CAP: usize = 512;
/// Certificates looked at in search of a path.
const CHAIN_CAP: usize = 12;

/// The facts of a chain's leaf; None for an empty chain. `unproven`: the server did not prove that it holds the leaf's key.
pub(super) fn facts(
    chain: &[CertificateDer<'_>],
    unproven: bool,
    roots: &RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Option<Certificate> {
    let (leaf, rest) = chain.split_first()?;
    let mut certificate = Certificate {
        names: Vec::new(),
        subject: Box::default(),
        issuer: Box::default(),
        not_before: 0,
        not_after: 0,
        key: Box::default(),
        sha256: hex(&Sha256::digest(leaf)),
        chain: CertTrust::Invalid,
    };
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else { return Some(certificate) };
    certificate.names = names(&parsed);
    certificate.subject = distinguished(parsed.subject());
    certificate.issuer = distinguished(parsed.issuer());
    certificate.not_before = parsed.validity().not_before.timestamp();
    certificate.not_after = parsed.validity().not_after.timestamp();
    certificate.key = key(&parsed);
    let own_issuer = parsed.subject() == parsed.issuer();

    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let in_time = (certificate.not_before..=certificate.not_after).contains(&seconds);
    certificate.chain = if in_time {
        match path(leaf, rest.get(..CHAIN_CAP).unwrap_or(rest), roots, algorithms, now) {
            CertTrust::Trusted if unproven => CertTrust::Invalid,
            CertTrust::Trusted => CertTrust::Trusted,
            _ if own_issuer => CertTrust::SelfSigned,
            trust => trust,
        }
    } else {
        CertTrust::Expired
    };
    Some(certificate)
}

/// Whether a path leads from the leaf to a root.
fn path(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    roots: &RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> CertTrust {
    let verified = ParsedCertificate::try_from(leaf)
        .and_then(|leaf| verify_server_cert_signed_by_trust_anchor(&leaf, roots, rest, now, algorithms.all));
    match verified {
        Ok(()) => CertTrust::Trusted,
        Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => CertTrust::UnknownIssuer,
        // An intermediate's dates.
        Err(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => CertTrust::Expired,
        Err(_) => CertTrust::Invalid,
    }
}

/// DNS and address alternative names.
fn names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(capped(name.as_bytes())),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|ip| ip.to_string().into())
        }
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).take(NAMES_CAP).collect()
}

/// A distinguished name in the order and spelling of RFC 4514 §2.
fn distinguished(name: &X509Name<'_>) -> Box<str> {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        for (at, attribute) in part.iter().enumerate() {
            if !text.is_empty() {
                text.push(if at == 0 { ',' } else { '+' });
            }
            match oid2abbrev(attribute.attr_type(), oid_registry()) {
                Ok(abbreviation) => text.push_str(abbreviation),
                Err(_) => text.push_str(&attribute.attr_type().to_id_string()),
            }
            text.push('=');
            if let Ok(value) = attribute.as_str() {
                for c in value.chars() {
                    if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
                        text.push('\\');
                    }
                    text.push(c);
                }
            } else {
                let bytes = attribute.as_slice();
                text.push('#');
                text.push_str(&hex(bytes.get(..TEXT_CAP).unwrap_or(bytes)));
            }
        }
    }
    capped(text.as_bytes())
}

/// Key algorithm and bits.
fn key(certificate: &X509Certificate<'_>) -> Box<str> {
    let info = certificate.public_key();
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("rsa-{}", rsa.key_size()).into(),
        // The coordinates of P-521 are padded to whole octets.
        Ok(PublicKey::EC(point)) if point.key_size() == 528 => "ecdsa-521".into(),
        Ok(PublicKey::EC(point)) => format!("ecdsa-{}", point.key_size()).into(),
        Ok(PublicKey::DSA(_)) => "dsa".into(),
        _ if info.algorithm.algorithm == OID_SIG_ED25519 => "ed25519".into(),
        _ => info.algorithm.algorithm.to_id_string().into(),
    }
}

fn capped(text: &[u8]) -> Box<str> {
    escape(text.get(..TEXT_CAP).unwrap_or(text))
}

fn hex(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_still_told_apart_by_its_digest() {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let chain = [CertificateDer::from(&b"no certificate"[..])];
        let facts_of = |chain| facts(chain, false, &RootCertStore::empty(), algorithms, UnixTime::now());
        let certificate = facts_of(&chain).unwrap();
        assert_eq!((certificate.chain, certificate.sha256.len()), (CertTrust::Invalid, 64));
        assert_eq!(facts_of(&[]), None);
    }
}
