//! The same seed, the same list and the same world make the same rows and the same manifest, but for times.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Parser as _;
use mxcensus::cli::{Cli, Command};
use mxcensus::config;
use mxcensus::lab::{Lab, Settings};
use mxcensus::scan;
use mxcensus::scan::stop::Stop;
use serde_json::Value;

/// What no two runs have in common.
const TIMES: [&str; 4] = ["connect_ms", "greeting_ms", "scanned_at", "elapsed_ms"];

/// Scans in this lab; gives the rows as bytes, and the manifest.
async fn scan(lab: Lab, output: &Path, more: &[&str]) -> (Vec<u8>, Value, Lab) {
    let words = ["mxcensus", "scan", "--lab", "--quiet", "--seed", "5", "-o", output.to_str().unwrap()];
    let words = words.into_iter().chain(more.iter().copied());
    let Command::Scan(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not a scan") };
    let meant = config::scan_in(*args, Some(lab)).unwrap();
    assert!(scan::run(meant.job, Stop::default()).await.unwrap().complete);
    let manifest = fs::read(format!("{}.manifest.json", output.display())).unwrap();
    (fs::read(output).unwrap(), serde_json::from_slice(&manifest).unwrap(), meant.lab.unwrap())
}

/// The lines of a file of rows, each without its times.
fn timeless(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    if text.starts_with('{') {
        let line = |line: &str| {
            let mut row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            // What stands before and behind a time stays in its place.
            TIMES
                .iter()
                .map(|column| row.insert((*column).to_owned(), Value::Null))
                .for_each(|time| assert!(time.is_some()));
            Value::Object(row).to_string()
        };
        return text.lines().map(line).collect();
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut records = reader.records().map(Result::unwrap);
    let header = records.next().unwrap();
    let is_time: Vec<bool> = header.iter().map(|column| TIMES.contains(&column)).collect();
    let line = |record: csv::StringRecord| {
        let cells = record.iter().zip(&is_time).map(|(cell, is_time)| if *is_time { "" } else { cell });
        cells.collect::<Vec<_>>().join("\0")
    };
    std::iter::once(header).chain(records).map(line).collect()
}

/// A manifest without times and what was achieved in them.
fn timeless_manifest(mut manifest: Value) -> Value {
    let told = manifest.as_object_mut().unwrap();
    for time in ["start", "end", "rates"] {
        assert!(!told.remove(time).unwrap().is_null(), "{time}");
    }
    manifest
}

async fn same_twice(format: &str, more: &[&str]) -> [Vec<String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join(format!("census.{format}"));
    let lab = Lab::start(Settings::new(5, 250)).await.unwrap();
    let (one, of_one, lab) = scan(lab, &output, more).await;
    let (other, of_other, _lab) = scan(lab, &output, more).await;
    assert_ne!(one, other, "times have passed");
    assert_eq!(timeless_manifest(of_one), timeless_manifest(of_other));
    [timeless(&one), timeless(&other)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_input_order_the_same_rows_come_in_the_same_order() {
    for format in ["csv", "jsonl"] {
        let [one, other] = same_twice(format, &["--order", "input", "--no-starttls"]).await;
        assert!(one.len() > 250);
        assert!(one == other, "{format}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_target_at_a_time_finds_the_same_certificates_too() {
    // Several exchanges lead to one server, which is asked for that of the target that comes first.
    let [one, other] = same_twice("jsonl", &["--order", "input", "--concurrency", "1"]).await;
    let differ: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).take(2).collect();
    assert!(one == other, "{differ:#?}");
    assert!(one.iter().any(|row| row.contains("\"tls_cert_trust\":\"trusted\"")), "no certificate at all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_any_order_the_same_rows_come() {
    for format in ["csv", "jsonl"] {
        let [mut one, mut other] = same_twice(format, &["--no-starttls"]).await;
        one.sort();
        other.sort();
        assert!(one == other, "{format}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_tells_what_was_in_effect_for_every_option_that_was_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("census.csv");
    let lab = Lab::start(Settings::new(5, 100)).await.unwrap();
    let resolver = lab.resolver().to_string();
    let (_, manifest, _lab) = scan(lab, &output, &["s01.lab.test", "--smtp-rate", "500", "--ipv4-only"]).await;
    let (given, effective) =
        (manifest["configuration"].as_object().unwrap(), manifest["effective"].as_object().unwrap());
    let nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let unsaid: BTreeSet<&str> = given
        .iter()
        .filter(|(name, value)| nothing(value) && effective.get(*name).is_none_or(Value::is_null))
        .map(|(name, _)| name.as_str())
        .collect();
    // Of these, nothing is in effect where they are not given, or the rows and the inputs tell.
    let none = [
        "column",
        "dnsbl-file",
        "evidence",
        "exclude",
        "format",
        "helo-column",
        "input",
        "metrics",
        "previous",
        "rejects",
        "shard",
        "state",
    ];
    assert_eq!(unsaid, none.into());
    assert_eq!(effective["resolver"], serde_json::json!([resolver]));
    assert_eq!(effective["helo"], "scanner.lab.test");
    assert_eq!((&effective["smtp-rate"], &effective["dns-rate"]), (&500.0.into(), &0.0.into()));
    assert_eq!(effective["families"], serde_json::json!(["ipv4"]));
    assert!(effective["descriptors"].as_u64().unwrap() >= 256 && effective["concurrency"].as_u64().unwrap() > 0);
    let rates = manifest["rates"].as_object().unwrap();
    let names: Vec<&str> = rates.keys().map(String::as_str).collect();
    assert_eq!(names, ["seconds", "targets", "rows", "dns_questions", "connections"]);
    let (seconds, questions) =
        (rates["seconds"].as_f64().unwrap(), manifest["counts"]["dns_questions"].as_f64().unwrap());
    assert!((rates["dns_questions"].as_f64().unwrap() * seconds - questions).abs() < 0.5, "{rates:?} for {questions}");
}
