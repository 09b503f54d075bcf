//! R2: the introduction is a proper fully qualified domain name.
//! Comes in: the introduction and its class. Goes out: one helo-* finding for its class, and what stands beside it.
//! No DNS but for one thing: whether a top-level domain that our table lacks is there. Whether the name exists is
//! `forward`'s question.

use super::super::case::{Case, Tld, literal};
use super::super::findings::{Findings, Found};
use super::super::policy::Receiver;
use crate::model::finding::Code;
use crate::model::introduction::{Flags, Introduction};
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::organisation::organisation;
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
    let (_, flags) = case.policy.naming.classify(introduction.text.as_bytes());
    let said = |code| Found::of(code).detail(&*introduction.text);
    let tld = introduction.name().map(|name| Tld::of_both(&name, &case.host.introduced.addresses));
    match tld.filter(|_| introduction.class == C::UnknownTld) {
        Some(Tld::Delegated) => return,
        Some(Tld::Unknown(cause)) => return out.missing(Rule::Fqdn, cause),
        Some(Tld::Absent) | None => {}
    }
    if let Some(found) = class(case, introduction, flags) {
        out.add(found.detail(&*introduction.text));
    }
    if flags.apex && introduction.class == C::Fqdn {
        out.add(said(Code::HeloApexDomain));
    }
    if case.host.basis == Basis::Observed && is_receiver(case, introduction) {
        out.add(said(Code::HeloIsReceiverName));
    }
    if case.host.basis == Basis::Observed && is_brand(introduction) {
        match &case.host.ptr {
            Observed::Seen(records) if is_foreign(introduction, &records.values) => {
                out.add(said(Code::HeloForeignBrand));
            }
            Observed::Seen(_) | Observed::Absent(_) => {}
            // Only the reverse name tells the provider's own server from one that borrows its name.
            Observed::Failed(failure) => out.missing(Rule::Fqdn, failure.cause),
            Observed::NotAsked(cause) => out.missing(Rule::Fqdn, *cause),
        }
    }
}

fn class(case: &Case<'_>, introduction: &Introduction, flags: Flags) -> Option<Found> {
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
        C::PublicSuffix if flags.private_suffix => return Some(Found::of(Code::HeloPublicSuffix).form(1)),
        C::PublicSuffix => Code::HeloPublicSuffix,
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

/// The client calls itself by the name, the domain or the address of whoever it spoke to.
fn is_receiver(case: &Case<'_>, introduction: &Introduction) -> bool {
    let text = &*introduction.text;
    let name = text.strip_suffix('.').unwrap_or(text);
    let address = literal(text).or_else(|| text.parse().ok());
    case.policy.receivers.iter().any(|receiver| match receiver {
        Receiver::Name(own) => {
            own.as_str().eq_ignore_ascii_case(name)
                || organisation(own).is_some_and(|domain| domain.as_str().eq_ignore_ascii_case(name))
        }
        Receiver::Address(own) => address.is_some_and(|address| address.to_canonical() == own.to_canonical()),
    })
}

/// The name belongs to a big provider.
fn is_brand(introduction: &Introduction) -> bool {
    let organisation = introduction.name().as_ref().and_then(organisation);
    organisation.is_some_and(|organisation| BRANDS.contains(&organisation.as_str()))
}

/// Every PTR name belongs to another organisation than the name.
fn is_foreign(introduction: &Introduction, ptr: &[Name]) -> bool {
    let own = introduction.name().as_ref().and_then(organisation);
    !ptr.is_empty() && ptr.iter().all(|name| organisation(name) != own)
}
