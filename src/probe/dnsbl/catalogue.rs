//! Which blocklists a run asks.
//! Comes in: what the user names, and what is known of lists. Goes out: the run's lists and the quorum of rule 5.
//! A list that nobody should ask is refused with its reason, never left out in silence.

use std::fmt;
use std::path::PathBuf;

pub use super::entry::{Code, Deny, Entry, Kind, Offer, Status, Terms, denials, denied, known, redacted};
use super::entry::{find, normal};
pub use super::own::FileError;
use super::own::read;
use crate::model::dnsbl::{List, Quorum};
use crate::model::name::NameError;

/// The weight of lists that must have answered for an address to pass.
const QUORUM: f32 = 1.5;

/// What the user asks for.
#[derive(Clone, Default)]
pub struct Request {
    /// Zones by name; of a list with a key, the zone with the key in it.
    pub zones: Vec<String>,
    /// Files that replace or add entries; every list of a file is asked.
    pub files: Vec<PathBuf>,
    /// Ask no list at all.
    pub none: bool,
}

impl fmt::Debug for Request {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zones: Vec<String> = self.zones.iter().map(|zone| redacted(zone)).collect();
        f.debug_struct("Request").field("zones", &zones).field("files", &self.files).field("none", &self.none).finish()
    }
}

/// What a run asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The lists.
    pub lists: Vec<List>,
    /// What each is asked under, in the same order.
    pub terms: Vec<Terms>,
    /// What rule 5 needs to pass.
    pub quorum: Quorum,
}

