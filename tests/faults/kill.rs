//! Killed at random moments, and resumed each time.

use std::fs;
use std::time::{Duration, Instant};

use super::run::{Scan, assert_same, rows, size, undisturbed};

/// Numbers that nobody can guess and everybody can have again (Steele, Lea, Flood: splitmix64).
struct Random(u64);

impl Random {
    /// From zero to one.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// Kills the scan so often, at any moment within some time after its start: about this at first, and then so much that the kills
/// are spread over the whole of it. Gives how often it came to its end meanwhile, and how much was done before the last start.
fn kill(scan: &Scan, wanted: &[String], kills: usize, mut within: Duration) -> (usize, usize) {
    let seed = std::process::id().into();
    let mut random = Random(seed);
    let (mut killed, mut ended) = (0, 0);
    while killed < kills {
        let mut child = scan.start();
        std::thread::sleep(within.mul_f64(random.next()));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0), "seed {seed}: {}", scan.said());
            check(scan, wanted);
            scan.clear();
            ended += 1;
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        let is_late = scan.resumed() * kills < scan.targets * killed;
        // Once it has come to its end, its kills have met all of it.
        if ended == 0 {
            within = within.mul_f64(if is_late { 1.2 } else { 0.9 });
        }
        // It may have come to its end at that moment.
        if scan.beside(".journal").exists() || !scan.path().exists() {
            torn(scan);
        }
    }
    scan.run(0);
    let done = scan.resumed();
    check(scan, wanted);
    (ended, done)
}

/// The end of a run that was killed however often: whole, and nothing more to do.
fn check(scan: &Scan, wanted: &[String]) {
    scan.assert_finished();
    let found = scan.rows();
    assert_same(&found, wanted, scan.output);
    scan.assert_evidence_gives(wanted);
    scan.run(0);
    assert!(scan.said().contains("complete already"), "{}", scan.said());
    assert_same(&scan.rows(), wanted, scan.output);
}

/// While it runs, the text holds whole records, and perhaps a torn one at its end.
fn torn(scan: &Scan) {
    // The final name is given last: then nothing is missing but the end of the journal.
    if scan.path().exists() || scan.output != "out.csv" {
        return;
    }
    let Ok(text) = fs::read(scan.beside(".part")) else { return };
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut reader = csv::Reader::from_reader(&text[..end]);
    let columns = reader.headers().unwrap().len();
    let torn = reader.records().filter(|record| !record.as_ref().is_ok_and(|record| record.len() == columns)).count();
    // No cell holds a line's end, so that each is a record's.
    assert_eq!(torn, 0, "of {end} octets");
}

/// The output of each format, killed while it is written.
fn in_the_middle(output: &'static str, evidence: Option<&'static str>) {
    let targets = size("MXCENSUS_FAULTS_TARGETS", 4_000);
    let kills = size("MXCENSUS_FAULTS_KILLS", 6);
    let (wanted, took) = undisturbed(targets, &[]);
    let folder = tempfile::tempdir().unwrap();
    let scan = Scan { evidence, ..Scan::new(folder.path(), output, targets) }.with(&["--checkpoint", "50ms"]);
    // A start takes its time; what is left of it after the kills is done at the end.
    let within = start_takes(&scan) + took.mul_f64(1.6) / u32::try_from(kills).unwrap();
    let begun = Instant::now();
    let (ended, done) = kill(&scan, &wanted, kills, within);
    println!(
        "{output}: {kills} kills within {within:?} of a start in {:?}, {} rows as in the undisturbed run of {took:?}; {} ends, \
         {done} of {targets} targets were done before the last start",
        begun.elapsed(),
        wanted.len(),
        ended + 1
    );
}

/// How long it takes until there is something to lose.
fn start_takes(scan: &Scan) -> Duration {
    let begun = Instant::now();
    let mut child = scan.start();
    let has_rows = || fs::metadata(scan.beside(".part")).is_ok_and(|file| file.len() > 5_000);
    super::run::wait_for("rows", &mut child, has_rows);
    let took = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    scan.clear();
    took
}

#[test]
fn killed_in_the_middle_csv_loses_no_row() {
    in_the_middle("out.csv", Some("seen.jsonl.zst"));
}

#[test]
fn killed_in_the_middle_compressed_csv_loses_no_row() {
    in_the_middle("out.csv.gz", None);
}

