//! SMTP and TLS beside the five rules: they never change a verdict.
//! Comes in: the session behind the greeting. Goes out: smtp-* and tls-* findings.

use super::super::case::{Case, is_positive};
use super::super::findings::{Findings, Found};
use crate::model::finding::Code;
use crate::model::smtp::{Certificate, Tls};
use crate::model::words::{Basis, CertTrust, SmtpStatus, TlsFailure, TlsStatus, Unproven};

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    if case.host.basis == Basis::Observed {
        return;
    }
    let session = &case.host.session;
    let offered = session.extensions.iter().any(|keyword| keyword.eq_ignore_ascii_case("STARTTLS"));
    let answered = session.ehlo.as_ref().is_some_and(is_positive);
    let cleartext = session.auth.iter().find(|mechanism| matches!(&*mechanism.to_ascii_uppercase(), "PLAIN" | "LOGIN"));
    if session.masked_starttls {
        out.add(Found::of(Code::SmtpStarttlsMasked).detail(format!("offered: {}", session.extensions.join(" "))));
    } else if answered && !offered {
        out.add(Found::of(Code::SmtpNoStarttls).detail(format!("offered: {}", session.extensions.join(" "))));
    }
    handshake(&session.tls, out);
    if let Some(mechanism) = cleartext {
        out.add(Found::of(Code::SmtpAuthCleartext).detail(mechanism));
    }
    if session.bad_keyword {
        out.add(Found::of(Code::SmtpEhloBadKeyword).detail(format!("offered: {}", session.extensions.join(" "))));
    }
    if session.desynchronised {
        out.add(Found::of(Code::SmtpDesync).detail("behind a complete reply"));
    }
    if session.tls.injected_bytes > 0 {
        let detail = format!("{} octets behind the STARTTLS reply", session.tls.injected_bytes);
        out.add(Found::of(Code::SmtpDesync).detail(detail));
    }
    // After 421 the server may close at once (RFC 5321 §3.8): it owes QUIT nothing. One that welcomed EHLO and put us off all the
    // same has said it to STARTTLS, or to EHLO inside TLS.
    let closing = answered && session.status == SmtpStatus::Deferred
        || [&session.greeting, &session.ehlo, &session.helo].into_iter().flatten().any(|reply| reply.code == 421);
    if session.quit_sent && session.quit_code != Some(221) && !closing {
        let answer = session.quit_code.map_or_else(|| "no answer".to_owned(), |code| code.to_string());
        out.add(Found::of(Code::SmtpQuitNo221).detail(answer));
    }
    if let Some(certificate) = &session.tls.certificate {
        self::certificate(case, certificate, out);
    }
}

/// A handshake that failed, and what it proves all the same.
fn handshake(tls: &Tls, out: &mut Findings) {
    // A fault of ours says nothing about the server.
    if tls.status != TlsStatus::HandshakeFailed || tls.failure == Some(TlsFailure::SelfFault) {
        return;
    }
    let detail = tls.detail.as_deref().unwrap_or("");
    let said = match (tls.failure, &tls.alert) {
        (Some(failure), Some(alert)) => format!("{failure}: alert {alert}"),
        (Some(failure), None) => format!("{failure}: {detail}"),
        // Evidence that was kept before there were words for it.
        (None, _) => detail.to_owned(),
    };
    if tls.failure == Some(TlsFailure::OldProtocol) {
        out.add(Found::of(Code::TlsOldProtocol).detail(&*said));
    }
    out.add(Found::of(Code::SmtpStarttlsFailed).detail(said));
}

fn certificate(case: &Case<'_>, certificate: &Certificate, out: &mut Findings) {
    let tls = &case.host.session.tls;
    let over = case.host.scanned_at.div_euclid(1000).saturating_sub(certificate.not_after);
    if over > 0 {
        out.add(Found::of(Code::TlsCertExpired).detail(format!("{} h before the scan", over / 3600)));
    }
    match certificate.chain {
        Some(trust @ (CertTrust::SelfSigned | CertTrust::UnknownIssuer)) => {
            out.add(Found::of(Code::TlsCertUntrusted).detail(trust.as_str()));
        }
        Some(trust @ CertTrust::Invalid) => {
            let why = tls.unproven.map(Unproven::as_str).or(tls.chain_detail.as_deref());
            let detail = why.map_or_else(|| trust.to_string(), |why| format!("{trust}: {why}"));
            out.add(Found::of(Code::TlsCertUntrusted).detail(detail));
        }
        Some(CertTrust::Trusted | CertTrust::Expired | CertTrust::NameMismatch) | None => {}
    }
    let Some(exchange) = case.exchange else { return };
    if tls.is_for_another(exchange.name.as_str()) {
        out.add(Found::of(Code::TlsCertName).detail(certificate.names.join(" ")));
    }
}
