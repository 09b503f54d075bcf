//! Counts of very many rows, made by several threads.
//! Comes in: sightings, those of one target in a row; and the counts of the rows that follow. Goes out: a `Survey`.
//! Joined in their order, the counts of pieces are those of the whole, wherever it was cut. Memory is bounded: servers are sampled,
//! and of keys without end (software, providers, blocklists, networks) those that weigh most are kept.
//! Long because every count stands three times, where it is kept, made and joined, which has to be seen side by side; what has rules
//! of its own is a room beside it: `targets`, `network`, `worst`, `levels`, `heavy`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use ipnet::IpNet;

use super::heavy::{Heavy, Known};
use super::levels::{Counts, Domains, Sample, Verdicts, hash_of, worsen};
use super::network::{Network, place_of};
use super::targets::Targets;
use super::worst::Worst;
use crate::model::finding::Code;
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::sighting::Sighting;
use crate::model::words::{
    Basis, Cause, CertTrust, ConnectStatus, Overall, PtrClass, Rule, Severity, TlsFailure, TlsStatus,
};

/// Kinds of software, versions of TLS and blocklists that are kept; there are dozens.
const FEW: usize = 1 << 10;
/// Providers that are kept.
const PROVIDERS: usize = 1 << 16;
/// Networks that are kept.
const NETWORKS: usize = 1 << 15;
/// Bytes of a key that are kept.
const KEY: usize = 255;

/// What is needed to count.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Rows that are shown as such.
    pub worst: usize,
    /// What a finding usually weighs.
    pub severity: fn(Code, Basis) -> Severity,
}

/// The counts.
#[derive(Debug)]
pub struct Census {
    pub(super) settings: Settings,
    /// The file that rows come from.
    run: usize,
    pub(super) rows: Counts,
    pub(super) domains: Domains,
    pub(super) targets: Targets,
    pub(super) servers: Sample<Seen>,
    places: Sample<Place>,
    /// Rows of each basis, in its order.
    pub(super) bases: [u64; Basis::ALL.len()],
    /// By cause, unknown verdicts of each rule.
    pub(super) causes: Vec<[u64; Rule::ALL.len()]>,
    /// By code, rows of each basis, and those without one last.
    pub(super) findings: Vec<[u64; Basis::ALL.len() + 1]>,
    pub(super) greeted: u64,
    pub(super) software: Heavy<String, u64>,
    pub(super) providers: Heavy<String, Provider>,
    pub(super) ptr: Vec<u64>,
    pub(super) tls: Vec<u64>,
    pub(super) trust: Vec<u64>,
    pub(super) failure: Vec<u64>,
    pub(super) versions: Heavy<String, u64>,
    pub(super) reach: Reach,
    pub(super) lists: Heavy<String, List>,
    pub(super) networks: Heavy<IpNet, Network>,
    pub(super) worst: Worst,
    scanned: Option<[String; 2]>,
    /// The exchange of the row before, and who stands behind it.
    last_exchange: (String, String),
}

/// What is known of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) verdicts: Verdicts,
    codes: [u64; 3],
    pub(super) listed: bool,
    pub(super) ptr: Option<PtrClass>,
    pub(super) tls: Option<TlsStatus>,
    pub(super) trust: Option<CertTrust>,
    pub(super) failure: Option<TlsFailure>,
    /// The hash of its text.
    pub(super) version: Option<u64>,
    pub(super) connect_ms: Option<u32>,
    /// Milliseconds to the greeting, and the hash of the software that it tells.
    pub(super) greeted: Option<(u32, u64)>,
}

const _: () = assert!(Code::ALL.len() <= 3 * 64, "there is a bit for each code");

