//! Whole scans of the loopback world, held against its ground truth.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser as _;
use mxcensus::cli::{Cli, Command};
use mxcensus::config;
use mxcensus::judge::table;
use mxcensus::lab::{Faults, Lab, Settings, Truth, Turn};
use mxcensus::model::finding::{Code, Finding};
use mxcensus::model::words::{Profile, Rule, Severity, Verdict};
use mxcensus::scan::stop::Stop;
use mxcensus::scan::{self, Outcome};
use serde_json::Value;

/// Target, recorded introduction, exchange, address.
type Key = (String, Option<String>, Option<String>, Option<String>);

async fn scan_of(lab: Lab, output: &Path, more: &[&str]) -> (Outcome, Lab) {
    let output = output.to_str().unwrap();
    let words = ["mxcensus", "scan", "--lab", "--quiet", "-o", output].into_iter().chain(more.iter().copied());
    let Command::Scan(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not a scan") };
    let meant = config::scan_in(*args, Some(lab)).unwrap();
    let outcome = scan::run(meant.job, Stop::default()).await.unwrap();
    (outcome, meant.lab.unwrap())
}

fn rows(path: &Path) -> BTreeMap<Key, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| row[name].as_str().map(str::to_owned);
        let helo = word("introduction").filter(|_| row["basis"] == "observed");
        let key = (word("target").unwrap(), helo, word("exchange"), word("address"));
        assert!(rows.insert(key.clone(), row).is_none(), "two rows of {key:?}");
    }
    rows
}

fn key(truth: &Truth) -> Key {
    (
        truth.target.clone(),
        truth.helo.clone(),
        truth.exchange.as_ref().map(ToString::to_string),
        truth.address.map(|address| address.to_string()),
    )
}

/// The verdicts of a row, in the order of the rules.
fn verdicts(row: &Value) -> Vec<Verdict> {
    let word = |rule: &Rule| row[rule.as_str()].as_str().unwrap();
    Rule::ALL.iter().map(|rule| *Verdict::ALL.iter().find(|verdict| verdict.as_str() == word(rule)).unwrap()).collect()
}

/// The findings of a row. A row does not tell severities: a code that can be information is taken as such, unless the
/// truth has it as more.
fn findings(row: &Value, truth: &Truth) -> Vec<Finding> {
    let found = row["findings"].as_array().unwrap().iter().map(|code| {
        let code = *Code::ALL.iter().find(|known| known.as_str() == code.as_str().unwrap()).unwrap();
        let info = table::entry(code).forms.iter().any(|form| form.announced == Severity::Info);
        let severity = if info && !truth.codes.contains(&code) { Severity::Info } else { Severity::Warning };
        Finding { code, severity, detail: "".into() }
    });
    found.collect()
}

