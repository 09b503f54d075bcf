//! Why a TLS handshake failed, or proved nothing, in words.
//! Comes in: the error it ended with, and the octets the server's answer began with. Goes out: one word, and an alert's name.
//! Pure. A server is called old only when it says so itself; what we cannot tell is not blamed on it.

use std::io::{self, ErrorKind};

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved, SignatureScheme,
};

use super::dialogue::End;
use crate::model::smtp::{Tls, escape};
use crate::model::words::{TlsFailure, Unproven};

/// Octets kept of an error's text.
const DETAIL_CAP: usize = 200;
/// The content type of alerts, at the beginning of their record (RFC 8446 §5.1).
const ALERT: u8 = 21;

/// A handshake that ended with an error; `head` is how the server's answer began.
pub(super) fn failed(error: &io::Error, head: &[u8]) -> Tls {
    let text = error.to_string();
    let text = escape(text.as_bytes().get(..DETAIL_CAP).unwrap_or(text.as_bytes()));
    if let Some(failed) = not_tls(head, &text) {
        return failed;
    }
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else {
        return Tls::failed(of_transport(error.kind()), text);
    };
    let chosen = chosen(head);
    let failure = match error {
        // RFC 5246 §7.2.2, RFC 8446 §6.2: the version offered is known and not supported. We offer 1.2 and 1.3, and nothing
        // is newer, so a server that refuses both has older ones only. Not so when it has agreed to one before.
        Error::AlertReceived(AlertDescription::ProtocolVersion) if head.first() == Some(&ALERT) => {
            TlsFailure::OldProtocol
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            TlsFailure::NoCommonCipher
        }
        Error::AlertReceived(_) => TlsFailure::Alert,
        // A server chooses the highest version that both have (RFC 5246 §E.1), so it has none of ours. Which it chose has to
        // be seen: rustls says the same of versions that do not exist.
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) if chosen.is_some() => {
            TlsFailure::OldProtocol
        }
        other => of_tls(other),
    };
    let mut tls = match chosen.filter(|_| failure == TlsFailure::OldProtocol) {
        Some(version) => Tls::failed(failure, format!("the server chose {version}")),
        None => Tls::failed(failure, text),
    };
    if let Error::AlertReceived(alert) = error {
        tls.alert = Some(alert_name(*alert));
    }
    tls
}

/// A handshake that was not done in time.
pub(super) fn late(head: &[u8]) -> Tls {
    const TEXT: &str = "handshake timed out";
    not_tls(head, TEXT).unwrap_or_else(|| Tls::failed(TlsFailure::Timeout, TEXT))
}

/// STARTTLS got no complete reply, so no handshake was begun.
pub(super) fn unanswered(end: End, detail: String) -> Tls {
    let failure = match end {
        End::Closed => TlsFailure::Closed,
        End::Reset => TlsFailure::Reset,
        End::Late | End::SessionOver | End::Tarpit => TlsFailure::Timeout,
        End::Complete | End::TooLong => TlsFailure::ProtocolError,
    };
    Tls::failed(failure, detail)
}

/// What began like no TLS record (RFC 8446 §5.1) is none, whatever became of the connection then.
fn not_tls(head: &[u8], text: &str) -> Option<Tls> {
    let is_record = match head {
        [] => true,
        // change_cipher_spec to heartbeat; the major version has been 3 since SSL 3.0.
        [kind] => matches!(kind, 20..=24),
        [kind, major, ..] => matches!(kind, 20..=24) && *major == 3,
    };
    (!is_record).then(|| Tls::failed(TlsFailure::NotTls, format!("{text}; it began with {}", escape(head))))
}

/// The version below TLS 1.2 that a `ServerHello` chooses, when the answer begins with one (RFC 5246 §7.4.1.3).
fn chosen(head: &[u8]) -> Option<&'static str> {
    // The record's type, version and length; the message's type and length; the version chosen.
    let [22, 3, _, _, _, 2, _, _, _, 3, minor, ..] = head else { return None };
    match minor {
        0 => Some("SSLv3"),
        1 => Some("TLSv1.0"),
        2 => Some("TLSv1.1"),
        _ => None,
    }
}

const fn of_transport(kind: ErrorKind) -> TlsFailure {
    match kind {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::WriteZero => TlsFailure::Closed,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::NotConnected => TlsFailure::Reset,
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => TlsFailure::Timeout,
        _ => TlsFailure::SelfFault,
    }
}

