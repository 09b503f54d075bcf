//! What is meant: defaults with their reasons, and limits derived from the machine.
//! Comes in: the arguments as typed. Goes out: a `Job` that the scan can run as it stands, and the lab it runs in.
//! Whatever cannot be meant is said here, before the first packet.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::json;

use crate::cli::observe::{LogFormat, Observe};
use crate::cli::scan as typed;
use crate::input;
use crate::lab::{self, Lab, Numbering};
use crate::model::address::Allowed;
use crate::model::dnsbl::{List, Quorum};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::target::parse_network;
use crate::model::words::{IntroductionClass, Profile, Severity};
use crate::observe;
use crate::output;
use crate::plan::{self, Shard};
use crate::probe::budget::Pace;
use crate::probe::dnsbl::catalogue;
use crate::probe::smtp::session::{Caller, Limits};
use crate::probe::smtp::tls;
use crate::probe::{self, Families, Wanted, dns};
use crate::scan::progress::Show;
use crate::scan::{Feed, Job};

/// Questions a second in all: what one recursive resolver on a small machine answers without effort.
const DNS_RATE: f64 = 5_000.0;
/// New connections a second in all, and per network and provider: what receivers tolerate from an unknown client.
const SMTP_RATE: f64 = 50.0;
const NETWORK_RATE: f64 = 1.0;
const PROVIDER_RATE: f64 = 2.0;
/// Questions a second per blocklist: what their operators ask of small users.
const DNSBL_RATE: f64 = 5.0;
/// Sockets at a time. More would not be faster at the rate above, and the lab needs the other half of each connection.
const SOCKETS: usize = 500;
const LAB_SOCKETS: usize = 1_000;
/// Questions at a time to the lab's resolver.
const LAB_QUESTIONS: usize = 200;
/// Targets in flight: most of them wait for DNS.
const IN_FLIGHT: usize = 1_000;
/// Targets in flight per MiB of memory: the evidence of one that waits is some 20 KiB.
const IN_FLIGHT_PER_MIB: usize = 50;
/// Descriptors for everything that is no SMTP connection: files, resolver sockets, the runtime.
const OTHER_DESCRIPTORS: u64 = 200;
/// Patience with a resolver over all repetitions: one recursive resolver's own patience with the world.
const DNS_PATIENCE: Duration = Duration::from_secs(15);

