//! R2: the introduction is a proper fully qualified domain name.
//! Comes in: the introduction and its class. Goes out: one helo-* finding for its class, and what stands beside it.
//! No DNS but for one thing: whether a top-level domain that our table lacks is there. Whether the name exists is
//! `forward`'s question.

use super::super::case::{Case, Tld, literal};
use super::super::findings::{Findings, Found};
use crate::model::finding::Code;
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::target::Receiver;
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
        Some(Tld::Delegated) => {}
        Some(Tld::Unknown(cause)) => out.missing(Rule::Fqdn, cause),
        Some(Tld::Absent) | None => {
            if let Some(found) = class(case, introduction) {
                out.add(found.detail(&*introduction.text));
            }
        }
    }
    let is_apex = |name: &Name| case.policy.naming.registrable(name) == Some(name.as_str());
    if introduction.class == C::Fqdn && case.introduced.as_ref().is_some_and(is_apex) {
        out.add(said(Code::HeloApexDomain));
    }
    // A client that DNS leads back to by this name forges nobody's.
    let peer = case.host.address.to_canonical();
    let own = case.introduced.is_some() && case.host.introduced.addresses.all().any(|address| address == peer);
    if case.host.basis == Basis::Announced || own {
        return;
    }
    if is_receiver(case, introduction) {
        out.add(said(Code::HeloIsReceiverName));
    }
    if let Some(brand) = brand(case) {
        match &case.host.ptr {
            Observed::Seen(records) if is_foreign(case, brand, &records.values) => {
                out.add(said(Code::HeloForeignBrand));
            }
            Observed::Seen(_) | Observed::Absent(_) => {}
            // Only the reverse name tells the provider's own server from one that borrows its name.
            Observed::Failed(failure) => out.missing(Rule::Fqdn, failure.cause),
            Observed::NotAsked(cause) => out.missing(Rule::Fqdn, *cause),
        }
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

/// The client calls itself by the name, the domain or the address of whoever it spoke to.
fn is_receiver(case: &Case<'_>, introduction: &Introduction) -> bool {
    let text = &*introduction.text;
    let name = text.strip_suffix('.').unwrap_or(text);
    let address = literal(text).or_else(|| text.parse().ok());
    case.policy.receivers.iter().any(|receiver| match receiver {
        Receiver::Name(own) => {
            let domain = case.policy.naming.registrable(own);
            own.as_str().eq_ignore_ascii_case(name) || domain.is_some_and(|domain| domain.eq_ignore_ascii_case(name))
        }
        Receiver::Address(own) => address.is_some_and(|address| address.to_canonical() == own.to_canonical()),
    })
}

/// The registrable domain of the introduced name, where it is a big provider's.
fn brand<'a>(case: &'a Case<'_>) -> Option<&'a str> {
    let domain = case.policy.naming.registrable(case.introduced.as_ref()?)?;
    BRANDS.contains(&domain).then_some(domain)
}

/// Every PTR name belongs to another organisation than this.
fn is_foreign(case: &Case<'_>, brand: &str, ptr: &[Name]) -> bool {
    !ptr.is_empty() && ptr.iter().all(|name| case.policy.naming.registrable(name) != Some(brand))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::scene::{Scene, codes, introduction};
    use crate::model::finding::Code;
    use crate::model::introduction::Naming;
    use crate::model::tables::{Given, Table, Tables};
    use crate::model::words::{Cause, IntroducedBy, IntroductionClass, Rule, Verdict};

    /// A client that says this.
    fn saying(text: &str) -> Scene {
        let mut scene = Scene::observed(1, "198.51.100.1", "mail.ietf.org");
        scene.host().introduction = Some(introduction(text, IntroducedBy::Observed));
        scene
    }

    #[test]
    fn every_class_has_its_code() {
        let long = |count, label: &str| format!("{}ietf.org", label.repeat(count));
        let table: &[(&str, Code)] = &[
            ("mail.ietf.org.", Code::HeloTrailingDot),
            ("mail..ietf.org", Code::HeloEmptyLabel),
            (&format!("{}.ietf.org", "x".repeat(64)), Code::HeloLabelTooLong),
            (&long(4, &format!("{}.", "x".repeat(62))), Code::HeloNameTooLong),
            ("", Code::HeloEmptyArgument),
            ("MAILSERVER", Code::HeloNotFqdn),
            ("com", Code::HeloNotFqdn),
            ("localhost.localdomain", Code::HeloLocalhost),
            ("mail_out.ietf.org", Code::HeloUnderscore),
            ("-mail.ietf.org", Code::HeloHyphenEdge),
            ("ab--cd.ietf.org", Code::HeloReservedLdh),
            ("%HOSTNAME%.ietf.org", Code::HeloIllegalChar),
            ("xn--mail.ietf.org", Code::HeloBadALabel),
            ("postmaster@ietf.org", Code::HeloIsEmailAddress),
            ("http://mail.ietf.org", Code::HeloIsUrl),
            ("mail.ietf.org:25", Code::HeloHasPort),
            ("8.8.4.4", Code::HeloBareIp),
            ("8.8.4.400", Code::HeloNumericTld),
            ("[8.8.4.4]", Code::HeloIsAddressLiteral),
            ("[IPv6:2001:4860:4860::8888]", Code::HeloIsAddressLiteral),
            ("[10.0.0.5]", Code::HeloLiteralSpecial),
            ("[8.8.4.4", Code::HeloLiteralMalformed),
            ("mail.corp.local", Code::HeloSpecialUse),
            ("EXCH01.ad.corp", Code::HeloPrivateTld),
            ("mail.yourdomain.com", Code::HeloPlaceholder),
            ("mail.example.com", Code::HeloExampleDomain),
            ("co.uk", Code::HeloPublicSuffix),
            ("github.io", Code::HeloPublicSuffix),
            ("4.4.8.8.in-addr.arpa", Code::HeloReverseZone),
            ("müller.de", Code::HeloULabel),
            ("****", Code::HeloIllegalChar),
            ("XXXXXXXX", Code::HeloNotFqdn),
            ("gmx.net", Code::HeloApexDomain),
        ];
        for (text, code) in table {
            let row = saying(text).row();
            assert!(codes(&row).contains(code), "{text}: {:#?}", row.findings);
        }
        let fine = codes(&saying("mail.ietf.org").row());
        assert!(!table.iter().any(|(_, code)| fine.contains(code)), "{fine:?}");
    }

    #[test]
    fn evidence_is_judged_by_the_tables_of_the_judgement() {
        let mut scene = saying("mail.corp.lan");
        scene.host().introduced = crate::model::evidence::Introduced::not_asked(Cause::NotAsked);
        let before = scene.row();
        assert!(codes(&before).contains(&Code::HeloPrivateTld));
        let given = Given { table: Table::Tlds, from: "t".to_owned(), bytes: b"date: 2027-01-01\ncom lan\n".to_vec() };
        scene.policy.naming = Naming::in_lab().by(Box::leak(Box::new(Tables::new(vec![given]).unwrap())));
        let judged = scene.judged();
        let row = &judged.rows[0];
        assert!(!codes(row).contains(&Code::HeloPrivateTld));
        assert_eq!((row.verdict(Rule::Fqdn), row.verdict(Rule::Exists)), (Verdict::Pass, Verdict::Unknown));
        let class = |text| introduction(text, IntroducedBy::Observed).class;
        assert_eq!(class("mail.corp.lan"), IntroductionClass::PrivateTld, "other tables are not touched");
        let told = judged.rows().next().unwrap().host().unwrap().introduction.as_ref().unwrap().class;
        assert_eq!(told, IntroductionClass::Fqdn, "the row tells the class it was judged by");
        let gathered = Arc::clone(&scene.evidence.routes[0].hosts[0]);
        assert_eq!(gathered.introduction.as_ref().unwrap().class, IntroductionClass::PrivateTld);
    }
}
