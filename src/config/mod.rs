//! What is meant: defaults with their reasons, and limits derived from the machine.
//! Comes in: the arguments as typed. Goes out: a `Job` that the scan can run as it stands, and the lab it runs in.
//! Whatever cannot be meant is said here, before the first packet.
//! Longer than most: it is the one place where every option meets its default and the reason for it.

mod doctor;
mod files;

use std::fs::{self, File};
use std::io::{IsTerminal as _, Read as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::json;

pub use self::doctor::doctor;
use self::files::{apart, files_of_output, unread};
use crate::cli::diff::{Diff, DiffFormat};
use crate::cli::judge::Judge;
use crate::cli::lab as typed_lab;
use crate::cli::lists::{Lists, ListsFormat};
use crate::cli::merge::Merge;
use crate::cli::observe::{LogFormat, Observe};
use crate::cli::report::{Report, ReportFormat};
use crate::cli::rows;
use crate::cli::scan as typed;
use crate::cli::tables::Tables as Folder;
use crate::input;
use crate::lab::farm::{self, MODES, Mode};
use crate::lab::{self, Lab, Numbering};
use crate::lists;
use crate::model::address::Allowed;
use crate::model::alike;
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::tables::{self, Given, Table, Tables};
use crate::model::target::{Receiver, parse_network};
use crate::model::words::{IntroductionClass, Profile, Severity};
use crate::observe;
use crate::output;
use crate::plan::{self, Shard};
use crate::probe::budget::Pace;
use crate::probe::dnsbl::catalogue::{self, Chosen};
use crate::probe::dnsbl::ledger::Ledger;
use crate::probe::dnsbl::panel::Panel;
use crate::probe::smtp::session::{Caller, Limits};
use crate::probe::smtp::tls;
use crate::probe::{self, Again, Families, Wanted, dns};
use crate::scan::progress::Show;
use crate::scan::{Changes, Feed, Job, diff, merge, rejudge, report};

/// Questions a second in all: what one recursive resolver on a small machine answers without effort.
const DNS_RATE: f64 = 5_000.0;
/// New connections a second in all, and per network and provider: what receivers tolerate from an unknown client.
const SMTP_RATE: f64 = 50.0;
const NETWORK_RATE: f64 = 1.0;
const PROVIDER_RATE: f64 = 2.0;
/// Between two passes over a target: greylisting receivers expect a client again after some minutes, and those that turned it
/// away after more.
const RETRY_AFTER: Duration = Duration::from_secs(20 * 60);
/// Between two checkpoints: what a run that is killed has to do again, and the time that a slow disk takes, stay under ten
/// seconds.
const CHECKPOINT: Duration = Duration::from_secs(3);
/// Questions a second per blocklist: what their operators ask of small users.
const DNSBL_RATE: f64 = 5.0;
/// Sockets at a time, unless more targets than that are wanted in flight. More would not be faster at the rate above, and the
/// lab needs the other half of each connection.
const SOCKETS: usize = 500;
const LAB_SOCKETS: usize = 1_000;
/// Questions at a time to the lab's resolver, at the start.
const LAB_QUESTIONS: usize = 200;
/// Targets in flight: most of them wait for DNS.
const IN_FLIGHT: usize = 1_000;
/// Targets in flight per MiB of memory: the evidence of one that waits is some 20 KiB.
const IN_FLIGHT_PER_MIB: usize = 50;
/// Threads that hold sessions: each holds thousands a second, and takes a few descriptors.
const MOST_LANES: usize = 16;
/// Descriptors for everything that is no SMTP connection: files, resolver sockets, the runtime.
const OTHER_DESCRIPTORS: u64 = 200;
/// Fewer in all, and there is nothing to be done with them.
const LEAST_DESCRIPTORS: u64 = 256;
/// Patience with a resolver over all repetitions: one recursive resolver's own patience with the world.
const DNS_PATIENCE: Duration = Duration::from_secs(15);

/// The largest --concurrency: each target in flight costs memory, and no machine has sockets for more.
const MOST_IN_FLIGHT: usize = 1_000_000;
/// Octets of a table that a run reads; the largest, the Public Suffix List, has a third of a MiB.
const LONGEST_TABLE: u64 = 16 * 1024 * 1024;
/// The largest --memory, a TiB.
const MOST_MEMORY: u64 = 1024 * 1024;

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
    #[error("--allow-special {0:?} is neither a network nor `all`: write one such as 10.0.0.0/8")]
    AllowSpecial(String),
    /// Changes into a file whose name says another form.
    #[error("changes are told as text, csv or jsonl, and the name of {} does not go with that; end it in .txt, .csv or .jsonl", .0.display())]
    ChangesName(PathBuf),
    /// A report into a file whose name says another form, or none.
    #[error("a report is told as text, html, json or csv, and the name of {} does not go with that: end it in .txt, .html, .json or .csv, or give --format", .0.display())]
    ReportName(PathBuf),
    /// `--relay`.
    #[error("--relay {0:?} is no network: write one such as 192.0.2.0/24")]
    Relay(String),
    /// `--port25`.
    #[error("--port25 {0:?} is no server: write a host name or an address, with or without a port")]
    Peer(String),
    /// `--bogus`.
    #[error("--bogus {0:?} is no domain name: write one such as dnssec-failed.org")]
    Bogus(String),
    /// `--receiver`.
    #[error("--receiver {0:?} is neither a host name nor an address: write one such as mx.example.org or 192.0.2.25")]
    Receiver(String),
    /// A rate below zero, or no number.
    #[error("{option} {rate} is no rate: give a number per second, or 0 for unlimited")]
    Rate {
        /// The option.
        option: &'static str,
        /// What it was given.
        rate: f64,
    },
    /// A number that the machine could not hold, or none.
    #[error("{option} must be from 1 to {most}")]
    Number {
        /// The option.
        option: &'static str,
        /// Its largest value.
        most: u64,
    },
    /// A file that is read would be replaced or removed.
    #[error("{} is read by {reader} and would be overwritten by {writer}; choose another name", path.display())]
    Overwrites {
        /// The file.
        path: PathBuf,
        /// The option that reads it.
        reader: &'static str,
        /// The option that writes it.
        writer: &'static str,
    },
    /// Two outputs under one name.
    #[error("--rejects {} is also a file of the output; choose another name", .0.display())]
    RejectsAreOutput(PathBuf),
    /// Two outputs under one name.
    #[error("--evidence {} is also a file of the output or the rejects; choose another name", .0.display())]
    EvidenceIsOutput(PathBuf),
    /// Two outputs under one name.
    #[error("--metrics {} is also a file of the output, the rejects or the evidence; choose another name", .0.display())]
    MetricsAreOutput(PathBuf),
    /// `--evidence` names no form that evidence has.
    #[error(transparent)]
    Evidence(#[from] output::Error),
    /// `--quorum`.
    #[error("--quorum {0} is no weight: give a number above 0, such as 0.9")]
    Quorum(f32),
    /// `--rejects` names no place for a file.
    #[error("cannot write the rejects to {}: it is a directory, or its directory is missing; name a file in one that exists", .0.display())]
    RejectsPlace(PathBuf),
    /// `--resume` without a file to go on with.
    #[error("--resume goes on with a file: name the output of the interrupted run with --output")]
    ResumesNothing,
    /// Standard input, twice.
    #[error("standard input (`-`) can be read only once: give the other list as a file")]
    StdinTwice,
    /// The system's resolver configuration.
    #[error("cannot find the system's resolver; name one with --resolver")]
    Resolver(#[source] dns::Error),
    /// The blocklists.
    #[error(transparent)]
    Lists(#[from] catalogue::Error),
    /// The exclusions.
    #[error(transparent)]
    Exclusions(#[from] plan::Error),
    /// A table of `--tables` makes no sense.
    #[error(transparent)]
    Table(#[from] tables::Error),
    /// A file of `--tables` that is no table.
    #[error("{} is no table of names; --tables takes {}", .0.display(), Table::WORDS.join(", "))]
    NoTable(PathBuf),
    /// A table of `--tables`, or the directory, cannot be read.
    #[error("cannot read {}, given by --tables", path.display())]
    ReadTable {
        /// The file or the directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `--shard`.
    #[error("--shard takes K/N, such as 1/4")]
    Shard(#[from] plan::ShardError),
    /// The TLS client.
    #[error("cannot set up TLS")]
    Tls(#[from] tls::Error),
    /// The loopback world.
    #[error("cannot start the lab")]
    Lab(#[from] lab::Error),
    /// `--hostile`.
    #[error("there is no hostile mode {name:?}{hint}; `mxcensus lab --hostile --list` names them")]
    NoMode {
        /// What was asked for.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// `--authority`.
    #[error("cannot write {}, given by --authority", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Too few descriptors to do anything.
    #[error(
        "only {0} file descriptors are allowed (ulimit -n); at least 256 are needed: raise the limit, such as by `ulimit -n 4096`"
    )]
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
    apart(&args)?;
    let tables = tables(&args.tables)?;
    let configuration = configuration(&args, tables);
    if !(1..=MOST_MEMORY).contains(&args.memory) {
        return Err(Error::Number { option: "--memory", most: MOST_MEMORY });
    }
    let feeds = feeds(&args, world)?;
    let naming = if world.is_some() { Naming::in_lab() } else { Naming::built_in() }.by(tables);
    let Chosen { lists, terms, quorum } = lists_of(&args.dnsbl, &args.dnsbl_file, args.no_dnsbl, world)?;
    // The lab's lists are nobody's, and may be asked as much as one likes.
    let budgeted = world.is_none() && wanted(&args).dnsbl && !lists.is_empty();
    let ledger = budgeted.then(|| Ledger::new(&state(args.state.as_deref()), &lists, &terms));
    let (descriptors, mut notes) = descriptors()?;
    strangers(&args.dnsbl, &mut notes);
    let sockets = sockets(descriptors, args.concurrency, world.is_some(), &mut notes);
    let derived = IN_FLIGHT.min(sockets * 4).min(usize::try_from(args.memory).unwrap_or(IN_FLIGHT) * IN_FLIGHT_PER_MIB);
    let concurrency = args.concurrency.unwrap_or_else(|| derived.max(1));
    if !(1..=MOST_IN_FLIGHT).contains(&concurrency) {
        return Err(Error::Number { option: "--concurrency", most: MOST_IN_FLIGHT as u64 });
    }
    let rate = |option, given: Option<f64>, default: f64| match given {
        Some(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        Some(rate) => Err(Error::Rate { option, rate }),
        None if world.is_some() => Ok(0.0),
        None => Ok(default),
    };
    let upstreams = upstreams(&args.resolver, world)?;
    let families = Families { v4: !args.ipv6_only, v6: !args.ipv4_only };
    let routed = routed(families, world, &mut notes);
    let profile = profile(args.profile);
    let exclusions = Arc::new(plan::exclude::read(&args.exclude)?);
    let job = Job {
        feeds,
        input: input::Options { column: args.column.clone(), helo_column: args.helo_column.clone() },
        plan: plan::Settings {
            exclusions: Arc::clone(&exclusions),
            naming,
            shard: args.shard.as_deref().map(str::parse::<Shard>).transpose()?,
            seed: args.seed,
        },
        dns: dns::Settings {
            upstreams,
            timeout: args.dns_timeout.unwrap_or(DNS_PATIENCE),
            pace: Arc::new(Pace::per_second(rate("--dns-rate", args.dns_rate, DNS_RATE)?)),
            per_upstream: rate("--per-resolver", args.per_resolver, 0.0)?,
            // The lab's resolver has a socket buffer of the default size, which a larger burst at the start would overflow.
            in_flight: if world.is_some() { LAB_QUESTIONS } else { dns::Settings::default().in_flight },
            ..dns::Settings::default()
        },
        probe: probe::Settings {
            wanted: wanted(&args),
            families,
            routed,
            allowed: Allowed::new(allowed(&args.allow_special, world)?),
            exclusions,
            naming,
            caller: Arc::new(caller(&args, profile, naming, world)?),
            lanes: thread::available_parallelism().map_or(1, NonZero::get).min(MOST_LANES),
            port: args.port.unwrap_or(25),
            endpoint: endpoint(world),
            lists: lists.into(),
            terms,
            ledger,
            smtp_rate: rate("--smtp-rate", args.smtp_rate, SMTP_RATE)?,
            sockets,
            again: Again { times: args.retries, after: args.retry_after.unwrap_or(RETRY_AFTER) },
            per_network: rate("--per-network", args.per_network, NETWORK_RATE)?,
            per_provider: rate("--per-provider", args.per_provider, PROVIDER_RATE)?,
            dnsbl_rate: rate("--dnsbl-rate", args.dnsbl_rate, DNSBL_RATE)?,
            memory: args.memory * 1024 * 1024,
            scratch: scratch(&args),
        },
        profile,
        quorum,
        receivers: receivers(&args.receiver, world)?,
        seed: args.seed,
        rejects: rejects(&args),
        format: output::Options { format: args.rows.format.map(format), csv_raw: args.rows.csv_raw },
        sink: None,
        output: args.rows.output.filter(|path| path != Path::new("-")),
        evidence: args.evidence,
        previous: args.previous,
        targets: args.targets,
        concurrency,
        descriptors,
        metrics: args.metrics,
        resume: args.resume,
        force: args.force,
        checkpoint: args.checkpoint.unwrap_or(CHECKPOINT),
        in_order: args.order == Some(typed::Order::Input),
        show: show(args.progress),
        quiet: args.rows.quiet,
        verbose: args.verbose,
        colour: colour(),
        fail_on: fail_on(args.rows.fail_on),
        configuration,
    };
    Ok(Meant { job, lab, notes })
}

/// The resolvers that were named, or else the lab's, or else the system's.
fn upstreams(named: &[dns::Server], world: Option<&Lab>) -> Result<Vec<dns::Server>, Error> {
    Ok(match world {
        _ if !named.is_empty() => named.to_vec(),
        Some(lab) => vec![lab.resolver().into()],
        None => system_upstreams()?,
    })
}

/// How many SMTP sessions may be open at a time.
fn sockets(descriptors: u64, concurrency: Option<usize>, in_lab: bool, notes: &mut Vec<String>) -> usize {
    // In the lab both ends of a connection are ours.
    let (ends, usual) = if in_lab { (2, LAB_SOCKETS) } else { (1, SOCKETS) };
    // Who asks for many targets in flight has lifted the rates, or waits for servers that never answer.
    let wanted = concurrency.map_or(usual, |given| given.clamp(usual, MOST_IN_FLIGHT));
    let sockets = usize::try_from((descriptors - OTHER_DESCRIPTORS) / ends).unwrap_or(wanted).min(wanted);
    if sockets < wanted {
        notes.push(format!("{descriptors} file descriptors (ulimit -n): at most {sockets} SMTP sessions at a time"));
    }
    sockets
}

/// What judging stored evidence again has to do, by the options typed.
pub fn judge(args: Judge) -> Result<rejudge::Job, Error> {
    let stdin = |path: &&PathBuf| path.as_os_str() == "-";
    if args.evidence.iter().chain(&args.previous).filter(stdin).count() > 1 {
        return Err(Error::StdinTwice);
    }
    let outputs = args.rows.output.as_deref().map(files_of_output).unwrap_or_default();
    unread(&[("EVIDENCE", &args.evidence), ("--previous", &args.previous)], &[("--output", &outputs)])?;
    if let Some(weight) = args.quorum.filter(|weight| !(weight.is_finite() && *weight > 0.0)) {
        return Err(Error::Quorum(weight));
    }
    let changes = Changes {
        profile: args.profile.map(profile),
        quorum: args.quorum,
        tables: args.tables.folder.is_some().then(|| tables(&args.tables)).transpose()?,
        receivers: receivers(&args.receiver, None)?,
        allowed: allowed(&args.allow_special, None)?,
    };
    let in_force = in_force(changes.tables.unwrap_or_else(Tables::built_in));
    let configuration = json!({
        "command": "judge",
        "evidence": paths(&args.evidence),
        "output": shown(args.rows.output.as_ref()),
        "format": args.rows.format.map(|typed| format(typed).as_str()),
        "csv-raw": args.rows.csv_raw,
        "fail-on": format!("{:?}", args.rows.fail_on).to_lowercase(),
        "profile": changes.profile.map(Profile::as_str),
        "quorum": args.quorum,
        "allow-special": args.allow_special,
        "receiver": args.receiver,
        "tables": in_force,
        "previous": paths(&args.previous),
    });
    Ok(rejudge::Job {
        evidence: args.evidence,
        changes,
        previous: args.previous,
        output: args.rows.output.filter(|path| path != Path::new("-")),
        format: output::Options { format: args.rows.format.map(format), csv_raw: args.rows.csv_raw },
        quiet: args.rows.quiet,
        verbose: args.verbose,
        colour: colour(),
        fail_on: fail_on(args.rows.fail_on),
        configuration,
    })
}

/// What joining outputs has to do, by the options typed.
pub fn merge(args: Merge) -> Result<merge::Job, Error> {
    let outputs = files_of_output(&args.output);
    unread(&[("PART", &args.parts)], &[("--output", &outputs)])?;
    Ok(merge::Job {
        parts: args.parts,
        output: Some(args.output).filter(|path| path != Path::new("-")),
        partial: args.partial,
        quiet: args.quiet,
    })
}

/// What comparing two outputs has to do, by the options typed.
pub fn diff(args: Diff) -> Result<diff::Job, Error> {
    if [&args.old, &args.new].iter().all(|path| path.as_os_str() == "-") {
        return Err(Error::StdinTwice);
    }
    let output = args.output.filter(|path| path != Path::new("-"));
    let outputs = output.as_deref().map(files_of_output).unwrap_or_default();
    unread(&[("OLD", slice::from_ref(&args.old)), ("NEW", slice::from_ref(&args.new))], &[("--output", &outputs)])?;
    let named = output.as_deref().and_then(|path| output::format_of(Some(path), None).ok()).map(|(format, _)| format);
    let format = match args.format {
        Some(DiffFormat::Text) => None,
        Some(DiffFormat::Csv) => Some(output::Format::Csv),
        Some(DiffFormat::Jsonl) => Some(output::Format::Jsonl),
        None => named,
    };
    if let Some(path) = output
        .as_ref()
        .filter(|_| named.is_some_and(|named| format != Some(named)) || format == Some(output::Format::Parquet))
    {
        return Err(Error::ChangesName(path.clone()));
    }
    Ok(diff::Job {
        colour: output.is_none() && std::io::stdout().is_terminal() && colour_wanted(),
        old: args.old,
        new: args.new,
        output,
        format,
        limit: args.limit,
        fail_on: fail_on(args.fail_on),
        quiet: args.quiet,
    })
}

/// What a report has to do, by the options typed.
pub fn report(args: Report) -> Result<report::Job, Error> {
    if args.results.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Error::StdinTwice);
    }
    let output = args.output.filter(|path| path != Path::new("-"));
    let outputs = output.as_deref().map(files_of_output).unwrap_or_default();
    unread(&[("RESULTS", &args.results)], &[("--output", &outputs)])?;
    let ending =
        output.as_deref().and_then(Path::extension).map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let named = match ending.as_deref() {
        Some("html") => Some(report::Format::Html),
        Some("json") => Some(report::Format::Json),
        Some("csv") => Some(report::Format::Csv),
        Some("txt") => Some(report::Format::Text),
        _ => None,
    };
    let given = args.format.map(|format| match format {
        ReportFormat::Text => report::Format::Text,
        ReportFormat::Html => report::Format::Html,
        ReportFormat::Json => report::Format::Json,
        ReportFormat::Csv => report::Format::Csv,
    });
    // A name that says nothing needs the option; to write text into a Parquet file would be an accident.
    if let Some(path) = output.as_ref().filter(|path| !output::is_direct(path))
        && (given.is_some_and(|given| named.is_some_and(|named| named != given)) || given.or(named).is_none())
    {
        return Err(Error::ReportName(path.clone()));
    }
    Ok(report::Job {
        colour: output.is_none() && std::io::stdout().is_terminal() && colour_wanted(),
        results: args.results,
        output,
        format: given.or(named).unwrap_or(report::Format::Text),
        title: args.title,
        worst: args.worst as usize,
        quiet: args.quiet,
    })
}

fn colour() -> bool {
    std::io::stderr().is_terminal() && colour_wanted()
}

const fn fail_on(typed: rows::FailOn) -> Option<Severity> {
    match typed {
        rows::FailOn::Error => Some(Severity::Error),
        rows::FailOn::Warning => Some(Severity::Warning),
        rows::FailOn::Never => None,
    }
}

fn feeds(args: &typed::Scan, lab: Option<&Lab>) -> Result<Vec<Feed>, Error> {
    if args.targets.is_empty() && args.input.is_empty() {
        let Some(lab) = lab else { return if args.show_config { Ok(Vec::new()) } else { Err(Error::NoTargets) } };
        return Ok(vec![Feed::Lines {
            name: "lab".to_owned(),
            lines: Box::new(targets(lab)),
            count: args.lab_domains,
        }]);
    }
    Ok(args.input.iter().cloned().map(Feed::File).collect())
}

/// What else is in effect and stands in no manifest, for `--show-config`.
pub fn beside(args: &typed::Scan) -> serde_json::Value {
    let output = args.rows.output.as_deref();
    let format = output::format_of(output, args.rows.format.map(format)).ok();
    json!({
        "rejects": shown(rejects(args).as_ref()),
        "state": state(args.state.as_deref()).display().to_string(),
        "format": format.map(|(format, _)| format.as_str()),
    })
}

/// Blocklists named that nobody knows, where they look like one that is known: typed wrongly, perhaps.
fn strangers(named: &[typed::Zone], notes: &mut Vec<String>) {
    let known = || catalogue::known().iter().map(|entry| entry.zone.as_str());
    for zone in named.iter().filter(|zone| !known().any(|known| known.eq_ignore_ascii_case(&zone.0))) {
        let hint = alike::hint(&zone.0, known());
        if !hint.is_empty() && catalogue::redacted(&zone.0) == zone.0 {
            notes.push(format!("note: the blocklist {} is not in the catalogue{hint}", zone.0.escape_debug()));
        }
    }
}

/// The lists that are asked: those named, and else the lab's, or those that the program asks by itself.
fn lists_of(named: &[typed::Zone], files: &[PathBuf], none: bool, lab: Option<&Lab>) -> Result<Chosen, Error> {
    if let Some(lab) = lab
        && named.is_empty()
        && files.is_empty()
        && !none
    {
        let (lists, quorum) = lab.lists();
        return Ok(Chosen { lists, terms: Vec::new(), quorum });
    }
    Ok(catalogue::choose(&catalogue::Request { zones: zones(named), files: files.to_vec(), none })?)
}

fn zones(typed: &[typed::Zone]) -> Vec<String> {
    typed.iter().map(|zone| zone.0.clone()).collect()
}

/// Where what outlives a run is kept: what the XDG base directory specification says, or where services keep it.
fn state(given: Option<&Path>) -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    given.map_or_else(
        || {
            let home = || absolute("HOME").filter(|home| home != Path::new("/")).map(|home| home.join(".local/state"));
            absolute("XDG_STATE_HOME").or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib")).join("mxcensus")
        },
        Path::to_owned,
    )
}

/// What to show of the blocklists, by the options typed.
pub fn lists(args: &Lists) -> Result<lists::Job, Error> {
    let request = catalogue::Request { zones: zones(&args.dnsbl), files: args.dnsbl_file.clone(), none: false };
    let chosen = catalogue::choose(&request)?;
    let upstreams = match &args.resolver[..] {
        _ if args.offline => Vec::new(),
        [] => system_upstreams()?,
        given => given.to_vec(),
    };
    let test = (!args.offline).then(|| {
        let ledger = Ledger::new(&state(args.state.as_deref()), &chosen.lists, &chosen.terms);
        let timeout = args.dns_timeout.unwrap_or(DNS_PATIENCE);
        lists::Test {
            panel: Panel::new(&chosen.lists, &chosen.terms, DNSBL_RATE, Some(ledger)),
            dns: dns::Settings { upstreams, timeout, ..dns::Settings::default() },
        }
    });
    Ok(lists::Job {
        chosen,
        test,
        format: match args.format {
            ListsFormat::Text => lists::Format::Text,
            ListsFormat::Json => lists::Format::Json,
            ListsFormat::Csv => lists::Format::Csv,
        },
        colour: std::io::stdout().is_terminal() && colour_wanted(),
    })
}

/// The resolvers of this machine.
fn system_upstreams() -> Result<Vec<dns::Server>, Error> {
    let upstreams = dns::system_upstreams().map_err(Error::Resolver)?;
    Ok(upstreams.into_iter().map(Into::into).collect())
}

/// Whether nobody has asked for no colours (<https://no-color.org>).
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The tables in force: those inside the program, each replaced by the file of its name in the directory, if one is given.
///
/// They live as long as the process: every stage and thread asks them, and a process reads them once.
pub fn tables(typed: &Folder) -> Result<&'static Tables, Error> {
    let Some(folder) = &typed.folder else { return Ok(Tables::built_in()) };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::ReadTable { path, source }
    };
    let mut given = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What stands beside the files of a mounted Kubernetes ConfigMap.
        if name.starts_with("..") {
            continue;
        }
        let Some(&table) = Table::ALL.iter().find(|table| table.as_str() == name) else {
            return Err(Error::NoTable(path));
        };
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LONGEST_TABLE).read_to_end(&mut bytes));
        if read.map_err(failed(&path))? as u64 == LONGEST_TABLE {
            return Err(failed(&path)(std::io::ErrorKind::FileTooLarge.into()));
        }
        given.push(Given { table, from: path.display().to_string(), bytes });
    }
    Ok(Box::leak(Box::new(Tables::new(given)?)))
}

/// Raises the soft limit to the hard one; says how many descriptors there are.
fn descriptors() -> Result<(u64, Vec<String>), Error> {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    if limit < LEAST_DESCRIPTORS {
        return Err(Error::Descriptors(limit));
    }
    Ok((limit, Vec::new()))
}

/// In which families this machine has a route to the public Internet, and what there is to say of it. Nothing is sent: the
/// system looks a route up for a datagram that never leaves. A machine without any is not one of the other family: its servers
/// are not reached for a fault of ours.
fn routed(wanted: Families, lab: Option<&Lab>, notes: &mut Vec<String>) -> Families {
    let both = Families { v4: true, v6: true };
    if lab.is_some() {
        return both;
    }
    let (v4, v6) = (probe::source::v4().is_some(), probe::source::v6().is_some());
    let (routed, note) = match (v4, v6) {
        (false, false) => (both, "this machine has no route to the Internet: connections there fail (no-route)"),
        (true, false) if wanted.v6 => {
            (Families { v4, v6 }, "this machine has no IPv6 route: IPv6 servers are not contacted (no-local-v6)")
        }
        (false, true) if wanted.v4 => {
            (Families { v4, v6 }, "this machine has no IPv4 route: IPv4 servers are not contacted (no-local-v4)")
        }
        _ => return Families { v4, v6 },
    };
    notes.push(note.to_owned());
    routed
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
    let outputs = args.output.as_deref().map(files_of_output).unwrap_or_default();
    unread(&[("LOG", &args.logs)], &[("--output", &outputs)])?;
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

/// Those who recorded introductions; in the lab, its own receiver.
fn receivers(typed: &[String], lab: Option<&Lab>) -> Result<Vec<Receiver>, Error> {
    let named = lab.filter(|_| typed.is_empty()).map(|lab| Receiver::Name(lab.receiver()));
    let read = |text: &String| {
        let address = text.parse().map(Receiver::Address);
        address.or_else(|_| Name::parse(text).map(Receiver::Name)).map_err(|_| Error::Receiver(text.clone()))
    };
    named.into_iter().map(Ok).chain(typed.iter().map(read)).collect()
}

fn caller(args: &typed::Scan, profile: Profile, naming: Naming, lab: Option<&Lab>) -> Result<Caller, Error> {
    let helo = match (&args.helo, lab) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "scanner.lab.test".to_owned(),
        (None, None) => own_name(),
    };
    let name = match greetable(&helo, naming) {
        Some(name) => name,
        // Nobody is greeted.
        None if args.helo.is_none() && !wanted(args).smtp => Name::trusted("localhost".to_owned()),
        None => {
            let (class, _) = naming.classify(helo.as_bytes());
            return Err(Error::Helo { name: helo, class });
        }
    };
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

/// A name that servers can be greeted with.
fn greetable(helo: &str, naming: Naming) -> Option<Name> {
    let (class, _) = naming.classify(helo.as_bytes());
    // A placeholder is bogus as an introduction, but whoever scans only his own laboratory may well be called so.
    Name::parse(helo).ok().filter(|_| {
        matches!(class, IntroductionClass::Fqdn | IntroductionClass::SpecialUse | IntroductionClass::ExampleDomain)
    })
}

/// This machine's FQDN: the kernel's host name, or where that is short, the full one that /etc/hosts gives it.
fn own_name() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let name = read("/proc/sys/kernel/hostname").trim().to_owned();
    let hosts = read("/etc/hosts");
    full_name(&name, &hosts).unwrap_or(name)
}

/// The name of two labels or more on the line of a hosts file that has this host's name.
fn full_name(short: &str, hosts: &str) -> Option<String> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let of_host =
        lines.map(|line| line.split_whitespace().skip(1)).find(|names| names.clone().any(|name| name == short));
    of_host?.find(|name| name.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))).map(str::to_owned)
}

