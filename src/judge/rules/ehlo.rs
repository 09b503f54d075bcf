//! R1, continued: what EHLO and HELO were answered.
//! Comes in: both replies and the name in them. Goes out: ehlo-* findings.
//! The name itself is judged in `name`, whichever reply it came from.

use super::super::case::{Case, is_positive};
use super::super::findings::{Findings, Found};
use crate::model::finding::Code;
use crate::model::introduction::Introduction;
use crate::model::smtp::Reply;
use crate::model::words::{Basis, Cause, IntroductionClass};

/// Keywords that servers put where the name belongs (RFC 5321 §4.1.1.1; IANA SMTP service extensions).
const KEYWORDS: &[&str] = &[
    "8BITMIME",
    "AUTH",
    "BINARYMIME",
    "BURL",
    "CHUNKING",
    "DELIVERBY",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "ETRN",
    "EXPN",
    "HELP",
    "LIMITS",
    "PIPELINING",
    "REQUIRETLS",
    "SEND",
    "SIZE",
    "SMTPUTF8",
    "STARTTLS",
    "TURN",
    "VRFY",
    "XCLIENT",
    "XFORWARD",
];

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    if case.host.basis == Basis::Observed {
        return;
    }
    let session = &case.host.session;
    let refused = |reply: &Reply| reply.complete && reply.code >= 400;
    if let Some(ehlo) = session.ehlo.as_ref().filter(|reply| refused(reply))
        && let Some(helo) = &session.helo
    {
        if is_positive(helo) {
            out.add(Found::of(Code::EhloRejected).detail(line(ehlo)));
        } else if refused(helo) {
            out.add(Found::of(Code::EhloHeloRejected).because(Cause::EhloRejected).detail(line(helo)));
        }
    }
    if let Some(helo) = session.helo.as_ref().filter(|helo| is_positive(helo) && helo.lines.len() > 1) {
        out.add(Found::of(Code::HeloExtendedReply).detail(helo.lines.join(", ")));
    }
    if session.ehlo.as_ref().is_some_and(is_positive) {
        name(case, out);
    }
}

fn line(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.lines.first().unwrap_or_default())
}

fn name(case: &Case<'_>, out: &mut Findings) {
    let session = &case.host.session;
    match (&session.ehlo_name, &session.ehlo_not_name) {
        (Some(_), _) => {
            // A name that also is the introduction is judged as such.
            let judged = |text: &str| case.introduction().is_some_and(|own| own.text.eq_ignore_ascii_case(text));
            if let Some(ehlo) = case.host.ehlo.as_ref().filter(|ehlo| !judged(&ehlo.text) && !is_domain(ehlo)) {
                out.add(Found::of(Code::EhloNameNotDomain).detail(&*ehlo.text));
            }
        }
        (None, Some(word)) if !KEYWORDS.contains(&word.to_ascii_uppercase().as_str()) => {
            out.add(Found::of(Code::EhloNameNotDomain).detail(&**word));
        }
        (None, _) => {
            out.add(Found::of(Code::EhloNameMissing).detail(session.ehlo.as_ref().map_or_else(String::new, line)));
        }
    }
}

/// Whether the text fits the grammar of a Domain (RFC 5321 §4.1.2), whatever it names.
const fn is_domain(introduction: &Introduction) -> bool {
    use IntroductionClass as C;
    matches!(
        introduction.class,
        C::Localhost
            | C::SingleLabel
            | C::NumericTld
            | C::ReservedLdh
            | C::BadALabel
            | C::ReverseZone
            | C::SpecialUse
            | C::ExampleDomain
            | C::Placeholder
            | C::PrivateTld
            | C::UnknownTld
            | C::PublicSuffix
            | C::Fqdn
    )
}