/// What rustls found wrong by itself.
const fn of_tls(error: &Error) -> TlsFailure {
    match error {
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TlsFailure::ProtocolError,
        // A server that chooses what was not offered has nothing of what was.
        Error::PeerIncompatible(_)
        | Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedCipherSuite
            | PeerMisbehaved::SelectedUnofferedKxGroup
            | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedCipherSuite
            | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedNamedGroup
            | PeerMisbehaved::SignedKxWithWrongAlgorithm,
        )
        | Error::InvalidMessage(
            InvalidMessage::UnsupportedCurveType | InvalidMessage::UnsupportedKeyExchangeAlgorithm(_),
        ) => TlsFailure::NoCommonCipher,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::NoCertificatesPresented
        | Error::DecryptError
        | Error::PeerMisbehaved(_)
        | Error::InvalidCertificate(_)
        | Error::PeerSentOversizedRecord => TlsFailure::ProtocolError,
        // No randomness, no clock, and whatever rustls will think of: nothing the server has done.
        _ => TlsFailure::SelfFault,
    }
}

/// An alert's name in IANA's registry, or its number.
fn alert_name(alert: AlertDescription) -> Box<str> {
    let number = u8::from(alert);
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return number.to_string().into(),
    };
    name.into()
}

/// A signature of the handshake that was not verified.
#[derive(Debug)]
pub(super) struct Unverified {
    /// What the verifier said.
    pub(super) error: Error,
    /// The scheme it was made by.
    pub(super) scheme: SignatureScheme,
}