fn endpoint(lab: Option<&Lab>) -> probe::Endpoint {
    match lab.map(|lab| (lab.map(), lab.port())) {
        // Rows tell the port that mail has, whichever the world's servers happen to listen on.
        Some((map, port)) => Arc::new(move |address, _| map.endpoint(address, port)),
        None => Arc::new(|address, port| (address, port).into()),
    }
}

/// Where a file without a name may grow: beside the output, which needs room anyway, else where such files go.
fn scratch(args: &typed::Scan) -> PathBuf {
    let output = args.rows.output.as_ref().filter(|path| path.as_path() != Path::new("-"));
    let folder = output.and_then(|path| path.parent()).filter(|folder| !folder.as_os_str().is_empty());
    let device = output.is_some_and(|path| fs::metadata(path).is_ok_and(|found| !found.is_file()));
    match (output, folder) {
        _ if device => std::env::temp_dir(),
        (_, Some(folder)) => folder.to_owned(),
        (Some(_), None) => PathBuf::from("."),
        (None, None) => std::env::temp_dir(),
    }
}

fn rejects(args: &typed::Scan) -> Option<PathBuf> {
    args.rejects.clone().or_else(|| {
        let output =
            args.rows.output.as_ref().filter(|path| path.as_path() != Path::new("-") && !output::is_direct(path))?;
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

const fn format(typed: rows::Format) -> output::Format {
    match typed {
        rows::Format::Csv => output::Format::Csv,
        rows::Format::Jsonl => output::Format::Jsonl,
        rows::Format::Parquet => output::Format::Parquet,
    }
}

/// Lines that come every ten seconds are for whoever asked for them: a scheduler mails or logs all that is said.
fn show(typed: typed::Progress) -> Show {
    match typed {
        typed::Progress::Auto if std::io::stderr().is_terminal() => Show::Bar,
        typed::Progress::Bar => Show::Bar,
        typed::Progress::Plain => Show::Plain,
        typed::Progress::Auto | typed::Progress::None => Show::None,
    }
}

/// The options as they were given and the tables in force, for the manifest. A blocklist's zone may hold a key, so only its redacted form goes in.
fn configuration(args: &typed::Scan, tables: &Tables) -> serde_json::Value {
    json!({
        "command": "scan",
        "targets": args.targets,
        "input": paths(&args.input),
        "column": args.column,
        "helo-column": args.helo_column,
        "receiver": args.receiver,
        "exclude": paths(&args.exclude),
        "shard": args.shard,
        "output": shown(args.rows.output.as_ref()),
        "format": args.rows.format.map(|typed| format(typed).as_str()),
        "csv-raw": args.rows.csv_raw,
        "evidence": shown(args.evidence.as_ref()),
        "previous": paths(&args.previous),
        "rejects": shown(args.rejects.as_ref()),
        "fail-on": format!("{:?}", args.rows.fail_on).to_lowercase(),
        "order": args.order.map(|_| "input"),
        "resolver": args.resolver.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "port": args.port,
        "helo": args.helo,
        "dnsbl": zones(&args.dnsbl).iter().map(|zone| catalogue::redacted(zone)).collect::<Vec<_>>(),
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
        "per-resolver": args.per_resolver,
        "smtp-rate": args.smtp_rate,
        "dnsbl-rate": args.dnsbl_rate,
        "per-network": args.per_network,
        "per-provider": args.per_provider,
        "connect-timeout": seconds(args.connect_timeout),
        "greeting-timeout": seconds(args.greeting_timeout),
        "session-timeout": seconds(args.session_timeout),
        "dns-timeout": seconds(args.dns_timeout),
        "checkpoint": seconds(args.checkpoint),
        "retries": args.retries,
        "retry-after": seconds(args.retry_after),
        "memory": args.memory,
        "lab": args.lab.then(|| json!({ "domains": args.lab_domains, "servers": args.lab_servers })),
        "metrics": shown(args.metrics.as_ref()),
        "state": args.state.as_ref().map(|folder| folder.display().to_string()),
        "seed": args.seed,
        "tables": in_force(tables),
    })
}

/// Of which date and from where each table is, by its name: for the manifest of any run that judges.
pub fn in_force(tables: &Tables) -> serde_json::Value {
    tables.sources().iter().map(|source| (source.table.as_str().to_owned(), json!(source))).collect()
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn shown(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn seconds(limit: Option<Duration>) -> Option<f64> {
    limit.map(|limit| limit.as_secs_f64())
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

/// The hostile modes that are meant: those named, or all.
pub fn modes(named: &[String]) -> Result<Vec<&'static Mode>, Error> {
    if named.is_empty() {
        return Ok(MODES.iter().collect());
    }
    named.iter().map(|word| named_mode(word)).collect()
}

fn named_mode(word: &str) -> Result<&'static Mode, Error> {
    let hint = || alike::hint(word, MODES.iter().map(|mode| mode.word));
    Mode::named(word).ok_or_else(|| Error::NoMode { name: word.to_owned(), hint: hint() })
}

/// The settings of a farm of hostile servers.
pub fn farm(args: &typed_lab::Lab) -> farm::Settings {
    let usual = farm::Settings::default();
    farm::Settings { late: args.late.unwrap_or(usual.late), drip: args.drip.unwrap_or(usual.drip), ..usual }
}

/// A lab's own list as CSV, with the header that tells recorded introductions apart.
pub fn targets(lab: &Lab) -> impl Iterator<Item = String> + Send + use<> {
    std::iter::once("target,helo".to_owned()).chain(lab.targets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_host_name_is_made_full_by_the_hosts_file() {
        let hosts =
            "127.0.0.1 localhost\n127.0.1.1 probe.example.org probe # us\n192.0.2.1 probe2.example.org probe2\n";
        assert_eq!(full_name("probe", hosts).as_deref(), Some("probe.example.org"));
        assert_eq!(full_name("prob", hosts), None);
        assert_eq!(full_name("localhost", hosts), None);
    }
}
