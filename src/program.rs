//! The program: parse, build the runtime, run, map the result to an exit code.
//! Comes in: the words of a command line. Goes out: whatever the command gives, and an exit code.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{self, Cli, Command, ExplainFormat, SchemaFormat};
use crate::error::Error;
use crate::lab::Lab;
use crate::lab::farm::Farm;
use crate::model::alike;
use crate::model::finding::Code;
use crate::model::words::Rule;
use crate::output::schema;
use crate::scan::progress::{one_line, say_plainly};
use crate::scan::rejudge::Outcome as Judged;
use crate::scan::stop::{Level, Stop};
use crate::{config, doctor, judge, lists, log, observe, scan};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _};

/// Does what `mxcensus` does with these words, of which the first is the program's name: prints to standard output and standard
/// error, and tells the exit code.
pub fn run(words: &[OsString]) -> ExitCode {
    let typed = match arguments(words) {
        Ok(Ok(typed)) => typed,
        // Help and version too: the parser knows on which stream they belong. That the stream is gone is no fault.
        Ok(Err(usage)) => {
            let _gone = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
        Err(error) => return failed(&error),
    };
    command(typed).unwrap_or_else(|error| failed(&error))
}

/// Says what happened, and why, in one line.
fn failed(error: &Error) -> ExitCode {
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    let mut line = format!("mxcensus: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    say_plainly(&one_line(&line));
    ExitCode::from(error.exit_code())
}

/// What is to be done, and who said so.
struct Typed {
    cli: Cli,
    /// The command line.
    line: ArgMatches,
    /// The command line, and what a configuration file adds to it.
    all: ArgMatches,
}

/// The command line, with what a configuration file adds to it.
fn arguments(typed: &[OsString]) -> Result<Result<Typed, clap::Error>, Error> {
    let read = |line: ArgMatches, all: ArgMatches| Cli::from_arg_matches(&all).map(|cli| Typed { cli, line, all });
    let matches = match Cli::command().try_get_matches_from(typed) {
        Ok(matches) => matches,
        Err(usage) => return Ok(Err(usage)),
    };
    let parsed = read(matches.clone(), matches.clone());
    let Ok(Typed { cli: Cli { command: Command::Scan(args), .. }, .. }) = &parsed else { return Ok(parsed) };
    let Some(path) = &args.config else { return Ok(parsed) };
    let given = matches.subcommand_matches("scan").map(|scan| {
        move |key: &str| {
            let id = key.replace('-', "_");
            scan.try_contains_id(&id).is_ok() && scan.value_source(&id) == Some(ValueSource::CommandLine)
        }
    });
    let scan = scan_command();
    let known: Vec<&str> = scan.get_arguments().filter_map(Arg::get_long).collect();
    let added = cli::file::arguments(path, &known, |key| given.as_ref().is_some_and(|given| given(key)))?;
    let (program, rest) = typed.split_at(typed.len().min(2));
    let all = program.iter().cloned().chain(added.into_iter().map(OsString::from)).chain(rest.iter().cloned());
    Ok(Cli::command().try_get_matches_from(all).and_then(|all| read(matches, all)))
}

/// The definition of `scan`, with the options of all commands.
fn scan_command() -> clap::Command {
    let mut all = Cli::command();
    all.build();
    all.find_subcommand("scan").cloned().expect("scan is a command")
}

/// Prints what a scan would go by.
async fn show_config(args: cli::scan::Scan, line: &ArgMatches, all: &ArgMatches) -> Result<ExitCode, Error> {
    let beside = config::beside(&args);
    let meant = config::scan(args).await?;
    let mut effective = meant.job.effective();
    if let (Some(effective), serde_json::Value::Object(beside)) = (effective.as_object_mut(), beside) {
        effective.extend(beside.into_iter().filter(|(_, value)| !value.is_null()));
    }
    let of_scan = |matches: &ArgMatches| matches.subcommand_matches("scan").cloned().unwrap_or_default();
    let (scan, typed, all) = (scan_command(), of_scan(line), of_scan(all));
    print(&cli::show::page(&cli::show::Given { scan: &scan, typed: &typed, all: &all, effective: &effective }))
}

fn command(typed: Typed) -> Result<ExitCode, Error> {
    let Typed { cli, line, all } = typed;
    log::begin(cli.log.as_deref(), cli.command.is_verbose())?;
    match cli.command {
        Command::Scan(args) if args.show_config => runtime().block_on(show_config(*args, &line, &all)),
        Command::Scan(args) => runtime().block_on(async {
            let meant = config::scan(*args).await?;
            if !meant.job.quiet {
                meant.notes.iter().for_each(|note| say_plainly(note));
            }
            let outcome = scan::run(meant.job, signals()?).await?;
            Ok(ExitCode::from(outcome.exit_code()))
        }),
        Command::Doctor(args) => examine(&args),
        Command::Judge(args) => {
            let job = config::judge(args)?;
            let outcome = runtime().block_on(async { Ok::<_, Error>(scan::rejudge::run(job, signals()?).await?) })?;
            Ok(ExitCode::from(match outcome {
                Judged { damaged: true, .. } => 2,
                Judged { complete: false, .. } => 3,
                Judged { reached_fail_on: true, .. } => 1,
                Judged { .. } => 0,
            }))
        }
        Command::Merge(args) => {
            let outcome = scan::merge::run(&config::merge(args)?)?;
            Ok(if outcome.complete { ExitCode::SUCCESS } else { ExitCode::from(3) })
        }
        Command::Diff(args) => {
            let outcome = scan::diff::run(&config::diff(args)?)?;
            Ok(if outcome.reached_fail_on { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Report(args) => {
            scan::report::run(&config::report(args)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Lab(args) => runtime().block_on(lab(&args)),
        Command::Observe(args) => {
            let quiet = args.quiet;
            let counts = observe::run(&config::observe(args)?)?;
            if !quiet {
                say_plainly(&counts.to_string());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Lists(args) => {
            let job = config::lists(&args)?;
            let lists::Shown { page, complaint, is_answered } = runtime().block_on(lists::run(job))?;
            if let Some(complaint) = complaint {
                say_plainly(&format!("warning: {complaint}"));
            }
            let printed = print(&page)?;
            if is_answered {
                return Ok(printed);
            }
            say_plainly("mxcensus: no list answered: is the resolver there? name another with --resolver");
            Ok(ExitCode::from(2))
        }
        Command::Explain(args) => {
            use judge::table;
            let rule = args.finding.as_deref().and_then(table::rule_called);
            let code = args.finding.as_ref().filter(|_| rule.is_none()).map(|wanted| {
                let known = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(wanted)).copied();
                known.ok_or_else(|| Error::NoFinding { name: wanted.clone(), hint: table::hint(wanted) })
            });
            let code = code.transpose()?;
            print(&match (args.format, rule) {
                (ExplainFormat::Text, Some(rule)) => table::rule_text(rule),
                (ExplainFormat::Json, Some(rule)) => table::rule_json(rule).to_string(),
                (ExplainFormat::Text, None) => table::explain_text(code),
                (ExplainFormat::Json, None) => table::explain_json(code).to_string(),
                (ExplainFormat::Markdown, _) => table::rules_markdown(),
            })
        }
        Command::Schema(args) => print(&match args.format {
            SchemaFormat::Text => schema::schema_text(),
            SchemaFormat::Json => schema::schema_json(&judge::table::rules_json(), &judge::table::explain_json(None)),
            SchemaFormat::JsonSchema => schema::schema_json_schema(),
            SchemaFormat::Arrow => schema::schema_arrow(),
            SchemaFormat::Markdown => schema::schema_markdown(),
        }),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), cli::PROGRAM, &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man { out: Some(folder), .. } => {
            write_manual(&folder).map_err(|source| Error::Manual { folder, source })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { command, out: None } => {
            let page = cli::pages::page(command.as_deref());
            print(&page.ok_or_else(|| no_command(&command.unwrap_or_default()))?.text)
        }
    }
}

/// `man` of a command that is none.
fn no_command(name: &str) -> Error {
    let all = Cli::command();
    Error::NoCommand {
        name: name.to_owned(),
        hint: alike::hint(name, all.get_subcommands().map(clap::Command::get_name)),
    }
}

/// Examines this machine, or one of the lab's.
fn examine(args: &cli::doctor::Doctor) -> Result<ExitCode, Error> {
    let doctor::Shown { page, complaint, reached_fail_on } = runtime().block_on(async {
        let (job, _lab) = config::doctor(args).await?;
        Ok::<_, Error>(doctor::run(&job).await?)
    })?;
    if let Some(complaint) = complaint {
        say_plainly(&format!("warning: {complaint}"));
    }
    let printed = print(&page)?;
    Ok(if reached_fail_on { ExitCode::from(1) } else { printed })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system can start threads and an epoll")
}

/// Every page of the manual, as a file.
fn write_manual(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    cli::pages::manual().into_iter().try_for_each(|page| std::fs::write(folder.join(page.file), page.text))
}

/// Prints to standard output; that its reader has gone is a good end.
fn print(text: &str) -> Result<ExitCode, Error> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Print(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn lab(args: &cli::lab::Lab) -> Result<ExitCode, Error> {
    if let Some(named) = &args.hostile {
        return hostile(args, named).await;
    }
    if let Some(count) = args.list {
        let lab = Lab::start(config::lab_for_tools(args.seed, count, args.servers)).await?;
        return print_records(config::targets(&lab).map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>()));
    }
    let lab = Lab::start(config::lab_for_tools(args.seed, args.domains, args.servers)).await?;
    if args.truth {
        return print_truth(&lab);
    }
    let (resolver, port) = (lab.resolver(), lab.port());
    let lists: Vec<String> = lab.lists().0.iter().map(|list| format!("--dnsbl {}", list.zone)).collect();
    let lists = lists.join(" ");
    stay_up(&format!(
        "resolver  {resolver} (UDP and TCP)\n\
         smtp      port {port} on the addresses that the resolver gives\n\
         targets   mxcensus lab --list {domains} --seed {seed}{servers}\n\
         truth     mxcensus lab --truth --domains {domains} --seed {seed}{servers}\n\
         try       dig @{ip} -p {dns} mx s01.lab.test\n\
         scan      mxcensus scan s01.lab.test --resolver {resolver} --port {port} --allow-special 127.0.0.0/8 {lists} \
                   --helo scanner.lab.test\n\
         note      that scan is a stranger to this world: it knows neither what the lists weigh nor that `test` is an ordinary \
                   domain here; `mxcensus scan --lab` comes to the verdicts of the truth\n\
         stop      with an interrupt",
        ip = resolver.ip(),
        dns = resolver.port(),
        domains = args.domains,
        seed = args.seed,
        servers = args.servers.map_or_else(String::new, |servers| format!(" --servers {servers}")),
    ))
    .await
}

/// A stop that SIGINT and SIGTERM set.
fn signals() -> Result<Stop, Error> {
    let stop = Stop::default();
    stop.listen().map_err(|source| scan::Error::System { what: "listen for signals", source })?;
    Ok(stop)
}

/// Says how to reach a world, and keeps it up until it is interrupted: from the moment on that it says so.
async fn stay_up(page: &str) -> Result<ExitCode, Error> {
    let stop = signals()?;
    print(page)?;
    stop.reached(Level::Drain).await;
    Ok(ExitCode::SUCCESS)
}

/// Mail servers that do their worst, or the list of them.
async fn hostile(args: &cli::lab::Lab, named: &[String]) -> Result<ExitCode, Error> {
    let modes = config::modes(named)?;
    if let Some(count) = args.list {
        let header = ["target", "mode", "about"].map(str::to_owned).to_vec();
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let rows = modes.iter().take(most);
        let rows = rows.map(|mode| vec![mode.address().to_string(), mode.word.to_owned(), mode.about.to_owned()]);
        return print_records(std::iter::once(header).chain(rows));
    }
    let farm = Farm::start(config::farm(args)).map_err(config::Error::Lab)?;
    if let Some(path) = &args.authority {
        let failed = |source| config::Error::Authority { path: path.clone(), source };
        std::fs::write(path, farm.authority()).map_err(failed)?;
    }
    let port = farm.port();
    let widest = modes.iter().map(|mode| mode.word.len()).max().unwrap_or(0);
    let lines =
        modes.iter().map(|mode| format!("{:<12} {:<widest$}  {}\n", mode.address().to_string(), mode.word, mode.about));
    let all = if named.is_empty() { String::new() } else { format!(" {}", named.join(" ")) };
    stay_up(&format!(
        "{}\n\
         port      {port} on all of these, and on the other addresses of each one's /24, which share its load and its bans\n\
         list      mxcensus lab --list --hostile{all}\n\
         scan      mxcensus lab --list --hostile{all} | mxcensus scan -i - --port {port} --allow-special 127.0.0.0/8 \
                   --probes smtp --helo scanner.lab.test\n\
         stop      with an interrupt",
        lines.collect::<String>(),
    ))
    .await
}

/// The verdicts that a scan of the lab must come to, as CSV.
fn print_truth(lab: &Lab) -> Result<ExitCode, Error> {
    let rules = Rule::ALL.iter().map(|rule| rule.as_str());
    let header =
        ["target", "helo", "exchange", "address"].into_iter().chain(rules).chain(["findings"]).map(str::to_owned);
    let rows = lab.truth().map(|truth| {
        let place = [
            truth.target,
            truth.helo.unwrap_or_default(),
            truth.exchange.map_or_else(String::new, |name| name.to_string()),
            truth.address.map_or_else(String::new, |address| address.to_string()),
        ];
        let verdicts = truth.verdicts.into_iter().map(|verdict| verdict.to_string());
        let codes: Vec<&str> = truth.codes.iter().chain(&truth.info).map(|code| code.as_str()).collect();
        place.into_iter().chain(verdicts).chain([codes.join(";")]).collect()
    });
    print_records(std::iter::once(header.collect()).chain(rows))
}

/// CSV to standard output; that its reader has gone is a good end.
fn print_records(records: impl Iterator<Item = Vec<String>>) -> Result<ExitCode, Error> {
    let mut out = csv::WriterBuilder::new().flexible(true).from_writer(io::stdout().lock());
    let written = records.into_iter().try_for_each(|record| out.write_record(record));
    // The writer's own error hides the kind of the system's.
    let written = written.map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Print(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
