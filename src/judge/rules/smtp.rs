//! SMTP and TLS beside the five rules: they never change a verdict.
//! Comes in: the session behind the greeting. Goes out: smtp-* and tls-* findings.

use super::super::case::{Case, is_positive};
use super::super::findings::{Findings, Found};
use crate::model::finding::Code;
use crate::model::smtp::Certificate;
use crate::model::words::{Basis, CertTrust, SmtpStatus, TlsStatus};

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
    if session.tls.status == TlsStatus::HandshakeFailed {
        out.add(Found::of(Code::SmtpStarttlsFailed).detail(session.tls.detail.as_deref().unwrap_or("")));
    }
    if let Some(mechanism) = cleartext {
        out.add(Found::of(Code::SmtpAuthCleartext).detail(&**mechanism));
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

fn certificate(case: &Case<'_>, certificate: &Certificate, out: &mut Findings) {
    let over = case.host.scanned_at.div_euclid(1000).saturating_sub(certificate.not_after);
    if over > 0 {
        out.add(Found::of(Code::TlsCertExpired).detail(format!("{} h before the scan", over / 3600)));
    }
    if matches!(certificate.chain, CertTrust::SelfSigned | CertTrust::UnknownIssuer | CertTrust::Invalid) {
        out.add(Found::of(Code::TlsCertUntrusted).detail(certificate.chain.as_str()));
    }
    let Some(exchange) = case.exchange else { return };
    if case.host.session.tls.is_for_another(exchange.name.as_str()) {
        out.add(Found::of(Code::TlsCertName).detail(certificate.names.join(" ")));
    }
}
