//! What a scan of the world must find.
//! Comes in: the world. Goes out: one truth per (target, exchange, address), computed as they are asked for.
//! It is the truth of a single pass with one try per server.

use std::net::IpAddr;

use super::place::{self, Domain, RECEIVER, Site};
use super::scenarios::{Mail, Recorded, Says, Server, Shape, To};
use super::world::{Aim, World};
use crate::model::finding::{Code, Finding};
use crate::model::name::Name;
use crate::model::words::{Profile, Rule, Severity, Verdict};

/// What must be found in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The target as its cell has it: a domain, or the address of a recorded introduction.
    pub target: String,
    /// What the client called itself, for a recorded introduction.
    pub helo: Option<String>,
    /// The exchange; the root for a null MX (RFC 7505), None where there is none.
    pub exchange: Option<Name>,
    /// The address, as the world shows it.
    pub address: Option<IpAddr>,
    /// In the order of `Rule::ALL`.
    pub verdicts: [Verdict; Rule::ALL.len()],
    /// The errors and warnings: these and no others.
    pub codes: Vec<Code>,
    /// Remarks that must be there; there may be more.
    pub info: Vec<Code>,
    /// Findings the rules leave open: they may be there or not.
    pub open: Vec<Code>,
}

impl Truth {
    /// What differs between this truth and what was found, in words; None when it agrees.
    pub fn disagreement(&self, verdicts: &[Verdict], findings: &[Finding]) -> Option<String> {
        let mut wrong: Vec<String> = Vec::new();
        for ((rule, expected), found) in Rule::ALL.iter().zip(&self.verdicts).zip(verdicts) {
            if expected != found {
                wrong.push(format!("{rule} is {found}, must be {expected}"));
            }
        }
        let found = |code: &Code| findings.iter().any(|finding| finding.code == *code);
        for code in self.codes.iter().chain(&self.info).filter(|code| !found(code)) {
            wrong.push(format!("{code} is missing"));
        }
        let graver = findings.iter().filter(|finding| finding.severity != Severity::Info);
        for code in graver.map(|finding| finding.code) {
            if !self.codes.contains(&code) && !self.open.contains(&code) {
                wrong.push(format!("{code} must not be there"));
            }
        }
        (!wrong.is_empty()).then(|| format!("{}: {}", self.row(), wrong.join(", ")))
    }

    /// What is wrong even if any evidence may have failed to arrive: a pass or fail that is none. None when there is nothing.
    pub fn contradiction(&self, verdicts: &[Verdict]) -> Option<String> {
        let wrong: Vec<String> = Rule::ALL
            .iter()
            .zip(&self.verdicts)
            .zip(verdicts)
            .filter(|((_, expected), found)| matches!(found, Verdict::Pass | Verdict::Fail) && expected != found)
            .map(|((rule, expected), found)| format!("{rule} is {found}, may only be {expected} or unknown"))
            .collect();
        (!wrong.is_empty()).then(|| format!("{}: {}", self.row(), wrong.join(", ")))
    }

    /// RFC 5321 asks nothing of the reverse zone, and allows address literals (§4.1.3).
    fn by_the_rfc_alone(&mut self) {
        let literal = self.codes.contains(&Code::HeloIsAddressLiteral);
        for (verdict, rule) in self.verdicts.iter_mut().zip(Rule::ALL) {
            match rule {
                Rule::Reverse => *verdict = Verdict::Na,
                Rule::Fqdn if literal => *verdict = Verdict::Pass,
                _ => {}
            }
        }
    }

    fn row(&self) -> String {
        let exchange = self.exchange.as_ref().map_or_else(|| "no exchange".into(), ToString::to_string);
        let address = self.address.map_or_else(|| "no address".into(), |address| address.to_string());
        format!("{} ({exchange}, {address})", self.target)
    }
}

/// The text of a target: a domain, or address and name.
pub(super) fn target(world: &World, aim: Aim) -> String {
    match aim {
        Aim::Domain(domain) => place::domain_name(domain),
        Aim::Recorded(recorded) => format!("{},{}", world.address(site_of(recorded)), helo(world, recorded)),
    }
}

/// The truths of a target under a profile, in the order a sender would try its servers.
pub(super) fn truths(world: &World, aim: Aim, profile: Profile) -> Vec<Truth> {
    let mut truths = match aim {
        Aim::Recorded(recorded) => {
            let address = world.address(site_of(recorded));
            vec![Truth {
                target: address.to_string(),
                helo: Some(helo(world, recorded)),
                exchange: None,
                address: Some(address),
                verdicts: in_order(recorded.verdicts, Verdict::Na),
                codes: recorded.codes.to_vec(),
                info: Vec::new(),
                open: Vec::new(),
            }]
        }
        Aim::Domain(domain) => match world.shape(domain) {
            Some(shape) => rows(world, domain, shape, profile),
            None => Vec::new(),
        },
    };
    if profile == Profile::Rfc5321 {
        truths.iter_mut().for_each(Truth::by_the_rfc_alone);
    }
    truths
}

fn helo(world: &World, recorded: &Recorded) -> String {
    match recorded.says {
        Says::Name(role) => world.name(site_of(recorded), role),
        Says::Receiver => RECEIVER.to_owned(),
    }
}

