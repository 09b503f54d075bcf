//! Facts of the certificates that were shown, and whether their chain would be trusted.
//! Comes in: the chain as it was shown. Goes out: its part of a handshake's facts. Pure but for the cryptography.
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
use x509_parser::objects::{oid_registry, oid2abbrev, oid2sn};
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

use super::failure::{Unverified, unproven};
use crate::model::smtp::{Certificate, Tls, escape};
use crate::model::words::CertTrust;

/// Alternative names kept of a leaf.
const NAMES_CAP: usize = 100;
/// Alternative names kept of another certificate: an authority has none as a rule.
const ISSUER_NAMES_CAP: usize = 10;
/// Octets kept of one alternative name, of the subject and of the issuer.
const TEXT_CAP: usize = 512;
/// Certificates behind the leaf that are kept, and looked at in search of a path; with the leaf they are twelve. All that a
/// server shows is below 64 KiB (rustls' own limit).
const ISSUERS_CAP: usize = 11;

/// What a server showed in one handshake.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The server's signature does not fit the leaf, or cannot be checked: the leaf may be somebody else's.
    pub(super) unverified: Option<Unverified>,
}

/// Whom we trust, and by which signatures.
#[derive(Debug)]
pub(super) struct Anchors {
    pub(super) roots: RootCertStore,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// Writes into the facts of a handshake what was shown in it; nothing where nothing was.
pub(super) fn describe(shown: &Shown, anchors: &Anchors, now: UnixTime, tls: &mut Tls) {
    let Some((leaf, rest)) = shown.chain.split_first() else { return };
    let issuers = rest.get(..ISSUERS_CAP).unwrap_or(rest);
    tls.issuers = issuers.iter().map(|issuer| read(issuer, ISSUER_NAMES_CAP)).collect();
    tls.issuers_left_out = u32::try_from(rest.len() - issuers.len()).unwrap_or(u32::MAX);

    let mut certificate = read(leaf, NAMES_CAP);
    tls.unproven = shown.unverified.as_ref().map(|unverified| unproven(unverified, &certificate.key));
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let trust = if !is_read(&certificate) {
        CertTrust::Invalid
    } else if (certificate.not_before..=certificate.not_after).contains(&seconds) {
        match path(leaf, issuers, anchors, now) {
            Ok(()) if tls.unproven.is_some() => CertTrust::Invalid,
            Ok(()) => CertTrust::Trusted,
            Err(_) if certificate.self_issued => CertTrust::SelfSigned,
            Err((CertTrust::Invalid, error)) => {
                tls.chain_detail = Some(capped(error.to_string().as_bytes()));
                CertTrust::Invalid
            }
            Err((trust, _)) => trust,
        }
    } else {
        CertTrust::Expired
    };
    certificate.chain = Some(trust);
    tls.certificate = Some(Box::new(certificate));
}

/// Whether more is known of a certificate than its digest.
fn is_read(certificate: &Certificate) -> bool {
    !certificate.key.is_empty()
}

/// The facts of one certificate; of what is none, the digest alone.
fn read(der: &CertificateDer<'_>, names_cap: usize) -> Certificate {
    let unread = Certificate {
        names: Vec::new(),
        subject: Box::default(),
        issuer: Box::default(),
        self_issued: false,
        not_before: 0,
        not_after: 0,
        key: Box::default(),
        key_sha256: Box::default(),
        signature: Box::default(),
        sha256: hex(&Sha256::digest(der)),
        chain: None,
    };
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return unread };
    let signed_by = &parsed.signature_algorithm.algorithm;
    Certificate {
        names: names(&parsed, names_cap),
        subject: distinguished(parsed.subject()),
        issuer: distinguished(parsed.issuer()),
        self_issued: parsed.subject() == parsed.issuer(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        key: key(&parsed),
        key_sha256: hex(&Sha256::digest(parsed.public_key().raw)),
        signature: oid2sn(signed_by, oid_registry()).map_or_else(|_| signed_by.to_id_string().into(), Into::into),
        ..unread
    }
}

/// Whether a path leads from the leaf to a root; else what the trust comes to, and what was said.
fn path(
    leaf: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    anchors: &Anchors,
    now: UnixTime,
) -> Result<(), (CertTrust, rustls::Error)> {
    let algorithms = anchors.algorithms.all;
    let verified = ParsedCertificate::try_from(leaf)
        .and_then(|leaf| verify_server_cert_signed_by_trust_anchor(&leaf, &anchors.roots, issuers, now, algorithms));
    verified.map_err(|error| {
        let trust = match &error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => CertTrust::UnknownIssuer,
            // An intermediate's dates.
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => CertTrust::Expired,
            _ => CertTrust::Invalid,
        };
        (trust, error)
    })
}

/// DNS and address alternative names.
fn names(certificate: &X509Certificate<'_>, cap: usize) -> Vec<Box<str>> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(capped(name.as_bytes())),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|ip| ip.to_string().into())
        }
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).take(cap).collect()
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

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words::TlsStatus;

    /// What is known of a chain that leads to nobody we trust.
    fn described(chain: &[&[u8]]) -> Tls {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let anchors = Anchors { roots: RootCertStore::empty(), algorithms };
        let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        let mut tls = Tls::none(TlsStatus::Ok);
        describe(&Shown { chain, unverified: None }, &anchors, UnixTime::now(), &mut tls);
        tls
    }

    #[test]
    fn what_is_no_certificate_is_still_told_apart_by_its_digest() {
        let tls = described(&[b"no certificate", b"nor this"]);
        let certificate = tls.certificate.unwrap();
        assert_eq!((certificate.chain, certificate.sha256.len()), (Some(CertTrust::Invalid), 64));
        assert_eq!((tls.issuers[0].chain, tls.issuers[0].sha256.len()), (None, 64));
        assert_eq!(described(&[]), Tls::none(TlsStatus::Ok));
    }

    #[test]
    fn twelve_certificates_are_kept_and_the_rest_is_counted() {
        let chain: Vec<&[u8]> = vec![b"x"; 40];
        for (shown, kept, left_out) in [(1, 0, 0), (12, 11, 0), (13, 11, 1), (40, 11, 28)] {
            let tls = described(&chain[..shown]);
            assert_eq!((tls.issuers.len(), tls.issuers_left_out), (kept, left_out));
        }
    }

    #[test]
    fn an_issuer_s_many_names_are_cut_sooner_than_a_leaf_s() {
        let names: Vec<String> = (0..150).map(|number| format!("host{number}.example.org")).collect();
        let crowded = rcgen::generate_simple_self_signed(names).unwrap().cert;
        let tls = described(&[crowded.der(), crowded.der()]);
        assert_eq!((tls.certificate.unwrap().names.len(), tls.issuers[0].names.len()), (100, 10));
    }
}
