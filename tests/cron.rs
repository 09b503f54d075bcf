//! The program as cron and systemd run it: silence, exit codes, metrics, one run at a time, and what a killed one leaves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail by panic, also in its own functions"
)]

mod exposition;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use exposition::Exposition;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cron");
const LAST_SUCCESS: &str = "mxcensus_last_success_timestamp_seconds";
const LAST_EXIT_CODE: &str = "mxcensus_last_exit_code";
/// Targets of a world that is killed in the middle.
const TARGETS: usize = 1_500;

/// A folder of a test's own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    fn has(&self, name: &str) -> bool {
        self.at(name).exists()
    }

    /// What Prometheus would read.
    fn metrics(&self) -> Exposition {
        Exposition::parse(&fs::read_to_string(self.at("m.prom")).unwrap()).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn manifest(&self, output: &str) -> Value {
        serde_json::from_slice(&fs::read(self.at(&format!("{output}.manifest.json"))).unwrap()).unwrap()
    }

    /// A scan of the lab with metrics, without a terminal and with nothing in its environment.
    fn scan(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().args(["scan", "--lab", "--metrics", &self.text("m.prom")]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Waits for something that comes soon.
fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a run tells of targets that are done, and is not at its end.
fn is_at_work(metrics: &Path) -> bool {
    let page = fs::read_to_string(metrics).unwrap_or_default();
    Exposition::parse(&page).is_ok_and(|page| {
        state(&page) == "running" && page.get("mxcensus_targets_done_total").is_some_and(|done| done > 0.0)
    })
}

fn signal(signal: &str, id: &str) {
    assert!(Command::new("kill").args([signal, id]).status().unwrap().success());
}

/// The process that a lock names.
fn holder_of(lock: &Path) -> String {
    let holder = fs::read_to_string(lock).unwrap();
    holder.strip_prefix("process ").unwrap().split(' ').next().unwrap().to_owned()
}

fn state(metrics: &Exposition) -> String {
    let states = metrics.all("mxcensus_run_state");
    let is = |value: &f64| (*value - 1.0).abs() < f64::EPSILON;
    let on: Vec<_> = states.iter().filter(|(_, value)| is(value)).map(|(labels, _)| labels[0].1.clone()).collect();
    assert_eq!((on.len(), states.len()), (1, 4), "{states:?}");
    on[0].clone()
}

#[test]
fn the_metrics_of_a_run_are_those_of_its_manifest() {
    let folder = Folder::new();
    let list = folder.at("list.txt");
    let mut targets: Vec<String> = (1..=60).map(|number| format!("s{number:02}.lab.test")).collect();
    targets.extend(["no target!".to_owned(), "out.lab.test".to_owned()]);
    fs::write(&list, targets.join("\n")).unwrap();
    fs::write(folder.at("exclude.txt"), "out.lab.test\n").unwrap();
    let (out, exclude) = (folder.text("out.csv"), folder.text("exclude.txt"));
    let done = folder.scan(&["-i", list.to_str().unwrap(), "-o", &out, "--exclude", &exclude]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let (metrics, manifest) = (folder.metrics(), folder.manifest("out.csv"));

    let count = |name: &str| manifest["counts"][name].as_f64().unwrap();
    for (name, of) in [
        ("mxcensus_targets_done_total", "targets"),
        ("mxcensus_targets_unsettled_total", "unsettled"),
        ("mxcensus_dns_questions_asked_total", "dns_questions"),
        ("mxcensus_servers_asked_total", "servers"),
        ("mxcensus_connections_begun_total", "connections"),
        ("mxcensus_exclusions_total", "exclusions"),
    ] {
        assert_eq!(metrics.one(name).to_bits(), count(of).to_bits(), "{name}");
    }
    assert_eq!(metrics.sum("mxcensus_records_total").to_bits(), count("records_read").to_bits());
    for (outcome, of) in [("rejected", "records_rejected"), ("excluded", "records_excluded")] {
        let told = metrics.labelled("mxcensus_records_total", &[("outcome", outcome)]);
        assert_eq!((told, count(of)), (Some(1.0), 1.0), "{outcome}");
    }
    assert_eq!(metrics.sum("mxcensus_rows_total").to_bits(), count("rows").to_bits());
    assert_eq!(metrics.sum("mxcensus_connections_total").to_bits(), count("connections").to_bits());
    let open = metrics.labelled("mxcensus_connections_total", &[("outcome", "open")]);
    assert_eq!(Some(metrics.sum("mxcensus_sessions_total")), open);
    assert_eq!(metrics.sum("mxcensus_targets_pending").to_bits(), 0_f64.to_bits(), "nothing is left");

    let tally = &manifest["tally"];
    let words = |name: &str, label: &str, told: &Value| {
        for (word, count) in told.as_object().unwrap() {
            assert_eq!(metrics.labelled(name, &[(label, word)]), count.as_f64(), "{name} {word}");
        }
    };
    words("mxcensus_rows_total", "verdict", &tally["verdict"]);
    words("mxcensus_unknown_total", "cause", &tally["unknown_why"]);
    let unknown: f64 = tally["unknown_why"].as_object().unwrap().values().map(|count| count.as_f64().unwrap()).sum();
    assert!(unknown > 0.0 && (metrics.sum("mxcensus_unknown_total") - unknown).abs() < f64::EPSILON);
    for (verdict, count) in tally["matches"].as_object().unwrap() {
        let labels = [("rule", "matches"), ("verdict", verdict.as_str())];
        assert_eq!(metrics.labelled("mxcensus_verdicts_total", &labels), count.as_f64(), "{verdict}");
    }
    assert!(metrics.labelled("mxcensus_findings_total", &[("severity", "error")]).unwrap() > 0.0);
    for list in manifest["lists"].as_array().unwrap() {
        let label = [("list", list["list"].as_str().unwrap())];
        assert_eq!(metrics.labelled("mxcensus_blocklist_healthy", &label), Some(1.0));
        assert_eq!(metrics.labelled("mxcensus_blocklist_questions_total", &label), list["asked"].as_f64());
    }

    assert_eq!((state(&metrics).as_str(), metrics.one(LAST_EXIT_CODE)), ("complete", 0.0));
    assert!(metrics.one(LAST_SUCCESS) >= metrics.one("mxcensus_run_start_timestamp_seconds"));
    assert!(metrics.one("mxcensus_targets_per_second") > 0.0);
    assert_eq!(manifest["configuration"]["metrics"].as_str(), Some(folder.text("m.prom").as_str()));
    let left = fs::read_dir(folder.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("prom")).collect::<Vec<_>>(), ["m.prom"], "nothing else is left");
    assert_eq!(fs::metadata(folder.at("m.prom")).unwrap().permissions().mode() & 0o444, 0o444, "others may read it");
}

#[test]
fn every_exit_code_stands_in_the_metrics_and_none_but_a_complete_run_is_a_success() {
    let folder = Folder::new();
    let out = folder.text("out.csv");
    let code = |more: &[&str], expected: (i32, &str)| {
        let done = folder.scan(more);
        let metrics = folder.metrics();
        assert_eq!((done.status.code(), state(&metrics).as_str()), (Some(expected.0), expected.1), "{}", stderr(&done));
        assert_eq!(metrics.one(LAST_EXIT_CODE).to_bits(), f64::from(expected.0).to_bits());
        (metrics.one(LAST_SUCCESS), done)
    };
    // Something else stands there: no reason to fail, and no success.
    fs::write(folder.at("m.prom"), b"mxcensus_last_success_timestamp_seconds soon\n\xff").unwrap();
    let nowhere = folder.text("none.csv");
    let (none, _) = code(&["-i", &nowhere, "-o", &out], (2, "failed"));
    assert_eq!(none.to_bits(), 0_f64.to_bits());
    let (first, _) = code(&["s01.lab.test", "-q", "-o", &out], (0, "complete"));
    assert!(first > 0.0);
    let (second, _) = code(&["s08.lab.test", "-q", "-o", &out, "--fail-on", "error"], (1, "complete"));
    assert!(second > first, "it was complete");
    // What fails is told, and the last success is not forgotten.
    let (kept, refused) = code(&["-i", &nowhere, "-o", &out], (2, "failed"));
    assert_eq!(stderr(&refused).lines().count(), 1, "{}", stderr(&refused));
    assert_eq!(kept.to_bits(), second.to_bits());
    let (kept, full) = code(&["-o", "/dev/full", "--format", "csv"], (4, "failed"));
    assert_eq!(kept.to_bits(), second.to_bits(), "{}", stderr(&full));

    let more = ["-o", &folder.text("cut.csv"), "--dns-rate", "200", "--concurrency", "10", "--checkpoint", "100ms"];
    let child = folder.command(&more).spawn().unwrap();
    wait("targets done", || is_at_work(&folder.at("m.prom")));
    let running = folder.metrics();
    assert_eq!((state(&running).as_str(), running.one(LAST_EXIT_CODE)), ("running", 4.0), "that of the run before");
    assert_eq!(running.one(LAST_SUCCESS).to_bits(), second.to_bits());
    assert!(running.get("mxcensus_run_end_timestamp_seconds").is_none());
    signal("-TERM", &child.id().to_string());
    let cut = child.wait_with_output().unwrap();
    assert_eq!(cut.status.code(), Some(3), "{}", stderr(&cut));
    let metrics = folder.metrics();
    assert_eq!((state(&metrics).as_str(), metrics.one(LAST_EXIT_CODE)), ("cut-short", 3.0));
    assert_eq!(metrics.one(LAST_SUCCESS).to_bits(), second.to_bits());
}

#[test]
fn metrics_that_cannot_be_written_are_found_before_the_scan_and_later_are_a_warning() {
    let folder = Folder::new();
    let out = folder.text("out.csv");
    // The last of an option that comes twice is meant.
    let scan = |metrics: &Path, more: &[&str]| {
        let words = ["-o", &out, "--metrics", metrics.to_str().unwrap()];
        folder.command(&[&words, more].concat()).spawn().unwrap()
    };
    for (place, says) in [
        (PathBuf::from("/no/such/folder/m.prom"), "there is no directory /no/such/folder"),
        (folder.0.path().to_owned(), "it is a directory"),
        (folder.at("out.csv.part"), "--metrics"),
    ] {
        let refused = scan(&place, &["s01.lab.test"]).wait_with_output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0, "nothing was begun");
    }

    fs::create_dir(folder.at("metrics")).unwrap();
    let file = folder.at("metrics/m.prom");
    let child = scan(&file, &["--lab-domains", "100", "--dns-rate", "50", "--checkpoint", "50ms"]);
    wait("metrics", || file.exists());
    fs::rename(folder.at("metrics"), folder.at("gone")).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(stderr(&done).matches("m.prom").count(), 1, "said once: {}", stderr(&done));
    assert!(stderr(&done).contains("warning: cannot write to ") && folder.has("out.csv"), "{}", stderr(&done));
}

#[test]
fn without_a_terminal_a_good_run_says_one_line_and_with_quiet_none() {
    let folder = Folder::new();
    let (config, out) = (folder.text("census.toml"), folder.text("out.csv"));
    let scan = |text: &str, more: &[&str]| {
        fs::write(&config, text).unwrap();
        let mut command = Command::new(PROGRAM);
        command.env_clear().args(["scan", "--config", &config, "-o", &out]).args(more).output().unwrap()
    };
    let lab = format!("lab = true\nlab-domains = 40\nmetrics = '{}'\n", folder.text("m.prom"));
    let quiet = scan(&format!("{lab}quiet = true\n"), &[]);
    assert_eq!((quiet.status.code(), quiet.stdout.len(), stderr(&quiet).as_str()), (Some(0), 0, ""));
    assert_eq!(state(&folder.metrics()), "complete", "the file's options are those of the command line");
    let plain = scan(&lab, &["s01.lab.test"]);
    assert_eq!((plain.status.code(), plain.stdout.len()), (Some(0), 0));
    let said = stderr(&plain);
    assert!(said.starts_with("complete: records read 1 = done 1") && said.lines().count() == 1, "{said}");
    let verbose = scan(&lab, &["-v"]);
    assert!(stderr(&verbose).contains("most frequent findings"), "{}", stderr(&verbose));
    // A scanner that sees nothing but closed ports is warned of, tables or not.
    let shut = scan(&lab, &["203.0.113.0/27", "--probes", "smtp"]);
    let said = stderr(&shut);
    assert!(said.starts_with("warning: more than 90% of the addresses dialled are not open"), "{said}");
    assert_eq!((shut.status.code(), said.lines().count()), (Some(0), 2), "{said}");
}

#[test]
fn one_run_at_a_time_has_an_output_and_what_a_killed_one_leaves_stops_nobody() {
    let folder = Folder::new();
    let out = folder.text("out.csv");
    let slow = ["-o", &out, "--dns-rate", "200", "--checkpoint", "100ms"];
    let mut first = folder.command(&slow).spawn().unwrap();
    wait("targets done", || is_at_work(&folder.at("m.prom")));
    let second = folder.scan(&["-o", &out]);
    assert_eq!(second.status.code(), Some(2));
    let said = stderr(&second);
    assert!(said.contains(&format!("by another run (process {} on ", first.id())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(state(&folder.metrics()), "running", "the metrics are still the first one's");
    signal("-KILL", &first.id().to_string());
    assert_eq!(first.wait().unwrap().code(), None);
    assert!(folder.has("out.csv.lock"), "nobody was left to remove it");
    let third = folder.scan(&["-o", &out, "--resume", "-q"]);
    assert_eq!((third.status.code(), stderr(&third).as_str()), (Some(0), ""));
    assert!(!folder.has("out.csv.lock") && !folder.has("out.csv.journal") && folder.has("out.csv"));
    let (metrics, manifest) = (folder.metrics(), folder.manifest("out.csv"));
    assert_eq!((metrics.one("mxcensus_run_resumed"), manifest["resumed"].as_u64()), (1.0, Some(1)));
    assert_eq!(metrics.one("mxcensus_targets_done_total").to_bits(), 2_000_f64.to_bits());
    assert_eq!(metrics.one("mxcensus_targets_read_total").to_bits(), 2_000_f64.to_bits());
    assert!(metrics.one("mxcensus_targets_skipped_total") > 0.0);
    assert_eq!(Some(metrics.sum("mxcensus_rows_total")), manifest["counts"]["rows"].as_f64());
    // There is nothing to do any more, and the success is still that of then.
    let fourth = folder.scan(&["-o", &out, "--resume", "-q"]);
    assert_eq!((fourth.status.code(), stderr(&fourth).as_str()), (Some(0), ""));
    assert_eq!(folder.metrics().one(LAST_SUCCESS).to_bits(), metrics.one(LAST_SUCCESS).to_bits());
}

/// The day that a complete census is of.
fn day(name: &str) -> Option<&str> {
    name.strip_prefix("census-")?.strip_suffix(".csv").filter(|day| !day.contains('.'))
}

/// A machine with cron: the samples' own paths are below a folder, and its clock shows the day that a file holds.
struct Machine(Folder);

impl Machine {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.at("bin")).unwrap();
        std::os::unix::fs::symlink(PROGRAM, folder.at("bin/mxcensus")).unwrap();
        std::os::unix::fs::symlink(format!("{SAMPLES}/mxcensus-nightly"), folder.at("bin/mxcensus-nightly")).unwrap();
        let clock = format!("#!/bin/sh\n[ \"$*\" = +%F ] && cat '{}'\n", folder.text("day"));
        fs::write(folder.at("bin/date"), clock).unwrap();
        fs::set_permissions(folder.at("bin/date"), fs::Permissions::from_mode(0o755)).unwrap();
        let machine = Self(folder);
        machine.configure("");
        machine
    }

    fn configure(&self, more: &str) {
        fs::create_dir_all(self.0.at("etc/mxcensus")).unwrap();
        let lab = format!("lab = true\nlab-domains = {TARGETS}\nquiet = true\ncheckpoint = '100ms'\n");
        fs::write(self.0.at("etc/mxcensus/mxcensus.toml"), lab + more).unwrap();
    }

    /// The lines of the sample that are commands, those behind a `#` included, and its variables; with this machine's paths.
    fn crontab(&self) -> (Vec<String>, Vec<(String, String)>) {
        let text = fs::read_to_string(format!("{SAMPLES}/crontab")).unwrap();
        let root = self.0.0.path().to_str().unwrap();
        let here =
            |text: &str| text.replace("/etc/", &format!("{root}/etc/")).replace("/var/", &format!("{root}/var/"));
        let is_time = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == '*');
        let (mut commands, mut variables) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let words: Vec<&str> = line.trim_start_matches('#').splitn(6, ' ').collect();
            if words.len() == 6 && words[..5].iter().all(|word| !word.is_empty() && is_time(word)) {
                commands.push(here(words[5]));
            } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                variables.push((name.to_owned(), here(value)));
            }
        }
        (commands, variables)
    }

    /// Starts a command as cron does (crontab(5)): `sh -c`, hardly any environment, `\%` for `%`, and no terminal.
    fn cron(&self, command: &str, day: &str) -> Child {
        fs::write(self.0.at("day"), format!("{day}\n")).unwrap();
        let unescaped = command.replace("\\%", "\u{0}");
        assert!(!unescaped.contains('%'), "a % is the end of the line: {command}");
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("HOME", self.0.0.path()).env("LOGNAME", "mxcensus").envs(self.crontab().1);
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.0.text("bin"))).current_dir(self.0.0.path());
        shell.args(["-c", &unescaped.replace('\u{0}', "%")]);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn ran(&self, command: &str, day: &str) -> (ExitStatus, String) {
        let output = self.cron(command, day).wait_with_output().unwrap();
        (output.status, String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// Starts a command and kills its scan when it has done something.
    fn killed(&self, command: &str, day: &str) {
        self.configure("dns-rate = 200\n");
        let child = self.cron(command, day);
        let lock = self.state(&format!("census-{day}.csv.lock"));
        wait("targets done", || lock.exists() && is_at_work(&self.state("mxcensus.prom")));
        signal("-KILL", &holder_of(&lock));
        assert!(!child.wait_with_output().unwrap().status.success());
        self.configure("");
    }

    fn state(&self, name: &str) -> PathBuf {
        self.0.at("var/lib/mxcensus").join(name)
    }

    fn metrics(&self) -> Exposition {
        Exposition::parse(&fs::read_to_string(self.state("mxcensus.prom")).unwrap()).unwrap()
    }

    /// Days of which there is a census, and whether anything else is left of a run.
    fn censuses(&self) -> (Vec<String>, Vec<String>) {
        let names =
            fs::read_dir(self.state("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let (mut whole, mut rest): (Vec<String>, Vec<String>) = names
            .filter(|name| !name.ends_with(".manifest.json") && name != "mxcensus.prom" && name != "nightly.lock")
            .partition(|name| day(name).is_some());
        whole.sort();
        rest.sort();
        (whole.iter().filter_map(|name| day(name)).map(str::to_owned).collect(), rest)
    }
}

#[test]
fn the_crontabs_line_makes_a_census_each_night_and_goes_on_with_one_that_was_killed() {
    let machine = Machine::new();
    let (commands, variables) = machine.crontab();
    let [nightly, bare] = &commands[..] else { panic!("{commands:?}") };
    assert!(variables.iter().any(|(name, _)| name == "MXCENSUS_METRICS"), "{variables:?}");
    let (status, said) = machine.ran(nightly, "2026-01-01");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    let first = machine.metrics().one(LAST_SUCCESS);
    machine.killed(nightly, "2026-01-02");
    assert_eq!(machine.metrics().one(LAST_SUCCESS).to_bits(), first.to_bits());
    let unfinished = machine.censuses();
    assert_eq!(unfinished.0, ["2026-01-01"]);
    assert!(unfinished.1.contains(&"census-2026-01-02.csv.journal".to_owned()), "{unfinished:?}");

    // The same night, and then a night later.
    let (status, said) = machine.ran(nightly, "2026-01-02");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    assert_eq!(machine.censuses(), (vec!["2026-01-01".to_owned(), "2026-01-02".to_owned()], Vec::new()));
    let metrics = machine.metrics();
    assert_eq!((metrics.one("mxcensus_run_resumed"), metrics.one(LAST_EXIT_CODE)), (1.0, 0.0));
    assert!(metrics.one(LAST_SUCCESS) > first);
    machine.killed(nightly, "2026-01-03");
    let (status, said) = machine.ran(nightly, "2026-01-04");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    let days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"].map(str::to_owned);
    assert_eq!(machine.censuses(), (days.to_vec(), Vec::new()));
    let rows = |day: &str| {
        let text = fs::read_to_string(machine.state(&format!("census-{day}.csv"))).unwrap();
        let mut verdicts: Vec<String> = csv::Reader::from_reader(text.as_bytes())
            .records()
            .map(|row| row.unwrap())
            .map(|row| format!("{} {} {}", &row[2], &row[7], &row[9]))
            .collect();
        verdicts.sort();
        verdicts
    };
    assert!(rows("2026-01-01").len() > TARGETS);
    assert_eq!(rows("2026-01-01"), rows("2026-01-03"), "whole, and no row twice");

    // Without the script: today's is made, and gone on with.
    machine.killed(bare, "2026-01-05");
    let (status, said) = machine.ran(bare, "2026-01-05");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    assert_eq!(rows("2026-01-01"), rows("2026-01-05"));
}

#[test]
fn the_script_keeps_so_many_days_gives_up_what_cannot_be_gone_on_with_and_works_alone() {
    let machine = Machine::new();
    let nightly = machine.crontab().0[0].clone();
    machine.killed(&nightly, "2026-01-30");
    for day in ["2025-12-31", "2026-01-27", "2026-01-28", "2026-01-29"] {
        for ending in ["", ".manifest.json", ".rejects.csv"] {
            fs::write(machine.state(&format!("census-{day}.csv{ending}")), "").unwrap();
        }
    }
    fs::write(machine.state("census.csv"), "somebody's own").unwrap();
    // Other options than the unfinished one had.
    machine.configure("retries = 1\nretry-after = '100ms'\n");
    let three = format!("MXCENSUS_KEEP=3 {}", nightly.trim_start_matches("nice "));
    let (status, said) = machine.ran(&three, "2026-01-31");
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("--retries was 0 and is 1") && said.lines().count() == 2, "{said}");
    assert!(said.contains("mxcensus-nightly: census-2026-01-30.csv cannot be gone on with"), "{said}");
    let (whole, rest) = machine.censuses();
    assert_eq!(whole, ["2026-01-29", "2026-01-31"], "and what there is of the 30th");
    assert!(machine.state("census.csv").exists() && !machine.state("census-2026-01-28.csv.rejects.csv").exists());
    assert!(rest.contains(&"census-2026-01-30.csv.journal.given-up".to_owned()), "{rest:?}");
    // Once more on the same day there is nothing to do.
    let (status, said) = machine.ran(&three, "2026-01-31");
    assert!(status.success() && said.contains("complete already"), "{said}");
    let (status, said) = machine.ran(&three, "2026-02-01");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""), "it is not said again");
    assert_eq!(machine.censuses().0, ["2026-01-31", "2026-02-01"]);

    machine.configure("dns-rate = 200\nconcurrency = 10\n");
    let mut child = machine.cron(&three, "2026-02-02");
    let lock = machine.state("census-2026-02-02.csv.lock");
    wait("a run", || fs::read_to_string(&lock).is_ok_and(|holder| holder.ends_with('\n')));
    let (status, said) = machine.ran(&three, "2026-02-03");
    assert_eq!(status.code(), Some(2));
    assert!(said.starts_with("mxcensus-nightly: another run is at work in "), "{said}");
    // The script has become the scan: what ends the one ends the other, and its exit code is the job's.
    signal("-TERM", &holder_of(&lock));
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(!lock.exists());
}

