//! SIGINT and SIGTERM, once and twice, and a reader of the rows that goes away.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run::{PROGRAM, Scan, assert_same, signal, undisturbed, wait_for};

const TARGETS: usize = 3_000;

/// Stops a scan by these signals once it has written something, and gives what it has said.
fn stopped(scan: &Scan, signals: &[&str]) -> String {
    let mut child = scan.start();
    wait_for("rows", &mut child, || std::fs::metadata(scan.beside(".part")).is_ok_and(|file| file.len() > 20_000));
    for name in signals {
        signal(&child, name);
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?} to stop", begun.elapsed());
    assert_eq!(status.code(), Some(3), "{}", scan.said());
    scan.assert_unfinished();
    scan.said()
}

/// Stopped, and gone on with: nothing is lost.
fn go_on(signals: &[&str], says: &str) {
    let (wanted, _) = undisturbed(TARGETS, &[]);
    // Slow enough to be met in the middle.
    let pace = ["--smtp-rate", "400"];
    for output in ["out.csv", "out.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let csv = output == "out.csv";
        let scan = Scan::new(folder.path(), output, TARGETS).with(&pace);
        if csv {
            let said = stopped(&scan, signals);
            assert!(said.contains(says) && said.contains("--resume"), "{said}");
        } else {
            let mut child = scan.start();
            std::thread::sleep(Duration::from_millis(1_500));
            for name in signals {
                signal(&child, name);
            }
            assert_eq!(child.wait().unwrap().code(), Some(3), "{}", scan.said());
            scan.assert_unfinished();
        }
        scan.run(0);
        scan.assert_finished();
        assert_same(&scan.rows(), &wanted, output);
    }
}

#[test]
fn rows_in_the_order_of_the_input_stay_so_over_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let scan = Scan::new(folder.path(), "out.csv", TARGETS).with(&[
        "--order",
        "input",
        "--smtp-rate",
        "200",
        "--no-dnsbl",
        "--checkpoint",
        "50ms",
    ]);
    stopped(&scan, &["INT", "INT"]);
    scan.run(0);
    scan.assert_finished();
    let mut reader = csv::Reader::from_path(scan.path()).unwrap();
    let at = reader.headers().unwrap().iter().position(|name| name == "line").unwrap();
    let lines: Vec<u64> = reader.records().map(|record| record.unwrap()[at].parse().unwrap()).collect();
    assert!(lines.is_sorted() && lines.len() > TARGETS, "{} rows", lines.len());
}

#[test]
fn an_interrupt_drains_and_the_next_start_goes_on() {
    go_on(&["INT"], "dropped 0");
}

#[test]
fn a_termination_drains_and_the_next_start_goes_on() {
    go_on(&["TERM"], "dropped 0");
}

#[test]
fn the_second_signal_stops_at_once_and_the_next_start_goes_on() {
    go_on(&["INT", "INT"], "cut short");
    go_on(&["TERM", "TERM"], "cut short");
}

#[test]
fn a_reader_of_the_rows_that_goes_away_is_a_good_end() {
    let words = ["scan", "--lab", "--lab-domains", "20000", "--no-starttls", "--progress", "none"];
    let mut child = Command::new(PROGRAM).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..20 {
        line.clear();
        rows.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "a torn record: {line:?}");
    }
    drop(rows);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What is written into a file goes nowhere else, and nothing else goes into it, where all that a program usually has is closed.
#[test]
fn without_any_open_stream_the_rows_are_as_ever() {
    let (wanted, _) = undisturbed(300, &[]);
    let folder = tempfile::tempdir().unwrap();
    let scan = Scan::new(folder.path(), "out.csv", 300);
    let words: Vec<String> = scan.words().into_iter().map(|word| format!("'{word}'")).collect();
    let closed = format!("exec '{PROGRAM}' {} <&- >&- 2>&-", words.join(" "));
    assert_eq!(Command::new("sh").args(["-c", &closed]).status().unwrap().code(), Some(0));
    scan.assert_finished();
    assert_same(&scan.rows(), &wanted, "out.csv");
}