#[test]
fn killed_in_the_middle_jsonl_loses_no_row() {
    in_the_middle("out.jsonl", Some("seen.jsonl.gz"));
}

#[test]
fn killed_in_the_middle_compressed_jsonl_loses_no_row() {
    in_the_middle("out.jsonl.zst", None);
}

#[test]
fn killed_in_the_middle_parquet_loses_no_row() {
    in_the_middle("out.parquet", Some("seen.parquet"));
}

/// A short run, so that many kills meet its beginning and its end, where files get their names.
#[test]
fn killed_at_the_end_no_file_is_missing_or_torn() {
    let kills = size("MXCENSUS_FAULTS_KILLS", 12);
    let (wanted, _) = undisturbed(150, &[]);
    for (output, evidence) in [("out.csv.zst", "seen.jsonl"), ("out.parquet", "seen.parquet")] {
        let folder = tempfile::tempdir().unwrap();
        let scan =
            Scan { evidence: Some(evidence), ..Scan::new(folder.path(), output, 150) }.with(&["--checkpoint", "10ms"]);
        let begun = Instant::now();
        scan.run(0);
        let took = begun.elapsed();
        scan.clear();
        let (ended, _) = kill(&scan, &wanted, kills, took);
        println!("{output}: {kills} kills of a run of {took:?}, {} ends", ended + 1);
    }
}

/// With the usual checkpoints, what a kill costs is a few seconds of work.
#[test]
fn a_kill_costs_a_few_seconds_of_work() {
    let folder = tempfile::tempdir().unwrap();
    // So slow that it would run for minutes.
    let scan = Scan::new(folder.path(), "out.csv", 20_000).with(&["--smtp-rate", "40", "--concurrency", "50"]);
    let mut child = scan.start();
    let done = || fs::metadata(scan.beside(".part")).is_ok_and(|file| file.len() > 150_000);
    super::run::wait_for("rows", &mut child, done);
    std::thread::sleep(Duration::from_secs(7));
    let age = fs::metadata(scan.beside(".journal")).unwrap().modified().unwrap().elapsed().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(age < Duration::from_secs(10), "the journal is {age:?} old");
    let written = rows_of_part(&scan);
    let mut child = scan.start();
    super::run::wait_for("the resumed run", &mut child, || scan.said().contains("resumed: "));
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = scan.resumed();
    assert!(kept > 100 && kept <= written, "{kept} targets are kept of {written} rows");
}

/// That neither is repeated is what tests/manners.rs counts.
#[test]
fn a_kill_between_two_passes_changes_no_row() {
    let passes = ["--retries", "1", "--retry-after", "4s", "--checkpoint", "50ms", "--no-dnsbl"];
    let connections = |scan: &Scan| {
        let manifest = fs::read(scan.beside(".manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        manifest["counts"]["connections"].as_u64().unwrap()
    };
    let whole = tempfile::tempdir().unwrap();
    let whole = Scan::new(whole.path(), "out.csv", 600).with(&passes);
    whole.run(0);
    let wanted = whole.rows();
    assert!(wanted.iter().any(|row| row.contains("attempts=2")), "no target needs a second pass");

    for name in ["KILL", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let scan = Scan::new(folder.path(), "out.csv", 600).with(&passes);
        let mut child = scan.start();
        super::run::wait_for("rows", &mut child, || {
            fs::metadata(scan.beside(".part")).is_ok_and(|file| file.len() > 100_000)
        });
        // Now the first pass is over, and the second one far.
        std::thread::sleep(Duration::from_secs(1));
        super::run::signal(&child, name);
        child.wait().unwrap();
        scan.assert_unfinished();
        scan.run(0);
        assert_same(&scan.rows(), &wanted, name);
        let (made, usual) = (connections(&scan), connections(&whole));
        assert!(made <= usual + 5, "{name}: {made} connections where {usual} are enough");
    }
}

fn rows_of_part(scan: &Scan) -> usize {
    let copy = scan.folder.join("copy.csv");
    fs::copy(scan.beside(".part"), &copy).unwrap();
    let text = fs::read_to_string(&copy).unwrap();
    fs::write(&copy, text.rsplit_once('\n').unwrap().0).unwrap();
    rows(&copy).len()
}
