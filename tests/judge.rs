//! Stored evidence judged again, and runs that know of earlier ones: the program as a shell meets it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use mxcensus::model::evidence::Evidence;
use serde_json::{Value, json};
use shell::{Folder, PROGRAM, mxcensus, stderr};

/// All scenarios of the lab's world, and some of the bulk.
const TARGETS: &str = "120";

impl Folder {
    /// Scans the lab in input order and keeps its evidence.
    fn scan(&self, rows: &str, evidence: &str, more: &[&str]) {
        let (rows, evidence) = (self.text(rows), self.text(evidence));
        let words = ["scan", "--lab", "--lab-domains", TARGETS, "--order", "input", "--progress", "none"];
        let files = ["-o", &rows, "--evidence", &evidence];
        let output = mxcensus(&[&words[..], &files, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }

    /// One scan of the lab, as JSONL, which all tests share that only want some evidence.
    fn scanned(&self, rows: &str, evidence: &str) {
        static SCAN: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
            let folder = Folder::new();
            folder.scan("rows.jsonl", "seen.jsonl", &[]);
            ["rows.jsonl", "seen.jsonl"].map(|name| fs::read(folder.path(name)).unwrap())
        });
        let [of_rows, of_evidence] = &*SCAN;
        fs::write(self.path(rows), of_rows).unwrap();
        fs::write(self.path(evidence), of_evidence).unwrap();
    }

    fn judge(&self, evidence: &str, rows: &str, more: &[&str]) -> Output {
        let (evidence, rows) = (self.text(evidence), self.text(rows));
        mxcensus(&[&["judge", evidence.as_str(), "-o", rows.as_str()], more].concat())
    }

    fn judged(&self, evidence: &str, rows: &str, more: &[&str]) -> String {
        let output = self.judge(evidence, rows, more);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    }
}

/// The rows of a JSONL file.
fn rows(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write_rows(path: &Path, rows: &[Value]) {
    fs::write(path, rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).unwrap();
}

fn findings(row: &Value) -> BTreeSet<&str> {
    row["findings"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

/// The columns in which two runs differ, by how many rows.
fn differences<'a>(one: &'a [Value], other: &[Value]) -> BTreeMap<&'a str, usize> {
    assert_eq!(one.len(), other.len());
    let mut differences = BTreeMap::new();
    for (one, other) in one.iter().zip(other) {
        for (column, cell) in one.as_object().unwrap() {
            if *cell != other[column.as_str()] {
                *differences.entry(column.as_str()).or_default() += 1;
            }
        }
    }
    differences
}

#[test]
fn the_same_rules_give_the_same_rows_byte_for_byte_in_every_format() {
    for (format, evidence) in [("csv", "seen.jsonl"), ("jsonl", "seen.jsonl.zst"), ("parquet", "seen.parquet")] {
        let folder = Folder::new();
        let (scanned, judged) = (format!("scanned.{format}"), format!("judged.{format}"));
        folder.scan(&scanned, evidence, &[]);
        let said = folder.judged(evidence, &judged, &[]);
        let (scanned, judged) = (fs::read(folder.path(&scanned)).unwrap(), fs::read(folder.path(&judged)).unwrap());
        assert!(scanned.len() > 10_000, "{} bytes", scanned.len());
        assert!(scanned == judged, "{format} rows differ");
        assert!(said.contains("complete: records read 120 = judged 120 + damaged 0; rows written 1"), "{said}");
    }
}

#[test]
fn what_the_lab_shows_is_stored_and_read_back_exactly() {
    let folder = Folder::new();
    folder.scanned("rows.jsonl", "seen.jsonl");
    let text = fs::read_to_string(folder.path("seen.jsonl")).unwrap();
    let mut lines = text.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&header["kind"], &header["version"]), (&json!("mxcensus-evidence"), &json!(1)));
    let mut servers = 0;
    for line in lines {
        let evidence: Evidence = serde_json::from_str(line).unwrap();
        servers += evidence.routes.iter().map(|route| route.hosts.len()).sum::<usize>();
        assert_eq!(serde_json::to_string(&evidence).unwrap(), line);
    }
    assert!(servers > 100, "{servers} servers");
}