impl Seen {
    fn join(&mut self, later: Self) {
        worsen(&mut self.verdicts, later.verdicts);
        self.codes.iter_mut().zip(later.codes).for_each(|(own, later)| *own |= later);
        self.listed |= later.listed;
        // The best says it, so that the order of the rows does not matter.
        self.ptr = least(self.ptr, later.ptr);
        self.tls = least(self.tls, later.tls);
        self.trust = least(self.trust, later.trust);
        self.failure = least(self.failure, later.failure);
        self.version = least(self.version, later.version);
        self.connect_ms = least(self.connect_ms, later.connect_ms);
        self.greeted = least(self.greeted, later.greeted);
    }

    /// Whether a row of it has this finding.
    pub(super) fn has(&self, code: Code) -> bool {
        let at = code as usize;
        self.codes.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }
}

/// A place that rows are of.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The file that has it last.
    run: usize,
    /// How many files before have it.
    repeated: u64,
}

/// Who stands behind exchanges.
#[derive(Debug, Default)]
pub(super) struct Provider {
    pub(super) targets: u64,
    pub(super) rows: u64,
    /// By word, in its order.
    pub(super) overall: [u64; Overall::ALL.len()],
}

impl Known for Provider {
    fn weight(&self) -> u64 {
        self.rows
    }

    fn join(&mut self, other: Self) {
        self.targets += other.targets;
        self.rows += other.rows;
        self.overall.iter_mut().zip(other.overall).for_each(|(own, other)| *own += other);
    }
}

/// What a blocklist said.
#[derive(Debug)]
pub(super) struct List {
    pub(super) listed: u64,
    pub(super) counted: u64,
    pub(super) silent: u64,
    /// By cause.
    pub(super) why: Vec<u64>,
}

impl Default for List {
    fn default() -> Self {
        Self { listed: 0, counted: 0, silent: 0, why: vec![0; Cause::ALL.len()] }
    }
}

impl Known for List {
    fn weight(&self) -> u64 {
        self.listed + self.silent
    }

    fn join(&mut self, other: Self) {
        self.listed += other.listed;
        self.counted += other.counted;
        self.silent += other.silent;
        add_all(&mut self.why, &other.why);
    }
}

/// What says more about the scanner than about the servers.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub(super) dialled: u64,
    pub(super) not_open: u64,
    pub(super) asked: u64,
    pub(super) listed: u64,
}

impl Census {
    /// Nothing yet, of rows of this file.
    pub fn new(settings: Settings, run: usize) -> Self {
        Self {
            settings,
            run,
            rows: Counts::default(),
            domains: Domains::default(),
            targets: Targets::default(),
            servers: Sample::default(),
            places: Sample::default(),
            bases: [0; Basis::ALL.len()],
            causes: vec![[0; Rule::ALL.len()]; Cause::ALL.len()],
            findings: vec![[0; Basis::ALL.len() + 1]; Code::ALL.len()],
            greeted: 0,
            software: Heavy::new(FEW),
            providers: Heavy::new(PROVIDERS),
            ptr: vec![0; PtrClass::ALL.len()],
            tls: vec![0; TlsStatus::ALL.len()],
            trust: vec![0; CertTrust::ALL.len()],
            failure: vec![0; TlsFailure::ALL.len()],
            versions: Heavy::new(FEW),
            reach: Reach::default(),
            lists: Heavy::new(FEW),
            networks: Heavy::new(NETWORKS),
            worst: Worst::default(),
            scanned: None,
            last_exchange: <_>::default(),
        }
    }

    /// When the first and the last of the targets were taken up, to the second; None without a row.
    pub const fn scanned(&self) -> Option<&[String; 2]> {
        self.scanned.as_ref()
    }

    /// How often a place was met in one file after another; one of how many places was asked.
    pub(super) fn repeated(&self) -> (u64, u64) {
        (self.places.values().map(|place| place.repeated).sum(), self.places.one_of())
    }

