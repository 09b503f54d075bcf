//! R2: the introduction is a proper fully qualified domain name.
//! Comes in: the introduction and its class. Goes out: one helo-* finding for its class, and what stands beside it.
//! No DNS but for one thing: whether a top-level domain that our table lacks is there. Whether the name exists is
//! `forward`'s question.

use super::super::case::{Case, Tld, literal};
use super::super::findings::{Findings, Found};
use crate::model::finding::Code;
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::words::{Basis, IntroductionClass as C, Rule};

/// Domains of big providers: a client that uses one as its name while its PTR says otherwise is forging it.
const BRANDS: &[&str] = &[
    "aol.com",
    "facebook.com",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "google.com",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.ru",
    "msn.com",
    "outlook.com",
    "qq.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.com",
    "yandex.ru",
];

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let Some(introduction) = &case.host.introduction else { return };
    let said = |code| Found::of(code).detail(&*introduction.text);
    let tld = case.introduced.as_ref().map(|name| Tld::of_both(name, &case.host.introduced.addresses));
    match tld.filter(|_| introduction.class == C::UnknownTld) {
        Some(Tld::Delegated) => return,
        Some(Tld::Unknown(cause)) => return out.missing(Rule::Fqdn, cause),
        Some(Tld::Absent) | None => {}
    }
    if let Some(found) = class(case, introduction) {
        out.add(found.detail(&*introduction.text));
    }
    let is_apex = |name: &Name| case.policy.naming.registrable(name) == Some(name.as_str());
    if introduction.class == C::Fqdn && case.introduced.as_ref().is_some_and(is_apex) {
        out.add(said(Code::HeloApexDomain));
    }
    if case.host.basis == Basis::Observed && is_foreign_brand(case) {
        out.add(said(Code::HeloForeignBrand));
    }
}

fn class(case: &Case<'_>, introduction: &Introduction) -> Option<Found> {
    Some(Found::of(match introduction.class {
        C::Empty | C::Fqdn => return None,
        // A blanked greeting is no introduction; a client that says such a thing has said it.
        C::Masked if introduction.text.contains('*') => Code::HeloIllegalChar,
        C::Masked | C::SingleLabel => Code::HeloNotFqdn,
        // Whether a special-purpose address counts as public is the run's decision.
        C::LiteralV4 | C::LiteralV6 | C::LiteralSpecial => match literal(&introduction.text) {
            Some(address) if !case.is_special(address) => Code::HeloIsAddressLiteral,
            _ => Code::HeloLiteralSpecial,
        },
        C::LiteralMalformed => Code::HeloLiteralMalformed,
        C::PublicSuffix => {
            let (_, flags) = case.policy.naming.classify(introduction.text.as_bytes());
            return Some(Found::of(Code::HeloPublicSuffix).form(usize::from(flags.private_suffix)));
        }
        C::IllegalOctet => Code::HeloIllegalOctet,
        C::IllegalChar => Code::HeloIllegalChar,
        C::Url => Code::HeloIsUrl,
        C::EmailAddress => Code::HeloIsEmailAddress,
        C::BareIp => Code::HeloBareIp,
        C::HostPort => Code::HeloHasPort,
        C::ULabel => Code::HeloULabel,
        C::NameTooLong => Code::HeloNameTooLong,
        C::EmptyLabel => Code::HeloEmptyLabel,
        C::LabelTooLong => Code::HeloLabelTooLong,
        C::Underscore => Code::HeloUnderscore,
        C::HyphenEdge => Code::HeloHyphenEdge,
        C::Localhost => Code::HeloLocalhost,
        C::NumericTld => Code::HeloNumericTld,
        C::ReservedLdh => Code::HeloReservedLdh,
        C::BadALabel => Code::HeloBadALabel,
        C::ReverseZone => Code::HeloReverseZone,
        C::SpecialUse => Code::HeloSpecialUse,
        C::ExampleDomain => Code::HeloExampleDomain,
        C::Placeholder => Code::HeloPlaceholder,
        C::PrivateTld => Code::HeloPrivateTld,
        C::UnknownTld => Code::HeloUnknownTld,
        C::TrailingDot => Code::HeloTrailingDot,
    }))
}

/// The name belongs to a big provider, and every PTR name of the client to somebody else.
fn is_foreign_brand(case: &Case<'_>) -> bool {
    let naming = case.policy.naming;
    let Some(brand) = case.introduced.as_ref().and_then(|name| naming.registrable(name)) else { return false };
    let ptr = case.host.ptr.seen().map_or(&[][..], |records| &records.values);
    BRANDS.contains(&brand) && !ptr.is_empty() && ptr.iter().all(|name| naming.registrable(name) != Some(brand))
}