/// The files were written by the first version of the form. They are never written anew, only added to: evidence that somebody
/// has kept must stay readable, whatever becomes of the rules that make these rows of it.
#[test]
fn evidence_of_version_1_stays_readable() {
    let [rows, columns] = ["v1.jsonl", "v1.parquet"].map(|name| {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/evidence").join(name);
        let output = mxcensus(&["judge", golden.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    });
    // The Parquet file holds the first 80 records.
    assert!(columns.lines().count() > 80 && rows.starts_with(&columns), "the same records make other rows");
    insta::with_settings!({ snapshot_path => "../fixtures/golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("evidence-v1", rows);
    });
}

#[test]
fn a_scan_s_manifest_and_a_judge_s_name_their_files_and_digests() {
    let folder = Folder::new();
    folder.scan("rows.csv", "seen.jsonl.gz", &[]);
    folder.judged("seen.jsonl.gz", "again.csv", &["--profile", "patient"]);
    let manifest = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.path(name)).unwrap()).unwrap() };
    let (scan, judge) = (manifest("rows.csv.manifest.json"), manifest("again.csv.manifest.json"));
    assert_eq!(scan["configuration"]["command"], "scan");
    assert_eq!(scan["configuration"]["evidence"], folder.text("seen.jsonl.gz"));
    assert_eq!(judge["configuration"]["command"], "judge");
    assert_eq!(judge["configuration"]["profile"], "patient");
    assert_eq!(judge["inputs"][0]["records"], 120);
    let digest = Command::new("sha256sum").arg(folder.path("seen.jsonl.gz")).output().unwrap();
    let digest = String::from_utf8(digest.stdout).unwrap();
    assert_eq!(judge["inputs"][0]["sha256"], digest.split(' ').next().unwrap());
    assert_eq!(judge["complete"], true);
    assert_eq!(scan["tally"], judge["tally"]);
}

#[test]
fn the_strict_profile_changes_what_it_names_and_nothing_else() {
    let folder = Folder::new();
    folder.scanned("census.jsonl", "seen.jsonl");
    folder.judged("seen.jsonl", "strict.jsonl", &["--profile", "rfc5321"]);
    let (census, strict) = (rows(&folder.path("census.jsonl")), rows(&folder.path("strict.jsonl")));
    let columns: Vec<&str> = differences(&census, &strict).into_keys().collect();
    assert_eq!(columns, ["fqdn", "na_why", "reverse", "unknown_why", "verdict"]);
    let mut waived = 0;
    for (census, strict) in census.iter().zip(&strict) {
        // The reverse zone is not asked about, unless there is no server to ask about.
        assert_eq!(strict["reverse"], "na", "{strict}");
        let not_asked = census["reverse"] != "na";
        assert_eq!(strict["na_why"].as_array().unwrap().contains(&json!("reverse=profile")), not_asked, "{strict}");
        if census["fqdn"] != strict["fqdn"] {
            waived += 1;
            let found = findings(census);
            assert!(found.contains("helo-is-address-literal") || found.contains("helo-trailing-dot"), "{census}");
            assert_eq!((&census["fqdn"], &strict["fqdn"]), (&json!("fail"), &json!("pass")));
        }
    }
    assert!(waived > 0);
}

#[test]
fn only_the_patient_profile_makes_a_failure_of_slowness_and_only_after_the_rfcs_five_minutes() {
    let folder = Folder::new();
    folder.scanned("census.jsonl", "seen.jsonl");
    folder.judged("seen.jsonl", "patient.jsonl", &["--profile", "patient"]);
    let (census, patient) = (rows(&folder.path("census.jsonl")), rows(&folder.path("patient.jsonl")));
    assert_eq!(differences(&census, &patient), BTreeMap::new(), "no server of the lab was waited for that long");

    // The same world, but one server kept us waiting for a greeting that never came.
    let mut records = rows(&folder.path("seen.jsonl"));
    let session = &mut records[1]["routes"][0]["hosts"][0]["session"];
    *session = json!({
        "port": 25, "connect": "open", "connect_ms": 10, "status": "no-greeting", "cause": "greeting-timeout",
        "quit_sent": false, "elapsed_ms": 300_010,
    });
    let host = records[1]["routes"][0]["hosts"][0].as_object_mut().unwrap();
    host.remove("introduction");
    host.remove("ehlo");
    write_rows(&folder.path("slow.jsonl"), &records);
    folder.judged("slow.jsonl", "census.jsonl", &[]);
    folder.judged("slow.jsonl", "patient.jsonl", &["--profile", "patient"]);
    let (census, patient) = (rows(&folder.path("census.jsonl")), rows(&folder.path("patient.jsonl")));
    let one_row = |column| (column, 1);
    let expected = ["exists", "fqdn", "introduces", "matches", "na_why", "unknown_why", "verdict"].map(one_row).into();
    assert_eq!(differences(&census, &patient), expected);
    assert_eq!((&census[0]["introduces"], &patient[0]["introduces"]), (&json!("unknown"), &json!("fail")));
    assert!(findings(&patient[0]).contains("greeting-timeout"));
}