/// Why lists cannot be used. No message shows a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the user.
    #[error(transparent)]
    File(#[from] FileError),
    /// A zone is no domain name.
    #[error("cannot use {zone:?} as a blocklist: it {reason}")]
    Zone {
        /// The zone.
        zone: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A zone that nobody should ask.
    #[error("the blocklist {zone} must not be asked: it {why}")]
    Denied {
        /// The zone.
        zone: String,
        /// Why not.
        why: &'static str,
    },
    /// A zone that needs a key.
    #[error("the blocklist {0} needs your key in the place of KEY")]
    Key(String),
    /// Figures of a file that make no sense.
    #[error("the blocklist {zone} {fault}")]
    Fault {
        /// The zone.
        zone: String,
        /// What is wrong.
        fault: String,
    },
}

/// The lists of a run: those the user names, else the catalogue's own choice.
pub fn choose(request: &Request) -> Result<Chosen, Error> {
    let mut chosen = Chosen::default();
    if request.none {
        return Ok(chosen);
    }
    if request.files.is_empty() && request.zones.is_empty() {
        return defaults();
    }
    let mut own: Vec<(String, Entry)> = Vec::new();
    for path in &request.files {
        own.extend(read(path)?.into_iter().map(|own| (own.zone(), own.entry())));
    }
    for (zone, entry) in &own {
        chosen.add(entry, zone)?;
    }
    for zone in request.zones.iter().map(|zone| normal(zone)) {
        if own.iter().any(|(known, _)| *known == zone) {
            continue;
        }
        match find(&zone) {
            Some(entry) => chosen.add(entry, &zone)?,
            None => chosen.add(&Entry::unknown(&zone), &zone)?,
        }
    }
    chosen.quorum.core = false;
    Ok(chosen)
}

impl Default for Chosen {
    /// No list.
    fn default() -> Self {
        Self { lists: Vec::new(), terms: Vec::new(), quorum: Quorum { weight: QUORUM, core: true } }
    }
}

impl Chosen {
    /// One more list; what is named later replaces what was named before.
    fn add(&mut self, entry: &Entry, zone: &str) -> Result<(), Error> {
        let list = list(entry, zone)?;
        let known = self.lists.iter().position(|earlier| earlier.zone == list.zone);
        if let Some(at) = known {
            self.lists.remove(at);
            self.terms.remove(at);
        }
        self.lists.push(list);
        self.terms.push(entry.terms());
        Ok(())
    }
}

/// The lists anybody may ask. What is missing to the quorum is missing: without a key the honest answer can be unknown.
fn defaults() -> Result<Chosen, Error> {
    let mut chosen = Chosen::default();
    for entry in known() {
        match entry.default {
            Offer::Always | Offer::SelfTest => chosen.add(entry, &entry.zone)?,
            Offer::Ipv6 => chosen.add(&Entry { ipv4: false, ..entry.clone() }, &entry.zone)?,
            Offer::Key | Offer::Registered | Offer::Named => {}
        }
    }
    Ok(chosen)
}

fn list(entry: &Entry, zone: &str) -> Result<List, Error> {
    // An entry with a key has `KEY` in its place, whatever service it is of.
    let keyed = entry.zone.starts_with("KEY.");
    let shown = || if keyed { entry.zone.clone() } else { redacted(zone) };
    if let Some(why) = denied(zone) {
        return Err(Error::Denied { zone: shown(), why });
    }
    if zone.starts_with("key.") {
        return Err(Error::Key(zone.replacen("key.", "KEY.", 1)));
    }
    if let Some(fault) = entry.fault() {
        return Err(Error::Fault { zone: redacted(&entry.zone), fault });
    }
    entry.list(zone).map_err(|reason| Error::Zone { zone: shown(), reason })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::dnsbl::ListClass;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz";

    fn zones(zones: &[&str]) -> Result<Chosen, Error> {
        choose(&Request { zones: zones.iter().map(|zone| (*zone).to_owned()).collect(), ..Request::default() })
    }

    fn file(text: &str) -> Result<Chosen, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        choose(&Request { files: vec![file.path().into()], ..Request::default() })
    }

    fn class(list: &List, code: [u8; 4]) -> Option<ListClass> {
        list.meaning(code.into()).map(|rule| rule.class)
    }

    #[test]
    fn the_catalogue_is_sane() {
        let mut seen = HashSet::new();
        for entry in known() {
            assert!(seen.insert(&entry.zone), "{} stands there twice", entry.zone);
            assert_eq!(entry.fault(), None, "{}", entry.zone);
            assert_eq!(denied(&entry.zone), None, "{}", entry.zone);
            let date: Vec<usize> = entry.checked.split('-').map(str::len).collect();
            assert_eq!(date, [4, 2, 2], "{}: {}", entry.zone, entry.checked);
            assert!(!entry.usage.is_empty() && entry.usage.len() < 200, "{}", entry.zone);
            assert!(!entry.codes.is_empty() || entry.kind == Kind::Name, "{}", entry.zone);
            for code in &entry.codes {
                let (zone, from) = (&entry.zone, code.from);
                assert!(code.weight <= 1.0, "{zone} {from}");
                let counts = code.class.counts() && entry.kind == Kind::Address;
                assert_eq!(code.weight > 0.0, counts, "{zone} {from}: what counts weighs, nothing else");
            }
            let needs_key = entry.zone.starts_with("KEY.");
            assert!(!needs_key || matches!(entry.default, Offer::Key | Offer::Named), "{}", entry.zone);
            let list = entry.list(&entry.zone.replacen("KEY", KEY, 1)).unwrap();
            assert!(!list.core || list.weight() >= 0.6, "{} is too light for a core list", entry.zone);
            assert_eq!(class(&list, [127, 255, 255, 254]), Some(ListClass::Refusal), "{}", entry.zone);
            assert!(!list.shown.contains(KEY));
        }
    }

    #[test]
    fn codes_mean_what_their_lists_say() {
        let zen = &zones(&["zen.spamhaus.org"]).unwrap().lists[0];
        assert_eq!(class(zen, [127, 0, 0, 4]), Some(ListClass::Exploited));
        assert_eq!(class(zen, [127, 0, 0, 11]), Some(ListClass::Policy));
        assert_eq!(class(zen, [127, 0, 0, 1]), None);
        let allow = &zones(&["list.dnswl.org"]).unwrap().lists[0];
        assert_eq!(class(allow, [127, 0, 5, 2]), Some(ListClass::Allow));
        assert_eq!(class(allow, [127, 0, 0, 255]), Some(ListClass::Refusal));
        assert_eq!(class(allow, [127, 0, 10, 3]), Some(ListClass::Refusal));
        let drones = &zones(&["dnsbl.dronebl.org"]).unwrap().lists[0];
        assert_eq!(class(drones, [127, 0, 0, 9]), Some(ListClass::OpenRelay));
        assert_eq!(class(drones, [127, 0, 0, 13]), Some(ListClass::Attack));
        assert_eq!(class(drones, [127, 0, 0, 18]), Some(ListClass::Reputation));
    }

    #[test]
    fn the_defaults_ask_for_no_entitlement() {
        let chosen = choose(&Request::default()).unwrap();
        let asked = |ipv4: bool| {
            let lists = chosen.lists.iter().filter(move |list| if ipv4 { list.ipv4 } else { list.ipv6 });
            let mut zones: Vec<&str> = lists.map(|list| &*list.shown).collect();
            zones.sort_unstable();
            zones
        };
        assert_eq!(
            asked(true),
            [
                "bl.mailspike.net",
                "bl.spamcop.net",
                "bl.spameatingmonkey.net",
                "dnsbl-1.uceprotect.net",
                "list.dnswl.org",
                "psbl.surriel.com",
                "zen.spamhaus.org"
            ]
        );
        assert_eq!(
            asked(false),
            [
                "all.s5h.net",
                "bip.virusfree.cz",
                "bl.ipv6.spameatingmonkey.net",
                "dnsbl.dronebl.org",
                "list.dnswl.org",
                "zen.spamhaus.org"
            ]
        );
        assert_eq!(chosen.quorum, Quorum { weight: 1.5, core: true });
        for ipv4 in [true, false] {
            let lists = chosen.lists.iter().filter(|list| if ipv4 { list.ipv4 } else { list.ipv6 });
            assert!(lists.map(List::weight).sum::<f32>() >= 1.5, "a pass must be within reach, IPv4: {ipv4}");
        }
    }

    #[test]
    fn no_list_is_asked_when_none_is_wanted() {
        let request = Request { none: true, zones: vec!["bl.spamcop.net".into()], ..Request::default() };
        assert!(choose(&request).unwrap().lists.is_empty());
    }

    #[test]
    fn lists_that_are_named_need_no_core_list() {
        let chosen = zones(&["bl.spamcop.net", "PSBL.surriel.com.", "bl.spamcop.net"]).unwrap();
        assert_eq!(chosen.lists.len(), 2, "a list named twice is asked once");
        assert_eq!(chosen.terms.len(), 2);
        assert_eq!(chosen.quorum, Quorum { weight: 1.5, core: false });
    }

    #[test]
    fn a_zone_nobody_described_lists_spam_sources() {
        let chosen = zones(&["bl.my-own-list.org"]).unwrap();
        let list = &chosen.lists[0];
        assert!((list.weight() - 1.0).abs() < 1e-6);
        for (code, meaning) in [
            ([127, 0, 0, 1], None),
            ([127, 0, 0, 2], Some(ListClass::SpamSource)),
            ([127, 0, 0, 254], Some(ListClass::SpamSource)),
            ([127, 0, 0, 255], None),
            ([127, 255, 255, 254], Some(ListClass::Refusal)),
        ] {
            assert_eq!(class(list, code), meaning, "{code:?}");
        }
    }

    #[test]
    fn a_key_is_asked_with_and_never_shown() {
        let zone = format!("{KEY}.zen.dq.spamhaus.net");
        let chosen = zones(&[&zone]).unwrap();
        assert_eq!(chosen.lists[0].zone.as_str(), zone);
        assert_eq!(&*chosen.lists[0].shown, "KEY.zen.dq.spamhaus.net");
        assert!(chosen.lists[0].core);
        // Other zones of a keyed service hold the key as well.
        let other = format!("{}.sbl-xbl.DQ.spamhaus.net", KEY.to_uppercase());
        assert_eq!(&*zones(&[&other]).unwrap().lists[0].shown, "KEY.sbl-xbl.dq.spamhaus.net");
        assert_eq!(redacted(&other), "KEY.sbl-xbl.dq.spamhaus.net");
        assert_eq!(redacted("bl.spamcop.net"), "bl.spamcop.net");
        assert_eq!(redacted("spam.spamrats.com"), "spam.spamrats.com");
        assert!(matches!(zones(&["KEY.zen.dq.spamhaus.net"]), Err(Error::Key(_))));
        let wrong = zones(&[&format!("{KEY}!.zen.dq.spamhaus.net")]).unwrap_err().to_string();
        assert!(!wrong.contains(KEY) && wrong.contains("KEY.zen"), "{wrong}");
    }

    #[test]
    fn no_fault_of_a_file_shows_its_key() {
        for text in [
            "zone = 'KEY.bl.my-own-list.org'\nkey = 's3cret key9'",
            "zone = 'KEY.foo.sorbs.net'\nkey = 's3cretkey9'",
            "zone = 'KEY.zen.dq.spamhaus.net'\nkey = 's3cret.x'",
            "zone = 'bl.my-own-list.org'\nkey = 's3cretkey9'",
            "zone = 'KEY.bl.my-own-list.org'\nkey = 's3cretkey9'\nrate = -1.0",
        ] {
            let said = file(&format!("[[list]]\n{text}\n")).unwrap_err().to_string();
            assert!(!said.contains("s3cret"), "{said}");
        }
        let number = file("[[list]]\nzone = 'KEY.bl.my-own-list.org'\nkey = 8812345678\n").unwrap_err().to_string();
        assert!(number.contains("quoted") && !number.contains("8812345678"), "{number}");
    }

    #[test]
    fn dead_lists_are_refused_with_their_reason() {
        for zone in [
            "dnsbl.sorbs.net",
            "spam.dnsbl.sorbs.net",
            "SORBS.net",
            "ix.dnsbl.manitu.net",
            "cbl.abuseat.org",
            "rbl.spamhaus.org",
            "dnsbl1.anticaptcha.net",
            "relays.ordb.org",
        ] {
            let Err(Error::Denied { why, .. }) = zones(&[zone]) else { panic!("{zone} is not refused") };
            assert!(!why.is_empty());
        }
        assert!(file("[[list]]\nzone = 'dul.ru'\n").is_err());
        assert!(zones(&["notsorbs.net"]).is_ok());
    }

    #[test]
    fn a_list_of_domain_names_serves_no_address_and_weighs_nothing() {
        for (zone, bits) in [("dbl.spamhaus.org", false), ("multi.surbl.org", true), ("multi.uribl.com", true)] {
            let chosen = zones(&[zone]).unwrap();
            let list = &chosen.lists[0];
            assert!(list.names && !list.ipv4 && !list.ipv6 && list.bits == bits, "{zone}");
            assert!(list.weight() <= 0.0 && chosen.terms[0].test.is_some(), "{zone}");
        }
        let surbl = &zones(&["multi.surbl.org"]).unwrap().lists[0];
        let classes: Vec<ListClass> = surbl.meanings([127, 0, 0, 72].into()).map(|rule| rule.class).collect();
        assert_eq!(classes, [ListClass::Phishing, ListClass::SpamSource]);
        let own = file(
            "[[list]]\nzone = 'rhs.my-own-list.org'\nkind = 'name'\nbits = true\ntest = 'listed.org'\n\
             codes = [{ from = '127.0.0.2', class = 'malware' }]\n",
        );
        let own = own.unwrap();
        assert!(own.lists[0].names && own.terms[0].test.as_ref().unwrap().as_str() == "listed.org");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for zone in ["", "bl list.org", "127.0.0.2", "a..b"] {
            assert!(matches!(zones(&[zone]), Err(Error::Zone { .. })), "{zone:?}");
        }
    }

    #[test]
    fn a_file_replaces_what_the_catalogue_says_and_adds_lists() {
        let chosen = file(
            r#"
            [[list]]
            zone = "bl.spamcop.net"
            codes = [{ from = "127.0.0.2", class = "policy" }]
            [[list]]
            zone = "KEY.zen.dq.spamhaus.net"
            key = "s3cret"
            daily = 86400
            [[list]]
            zone = "KEY.bl.my-own-list.org"
            key = "s3cret"
            ipv6 = false
            codes = [{ from = "127.0.0.9", to = "127.0.0.11", class = "exploited", weight = 0.25 }]
            "#,
        )
        .unwrap();
        let [spamcop, zen, own] = &chosen.lists[..] else { panic!("{:?}", chosen.lists) };
        assert_eq!(class(spamcop, [127, 0, 0, 2]), Some(ListClass::Policy));
        assert!(spamcop.lookup.is_some(), "what the file does not say is the catalogue's");
        assert_eq!((zen.zone.as_str(), &*zen.shown), ("s3cret.zen.dq.spamhaus.net", "KEY.zen.dq.spamhaus.net"));
        assert_eq!((zen.rate, chosen.terms[1].daily), (Some(50.0), 86_400));
        assert_eq!(chosen.terms[2].daily, 50_000, "where nothing is known");
        assert_eq!((own.zone.as_str(), &*own.shown), ("s3cret.bl.my-own-list.org", "KEY.bl.my-own-list.org"));
        assert!(!own.ipv6 && class(own, [127, 0, 0, 10]) == Some(ListClass::Exploited));
    }

    #[test]
    fn a_zone_named_beside_its_file_keeps_what_the_file_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "[[list]]\nzone = 'bl.spamcop.net'\nrate = 2\n").unwrap();
        let request = Request { files: vec![file.path().into()], zones: vec!["bl.spamcop.net".into()], none: false };
        let chosen = choose(&request).unwrap();
        assert_eq!((chosen.lists.len(), chosen.lists[0].rate), (1, Some(2.0)));
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused() {
        for text in ["[[list]]\nzone = 'a.org'\ncolour = 'blue'\n", "zone = 'a.org'\n", "[[list]]\ncore = true\n"] {
            assert!(matches!(file(text), Err(Error::File(FileError::Parse { .. }))), "{text}");
        }
        let unquoted = file("[[list]]\nzone = 'KEY.zen.dq.spamhaus.net'\nkey = s3cret\n").unwrap_err().to_string();
        assert!(unquoted.contains("line 3") && !unquoted.contains("s3cret"), "{unquoted}");
        for field in [
            "codes = [{ from = '10.0.0.1', class = 'policy' }]",
            "codes = [{ from = '127.0.0.9', to = '127.0.0.2', class = 'policy' }]",
            "codes = [{ from = '127.0.0.2', class = 'spam-source', weight = nan }]",
            "codes = [{ from = '127.0.0.2', class = 'spam-source', weight = -1 }]",
            "rate = -1.0",
            "ipv4 = false\nipv6 = false",
            "test = 'not a name'",
        ] {
            assert!(
                matches!(file(&format!("[[list]]\nzone = 'a.org'\n{field}\n")), Err(Error::Fault { .. })),
                "{field}"
            );
        }
        let missing = choose(&Request { files: vec!["/nonexistent/lists.toml".into()], ..Request::default() });
        assert!(matches!(missing, Err(Error::File(FileError::Read { .. }))));
        assert!(matches!(file(&"# \n".repeat(400_000)), Err(Error::File(FileError::TooLong { .. }))));
    }

    #[test]
    fn every_refused_zone_has_a_reason_and_stands_once() {
        let text = include_str!("catalogue.toml");
        let table: toml::Table = toml::from_str(text).unwrap();
        let mut seen = HashSet::new();
        for deny in table["deny"].as_array().unwrap() {
            for zone in deny["zones"].as_array().unwrap() {
                let zone = zone.as_str().unwrap();
                assert!(seen.insert(zone.to_owned()), "{zone} stands there twice");
                let asked = zone.replacen('*', "any", 1);
                assert_eq!(denied(&asked), deny["why"].as_str(), "{zone}");
            }
        }
        assert!(seen.len() > 30);
    }

    #[test]
    fn a_code_of_a_mistyped_question_is_a_refusal() {
        let names = known().iter().filter(|entry| entry.kind == Kind::Name);
        for entry in names {
            let list = entry.list(&entry.zone.replacen("KEY", KEY, 1)).unwrap();
            let refusals = list.codes.iter().filter(|rule| rule.class == ListClass::Refusal);
            assert!(refusals.count() > 1, "{} has a refusal of its own", entry.zone);
        }
        assert_eq!(
            class(&zones(&["hostkarma.junkemailfilter.com"]).unwrap().lists[0], Ipv4Addr::LOCALHOST.octets()),
            Some(ListClass::Allow)
        );
    }
}