    /// Counts a row, by its number in its file. The rows of one target come one after the other.
    pub fn add(&mut self, number: u64, sighting: &Sighting<'_>) {
        let mut gist = sighting.gist;
        // The same line of two files is of two targets.
        gist.target ^= (self.run as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.rows.add(gist.verdicts, gist.overall);
        self.domains.add(&gist);
        let place = Place { run: self.run, repeated: 0 };
        self.places.add(sighting.place, place, Place::join);
        for (rule, cause) in sighting.causes {
            let counts = self.causes.get_mut(*cause as usize).and_then(|counts| counts.get_mut(*rule as usize));
            *counts.expect("one counter per cause and rule") += 1;
        }
        let basis = sighting.basis.map_or(Basis::ALL.len(), |basis| basis as usize);
        if let Some(count) = self.bases.get_mut(basis) {
            *count += 1;
        }
        for code in sighting.findings {
            let counts = self.findings.get_mut(*code as usize).and_then(|counts| counts.get_mut(basis));
            *counts.expect("one counter per code and basis") += 1;
        }
        self.behind(gist.target, gist.overall, sighting.texts.exchange);
        self.words(sighting);
        self.listings(sighting);
        self.server(sighting);
        self.worst.meet((self.run, number), sighting, &self.settings);
        if let Some(time) = sighting.texts.scanned_at.get(..SECOND) {
            match &mut self.scanned {
                Some([first, last]) if first.as_str() <= time && time <= last.as_str() => {}
                scanned => widen(scanned, [time, time]),
            }
        }
    }

    /// Counts who stands behind the exchange.
    fn behind(&mut self, target: u64, overall: Overall, exchange: &str) {
        self.targets.meet(target);
        if exchange.is_empty() || exchange == "." {
            return;
        }
        if self.last_exchange.0 != exchange {
            // An address is no name, though its last number would do for a domain.
            let name = Name::stored(exchange).filter(|_| exchange.parse::<IpAddr>().is_err());
            let owner = name.as_ref().and_then(|name| Naming::built_in().registrable(name)).unwrap_or(exchange);
            self.last_exchange = (exchange.to_owned(), capped(owner, KEY));
        }
        let owner = self.last_exchange.1.as_str();
        let provider = self.providers.of(owner);
        provider.rows += 1;
        bump(&mut provider.overall, overall as usize);
        provider.targets += u64::from(self.targets.is_new_to(owner));
    }

    /// Counts words of the session and the reverse name.
    fn words(&mut self, sighting: &Sighting<'_>) {
        let said = [
            (&mut self.ptr, sighting.ptr_class.map(|word| word as usize)),
            (&mut self.tls, sighting.tls.map(|word| word as usize)),
            (&mut self.trust, sighting.trust.map(|word| word as usize)),
            (&mut self.failure, sighting.tls_failure.map(|word| word as usize)),
        ];
        for (counts, word) in said {
            if let Some(word) = word {
                bump(counts, word);
            }
        }
        if !sighting.texts.tls_version.is_empty() {
            *self.versions.of(key(sighting.texts.tls_version)) += 1;
        }
        if sighting.greeting_ms.is_some() {
            self.greeted += 1;
            *self.software.of(key(sighting.texts.software)) += 1;
        }
    }

    /// Counts what blocklists said.
    fn listings(&mut self, sighting: &Sighting<'_>) {
        let texts = &sighting.texts;
        if texts.listed.is_empty() && texts.counted.is_empty() && texts.silent.is_empty() {
            return;
        }
        let mut last = "";
        // Several codes of one list stand behind each other.
        for zone in texts.listed() {
            self.lists.of(key(zone)).listed += u64::from(zone != last);
            last = zone;
        }
        texts.counted().for_each(|zone| self.lists.of(key(zone)).counted += 1);
        for (zone, why) in texts.silent() {
            let list = self.lists.of(key(zone));
            list.silent += 1;
            if let Some(why) = why {
                bump(&mut list.why, why as usize);
            }
        }
    }

    /// Counts the server and its network.
    fn server(&mut self, sighting: &Sighting<'_>) {
        let Some(server) = sighting.gist.server else { return };
        self.reach.asked += u64::from(server.asked);
        self.reach.listed += u64::from(server.asked && server.listed);
        match server.connect {
            ConnectStatus::Special => return,
            ConnectStatus::NotAsked | ConnectStatus::Excluded => {}
            status => {
                self.reach.dialled += 1;
                self.reach.not_open += u64::from(status != ConnectStatus::Open);
            }
        }
        let mut codes = [0; 3];
        for code in sighting.findings {
            let at = *code as usize;
            *codes.get_mut(at / 64).expect("there is a bit for each code") |= 1_u64 << (at % 64);
        }
        let seen = Seen {
            verdicts: sighting.gist.verdicts,
            codes,
            listed: server.listed,
            ptr: sighting.ptr_class,
            tls: sighting.tls,
            trust: sighting.trust,
            failure: sighting.tls_failure,
            version: Some(sighting.texts.tls_version).filter(|version| !version.is_empty()).map(hash),
            connect_ms: sighting.connect_ms,
            greeted: sighting.greeting_ms.map(|ms| (ms, hash(sighting.texts.software))),
        };
        let hash = hash_of(server.address);
        self.servers.add(hash, seen, Seen::join);

        let (net, place) = place_of(server.address, hash);
        let network = self.networks.of(&net);
        network.meet(place, server.listed, sighting.gist.overall);
        let basis = sighting.basis.unwrap_or(Basis::Announced);
        for code in sighting.findings {
            if (self.settings.severity)(*code, basis) != Severity::Info {
                network.found(*code, 1);
            }
        }
    }

    /// Takes the counts of the rows that follow.
    pub fn join(&mut self, other: Self) {
        self.rows.join(&other.rows);
        self.domains.join(&other.domains);
        self.servers.join(other.servers, Seen::join);
        self.places.join(other.places, Place::join);
        add_all(&mut self.bases, &other.bases);
        for (own, other) in [(&mut self.ptr, &other.ptr), (&mut self.tls, &other.tls)] {
            add_all(own, other);
        }
        add_all(&mut self.trust, &other.trust);
        add_all(&mut self.failure, &other.failure);
        self.causes.iter_mut().zip(&other.causes).for_each(|(own, other)| add_all(own, other));
        self.findings.iter_mut().zip(&other.findings).for_each(|(own, other)| add_all(own, other));
        self.greeted += other.greeted;
        self.software.join(other.software);
        self.providers.join(other.providers);
        for twice in self.targets.join(other.targets) {
            if let Some(provider) = self.providers.get_mut(&*twice) {
                provider.targets = provider.targets.saturating_sub(1);
            }
        }
        self.versions.join(other.versions);
        self.lists.join(other.lists);
        self.networks.join(other.networks);
        self.reach.dialled += other.reach.dialled;
        self.reach.not_open += other.reach.not_open;
        self.reach.asked += other.reach.asked;
        self.reach.listed += other.reach.listed;
        self.worst.join(other.worst, &self.settings);
        if let Some([first, last]) = &other.scanned {
            widen(&mut self.scanned, [first, last]);
        }
    }
}

impl Place {
    fn join(&mut self, later: Self) {
        self.repeated += later.repeated + u64::from(self.run != later.run);
        self.run = later.run;
    }
}

/// Characters of an RFC 3339 time up to its seconds: of two in UTC the earlier is the smaller text.
const SECOND: usize = "2026-12-01T02:47:46".len();

fn widen(scanned: &mut Option<[String; 2]>, [first, last]: [&str; 2]) {
    match scanned {
        None => *scanned = Some([first.to_owned(), last.to_owned()]),
        Some([known_first, known_last]) => {
            if first < known_first.as_str() {
                first.clone_into(known_first);
            }
            if last > known_last.as_str() {
                last.clone_into(known_last);
            }
        }
    }
}

/// The lesser of two that may not be there.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A text's hash, the same in every run of the program.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key(text).hash(&mut hasher);
    hasher.finish()
}