fn site_of(recorded: &Recorded) -> Site {
    if recorded.second { Site::Second(recorded.number) } else { Site::Main(recorded.number) }
}

/// From the order of the table of scenarios to that of `Rule::ALL`.
fn in_order([r1, r2, r3, r4, rv, r5]: [Verdict; 6], mx: Verdict) -> [Verdict; Rule::ALL.len()] {
    [r1, r2, r3, r4, r5, rv, mx]
}

/// One exchange of a domain and the servers behind it.
struct Exchange {
    preference: u16,
    to: To,
    name: String,
    servers: Vec<(Site, &'static Server)>,
}

impl Exchange {
    fn is_dead(&self) -> bool {
        !self.servers.is_empty() && self.servers.iter().all(|(_, server)| server.speech.is_dead())
    }
}

/// The rows of a domain.
fn rows(world: &World, domain: Domain, shape: &Shape, profile: Profile) -> Vec<Truth> {
    let exchanges = exchanges(world, domain, shape);
    let mut codes = shape.codes.to_vec();
    let mut info = shape.info.to_vec();
    let mut verdict = shape.verdict;
    let reached = |exchange: &&Exchange| !exchange.servers.is_empty();
    let first = exchanges.iter().map(|exchange| exchange.preference).min();
    let all_dead =
        exchanges.iter().any(|exchange| reached(&exchange)) && exchanges.iter().filter(reached).all(Exchange::is_dead);
    let first_dead = exchanges.iter().any(|exchange| Some(exchange.preference) == first && exchange.is_dead());
    if all_dead {
        codes.push(Code::MxAllUnreachable);
        // A second run, later, would have to agree before it is a failure.
        if verdict == Verdict::Pass {
            verdict = Verdict::Unknown;
        }
    } else if first_dead {
        codes.push(Code::MxPrimaryUnreachable);
    }
    let servers = || exchanges.iter().flat_map(|exchange| &exchange.servers);
    if servers().next().is_some() && !servers().any(|(site, _)| matches!(site, Site::Six(_))) {
        info.push(Code::MxNoIpv6);
    }
    let mut truths = Vec::new();
    for exchange in &exchanges {
        let mut codes = codes.clone();
        codes.extend(exchange.to.codes());
        if exchange.is_dead() && !all_dead && Some(exchange.preference) > first {
            codes.push(Code::MxBackupUnreachable);
        }
        let row = Truth {
            target: place::domain_name(domain),
            helo: None,
            exchange: Some(Name::trusted(exchange.name.clone())),
            address: addressed(domain, exchange.to),
            verdicts: in_order([Verdict::Na; 6], verdict),
            codes,
            info: info.clone(),
            open: Vec::new(),
        };
        if exchange.servers.is_empty() {
            truths.push(row);
        } else {
            let served = exchange.servers.iter();
            truths.extend(
                served.map(|&(site, server)| served_row(row.clone(), world.address(site), site, server, profile)),
            );
        }
    }
    if truths.is_empty() {
        truths.push(Truth {
            target: place::domain_name(domain),
            helo: None,
            exchange: None,
            address: None,
            verdicts: in_order([Verdict::Unknown; 6], verdict),
            codes,
            info,
            open: Vec::new(),
        });
    }
    truths
}

/// The row of a server that is there to be judged.
fn served_row(mut row: Truth, address: IpAddr, site: Site, server: &Server, profile: Profile) -> Truth {
    row.address = Some(address);
    let (verdicts, codes) = match (site, &server.six) {
        (Site::Six(_), Some(six)) => (six.verdicts, six.codes),
        _ => match server.patient.filter(|_| profile == Profile::Patient) {
            Some(patient) => patient,
            None => (server.verdicts, server.codes),
        },
    };
    let [.., mx] = row.verdicts;
    row.verdicts = in_order(verdicts, mx);
    row.codes.extend(codes);
    if server.speech.lacks_starttls() {
        row.codes.push(Code::SmtpNoStarttls);
    }
    row.info.extend(server.info);
    row.open.extend(server.open);
    row
}

/// The exchanges of a domain, those tried first in front; none when the MX question fails.
fn exchanges(world: &World, domain: Domain, shape: &Shape) -> Vec<Exchange> {
    let of = |preference, to, name| Exchange { preference, to, name, servers: servers(world, domain, to) };
    match shape.mail {
        Mail::Servfail => Vec::new(),
        Mail::Implicit => vec![of(0, To::Server, place::domain_name(domain))],
        Mail::Records(records) => {
            records.iter().map(|&(preference, to)| of(preference, to, world.exchange(domain, to))).collect()
        }
    }
}

fn servers(world: &World, domain: Domain, to: To) -> Vec<(Site, &'static Server)> {
    let Some(site) = world.site(domain, to) else { return Vec::new() };
    let six = match (site, to) {
        (Site::Main(number), To::Server) => Some(Site::Six(number)),
        _ => None,
    };
    [Some(site), six].into_iter().flatten().filter_map(|site| Some((site, world.server(site)?))).collect()
}

/// The address of an exchange that leads to nobody's server.
fn addressed(domain: Domain, to: To) -> Option<IpAddr> {
    match to {
        To::Private => Some(IpAddr::V4(place::private(domain))),
        To::Loopback => Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        _ => None,
    }
}
