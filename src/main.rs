//! The mxcensus program: parse, build the runtime, run, map the result to an exit code.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};
use mxcensus::cli::{self, Cli, Command, ExplainFormat, SchemaFormat};
use mxcensus::error::Error;
use mxcensus::lab::Lab;
use mxcensus::lab::farm::Farm;
use mxcensus::model::finding::Code;
use mxcensus::model::words::Rule;
use mxcensus::output::schema;
use mxcensus::scan::progress::{one_line, say_plainly};
use mxcensus::scan::rejudge::Outcome as Judged;
use mxcensus::scan::stop::{Level, Stop};
use mxcensus::{config, doctor, judge, lists, observe, scan};

/// A session's evidence is dozens of small pieces, made by one thread and freed by another: with the system's allocator that is
/// a third of the program's own time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match arguments(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(Ok(cli)) => cli,
        // Help and version too: the parser knows on which stream they belong. That the stream is gone is no fault.
        Ok(Err(usage)) => {
            let _gone = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
        Err(error) => return failed(&error),
    };
    run(cli).unwrap_or_else(|error| failed(&error))
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

/// The command line, with what a configuration file adds to it.
fn arguments(typed: &[OsString]) -> Result<Result<Cli, clap::Error>, Error> {
    let matches = match Cli::command().try_get_matches_from(typed) {
        Ok(matches) => matches,
        Err(usage) => return Ok(Err(usage)),
    };
    let parsed = Cli::from_arg_matches(&matches);
    let Ok(Cli { command: Command::Scan(args) }) = &parsed else { return Ok(parsed) };
    let Some(path) = &args.config else { return Ok(parsed) };
    let given = matches.subcommand_matches("scan").map(|scan| {
        move |key: &str| {
            let id = key.replace('-', "_");
            scan.try_contains_id(&id).is_ok() && scan.value_source(&id) == Some(ValueSource::CommandLine)
        }
    });
    let added = cli::file::arguments(path, |key| given.as_ref().is_some_and(|given| given(key)))?;
    let (program, rest) = typed.split_at(typed.len().min(2));
    let all = program.iter().cloned().chain(added.into_iter().map(OsString::from)).chain(rest.iter().cloned());
    Ok(Cli::try_parse_from(all))
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Scan(args) => runtime().block_on(async {
            let meant = config::scan(*args).await?;
            if !meant.job.quiet {
                meant.notes.iter().for_each(|note| say_plainly(note));
            }
            let outcome = scan::run(meant.job, Stop::default()).await?;
            Ok(ExitCode::from(outcome.exit_code()))
        }),
        Command::Doctor(args) => examine(&args),
        Command::Judge(args) => {
            let job = config::judge(args)?;
            let outcome = runtime().block_on(scan::rejudge::run(job, Stop::default()))?;
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
                known.ok_or_else(|| Error::NoFinding(wanted.clone()))
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
            SchemaFormat::Json => schema::schema_json(),
            SchemaFormat::Arrow => schema::schema_arrow(),
            SchemaFormat::Markdown => schema::schema_markdown(),
        }),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mxcensus", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man { command } => {
            let mut all = Cli::command();
            all.build();
            let asked = match &command {
                None => all,
                Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| Error::NoCommand(name.clone()))?,
            };
            let mut page = Vec::new();
            clap_mangen::Man::new(asked).render(&mut page).expect("writing to a Vec cannot fail");
            print(&String::from_utf8_lossy(&page))
        }
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

/// Says how to reach a world, and keeps it up until it is interrupted: from the moment on that it says so.
async fn stay_up(page: &str) -> Result<ExitCode, Error> {
    let stop = Stop::default();
    stop.listen().map_err(|source| scan::Error::System { what: "listen for signals", source })?;
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
