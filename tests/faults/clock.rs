//! A clock that is stepped back and forth while a scan runs, as only the scan sees it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run::{PROGRAM, Scan, assert_same, undisturbed};

const TARGETS: usize = 3_000;

/// What steps the clock: a library of `scripts/servers install`, which is loaded before the system's own.
fn library() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers");
    let path = Command::new(script).arg("path").output().unwrap();
    assert!(path.status.success(), "run 'scripts/servers install'");
    let tree = String::from_utf8(path.stdout).unwrap();
    let found = walk(Path::new(tree.trim()).join("usr/lib").as_path());
    found.expect("libfaketime is among the unpacked packages")
}

fn walk(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?;
    let candidates = entries.filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    candidates.into_iter().find(|path| path.exists()).map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn a_clock_that_is_stepped_back_and_forth_changes_no_row_and_keeps_nobody_waiting() {
    let later = ["--retries", "1", "--retry-after", "2s"];
    let (wanted, took) = undisturbed(TARGETS, &later);
    let folder = tempfile::tempdir().unwrap();
    let time = tempfile::tempdir().unwrap();
    let step = time.path().join("step");
    std::fs::write(&step, "+0\n").unwrap();
    let scan = Scan::new(folder.path(), "out.csv", TARGETS).with(&later);
    let said = File::create(folder.path().join("said")).unwrap();
    let stepped = |program: &str| {
        let mut command = Command::new(program);
        command.envs([("LD_PRELOAD", library()), ("FAKETIME_TIMESTAMP_FILE", step.to_str().unwrap().to_owned())]);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("DONT_FAKE_MONOTONIC", "1")]);
        command
    };
    let mut child =
        stepped(PROGRAM).args(scan.words()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let today = || String::from_utf8(stepped("date").arg("+%F").output().unwrap().stdout).unwrap();
    let real = today();
    std::fs::write(&step, "-400d").unwrap();
    assert_ne!(today(), real, "the clock is not stepped");
    let begun = Instant::now();
    let mut steps = ["-86400", "+86400", "-3600", "+604800", "+0"].into_iter().cycle();
    while child.try_wait().unwrap().is_none() {
        std::fs::write(&step, steps.next().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(150));
        assert!(begun.elapsed() < took * 3 + Duration::from_secs(20), "it waits for a time that does not come");
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", scan.said());
    scan.assert_finished();
    assert_same(&scan.rows(), &wanted, "rows under a stepped clock");
    // It goes by one clock, which nobody has set.
    let text = std::fs::read_to_string(scan.path()).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let at = reader.headers().unwrap().iter().position(|name| name == "scanned_at").unwrap();
    let days: std::collections::BTreeSet<String> =
        reader.records().map(|record| record.unwrap()[at].split('T').next().unwrap().to_owned()).collect();
    assert!(days.len() <= 2, "{days:?}");
}