/// What in the rows differs from the truth under a profile.
fn differences(output: &Path, lab: &Lab, profile: Profile) -> Vec<String> {
    let mut rows = rows(output);
    let mut wrong = Vec::new();
    for truth in lab.truth_under(profile) {
        let key = key(&truth);
        let Some(row) = rows.remove(&key) else {
            wrong.push(format!("{key:?}: no row"));
            continue;
        };
        if let Some(difference) = truth.disagreement(&verdicts(&row), &findings(&row, &truth)) {
            wrong.push(format!("{difference}: {row}"));
        }
        for (word, why) in [("unknown", "unknown_why"), ("na", "na_why")] {
            let such = Rule::ALL.iter().filter(|rule| row[rule.as_str()] == word).count();
            if row[why].as_array().map_or(0, Vec::len) != such {
                wrong.push(format!("{key:?}: an {word} without a cause: {row}"));
            }
        }
    }
    wrong.extend(rows.keys().map(|key| format!("{key:?}: a row that the truth does not have")));
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_puts_two_passes_off_is_good_in_the_third() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let lab = Lab::start(Settings::new(7, 100)).await.unwrap();
    let more = ["s55.lab.test", "s01.lab.test", "--retries", "2", "--retry-after", "1s", "--starttls"];
    let (outcome, _lab) = scan_of(lab, &output, &more).await;
    assert!(outcome.complete);
    let rows = rows(&output);
    assert_eq!(rows.len(), 2);
    for row in rows.values() {
        let attempts = if row["target"] == "s55.lab.test" { 3 } else { 1 };
        assert_eq!((&row["verdict"], &row["attempts"]), (&"conformant".into(), &attempts.into()), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_of_the_lab_equals_its_truth_in_both_quick_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    for profile in [Profile::Census, Profile::Rfc5321] {
        let lab = Lab::start(Settings::new(7, 1_500)).await.unwrap();
        let (outcome, lab) = scan_of(lab, &output, &["--profile", profile.as_str()]).await;
        assert!(outcome.complete);
        let wrong = differences(&output, &lab, profile);
        assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_family_that_is_not_dialled_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let lab = Lab::start(Settings::new(1, 100)).await.unwrap();
    scan_of(lab, &output, &["--ipv6-only", "s01.lab.test"]).await;
    let rows = rows(&output);
    let row = rows.values().next().unwrap();
    assert_eq!([&row["introduces"], &row["matches"], &row["reverse"]], ["na", "na", "pass"]);
    assert_eq!((&row["na_why"][0], &row["verdict"]), (&"introduces=no-local-v4".into(), &"na".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_turn_verdicts_into_unknown_and_never_into_wrong_ones() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let faults = Faults { servfail: 0.05, lost: 0.05, slow: 0.02, reset: 0.05 };
    let lab = Lab::start(Settings { faults, ..Settings::new(11, 1_500) }).await.unwrap();
    let limits = ["--dns-timeout", "1s", "--greeting-timeout", "2s", "--session-timeout", "4s"];
    let (outcome, lab) = scan_of(lab, &output, &limits).await;
    assert!(outcome.complete);
    let rows = rows(&output);
    let targets: BTreeSet<&String> = rows.keys().map(|(target, ..)| target).collect();
    let (mut wrong, mut unknown) = (Vec::new(), 0);
    for truth in lab.truth() {
        assert!(targets.contains(&truth.target), "{} has no row", truth.target);
        // An exchange that did not resolve has its row without an address.
        let Some(row) = rows.get(&key(&truth)) else { continue };
        let verdicts = verdicts(row);
        wrong.extend(truth.contradiction(&verdicts).map(|contradiction| format!("{contradiction}: {row}")));
        let more = |(found, expected): &(&Verdict, &Verdict)| **found == Verdict::Unknown && found != expected;
        unknown += verdicts.iter().zip(&truth.verdicts).filter(more).count();
    }
    assert!(wrong.is_empty(), "{} wrong verdicts:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(unknown > 50, "the faults left no trace: only {unknown} verdicts became unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_domains_behind_one_exchange_are_one_connection_and_one_lookup_of_each_question() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.csv");
    let settings = Settings { counting: true, servers: 1, ..Settings::new(3, 10_300) };
    let lab = Lab::start(settings).await.unwrap();
    // Without the scenarios, which bring servers of their own, and without failing zones, which are asked again.
    let sound =
        lab.truth().filter(|truth| truth.target.starts_with('d') && truth.verdicts.last() != Some(&Verdict::Unknown));
    let domains: BTreeSet<String> = sound.map(|truth| truth.target).collect();
    let domains: Vec<String> = domains.into_iter().take(10_000).collect();
    assert_eq!(domains.len(), 10_000);
    let list = folder.path().join("list");
    std::fs::write(&list, domains.join("\n")).unwrap();
    let (outcome, lab) = scan_of(lab, &output, &["--concurrency", "2000", "-i", list.to_str().unwrap()]).await;
    assert!(outcome.complete);
    let counts = lab.counts();
    assert_eq!(counts.connections.len(), 1, "{:?}", counts.connections);
    assert_eq!(counts.connections.values().copied().collect::<Vec<_>>(), [1]);
    // The test entries of the blocklists are asked for before the run and at its end.
    let test = |name: &str| name.starts_with("2.0.0.127.") || name.starts_with("1.0.0.127.");
    let twice: Vec<_> = counts.questions.iter().filter(|((name, _), count)| **count > 1 && !test(name)).collect();
    assert!(twice.is_empty(), "asked more than once: {twice:?}");
    assert!(counts.questions.len() > 10_000, "{}", counts.questions.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_come_in_input_order_when_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let lab = Lab::start(Settings::new(5, 800)).await.unwrap();
    scan_of(lab, &output, &["--order", "input"]).await;
    let text = std::fs::read_to_string(&output).unwrap();
    let lines: Vec<u64> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted() && lines.len() >= 800, "{} rows", lines.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_little_memory_no_server_is_dialled_twice_and_the_truth_stays_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let lab = Lab::start(Settings { counting: true, servers: 1_500, ..Settings::new(9, 6_000) }).await.unwrap();
    // A megabyte holds a few hundred servers of the fifteen hundred.
    let (outcome, lab) = scan_of(lab, &output, &["--memory", "1"]).await;
    assert!(outcome.complete);
    let rows = rows(&output);
    let wrong: Vec<String> = lab
        .truth()
        .filter_map(|truth| {
            let row = &rows[&key(&truth)];
            truth.disagreement(&verdicts(row), &findings(row, &truth))
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
    let counts = lab.counts();
    let twice: Vec<_> = counts.connections.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty() && counts.connections.len() > 1_000, "dialled twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_make_a_scanner_wait_cost_their_deadlines_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    let quick: BTreeSet<String> = Lab::start(Settings::new(2, 120)).await.unwrap().targets().collect();
    let all = Lab::start(Settings { slow: true, ..Settings::new(2, 120) }).await.unwrap();
    let slow: Vec<String> = all.targets().filter(|target| target.starts_with('s') && !quick.contains(target)).collect();
    assert!(slow.len() >= 3, "{slow:?}");
    let list = folder.path().join("list");
    std::fs::write(&list, slow.join("\n")).unwrap();
    // The one waits 45 s for a greeting, the other 300 s, which here is 50 s; everything beyond is a hang.
    let wait = async |profile: Profile, output: &Path| {
        let lab = Lab::start(Settings { slow: true, ..Settings::new(2, 120) }).await.unwrap();
        let begun = std::time::Instant::now();
        let (_, lab) = scan_of(lab, output, &["--profile", profile.as_str(), "-i", list.to_str().unwrap()]).await;
        let rows = rows(output);
        let late: Vec<_> = rows.values().map(|row| (&row["target"], &row["elapsed_ms"])).collect();
        assert!(begun.elapsed().as_secs() < 90, "{profile}: {:?} {late:?}", begun.elapsed());
        let of_slow = lab.truth_under(profile).filter(|truth| slow.contains(&truth.target));
        let wrong: Vec<String> = of_slow
            .filter_map(|truth| {
                let row = rows.get(&key(&truth)).unwrap_or_else(|| panic!("{:?} has no row", key(&truth)));
                let difference = truth.disagreement(&verdicts(row), &findings(row, &truth));
                difference.map(|difference| format!("{difference}: {row}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
    let patient = folder.path().join("patient.jsonl");
    tokio::join!(wait(Profile::Census, &output), wait(Profile::Patient, &patient));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_hold_for_connections_into_one_network_and_to_one_provider() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    for limit in [["--per-network", "25"], ["--per-provider", "25"], ["--smtp-rate", "25"]] {
        let lab = Lab::start(Settings { counting: true, servers: 60, ..Settings::new(4, 400) }).await.unwrap();
        // Bulk servers stand side by side in one network and under one registrable domain.
        let bulk: Vec<String> = lab.targets().filter(|target| target.starts_with('d')).collect();
        let list = folder.path().join("list");
        std::fs::write(&list, bulk.join("\n")).unwrap();
        let begun = std::time::Instant::now();
        let (_, lab) = scan_of(lab, &output, &["-i", list.to_str().unwrap(), limit[0], limit[1]]).await;
        let elapsed = begun.elapsed().as_secs_f64();
        let dialled = f64::from(u32::try_from(lab.counts().connections.len()).unwrap());
        assert!(dialled > 30.0, "{dialled} connections");
        assert!(elapsed >= (dialled - 2.0) / 25.0, "{limit:?}: {dialled} connections in {elapsed} s");
    }
}

/// The words of a list column.
fn words<'a>(row: &'a Value, column: &str) -> Vec<&'a str> {
    row[column].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Scans a world in which bl2 turns in the middle of the run, and gives its rows and what the manifest says of bl2.
async fn scan_of_a_turn(code: [u8; 4], folder: &Path) -> (BTreeMap<Key, Value>, Value, Lab) {
    let output = folder.join("census.jsonl");
    let turn = Some(Turn { after: 150, code });
    let lab = Lab::start(Settings { turn, servers: 400, ..Settings::new(13, 1_500) }).await.unwrap();
    // A hold of a few dozen targets is tested often: some rows are settled before the turn.
    let (outcome, lab) = scan_of(lab, &output, &["--memory", "1", "--concurrency", "20"]).await;
    assert!(outcome.complete);
    let manifest = std::fs::read_to_string(folder.join("census.jsonl.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let of_bl2 = manifest["lists"].as_array().unwrap().iter().find(|list| list["list"] == "bl2.lab.test");
    (rows(&output), of_bl2.unwrap().clone(), lab)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_turns_in_mid_run_decides_nothing_and_what_it_said_since_its_last_good_test_is_void() {
    for code in [[127, 0, 0, 2], [203, 0, 113, 80]] {
        let folder = tempfile::tempdir().unwrap();
        let (rows, account, lab) = scan_of_a_turn(code, folder.path()).await;
        let (mut before, mut after, mut void, mut listed) = (0, 0, 0, 0);
        for truth in lab.truth() {
            let row = &rows[&key(&truth)];
            // Without bl2 the other two are quorum enough, and bl2 alone never decides.
            let unlisted = Rule::ALL.iter().position(|rule| *rule == Rule::Unlisted).unwrap();
            assert_eq!(verdicts(row)[unlisted], truth.verdicts[unlisted], "{row}");
            let claims = words(row, "dnsbl_listed").iter().any(|listing| listing.starts_with("bl2.lab.test="));
            listed += usize::from(claims);
            assert!(!claims || truth.codes.contains(&Code::DnsblListedMinor), "believed a wildcard: {row}");
            if row["dnsbl_unknown"].is_null() {
                continue;
            }
            let findings = words(row, "findings");
            let off = words(row, "dnsbl_unknown").contains(&"bl2.lab.test=list-unhealthy");
            assert_eq!(findings.contains(&"dnsbl-zone-unhealthy"), off, "{row}");
            if off {
                after += 1;
                void += usize::from(findings.contains(&"dnsbl-answer-invalid"));
            } else {
                before += 1;
            }
        }
        assert!(before > 20 && after > 200, "{before} rows before, {after} after");
        // A parked zone's answers are strange as well as void.
        assert_eq!(void > 0, code[0] == 203, "{void} rows");
        assert!(listed <= 3, "{listed}");
        assert!(account["void"].as_u64().unwrap() > 0 && account["tests"].as_u64().unwrap() > 2, "{account}");
        assert!(account["off"].is_string() && account["off_since"].is_i64(), "{account}");
        assert!(account["asked"].as_u64().unwrap() < 400, "it was asked no more: {account}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_of_four_rows_in_input_order_is_never_stuck_behind_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.jsonl");
    for concurrency in ["1", "3"] {
        let lab = Lab::start(Settings::new(5, 150)).await.unwrap();
        let begun = std::time::Instant::now();
        scan_of(lab, &output, &["--order", "input", "--concurrency", concurrency, "--memory", "1"]).await;
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
        let text = std::fs::read_to_string(&output).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap());
        let lines: Vec<u64> = lines.collect();
        assert!(lines.is_sorted() && lines.len() >= 150, "{} rows", lines.len());
    }
}