/// Why a signature does not prove that the server holds the leaf's key; `key` is the leaf's, such as `rsa-1024`.
pub(super) fn unproven(unverified: &Unverified, key: &str) -> Unproven {
    // ring verifies by RSA keys from 2048 bits on, and calls all others a bad signature.
    let bits = key.strip_prefix("rsa-").and_then(|bits| bits.parse::<u32>().ok());
    // In TLS 1.2's own schemes the upper octet is the hash: MD5, SHA-1, SHA-224 (RFC 5246 §7.4.1.4.1).
    let [hash, _] = u16::from(unverified.scheme).to_be_bytes();
    match &unverified.error {
        _ if bits.is_some_and(|bits| bits < 2048) => Unproven::WeakKey,
        _ if matches!(hash, 1..=3) => Unproven::WeakSignature,
        Error::InvalidCertificate(CertificateError::BadSignature) if bits.is_none_or(|bits| bits <= 8192) => {
            Unproven::BadSignature
        }
        Error::InvalidCertificate(CertificateError::BadEncoding | CertificateError::Other(_)) => Unproven::Unreadable,
        _ => Unproven::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_rustls(error: Error, head: &[u8]) -> Tls {
        failed(&io::Error::new(ErrorKind::InvalidData, error), head)
    }

    const REFUSAL: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";

    #[test]
    fn a_server_is_old_only_by_its_own_word() {
        let refused = Error::AlertReceived(AlertDescription::ProtocolVersion);
        let tls = by_rustls(refused.clone(), REFUSAL);
        assert_eq!((tls.failure, tls.alert.as_deref()), (Some(TlsFailure::OldProtocol), Some("protocol_version")));
        let midway = by_rustls(refused, b"\x16\x03\x03");
        assert_eq!((midway.failure, midway.alert.as_deref()), (Some(TlsFailure::Alert), Some("protocol_version")));

        let incompatible = || Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        let hello = |major, minor| [22, 3, 1, 0, 50, 2, 0, 0, 46, major, minor, 0];
        for (minor, version) in [(0, "SSLv3"), (1, "TLSv1.0"), (2, "TLSv1.1")] {
            let tls = by_rustls(incompatible(), &hello(3, minor));
            assert_eq!(tls.failure, Some(TlsFailure::OldProtocol));
            assert_eq!(tls.detail.unwrap().strip_prefix("the server chose "), Some(version));
        }
        for head in [hello(3, 5), hello(127, 28)] {
            assert_eq!(by_rustls(incompatible(), &head).failure, Some(TlsFailure::ProtocolError));
        }
    }

    #[test]
    fn every_alert_has_its_name_and_its_word() {
        for (number, name, word) in [
            (40, "handshake_failure", TlsFailure::NoCommonCipher),
            (71, "insufficient_security", TlsFailure::NoCommonCipher),
            (80, "internal_error", TlsFailure::Alert),
            (112, "unrecognized_name", TlsFailure::Alert),
            (116, "certificate_required", TlsFailure::Alert),
            (200, "200", TlsFailure::Alert),
        ] {
            let tls = by_rustls(Error::AlertReceived(number.into()), REFUSAL);
            assert_eq!((tls.alert.as_deref(), tls.failure), (Some(name), Some(word)));
        }
        // Whatever rustls has a name for is in our table.
        for number in 0..=u8::MAX {
            let known = !matches!(AlertDescription::from(number), AlertDescription::Unknown(_));
            assert!(!known || alert_name(number.into()).parse::<u8>().is_err(), "{number}");
        }
    }

    #[test]
    fn what_the_server_did_is_told_from_what_befell_us() {
        for (error, word) in [
            (PeerMisbehaved::SelectedUnofferedCipherSuite.into(), TlsFailure::NoCommonCipher),
            (PeerMisbehaved::SelectedUnofferedKxGroup.into(), TlsFailure::NoCommonCipher),
            (PeerMisbehaved::UnsolicitedServerHelloExtension.into(), TlsFailure::ProtocolError),
            (InvalidMessage::MissingKeyExchange.into(), TlsFailure::ProtocolError),
            (Error::DecryptError, TlsFailure::ProtocolError),
            (Error::FailedToGetRandomBytes, TlsFailure::SelfFault),
        ] {
            assert_eq!(by_rustls(error, b"\x16\x03\x03").failure, Some(word));
        }
        for (kind, word) in [
            (ErrorKind::UnexpectedEof, TlsFailure::Closed),
            (ErrorKind::BrokenPipe, TlsFailure::Closed),
            (ErrorKind::ConnectionReset, TlsFailure::Reset),
            (ErrorKind::TimedOut, TlsFailure::Timeout),
            (ErrorKind::OutOfMemory, TlsFailure::SelfFault),
        ] {
            assert_eq!(failed(&kind.into(), b"").failure, Some(word));
        }
    }

    #[test]
    fn what_begins_like_no_record_is_no_tls_however_it_ends() {
        let closed = || io::Error::from(ErrorKind::UnexpectedEof);
        for head in [&b"4"[..], b"454 no\r\n", b"\x16\x02", b"\x80\x2e\x04"] {
            let tls = failed(&closed(), head);
            assert_eq!((tls.failure, late(head).failure), (Some(TlsFailure::NotTls), Some(TlsFailure::NotTls)));
            assert!(tls.detail.unwrap().ends_with(&*escape(head)));
        }
        for head in [&b""[..], b"\x15", b"\x16\x03\x01"] {
            assert_eq!(failed(&closed(), head).failure, Some(TlsFailure::Closed));
            assert_eq!(late(head).failure, Some(TlsFailure::Timeout));
        }
    }

    #[test]
    fn a_signature_that_proves_nothing_says_why() {
        let bad = || Error::InvalidCertificate(CertificateError::BadSignature);
        let unoffered = || Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);
        for (error, scheme, key, word) in [
            (bad(), SignatureScheme::RSA_PSS_SHA256, "rsa-1024", Unproven::WeakKey),
            (bad(), SignatureScheme::RSA_PSS_SHA256, "rsa-2048", Unproven::BadSignature),
            (bad(), SignatureScheme::RSA_PSS_SHA256, "rsa-16384", Unproven::Unsupported),
            (bad(), SignatureScheme::ECDSA_NISTP256_SHA256, "ecdsa-256", Unproven::BadSignature),
            (unoffered(), SignatureScheme::RSA_PKCS1_SHA1, "rsa-2048", Unproven::WeakSignature),
            (unoffered(), SignatureScheme::ECDSA_SHA1_Legacy, "ecdsa-256", Unproven::WeakSignature),
            (unoffered(), SignatureScheme::ED448, "1.3.101.113", Unproven::Unsupported),
            (CertificateError::BadEncoding.into(), SignatureScheme::RSA_PSS_SHA256, "", Unproven::Unreadable),
        ] {
            assert_eq!(unproven(&Unverified { error, scheme }, key), word, "{key}");
        }
    }
}