/// What cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to do.
    #[error("no targets: name some, give a list with --input, or try the built-in world with --lab")]
    NoTargets,
    /// The name we greet with is no FQDN.
    #[error("this scanner must greet with its own FQDN, and {name:?} is none ({class}); give one with --helo")]
    Helo {
        /// The name.
        name: String,
        /// Why not.
        class: IntroductionClass,
    },
    /// `--allow-special`.
    #[error("--allow-special {0:?} is neither a network nor `all`")]
    AllowSpecial(String),
    /// `--relay`.
    #[error("--relay {0:?} is no network")]
    Relay(String),
    /// A rate below zero, or no number.
    #[error("{option} {rate} is no rate: give a number per second, or 0 for unlimited")]
    Rate {
        /// The option.
        option: &'static str,
        /// What it was given.
        rate: f64,
    },
    /// `--concurrency 0`.
    #[error("--concurrency must be at least 1")]
    Concurrency,
    /// The system's resolver configuration.
    #[error("cannot find the system's resolver; name one with --resolver")]
    Resolver(#[source] dns::Error),
    /// The blocklists.
    #[error("cannot use the blocklists")]
    Lists(#[from] catalogue::Error),
    /// The exclusions.
    #[error("cannot keep the exclusions")]
    Exclusions(#[from] plan::Error),
    /// `--shard`.
    #[error("cannot take a share of the list")]
    Shard(#[from] plan::ShardError),
    /// The TLS client.
    #[error("cannot set up TLS")]
    Tls(#[from] tls::Error),
    /// The loopback world.
    #[error("cannot start the lab")]
    Lab(#[from] lab::Error),
    /// Too few descriptors to do anything.
    #[error("only {0} file descriptors are allowed (ulimit -n); at least 256 are needed")]
    Descriptors(u64),
}

/// A job and the world it needs.
#[derive(Debug)]
pub struct Meant {
    /// What to run.
    pub job: Job,
    /// The lab, which lives as long as this does.
    pub lab: Option<Lab>,
    /// What was derived from the machine and is worth saying.
    pub notes: Vec<String>,
}

/// Turns arguments into a job, and starts the lab when they ask for it.
pub async fn scan(args: typed::Scan) -> Result<Meant, Error> {
    let lab =
        if args.lab { Some(Lab::start(world(args.seed, args.lab_domains, args.lab_servers)).await?) } else { None };
    scan_in(args, lab)
}

/// Turns arguments into a job in this lab, or in the real world.
pub fn scan_in(args: typed::Scan, lab: Option<Lab>) -> Result<Meant, Error> {
    let world = lab.as_ref();
    let configuration = configuration(&args);
    let feeds = feeds(&args, world)?;
    let naming = Naming { lab: world.is_some() };
    let (lists, quorum) = lists(&args, world)?;
    let (descriptors, mut notes) = descriptors()?;
    // In the lab both ends of a connection are ours.
    let ends = if world.is_some() { 2 } else { 1 };
    let wanted_sockets = if world.is_some() { LAB_SOCKETS } else { SOCKETS };
    let sockets =
        usize::try_from((descriptors - OTHER_DESCRIPTORS) / ends).unwrap_or(wanted_sockets).min(wanted_sockets);
    if sockets < wanted_sockets {
        notes.push(format!("{descriptors} file descriptors (ulimit -n): at most {sockets} SMTP sessions at a time"));
    }
    let derived = IN_FLIGHT.min(sockets * 4).min(usize::try_from(args.memory).unwrap_or(IN_FLIGHT) * IN_FLIGHT_PER_MIB);
    let concurrency = args.concurrency.unwrap_or_else(|| derived.max(1));
    if concurrency == 0 {
        return Err(Error::Concurrency);
    }
    let rate = |option, given: Option<f64>, default: f64| match given {
        Some(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        Some(rate) => Err(Error::Rate { option, rate }),
        None if world.is_some() => Ok(0.0),
        None => Ok(default),
    };
    let upstreams = match world {
        Some(lab) if args.resolver.is_empty() => vec![lab.resolver()],
        _ if args.resolver.is_empty() => dns::system_upstreams().map_err(Error::Resolver)?,
        _ => args.resolver.clone(),
    };
    let profile = profile(args.profile);
    let exclusions = Arc::new(plan::exclude::read(&args.exclude)?);
    let job = Job {
        feeds,
        input: input::Options { column: args.column.clone(), helo_column: args.helo_column.clone() },
        plan: plan::Settings {
            exclusions: Arc::clone(&exclusions),
            shard: args.shard.as_deref().map(str::parse::<Shard>).transpose()?,
            seed: args.seed,
        },
        dns: dns::Settings {
            upstreams,
            timeout: args.dns_timeout.unwrap_or(DNS_PATIENCE),
            pace: Arc::new(Pace::per_second(rate("--dns-rate", args.dns_rate, DNS_RATE)?)),
            // The lab's resolver has a socket buffer of the default size, which a larger burst would overflow.
            in_flight: if world.is_some() { LAB_QUESTIONS } else { dns::Settings::default().in_flight },
            ..dns::Settings::default()
        },
        probe: probe::Settings {
            wanted: wanted(&args),
            families: Families { v4: !args.ipv6_only, v6: !args.ipv4_only },
            allowed: Allowed::new(allowed(&args.allow_special, world)?),
            exclusions,
            naming,
            caller: caller(&args, profile, naming, world)?,
            port: args.port.unwrap_or_else(|| world.map_or(25, Lab::port)),
            endpoint: endpoint(world),
            lists,
            smtp_rate: rate("--smtp-rate", args.smtp_rate, SMTP_RATE)?,
            sockets,
            per_network: rate("--per-network", args.per_network, NETWORK_RATE)?,
            per_provider: rate("--per-provider", args.per_provider, PROVIDER_RATE)?,
            dnsbl_rate: rate("--dnsbl-rate", args.dnsbl_rate, DNSBL_RATE)?,
            memory: args.memory.max(1) * 1024 * 1024,
            scratch: scratch(&args),
        },
        profile,
        quorum,
        seed: args.seed,
        rejects: rejects(&args),
        format: output::Options { format: args.format.map(format), csv_raw: args.csv_raw },
        output: args.output.filter(|path| path != Path::new("-")),
        targets: args.targets,
        concurrency,
        in_order: args.order == Some(typed::Order::Input),
        show: show(args.progress),
        quiet: args.quiet,
        verbose: args.verbose,
        colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        fail_on: match args.fail_on {
            typed::FailOn::Error => Some(Severity::Error),
            typed::FailOn::Warning => Some(Severity::Warning),
            typed::FailOn::Never => None,
        },
        configuration,
    };
    Ok(Meant { job, lab, notes })
}

fn feeds(args: &typed::Scan, lab: Option<&Lab>) -> Result<Vec<Feed>, Error> {
    if args.targets.is_empty() && args.input.is_empty() {
        let lab = lab.ok_or(Error::NoTargets)?;
        return Ok(vec![Feed::Lines {
            name: "lab".to_owned(),
            lines: Box::new(targets(lab)),
            count: args.lab_domains,
        }]);
    }
    Ok(args.input.iter().cloned().map(Feed::File).collect())
}

fn lists(args: &typed::Scan, lab: Option<&Lab>) -> Result<(Arc<[List]>, Quorum), Error> {
    if let Some(lab) = lab
        && args.dnsbl.is_empty()
        && args.dnsbl_file.is_empty()
        && !args.no_dnsbl
    {
        let (lists, quorum) = lab.lists();
        return Ok((lists.into(), quorum));
    }
    let request = catalogue::Request { zones: args.dnsbl.clone(), files: args.dnsbl_file.clone(), none: args.no_dnsbl };
    let chosen = catalogue::choose(&request)?;
    Ok((chosen.lists.into(), chosen.quorum))
}

/// Raises the soft limit to the hard one; says how many descriptors there are.
fn descriptors() -> Result<(u64, Vec<String>), Error> {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    if limit < 256 {
        return Err(Error::Descriptors(limit));
    }
    Ok((limit, Vec::new()))
}

fn wanted(args: &typed::Scan) -> Wanted {
    if args.probes.is_empty() {
        return Wanted { dnsbl: !args.no_dnsbl, ..Wanted::ALL };
    }
    let has = |probe| args.probes.contains(&probe);
    Wanted {
        mx: has(typed::Probe::Mx),
        ptr: has(typed::Probe::Ptr),
        smtp: has(typed::Probe::Smtp),
        dnsbl: has(typed::Probe::Dnsbl) && !args.no_dnsbl,
    }
}

/// What reading logs has to do, by the options typed.
pub fn observe(args: Observe) -> Result<observe::Job, Error> {
    let relay = |text: &String| parse_network(text).ok_or_else(|| Error::Relay(text.clone()));
    Ok(observe::Job {
        allowed: Allowed::new(allowed(&args.allow_special, None)?),
        relays: args.relay.iter().map(relay).collect::<Result<_, _>>()?,
        logs: args.logs,
        format: match args.format {
            LogFormat::Auto => observe::Format::Auto,
            LogFormat::Postfix => observe::Format::Postfix,
            LogFormat::Exim => observe::Format::Exim,
            LogFormat::Sendmail => observe::Format::Sendmail,
            LogFormat::Exchange => observe::Format::Exchange,
            LogFormat::Received => observe::Format::Received,
        },
        output: args.output,
    })
}

fn allowed(typed: &[String], lab: Option<&Lab>) -> Result<Vec<IpNet>, Error> {
    let mut networks = lab.map(Lab::networks).unwrap_or_default();
    for text in typed {
        if text == "all" {
            networks.extend(["0.0.0.0/0", "::/0"].map(|all| all.parse::<IpNet>().expect("a network")));
        } else {
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
            networks.push(network.map_err(|_| Error::AllowSpecial(text.clone()))?);
        }
    }
    Ok(networks)
}

fn caller(args: &typed::Scan, profile: Profile, naming: Naming, lab: Option<&Lab>) -> Result<Caller, Error> {
    let helo = match (&args.helo, lab) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "scanner.lab.test".to_owned(),
        (None, None) => own_name(),
    };
    let (class, _) = naming.classify(helo.as_bytes());
    // A placeholder is bogus as an introduction, but whoever scans only his own laboratory may well be called so.
    let name = Name::parse(&helo).ok().filter(|_| {
        matches!(class, IntroductionClass::Fqdn | IntroductionClass::SpecialUse | IntroductionClass::ExampleDomain)
    });
    let name = name.ok_or(Error::Helo { name: helo, class })?;
    let limits = Limits::of(profile);
    let limits = Limits {
        connect: args.connect_timeout.unwrap_or(limits.connect),
        greeting: args.greeting_timeout.unwrap_or(limits.greeting),
        session: args.session_timeout.unwrap_or(limits.session),
        ..limits
    };
    let roots = lab.map(Lab::roots).unwrap_or_default();
    let tls = if args.no_starttls { None } else { Some(Arc::new(tls::Client::new(&roots)?)) };
    Ok(Caller { helo: name, tls, limits, naming })
}

/// This machine's name, as the kernel has it.
fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn endpoint(lab: Option<&Lab>) -> probe::Endpoint {
    match lab.map(Lab::map) {
        Some(map) => Arc::new(move |address, port| map.endpoint(address, port)),
        None => Arc::new(|address, port| (address, port).into()),
    }
}

/// Where a file without a name may grow: beside the output, which needs room anyway, else where such files go.
fn scratch(args: &typed::Scan) -> PathBuf {
    let output = args.output.as_ref().filter(|path| path.as_path() != Path::new("-"));
    let folder = output.and_then(|path| path.parent()).filter(|folder| !folder.as_os_str().is_empty());
    match (output, folder) {
        (_, Some(folder)) => folder.to_owned(),
        (Some(_), None) => PathBuf::from("."),
        (None, None) => std::env::temp_dir(),
    }
}

fn rejects(args: &typed::Scan) -> Option<PathBuf> {
    args.rejects.clone().or_else(|| {
        let output = args.output.as_ref().filter(|path| path.as_path() != Path::new("-"))?;
        let mut name = output.clone().into_os_string();
        name.push(".rejects.csv");
        Some(PathBuf::from(name))
    })
}

const fn profile(typed: typed::Profile) -> Profile {
    match typed {
        typed::Profile::Census => Profile::Census,
        typed::Profile::Patient => Profile::Patient,
        typed::Profile::Rfc5321 => Profile::Rfc5321,
    }
}

const fn format(typed: typed::Format) -> output::Format {
    match typed {
        typed::Format::Csv => output::Format::Csv,
        typed::Format::Jsonl => output::Format::Jsonl,
        typed::Format::Parquet => output::Format::Parquet,
    }
}

const fn show(typed: typed::Progress) -> Show {
    match typed {
        typed::Progress::Auto => Show::Auto,
        typed::Progress::Bar => Show::Bar,
        typed::Progress::Plain => Show::Plain,
        typed::Progress::None => Show::None,
    }
}

/// The options as they were given, for the manifest. A blocklist's zone may hold a key, so only its redacted form goes in.
fn configuration(args: &typed::Scan) -> serde_json::Value {
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    json!({
        "targets": args.targets,
        "input": paths(&args.input),
        "column": args.column,
        "helo-column": args.helo_column,
        "exclude": paths(&args.exclude),
        "shard": args.shard,
        "output": args.output.as_ref().map(|path| path.display().to_string()),
        "order": args.order.map(|_| "input"),
        "resolver": args.resolver.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "port": args.port,
        "helo": args.helo,
        "dnsbl": args.dnsbl.iter().map(|zone| catalogue::redacted(zone)).collect::<Vec<_>>(),
        "dnsbl-file": paths(&args.dnsbl_file),
        "no-dnsbl": args.no_dnsbl,
        "allow-special": args.allow_special,
        "ipv4-only": args.ipv4_only,
        "ipv6-only": args.ipv6_only,
        "no-starttls": args.no_starttls,
        "probes": args.probes.iter().map(|probe| format!("{probe:?}").to_lowercase()).collect::<Vec<_>>(),
        "profile": profile(args.profile).as_str(),
        "concurrency": args.concurrency,
        "dns-rate": args.dns_rate,
        "smtp-rate": args.smtp_rate,
        "dnsbl-rate": args.dnsbl_rate,
        "per-network": args.per_network,
        "per-provider": args.per_provider,
        "connect-timeout": args.connect_timeout.map(|limit| limit.as_secs_f64()),
        "greeting-timeout": args.greeting_timeout.map(|limit| limit.as_secs_f64()),
        "session-timeout": args.session_timeout.map(|limit| limit.as_secs_f64()),
        "dns-timeout": args.dns_timeout.map(|limit| limit.as_secs_f64()),
        "memory": args.memory,
        "lab": args.lab.then(|| json!({ "domains": args.lab_domains, "servers": args.lab_servers })),
        "seed": args.seed,
    })
}

/// The settings of a lab.
fn world(seed: u64, domains: u64, servers: Option<u32>) -> lab::Settings {
    let settings = lab::Settings::new(seed, domains);
    lab::Settings { servers: servers.unwrap_or(settings.servers), ..settings }
}

/// The settings of a lab that outside tools reach: its addresses are the loopback addresses themselves.
pub fn lab_for_tools(seed: u64, domains: u64, servers: Option<u32>) -> lab::Settings {
    lab::Settings { numbering: Numbering::Loopback, ..world(seed, domains, servers) }
}

/// A lab's own list as CSV, with the header that tells recorded introductions apart.
pub fn targets(lab: &Lab) -> impl Iterator<Item = String> + Send + use<> {
    std::iter::once("target,helo".to_owned()).chain(lab.targets())
}
