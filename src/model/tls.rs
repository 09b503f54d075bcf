//! What a STARTTLS handshake showed: the channel, the certificates, or why there is none.
//! Comes in: a handshake's facts, as the probe writes them down. Goes out: the same, as evidence.
//! Which name a certificate is for is told here, for whoever asks; nothing is judged.

use serde::{Deserialize, Serialize};

use super::stored::is_default;
use super::texts::Texts;
use super::words::{CertTrust, TlsFailure, TlsStatus, Unproven};

/// The certificates and channel of a STARTTLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// What it came to.
    pub status: TlsStatus,
    /// Why a handshake failed; evidence that was kept before there were words for it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<TlsFailure>,
    /// The alert by which the server ended it, as IANA's registry spells it (RFC 8446 §6), such as `handshake_failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<Box<str>>,
    /// `TLSv1.2` or `TLSv1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The cipher suite's IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Box<str>>,
    /// The key exchange group's IANA name, such as `x25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<str>>,
    /// The server name sent (SNI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Box<str>>,
    /// The leaf certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
    /// The certificates behind the leaf, in the order shown, at most 11. A server owes them in the order of their
    /// signatures (RFC 5246 §7.4.2) and may show any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub issuers: Vec<Certificate>,
    /// Certificates shown beyond those.
    #[serde(default, skip_serializing_if = "is_default")]
    pub issuers_left_out: u32,
    /// Why it is not proven that the server holds the leaf's key; None where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
    /// What the search for a path said where the chain's trust is `invalid`, escaped and capped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_detail: Option<Box<str>>,
    /// The error text of a failed handshake, escaped and capped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// Bytes of plaintext that followed the STARTTLS reply and were dropped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub injected_bytes: u32,
    /// Keywords of the EHLO reply inside TLS.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extensions: Texts,
}

impl Tls {
    /// TLS was never a question: stored evidence leaves this out.
    pub(super) const fn not_asked() -> Self {
        Self::none(TlsStatus::NotAsked)
    }

    pub(super) fn is_not_asked(&self) -> bool {
        *self == Self::not_asked()
    }

    /// TLS was not negotiated, for this status.
    pub const fn none(status: TlsStatus) -> Self {
        Self {
            status,
            failure: None,
            alert: None,
            version: None,
            cipher: None,
            group: None,
            server_name: None,
            certificate: None,
            issuers: Vec::new(),
            issuers_left_out: 0,
            unproven: None,
            chain_detail: None,
            detail: None,
            injected_bytes: 0,
            extensions: Texts::none(),
        }
    }

    /// The handshake came to nothing, for this reason.
    pub fn failed(failure: TlsFailure, detail: impl Into<Box<str>>) -> Self {
        Self { failure: Some(failure), detail: Some(detail.into()), ..Self::none(TlsStatus::HandshakeFailed) }
    }

    /// Whether the certificate was shown to who asked for this host and does not cover it. A server may show another
    /// one to who asks for another host, so nothing is known of the hosts that it was not asked for.
    pub fn is_for_another(&self, host: &str) -> bool {
        let asked = self.server_name.as_deref() == Some(host);
        asked && self.certificate.as_ref().is_some_and(|certificate| !certificate.covers(host))
    }
}

/// Facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// DNS and address subject alternative names, escaped, at most 100; of an issuer, at most 10.
    #[serde(default, skip_serializing_if = "is_default")]
    pub names: Vec<Box<str>>,
    /// Subject, RFC 4514 text, escaped and capped.
    pub subject: Box<str>,
    /// Issuer, RFC 4514 text, escaped and capped.
    pub issuer: Box<str>,
    /// Subject and issuer are the same name; whether it also signed itself is not looked at.
    #[serde(default, skip_serializing_if = "is_default")]
    pub self_issued: bool,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Key algorithm and bits, such as `rsa-2048`, `ecdsa-256`, `ed25519`.
    pub key: Box<str>,
    /// SHA-256 of the key as it stands in the certificate (`SubjectPublicKeyInfo`, RFC 6698 §2.1.2), lower-case hex; empty
    /// in evidence that was kept before it was looked at.
    #[serde(default, skip_serializing_if = "is_default")]
    pub key_sha256: Box<str>,
    /// The algorithm of its issuer's signature, such as `sha256WithRSAEncryption`, or its object identifier; empty like
    /// `key_sha256`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub signature: Box<str>,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: Box<str>,
    /// Of a leaf, the trust of its chain at the time of the scan, the name left out: `name-mismatch` is never found here.
    /// None of an issuer: trust is told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<CertTrust>,
}

impl Certificate {
    /// Whether one of its names covers this host; a wildcard stands for exactly one whole first label (RFC 9525 §6.3).
    pub fn covers(&self, host: &str) -> bool {
        let bare = |text: &str| text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let host = bare(host);
        self.names.iter().map(|name| bare(name)).any(|name| match name.strip_prefix("*.") {
            None => name == host,
            Some(parent) => host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version of the evidence has it.
    const FIRST: &str = r#"{"status":"ok","version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","certificate":{"names":["a.test"],"subject":"CN=a.test","issuer":"CN=ca","not_before":1,"not_after":2,"key":"ecdsa-256","sha256":"00","chain":"trusted"}}"#;

    fn first() -> Tls {
        serde_json::from_str(FIRST).unwrap()
    }

    #[test]
    fn what_was_stored_before_is_read_and_written_as_it_was() {
        let tls = first();
        assert_eq!((tls.failure, tls.unproven, tls.issuers.len()), (None, None, 0));
        assert_eq!(tls.certificate.as_ref().unwrap().chain, Some(CertTrust::Trusted));
        assert_eq!(serde_json::to_string(&tls).unwrap(), FIRST);
    }

    #[test]
    fn what_a_handshake_shows_today_is_stored_and_read_back() {
        let mut tls = first();
        let leaf = tls.certificate.clone().unwrap();
        tls.issuers = vec![Certificate { chain: None, self_issued: true, signature: "ed25519".into(), ..*leaf }];
        tls.issuers_left_out = 3;
        tls.unproven = Some(Unproven::WeakKey);
        let failed = Tls { alert: Some("protocol_version".into()), ..Tls::failed(TlsFailure::OldProtocol, "alert") };
        for tls in [tls, failed] {
            let text = serde_json::to_string(&tls).unwrap();
            assert_eq!(serde_json::from_str::<Tls>(&text).unwrap(), tls, "{text}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label_and_no_more() {
        let covers = |name: &str, host: &str| {
            let leaf = first().certificate.unwrap();
            Certificate { names: vec![name.into()], ..*leaf }.covers(host)
        };
        assert!(covers("Mail.Example.org", "mail.example.org"));
        assert!(covers("*.example.org", "mail.example.org"));
        assert!(!covers("*.example.org", "a.mail.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("m*.example.org", "mail.example.org"));
    }
}