#[test]
fn a_weaker_quorum_is_said_to_be_weak() {
    let folder = Folder::new();
    folder.scanned("rows.jsonl", "seen.jsonl");
    // Evidence in which the only core list has failed.
    let mut records = rows(&folder.path("seen.jsonl"));
    records[0]["health"][0] = json!({ "silent": "timeout" });
    write_rows(&folder.path("silent.jsonl"), &records);
    let said = folder.judged("silent.jsonl", "asked.jsonl", &[]);
    assert!(!said.contains("weak"), "{said}");
    let said = folder.judged("silent.jsonl", "weak.jsonl", &["--quorum", "0.9"]);
    assert!(said.contains("weak R5: blocklists of a weight of 0.9"), "{said}");
    let (asked, weak) = (rows(&folder.path("asked.jsonl")), rows(&folder.path("weak.jsonl")));
    assert!(!asked.iter().any(|row| row["unlisted"] == "pass") && weak.iter().any(|row| row["unlisted"] == "pass"));
    let columns: Vec<&str> = differences(&asked, &weak).into_keys().collect();
    assert_eq!(columns, ["findings", "unknown_why", "unlisted", "verdict"]);
    let output = folder.judge("silent.jsonl", "none.jsonl", &["--quorum", "-1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_damaged_record_costs_itself_and_is_told_with_its_place() {
    let folder = Folder::new();
    folder.scanned("rows.jsonl", "seen.jsonl");
    let text = fs::read_to_string(folder.path("seen.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let steering = lines[1].replacen("\"seen\"", "\"s\\u001b[2Jn\"", 1);
    let damaged = [lines[0], lines[1], "{\"target\":7}", &steering, lines[3].get(..100).unwrap(), lines[2]].join("\n");
    fs::write(folder.path("damaged.jsonl"), damaged).unwrap();
    let output = folder.judge("damaged.jsonl", "again.jsonl", &["--fail-on", "warning"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("mxcensus: ")).collect();
    let file = folder.text("damaged.jsonl");
    assert_eq!(told.len(), 3, "{said}");
    for (line, place) in told.iter().zip(["record 2 is damaged (", "record 3 is damaged (", "record 4 is cut off ("]) {
        assert!(line.starts_with(&format!("mxcensus: {file}: {place}")), "{line}");
    }
    assert!(said.contains("records read 5 = judged 2 + damaged 3;"), "{said}");
    assert!(!said.contains('\u{1b}'));
    assert_eq!(rows(&folder.path("again.jsonl"))[..], rows(&folder.path("rows.jsonl"))[..3]);
}

#[test]
fn a_compressed_file_that_breaks_off_leaves_no_result_under_the_final_name() {
    let folder = Folder::new();
    folder.scanned("rows.jsonl", "seen.jsonl");
    let seen = fs::read(folder.path("seen.jsonl")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzEncoder::new(&*seen, flate2::Compression::default()).read_to_end(&mut bytes).unwrap();
    fs::write(folder.path("half.jsonl.gz"), &bytes[..bytes.len() / 2]).unwrap();
    let output = folder.judge("half.jsonl.gz", "again.csv", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot decompress"), "{}", stderr(&output));
    assert!(stderr(&output).contains("cut short: records read"), "{}", stderr(&output));
    assert!(!folder.path("again.csv").exists() && folder.path("again.csv.part").exists());
}

#[test]
fn what_is_no_evidence_or_too_new_is_refused_before_the_first_row() {
    let folder = Folder::new();
    folder.scanned("rows.jsonl", "seen.jsonl");
    let newer = fs::read_to_string(folder.path("seen.jsonl")).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    fs::write(folder.path("newer.jsonl"), newer).unwrap();
    fs::write(folder.path("empty.jsonl"), "").unwrap();
    let parquet = folder.text("rows.parquet");
    mxcensus(&["scan", "--lab", "s01.lab.test", "--quiet", "-o", &parquet]);
    for (evidence, says) in [
        ("rows.jsonl", "is no evidence: its first record is no header"),
        ("rows.parquet", "has no column \"evidence\""),
        ("newer.jsonl", "version 2, and this program reads up to version 1"),
        ("empty.jsonl", "is no evidence"),
        ("missing.jsonl", "cannot open"),
    ] {
        let output = folder.judge(evidence, "out.csv", &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{evidence}: {said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{evidence}: {said}");
        assert!(!folder.path("out.csv").exists() && !folder.path("out.csv.part").exists(), "{evidence}");
    }
}

#[test]
fn evidence_of_several_scans_comes_also_from_standard_input_and_each_is_judged_as_its_own() {
    let folder = Folder::new();
    folder.scan("one.csv", "one.jsonl", &[]);
    folder.scan("other.csv", "other.parquet", &["--seed", "2", "--profile", "rfc5321"]);
    let other = folder.text("other.parquet");
    let mut child = Command::new(PROGRAM)
        .args(["judge", "-", &other])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let evidence = fs::read(folder.path("one.jsonl")).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&evidence).unwrap());
    let mut judged = String::new();
    child.stdout.take().unwrap().read_to_string(&mut judged).unwrap();
    writer.join().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("240 targets, "), "{}", stderr(&output));
    let (one, two) = (folder.path("one.csv"), folder.path("other.csv"));
    let (one, two) = (fs::read_to_string(one).unwrap(), fs::read_to_string(two).unwrap());
    let (_, without_header) = two.split_once('\n').unwrap();
    assert!(judged == one + without_header);
}

#[test]
fn evidence_is_never_written_over_something_else_nor_under_a_name_that_tells_no_form() {
    let folder = Folder::new();
    let (rows, list) = (folder.text("rows.jsonl"), folder.text("list.jsonl"));
    fs::write(&list, "s01.lab.test\n").unwrap();
    for (evidence, says) in [
        ("seen.csv", "end its name in .jsonl, .jsonl.gz, .jsonl.zst or .parquet"),
        ("seen", "end its name in"),
        ("rows.jsonl", "--evidence"),
        ("list.jsonl", "would be overwritten by --evidence"),
        ("none/seen.jsonl", "there is no directory"),
    ] {
        let evidence = folder.text(evidence);
        let output = mxcensus(&["scan", "--lab", "-i", &list, "-o", &rows, "--evidence", &evidence]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{evidence}: {said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{evidence}: {said}");
        assert!(!folder.path("rows.jsonl").exists());
    }
    folder.scanned("rows.jsonl", "seen.jsonl");
    let output = folder.judge("seen.jsonl", "seen.jsonl", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("is read by EVIDENCE and would be overwritten by --output"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn evidence_that_the_disk_does_not_take_is_our_fault_and_ends_the_run() {
    let folder = Folder::new();
    for evidence in ["seen.jsonl", "seen.jsonl.gz", "seen.parquet"] {
        let path = folder.path(evidence);
        let script = format!(
            "ulimit -f 8; exec {PROGRAM} scan --lab --lab-domains 3000 --progress none -o /dev/null --format csv \
             --evidence {}",
            path.display()
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(stderr(&output).contains(evidence) && !path.exists(), "{}", stderr(&output));
    }
}

/// Rows whose run was another one: they are a day older.
fn a_day_before(rows: &[Value], days: i64) -> Vec<Value> {
    let earlier = |row: &Value| {
        let mut row = row.clone();
        let at: jiff::Timestamp = row["scanned_at"].as_str().unwrap().parse().unwrap();
        row["scanned_at"] = json!((at - jiff::SignedDuration::from_hours(24 * days + 1)).to_string());
        row
    };
    rows.iter().map(earlier).collect()
}

/// Stored evidence as if it had been gathered an hour ago.
fn an_hour_before(evidence: &Path) {
    let text = fs::read_to_string(evidence).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in lines.iter_mut().skip(1) {
        let routes = record.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten();
        let hosts = routes.filter_map(|route| route.get_mut("hosts")?.as_array_mut()).flatten();
        for at in hosts.map(|host| &mut host["scanned_at"]) {
            *at = json!(at.as_i64().unwrap() - 3_600_000);
        }
        record["scanned_at"] = json!(record["scanned_at"].as_i64().unwrap() - 3_600_000);
    }
    write_rows(evidence, &lines);
}

#[test]
fn a_scan_that_reached_nobody_proves_no_domain_unreachable() {
    let folder = Folder::new();
    folder.scan("first.jsonl", "seen.jsonl", &["--seed", "5"]);
    let mut earlier = a_day_before(&rows(&folder.path("first.jsonl")), 0);
    earlier.retain(|row| row["connect_status"] != "open");
    write_rows(&folder.path("earlier.jsonl"), &earlier);
    folder.judged("seen.jsonl", "again.jsonl", &["--previous", &folder.text("earlier.jsonl")]);
    let again = rows(&folder.path("again.jsonl"));
    let dead: Vec<&Value> = again.iter().filter(|row| findings(row).contains("mx-all-unreachable")).collect();
    assert!(!dead.is_empty() && dead.iter().all(|row| row["mx"] == "unknown"), "{dead:?}");
}

#[test]
fn a_second_scan_makes_failures_of_what_one_scan_could_not_tell() {
    let folder = Folder::new();
    // In this world some domains cannot be reached.
    folder.scan("first.jsonl", "first-seen.jsonl", &["--seed", "5"]);
    an_hour_before(&folder.path("first-seen.jsonl"));
    folder.judged("first-seen.jsonl", "first.jsonl", &[]);
    folder.scan("second.jsonl", "seen.jsonl", &["--seed", "5", "--previous", &folder.text("first.jsonl")]);
    folder.judged("seen.jsonl", "alone.jsonl", &[]);
    let (second, alone) = (rows(&folder.path("second.jsonl")), rows(&folder.path("alone.jsonl")));
    let columns: Vec<&str> = differences(&alone, &second).into_keys().collect();
    // Those that are silent again fail as well, and then have no name to judge.
    let names = ["exists", "fqdn", "introduces", "matches"];
    assert_eq!(columns, [&names[..], &["mx", "na_why", "unknown_why", "verdict"]].concat());
    let mut dead = 0;
    for (alone, second) in alone.iter().zip(&second) {
        let unreachable = findings(second).contains("mx-all-unreachable");
        dead += usize::from(unreachable);
        assert_eq!(second["mx"] == "fail" && alone["mx"] == "unknown", unreachable, "{second}");
    }
    assert!(dead > 0, "no domain of the lab is unreachable");

    // Whatever form the rows of the first scan have, they tell the same.
    for first in ["first.csv", "first.csv.gz", "first.jsonl.zst", "first.parquet"] {
        folder.judged("first-seen.jsonl", first, &[]);
        folder.judged("seen.jsonl", "again.jsonl", &["--previous", &folder.text(first)]);
        let (again, second) = (fs::read(folder.path("again.jsonl")), fs::read(folder.path("second.jsonl")));
        assert!(again.unwrap() == second.unwrap(), "{first}");
    }
}

#[test]
fn silence_is_a_failure_when_it_was_met_a_quarter_of_an_hour_before() {
    let folder = Folder::new();
    folder.scanned("first.jsonl", "seen.jsonl");
    let earlier = a_day_before(&rows(&folder.path("first.jsonl")), 0);
    write_rows(&folder.path("earlier.jsonl"), &earlier);
    let previous = folder.text("earlier.jsonl");
    folder.judged("seen.jsonl", "second.jsonl", &["--previous", &previous]);
    let second = rows(&folder.path("second.jsonl"));
    let silent: Vec<&Value> = second.iter().filter(|row| findings(row).contains("greeting-none")).collect();
    assert!(silent.iter().any(|row| row["target"] == "s60.lab.test"));
    for row in silent {
        let verdicts = ["introduces", "fqdn", "exists", "matches", "unlisted"].map(|rule| row[rule].as_str().unwrap());
        assert_eq!(verdicts, ["fail", "na", "na", "na", "pass"], "{row}");
    }
    // The rows of the scan itself are no earlier run.
    folder.judged("seen.jsonl", "same.jsonl", &["--previous", &folder.text("first.jsonl")]);
    assert_eq!(fs::read(folder.path("same.jsonl")).unwrap(), fs::read(folder.path("first.jsonl")).unwrap());
}

#[test]
fn a_server_that_was_mended_and_is_still_listed_is_told() {
    let folder = Folder::new();
    folder.scanned("now.jsonl", "seen.jsonl");
    let now = rows(&folder.path("now.jsonl"));
    let mut earlier = a_day_before(&now, 0);
    earlier.retain(|row| row["target"] == "s49.lab.test");
    assert_eq!((&earlier[0]["reverse"], &earlier[0]["unlisted"]), (&json!("pass"), &json!("fail")));
    earlier[0]["reverse"] = json!("fail");
    write_rows(&folder.path("earlier.jsonl"), &earlier);
    folder.judged("seen.jsonl", "then.jsonl", &["--previous", &folder.text("earlier.jsonl")]);
    let then = rows(&folder.path("then.jsonl"));
    assert_eq!(differences(&now, &then), [("findings", 1)].into());
    let stale: Vec<&Value> = then.iter().filter(|row| findings(row).contains("dnsbl-stale-suspect")).collect();
    assert_eq!((stale.len(), &stale[0]["target"]), (1, &json!("s49.lab.test")));
}

#[test]
fn a_reverse_zone_that_was_lame_on_three_days_fails() {
    let folder = Folder::new();
    folder.scanned("now.jsonl", "seen.jsonl");
    let now = rows(&folder.path("now.jsonl"));
    write_rows(&folder.path("one.jsonl"), &a_day_before(&now, 1));
    write_rows(&folder.path("two.jsonl"), &a_day_before(&now, 2));
    let (one, two) = (folder.text("one.jsonl"), folder.text("two.jsonl"));
    let lame = |more: &[&str]| {
        folder.judged("seen.jsonl", "then.jsonl", more);
        let then = rows(&folder.path("then.jsonl"));
        let lame = then.into_iter().filter(|row| findings(row).contains("ptr-zone-lame"));
        lame.map(|row| row["reverse"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lame(&["--previous", &one]), ["unknown"]);
    assert_eq!(lame(&["--previous", &one, "--previous", &one]), ["unknown"]);
    assert_eq!(lame(&["--previous", &one, "--previous", &two]), ["fail"]);
}

#[test]
fn a_judge_says_when_it_knows_less_of_earlier_runs_than_the_scan_did() {
    let folder = Folder::new();
    folder.scan("first.csv", "first-seen.jsonl", &[]);
    let first = folder.text("first.csv");
    folder.scan("second.csv", "seen.jsonl", &["--previous", &first]);
    let said = folder.judged("seen.jsonl", "alone.csv", &[]);
    assert!(said.contains(&format!("was judged with --previous {first}; without it rows may differ")), "{said}");
    let said = folder.judged("seen.jsonl", "again.csv", &["--previous", &first]);
    assert!(!said.contains("rows may differ"), "{said}");
    assert!(fs::read(folder.path("again.csv")).unwrap() == fs::read(folder.path("second.csv")).unwrap());
}

#[test]
fn earlier_rows_that_are_none_are_refused_before_the_first_packet() {
    let folder = Folder::new();
    fs::write(folder.path("list.csv"), "domain\nexample.org\n").unwrap();
    folder.scanned("rows.jsonl", "seen.jsonl");
    fs::write(folder.path("bad.jsonl"), "{\"address\":null}\n").unwrap();
    fs::write(folder.path("cut.csv"), "").unwrap();
    for (previous, says) in [
        ("list.csv", "has no column \"address\""),
        ("bad.jsonl", "has no column \"domain\""),
        ("seen.jsonl", "makes rows of it"),
        ("cut.csv", "has no column"),
        ("none.csv", "cannot open"),
    ] {
        let (previous, rows) = (folder.text(previous), folder.text("rows.csv"));
        let output = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", &rows, "--previous", &previous]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{previous}: {said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{previous}: {said}");
        assert!(!folder.path("rows.csv").exists());
    }
}
