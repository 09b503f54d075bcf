//! What `doctor` has to examine, by the options typed.
//! Comes in: the arguments. Goes out: a `Job`, and the lab whose machine it is about.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{
    DNS_PATIENCE, DNSBL_RATE, Error, LAB_QUESTIONS, LEAST_DESCRIPTORS, OTHER_DESCRIPTORS, SOCKETS, allowed,
    colour_wanted, endpoint, greetable, lists_of, own_name, state, system_upstreams, tables,
};
use crate::cli::doctor::{Doctor, DoctorFailOn, DoctorFormat};
use crate::doctor as room;
use crate::lab::{self, Lab};
use crate::model::address::Allowed;
use crate::model::dns::{Question, RecordType};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::words::Profile;
use crate::probe::dnsbl::catalogue::Chosen;
use crate::probe::smtp::session::{Caller, Limits};
use crate::probe::smtp::tls;
use crate::probe::{Families, dns};

/// What to examine, by the options typed, and the lab it stands in.
pub async fn doctor(args: &Doctor) -> Result<(room::Job, Option<Lab>), Error> {
    let lab = if args.lab { Some(Lab::start(lab::Settings::default()).await?) } else { None };
    let world = lab.as_ref();
    let tables = tables(&args.tables)?;
    let naming = if world.is_some() { Naming::in_lab() } else { Naming::built_in() }.by(tables);
    let Chosen { lists, terms, .. } = lists_of(&args.dnsbl, &args.dnsbl_file, args.no_dnsbl, world)?;
    // The lab's machine is that of its first server.
    let first = world.and_then(|lab| lab.truth().find(|truth| truth.address.is_some() && truth.exchange.is_some()));
    let helo = args.helo.clone().or_else(|| first.as_ref()?.exchange.as_ref().map(ToString::to_string));
    let helo = helo.unwrap_or_else(own_name);
    let addresses = match &args.address[..] {
        [] => first.and_then(|truth| truth.address).into_iter().collect(),
        given => given.to_vec(),
    };
    let name = |text: &str| Name::parse(text).map_err(|_| Error::Bogus(text.to_owned()));
    let (signed, bogus) = match world {
        // Names of its scenarios.
        Some(_) => ((name("s64.lab.test")?, RecordType::Mx), name("mail.bogus.s24.lab.test")?),
        None => ((Name::root(), RecordType::Soa), name("dnssec-failed.org")?),
    };
    let bogus = args.bogus.as_deref().map(name).transpose()?.unwrap_or(bogus);
    let caller = caller_of_doctor(&helo, naming, world)?;
    let job = room::Job {
        resolvers: match world {
            _ if !args.resolver.is_empty() => args.resolver.clone(),
            Some(lab) => vec![lab.resolver().into()],
            None => system_upstreams()?,
        },
        timeout: args.dns_timeout.unwrap_or(DNS_PATIENCE),
        in_flight: if world.is_some() { LAB_QUESTIONS } else { dns::Settings::default().in_flight },
        families: Families { v4: !args.ipv6_only, v6: !args.ipv4_only },
        addresses,
        helo,
        naming,
        allowed: Allowed::new(allowed(&args.allow_special, world)?),
        state: (world.is_none() && !lists.is_empty()).then(|| state(args.state.as_deref())),
        lists,
        terms,
        dnsbl_rate: if world.is_some() { 0.0 } else { DNSBL_RATE },
        signed: Question { name: signed.0, kind: signed.1 },
        bogus: Question { name: bogus, kind: RecordType::A },
        burst: args.rate_test,
        peer: args.port25.as_deref().map(peer).transpose()?,
        caller,
        endpoint: endpoint(world),
        needs: room::Needs { least: LEAST_DESCRIPTORS, others: OTHER_DESCRIPTORS, sessions: SOCKETS as u64 },
        format: match args.format {
            DoctorFormat::Text => room::Format::Text,
            DoctorFormat::Json => room::Format::Json,
        },
        quiet: args.quiet,
        colour: std::io::stdout().is_terminal() && colour_wanted(),
        fail_on: match args.fail_on {
            DoctorFailOn::Fault => Some(room::Status::Fault),
            DoctorFailOn::Warning => Some(room::Status::Warning),
            DoctorFailOn::Never => None,
        },
    };
    Ok((job, lab))
}

/// How the one server is greeted that may be dialled; not at all by a name that is none, which is the fault to mend first.
fn caller_of_doctor(helo: &str, naming: Naming, lab: Option<&Lab>) -> Result<Option<Caller>, Error> {
    let Some(name) = greetable(helo, naming) else { return Ok(None) };
    let roots = lab.map(Lab::roots).unwrap_or_default();
    let tls = Some(Arc::new(tls::Client::new(&roots)?));
    Ok(Some(Caller { helo: name, tls, limits: Limits::of(Profile::Census), naming }))
}

/// A server as it is typed.
fn peer(text: &str) -> Result<room::Peer, Error> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(room::Peer::Address(address));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(room::Peer::Address((address, 25).into()));
    }
    let wrong = || Error::Peer(text.to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
        None => (text, 25),
    };
    Ok(room::Peer::Name(Name::parse(host).map_err(|_| wrong())?, port))
}
