//! How the scanner behaves towards servers it has to share the Internet with, seen from their side, and what it makes of its own
//! machine's faults. Some of it runs in a network namespace of its own, which needs root and `ip`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

#[path = "manners/farm.rs"]
mod farm;
#[path = "manners/names.rs"]
mod names;
#[path = "manners/namespace.rs"]
mod namespace;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use farm::{Farm, Manner};
use mxcensus::lab::{Lab, Settings};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");

/// A scan of the addresses in `list` at the farm's port, with these options more.
fn command(farm: &Farm, resolver: &str, list: &Path, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    let probes: &[&str] = if more.contains(&"--probes") { &[] } else { &["--probes", "smtp"] };
    command.arg("scan").args(probes).args(["--no-starttls", "--helo", "probe.ietf.org", "--smtp-rate", "0"]);
    command.args(["--per-network", "0", "--per-provider", "0", "--progress", "none", "--allow-special", "127.0.0.0/8"]);
    command.args(["--port", &farm.port().to_string(), "--resolver", resolver]);
    command.arg("-i").arg(list).arg("-o").arg(output).args(more).stdin(Stdio::null());
    command
}

/// Rows by target.
fn rows(path: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["target"].as_str().unwrap().to_owned(), row)).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Scans these targets to their end.
async fn scan(farm: &Farm, targets: &[String], more: &[&str]) -> (BTreeMap<String, Value>, Output) {
    let lab = Lab::start(Settings::new(1, 1)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
    fs::write(&list, targets.join("\n")).unwrap();
    let mut command = command(farm, &lab.resolver().to_string(), &list, &output, more);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", said(&ended));
    (rows(&output), ended)
}

/// The most arrivals within any window of this length.
fn most_within(mut arrivals: Vec<Instant>, window: Duration) -> usize {
    arrivals.sort();
    let from = |start: &Instant| arrivals.iter().filter(|at| **at >= *start && **at < *start + window).count();
    arrivals.iter().map(from).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_network_sees_more_than_its_rate_in_any_ten_intervals() {
    let farm = Farm::start(Manner::Plain).await;
    // Three networks of 30 addresses, listed one after the other; 20 a second is an interval of 50 ms.
    let targets: Vec<String> =
        (1..=3).flat_map(|net| (1..=30).map(move |host| format!("127.60.{net}.{host}"))).collect();
    let began = Instant::now();
    let (rows, _) = scan(&farm, &targets, &["--per-network", "20"]).await;
    let took = began.elapsed();
    assert!(rows.len() == 90 && rows.values().all(|row| row["smtp_status"] == "ok"));
    for net in 1..=3 {
        let arrivals: Vec<Instant> =
            farm.arrivals(|address| matches!(address, IpAddr::V4(v4) if v4.octets()[2] == net));
        assert_eq!(arrivals.len(), 30);
        assert!(most_within(arrivals, Duration::from_millis(500)) <= 10, "network {net}");
    }
    assert!(took < Duration::from_secs(6), "the networks go side by side, each in 1.5 s: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_provider_sees_more_than_its_rate_in_any_ten_intervals() {
    let farm = Farm::start(Manner::Plain).await;
    let resolver = names::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
    // 40 domains of one provider, and 40 that have one each; all servers in networks of their own.
    let domains: Vec<String> = (0..80).map(|number| format!("d{number}.ietf.org")).collect();
    fs::write(&list, domains.join("\n")).unwrap();
    let more = ["--probes", "mx,smtp", "--per-provider", "20"];
    let mut command = command(&farm, &resolver.to_string(), &list, &output, &more);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", said(&ended));
    let rows = rows(&output);
    assert!(rows.len() == 80 && rows.values().all(|row| row["smtp_status"] == "ok"), "{rows:?}");
    let of = |big: bool| farm.arrivals(|address| matches!(address, IpAddr::V4(v4) if (v4.octets()[2] < 40) == big));
    let (big, small) = (of(true), of(false));
    assert!(big.len() == 40 && small.len() == 40);
    assert!(most_within(big, Duration::from_millis(500)) <= 10);
    let first = *small.iter().min().unwrap();
    assert!(small.iter().all(|at| *at < first + Duration::from_secs(1)), "these wait for nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_bans_is_left_alone_and_the_rest_of_its_network_is_unknown() {
    let farm = Farm::start(Manner::BansAfter(3)).await;
    let targets: Vec<String> =
        (1..=20).map(|host| format!("127.61.1.{host}")).chain(["127.61.2.1".to_owned()]).collect();
    let (rows, _) = scan(&farm, &targets, &["--per-network", "50"]).await;
    let there = |address: IpAddr| address.to_string().starts_with("127.61.1.");
    // Those that were under way when the first refusal came, and no more.
    let calls = farm.arrivals(there).len();
    assert!((4..=6).contains(&calls), "{calls} connections");
    let left = rows.values().filter(|row| row["unknown_why"].to_string().contains("introduces=turned-away")).count();
    assert_eq!(left, 20 - calls);
    assert!(rows.values().all(|row| row["introduces"] != "fail"));
    let turned = rows.values().find(|row| row["unknown_why"].to_string().contains("turned-away")).unwrap();
    assert_eq!((&turned["connect_status"], &turned["smtp_status"]), (&"not-asked".into(), &"not-asked".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_is_settled_by_a_later_pass_and_written_once() {
    let farm = Farm::start(Manner::GreylistsOnce).await;
    let targets: Vec<String> = (1..=50).map(|host| format!("127.62.1.{host}")).collect();
    let (rows, ended) = scan(&farm, &targets, &["--retries", "2", "--retry-after", "1s"]).await;
    assert_eq!(rows.len(), 50, "{}", said(&ended));
    assert!(rows.values().all(|row| row["smtp_status"] == "ok" && row["attempts"] == 2));
    assert_eq!(farm.arrivals(|_| true).len(), 100, "one connection a pass");
    // Without later passes they are what they are, and the run says what would help.
    let farm = Farm::start(Manner::GreylistsOnce).await;
    let (rows, ended) = scan(&farm, &targets, &[]).await;
    assert!(rows.values().all(|row| row["smtp_status"] == "deferred" && row["attempts"] == 1));
    assert!(
        said(&ended).contains("50 targets were put off or gave no answer in time; --retries 2"),
        "{}",
        said(&ended)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_or_killed_between_passes_leaves_the_next_one_to_its_next_start() {
    let lab = Lab::start(Settings::new(1, 1)).await.unwrap();
    for (signal, code) in [("TERM", Some(3)), ("KILL", None)] {
        let farm = Farm::start(Manner::GreylistsOnce).await;
        let folder = tempfile::tempdir().unwrap();
        let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
        let targets: Vec<String> = (1..=50).map(|host| format!("127.63.1.{host}")).collect();
        fs::write(&list, targets.join("\n")).unwrap();
        let more = ["--retries", "1", "--retry-after", "5s", "--checkpoint", "50ms"];
        let first = command(&farm, &lab.resolver().to_string(), &list, &output, &more);
        let said = stopped_after(50, &farm, first, signal, code).await;
        let told = "targets done 0, dropped 50, rows written 0; go on with --resume";
        assert!(said.contains(told) || signal == "KILL", "{said}");
        let again = [&more[..], &["--resume"]].concat();
        let mut command = command(&farm, &lab.resolver().to_string(), &list, &output, &again);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(ended.status.success(), "{}", self::said(&ended));
        assert_eq!(farm.arrivals(|_| true).len(), 100, "{signal}: one connection a pass");
        let rows = rows(&output);
        assert!(rows.len() == 50 && rows.values().all(|row| row["smtp_status"] == "ok" && row["attempts"] == 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_between_passes_and_has_no_next_start_writes_what_it_knows() {
    let farm = Farm::start(Manner::GreylistsOnce).await;
    let lab = Lab::start(Settings::new(1, 1)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
    let targets: Vec<String> = (1..=50).map(|host| format!("127.63.2.{host}")).collect();
    fs::write(&list, targets.join("\n")).unwrap();
    // A pipe is nothing to go on with.
    let rows_in = fs::File::create(&output).unwrap();
    let out = Path::new("-");
    let mut command = command(&farm, &lab.resolver().to_string(), &list, out, &["--retries", "1", "--format", "jsonl"]);
    command.stdout(rows_in);
    let said = stopped_after(50, &farm, command, "TERM", Some(3)).await;
    assert!(said.contains("targets done 50, dropped 0, rows written 50"), "{said}");
    assert_eq!(farm.arrivals(|_| true).len(), 50, "nobody was called again");
    let rows = rows(&output);
    assert!(rows.len() == 50 && rows.values().all(|row| row["smtp_status"] == "deferred" && row["attempts"] == 1));
}

/// Sends a signal to a scan some time after so many calls, by which it ends with this code, and gives what it has said.
async fn stopped_after(calls: usize, farm: &Farm, mut command: Command, signal: &str, code: Option<i32>) -> String {
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while farm.arrivals(|_| true).len() < calls {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let signalled = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), code, "{}", said(&ended));
    said(&ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_throttled_provider_does_not_stop_the_rest() {
    let farm = Farm::start(Manner::Plain).await;
    let rest = |count: u32| {
        (0..count).map(|number| format!("127.{}.{}.1", 70 + number / 250, number % 250)).collect::<Vec<_>>()
    };
    let rest = rest(2_000);
    // 30% of the list are in one network, which is called once in ten seconds.
    let throttled: Vec<String> =
        (1..=250).chain(1..=250).chain(1..=250).chain(1..=107).map(|host| format!("127.64.1.{host}")).collect();
    let mut mixed = Vec::new();
    for (number, target) in rest.iter().enumerate() {
        mixed.push(target.clone());
        mixed.extend(throttled.get(number).cloned());
    }
    let lab = Lab::start(Settings::new(1, 1)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
    fs::write(&list, mixed.join("\n")).unwrap();
    let more = ["--per-network", "0.1", "--concurrency", "100"];
    let mut command = command(&farm, &lab.resolver().to_string(), &list, &output, &more);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let is_rest = |address: IpAddr| !address.to_string().starts_with("127.64.");
    let began = Instant::now();
    while farm.arrivals(is_rest).len() < 2_000 {
        assert!(began.elapsed() < Duration::from_secs(60), "{} of the rest were called", farm.arrivals(is_rest).len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let calls = farm.arrivals(|address| !is_rest(address)).len();
    assert!(calls <= 7, "{calls} calls of the throttled network");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_short_of_descriptors_scans_with_fewer_and_blames_nobody() {
    let farm = Farm::start(Manner::Slow(Duration::from_millis(300))).await;
    let targets: Vec<String> = (1..=240).map(|host| format!("127.65.1.{host}")).collect();
    let lab = Lab::start(Settings::new(1, 1)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (list, output) = (folder.path().join("list"), folder.path().join("rows.jsonl"));
    fs::write(&list, targets.join("\n")).unwrap();
    let mut command = command(&farm, &lab.resolver().to_string(), &list, &output, &["--concurrency", "80"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    while farm.arrivals(|_| true).is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // From now on it gets no more than some forty beside the ones that it has; most are still to be asked.
    let limited = Command::new("prlimit").args(["--pid", &pid.to_string(), "--nofile=70:70"]).status().unwrap();
    assert!(limited.success());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let said = said(&ended);
    assert!(ended.status.success(), "{said}");
    let rows = rows(&output);
    let wrong: Vec<_> = rows.values().filter(|row| row["smtp_status"] != "ok").collect();
    assert!(
        wrong.iter().all(|row| row["connect_status"] == "self-fault" && row["introduces"] == "unknown"),
        "{wrong:?}"
    );
    assert!(wrong.len() <= 24, "{} of 240", wrong.len());
    assert!(said.contains("warning: this machine ran out of sockets"), "{said}");
}

/// Every address of 11.0.0.0/8 is here, and a route leads to all others.
const INTERNET: &str = "ip addr add 11.0.0.1/8 dev lo; ip route add default dev lo";

#[test]
fn where_nothing_gets_out_nobody_is_called_down() {
    namespace::run("in_a_namespace::nothing_gets_out", INTERNET);
}

#[test]
fn a_machine_without_ipv6_says_so_of_ipv6_servers() {
    namespace::run("in_a_namespace::without_ipv6", INTERNET);
}

#[test]
fn a_machine_without_any_route_blames_itself() {
    namespace::run("in_a_namespace::without_a_route", "true");
}

/// These run inside a namespace that the tests above have made.
mod in_a_namespace {
    use super::*;

    fn public(count: u8) -> Vec<String> {
        (1..=count).map(|net| format!("11.0.{net}.1")).collect()
    }

    async fn scan_public(targets: &[String]) -> (BTreeMap<String, Value>, String) {
        let farm = Farm::silent();
        let (rows, ended) = scan(&farm, targets, &["--connect-timeout", "1s"]).await;
        assert_eq!(rows.len(), targets.len());
        (rows, said(&ended))
    }

    #[ignore = "needs its namespace"]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_gets_out() {
        let (rows, said) = scan_public(&public(60)).await;
        for (target, row) in rows {
            let told = [&row["connect_status"], &row["introduces"], &row["verdict"]];
            assert_eq!(told, ["self-fault", "unknown", "undetermined"], "{target}");
            assert!(row["unknown_why"].to_string().contains("introduces=port-blocked"), "{row}");
            assert_eq!(row["findings"].to_string(), "[]", "{target}");
        }
        assert_eq!(said.matches("gets out of this machine").count(), 1, "{said}");
        // A few dead servers are not a block.
        let (rows, said) = scan_public(&public(5)).await;
        assert!(rows.values().all(|row| row["connect_status"] == "timeout"), "{said}");
        assert!(!said.contains("gets out"), "{said}");
    }

    #[ignore = "needs its namespace"]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_ipv6() {
        let targets = ["2001:470:1::1".to_owned(), "11.0.1.1".to_owned()];
        let (rows, said) = scan_public(&targets).await;
        let six = &rows["2001:470:1::1"];
        assert_eq!([&six["connect_status"], &six["introduces"]], ["not-asked", "na"]);
        assert!(six["na_why"].to_string().contains("introduces=no-local-v6"), "{six}");
        assert_eq!(rows["11.0.1.1"]["connect_status"], "timeout");
        assert!(said.contains("this machine has no IPv6 route"), "{said}");
    }

    #[ignore = "needs its namespace"]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_a_route() {
        let (rows, said) = scan_public(&public(3)).await;
        for row in rows.values() {
            assert_eq!([&row["connect_status"], &row["introduces"]], ["self-fault", "unknown"]);
            assert!(row["unknown_why"].to_string().contains("introduces=no-route"), "{row}");
        }
        assert!(said.contains("no route to the Internet"), "{said}");
    }
}