#[test]
fn the_sample_configuration_has_options_that_the_program_knows() {
    let config = format!("{SAMPLES}/mxcensus.toml");
    let output = Command::new(PROGRAM).args(["scan", "--config", &config, "--no-dnsbl"]).output().unwrap();
    // They are understood as far as the first file that is not there.
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/etc/mxcensus/"), "{}", stderr(&output));
}

/// What a unit says, by section and name; a line that is none of systemd.syntax(7) is a failure.
fn unit(name: &str) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(format!("{SAMPLES}/{name}")).unwrap();
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
        assert!(!section.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "{line}");
        lines.push((section.clone(), name.to_owned(), value.to_owned()));
    }
    lines
}

#[test]
fn the_units_are_what_systemd_takes_and_run_the_script_as_the_crontab_does() {
    let service = unit("mxcensus.service");
    let of = |name: &str| service.iter().find(|(_, known, _)| known == name).map(|(.., value)| value.as_str());
    let start = of("ExecStart").unwrap();
    let crontab = fs::read_to_string(format!("{SAMPLES}/crontab")).unwrap();
    assert!(crontab.contains(start.strip_prefix("/usr/local/bin/").unwrap()), "{start}");
    assert!(crontab.contains(of("Environment").unwrap()));
    assert_eq!((of("SuccessExitStatus"), of("StateDirectory")), (Some("1"), Some("mxcensus")));
    let timer = unit("mxcensus.timer");
    assert!(timer.contains(&("Timer".to_owned(), "Persistent".to_owned(), "yes".to_owned())));

    // systemd itself looks for the program that it is to start.
    let folder = Folder::new();
    for name in ["mxcensus.service", "mxcensus.timer"] {
        let text = fs::read_to_string(format!("{SAMPLES}/{name}")).unwrap();
        fs::write(folder.at(name), text.replace("/usr/local/bin/", &format!("{SAMPLES}/"))).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    match verify.arg("verify").args(["mxcensus.service", "mxcensus.timer"].map(|name| folder.at(name))).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let ours: Vec<&str> = said.lines().filter(|line| line.contains("mxcensus")).collect();
            assert!(output.status.success() && ours.is_empty(), "{said}");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("there is no systemd-analyze here: the units were read, but NOT verified");
        }
        Err(error) => panic!("{error}"),
    }
}