/// A text as far as it is a key.
fn key(text: &str) -> &str {
    head(text, KEY)
}

/// The beginning of a text, as one's own.
pub(super) fn capped(text: &str, most: usize) -> String {
    head(text, most).to_owned()
}

/// The beginning of a text, at most so many bytes.
fn head(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= most).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn bump(counts: &mut [u64], at: usize) {
    *counts.get_mut(at).expect("one counter per word") += 1;
}

fn add_all(own: &mut [u64], other: &[u64]) {
    own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gist::{Gist, Server};
    use crate::model::sighting::Texts;
    use crate::model::words::{TargetKind, Verdict};
    use crate::report::sum::Frame;
    use crate::report::survey::Survey;

    fn settings(worst: usize) -> Settings {
        let severity = |code: Code, _| match code {
            Code::MxNoIpv6 => Severity::Info,
            Code::SmtpNoStarttls => Severity::Warning,
            _ => Severity::Error,
        };
        Settings { worst, severity }
    }

    fn survey(census: Census) -> Survey {
        census.survey(Frame {
            made_by: String::new(),
            title: String::new(),
            runs: Vec::new(),
            notes: Vec::new(),
            rules: Vec::new(),
            explain: |_| [""; 3],
            health: <_>::default(),
        })
    }

    /// A row of this target, with this exchange and server, and what its rules came to.
    fn row<'a>(target: u64, preference: u16, exchange: &'a str, address: &'a str, verdict: Verdict) -> Sighting<'a> {
        let verdicts = [verdict; Rule::ALL.len()];
        let failing = verdict == Verdict::Fail;
        let server =
            Server { address: address.parse().unwrap(), connect: ConnectStatus::Open, asked: true, listed: failing };
        Sighting {
            gist: Gist {
                target,
                kind: TargetKind::Domain,
                preference: Some(preference),
                server: Some(server),
                verdicts,
                overall: Overall::of(&verdicts),
            },
            place: hash(&format!("{target} {exchange} {address}")),
            basis: Some(Basis::Announced),
            causes: if verdict == Verdict::Unknown { &[(Rule::Exists, Cause::Servfail)] } else { &[] },
            findings: if failing { &[Code::HeloNxdomain, Code::MxNoIpv6] } else { &[Code::SmtpNoStarttls] },
            ptr_class: Some(if failing { PtrClass::GenericDynamic } else { PtrClass::Named }),
            tls: Some(if failing { TlsStatus::NotAsked } else { TlsStatus::Ok }),
            trust: (!failing).then_some(CertTrust::SelfSigned),
            tls_failure: None,
            connect_ms: Some(u32::from(preference)),
            greeting_ms: Some(2 * u32::from(preference)),
            texts: Texts {
                target: "example.org",
                exchange,
                address,
                listed: if failing { "bl.example=127.0.0.2;bl.example=127.0.0.4" } else { "" },
                counted: if failing { "bl.example" } else { "" },
                silent: if failing { "" } else { "other.example=timeout" },
                software: if failing { "exim" } else { "" },
                tls_version: if failing { "" } else { "TLSv1.3" },
                scanned_at: "2026-12-01T02:47:46.264Z",
                ..Texts::default()
            },
        }
    }

    fn rows() -> Vec<Sighting<'static>> {
        vec![
            row(1, 20, "mx.one.example.org", "192.0.2.1", Verdict::Fail),
            row(1, 10, "mx.two.example.co.uk", "192.0.2.2", Verdict::Pass),
            row(1, 10, "mx.two.example.co.uk", "2001:db8::2", Verdict::Unknown),
            row(2, 5, "198.51.100.38", "198.51.100.38", Verdict::Fail),
            row(3, 10, "mx.two.example.co.uk", "192.0.2.2", Verdict::Fail),
            row(3, 10, "mx.one.example.org", "192.0.2.1", Verdict::Pass),
            row(3, 10, "mx.two.example.co.uk", "192.0.2.3", Verdict::Na),
        ]
    }

    fn census(rows: &[Sighting<'_>], before: usize) -> Census {
        let mut census = Census::new(settings(2), 0);
        for (at, row) in rows.iter().enumerate() {
            census.add((before + at + 1) as u64, row);
        }
        census
    }

    #[test]
    fn pieces_cut_anywhere_come_to_the_survey_of_the_whole() {
        let rows = rows();
        let whole = survey(census(&rows, 0));
        assert_eq!((whole.totals.rows, whole.totals.targets, whole.totals.servers), (7, 3, 5));
        for one in 0..=rows.len() {
            for other in one..=rows.len() {
                let mut joined = census(&rows[..one], 0);
                joined.join(census(&rows[one..other], one));
                joined.join(census(&rows[other..], other));
                assert_eq!(survey(joined), whole, "cut at {one} and {other}");
            }
        }
    }

    #[test]
    fn a_target_counts_once_for_each_provider_and_a_server_once_for_all_its_rows() {
        let told = survey(census(&rows(), 0));
        let providers: Vec<(&str, u64, u64, u64)> = told
            .providers
            .entries
            .iter()
            .map(|provider| (&*provider.domain, provider.rows, provider.targets.count, provider.misconfigured.count))
            .collect();
        assert_eq!(providers, [("example.co.uk", 4, 2, 1), ("example.org", 2, 2, 1), ("198.51.100.38", 1, 1, 1)]);
        assert!(told.providers.entries.iter().all(|provider| provider.targets.of == 3));
        // Of the domains the first fails by its backup only, which does not count.
        let domain = &told.levels[1];
        assert_eq!((domain.by, domain.counted), ("domain", 3));
        assert_eq!((domain.overall.misconfigured.count, domain.overall.undetermined.count), (2, 1));
        let server = &told.levels[2].overall;
        let counts = [server.conformant.count, server.misconfigured.count, server.undetermined.count, server.na];
        assert_eq!(counts, [0, 3, 1, 1]);
        let network = &told.networks.entries[0];
        assert_eq!(
            (&*network.network, network.servers, network.failing_servers, network.rows, network.failing),
            ("192.0.2.0/24", 3, 2, 5, 2)
        );
        assert_eq!(network.findings, [(Code::HeloNxdomain, 2), (Code::SmtpNoStarttls, 3)]);
        let found = told.findings.iter().find(|found| found.code == Code::HeloNxdomain).unwrap();
        assert_eq!((found.rows.count, found.servers.count, found.servers.of), (3, 3, 5));
        let lists: Vec<(&str, u64, u64, u64)> = told
            .blocklists
            .lists
            .entries
            .iter()
            .map(|list| (&*list.list, list.listed, list.counted, list.silent))
            .collect();
        assert_eq!(lists, [("bl.example", 3, 3, 0), ("other.example", 0, 0, 4)]);
        // A server that has done STARTTLS once can do it.
        assert_eq!(told.tls.status[TlsStatus::Ok as usize].servers.count, 4);
        assert_eq!((told.greeting_ms.servers, told.greeting_ms.longest), (5, Some(20)));
        let worst: Vec<u64> = told.worst.rows.iter().map(|row| row.row).collect();
        assert_eq!((worst, told.worst.of), (vec![1, 4], 3));
    }

    #[test]
    fn rows_of_two_files_are_of_two_targets_and_told_as_repeated() {
        let rows = rows();
        let mut both = census(&rows, 0);
        let mut other = Census::new(settings(2), 1);
        rows.iter().zip(1..).skip(4).for_each(|(row, number)| other.add(number, row));
        both.join(other);
        let told = survey(both);
        assert_eq!((told.totals.targets, told.totals.repeated, told.totals.servers), (4, 3, 5));
        assert!(told.notes[0].starts_with("3 rows are of the same target"), "{:?}", told.notes);
        let worst: Vec<(usize, u64)> = told.worst.rows.iter().map(|row| (row.run, row.row)).collect();
        assert_eq!(worst, [(0, 1), (0, 4)]);
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(head("abc", 3), "abc");
        assert_eq!(head("a\u{e9}\u{e9}", 4), "a\u{e9}");
        assert_eq!(head("\u{1f600}x", 3), "");
    }
}
