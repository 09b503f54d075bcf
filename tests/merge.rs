//! Shards of a list, and outputs that are joined: the program as a shell meets it, and whole scans of the loopback world.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

mod shell;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser as _;
use mxcensus::cli::{Cli, Command as Typed};
use mxcensus::config;
use mxcensus::lab::{Lab, Settings};
use mxcensus::scan;
use mxcensus::scan::stop::Stop;
use serde_json::{Value, json};
use shell::{Folder, PROGRAM, mxcensus, stderr};

/// What no two runs have in common.
const TIMES: [&str; 4] = ["connect_ms", "greeting_ms", "scanned_at", "elapsed_ms"];

impl Folder {
    /// Scans in this lab.
    async fn scan(&self, lab: Lab, output: &str, more: &[&str]) -> Lab {
        let output = self.text(output);
        let words = ["mxcensus", "scan", "--lab", "--quiet", "-o", &output].into_iter().chain(more.iter().copied());
        let Typed::Scan(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not a scan") };
        let meant = config::scan_in(*args, Some(lab)).unwrap();
        assert!(scan::run(meant.job, Stop::default()).await.unwrap().complete);
        meant.lab.unwrap()
    }

    fn merge(&self, parts: &[&str], output: &str, more: &[&str]) -> Output {
        let parts: Vec<String> = parts.iter().map(|part| self.text(part)).collect();
        let output = self.text(output);
        let parts = parts.iter().map(String::as_str);
        mxcensus(&["merge", "-o", &output].into_iter().chain(parts).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    fn merged(&self, parts: &[&str], output: &str, more: &[&str]) -> String {
        let merged = self.merge(parts, output, more);
        assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
        stderr(&merged)
    }

    fn manifest(&self, output: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(&format!("{output}.manifest.json"))).unwrap()).unwrap()
    }

    /// Changes the manifest of an output.
    fn edit(&self, output: &str, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest(output);
        change(&mut manifest);
        fs::write(self.path(&format!("{output}.manifest.json")), manifest.to_string()).unwrap();
    }

    /// Rows that make a JSONL file, with the manifest of a run that is share `shard` of a list.
    fn part(&self, name: &str, shard: Option<&str>, rows: &[Value]) {
        let lines: Vec<String> = rows.iter().map(Value::to_string).chain([String::new()]).collect();
        fs::write(self.path(name), lines.join("\n")).unwrap();
        let manifest = json!({
            "version": "0.1.0", "schema_version": 1, "seeds": { "order": 1 }, "start": "2026-01-01T00:00:00.000Z",
            "end": "2026-01-01T01:00:00.000Z", "tally": null, "complete": true,
            "configuration": { "command": "scan", "targets": [], "shard": shard, "seed": 1, "output": name },
            "inputs": [{ "name": "list.csv", "sha256": shard.map_or(name, |_| "00"), "records": 9 }],
            "counts": { "records_read": 9, "rows": rows.len(), "dns_questions": 5 },
        });
        fs::write(self.path(&format!("{name}.manifest.json")), manifest.to_string()).unwrap();
    }
}

/// The rows of a file in a form of their own, each as a text without what no two runs have in common, sorted.
fn rows(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let bytes = match path.extension().unwrap().to_str().unwrap() {
        "zst" => zstd::decode_all(&*bytes).unwrap(),
        "gz" => {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&*bytes), &mut plain).unwrap();
            plain
        }
        "parquet" => return columns(path),
        _ => bytes,
    };
    let text = String::from_utf8(bytes).unwrap();
    let mut rows: Vec<String> = if text.starts_with('{') {
        let row = |line: &str| {
            let mut row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            row.retain(|column, _| !TIMES.contains(&column.as_str()));
            Value::Object(row).to_string()
        };
        text.lines().map(row).collect()
    } else {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let row = |record: csv::StringRecord| {
            let cells = header.iter().zip(&record).filter(|(column, _)| !TIMES.contains(column));
            cells.map(|(_, cell)| cell).collect::<Vec<_>>().join("\0")
        };
        reader.records().map(|record| row(record.unwrap())).collect()
    };
    rows.sort();
    rows
}

/// The same of Parquet.
fn columns(path: &Path) -> Vec<String> {
    let reader = parquet::file::reader::SerializedFileReader::try_from(path).unwrap();
    let mut rows: Vec<String> = reader
        .into_iter()
        .map(|row| {
            let row = row.unwrap();
            let cells = row.get_column_iter().filter(|(column, _)| !TIMES.contains(&column.as_str()));
            cells.map(|(_, cell)| cell.to_string()).collect::<Vec<_>>().join("\0")
        })
        .collect();
    rows.sort();
    rows
}

/// Scans whole and in three shards, joins them, and holds the one against the other.
async fn whole_and_in_shards(format: &str, input: &[&str], domains: u64) {
    let folder = Folder::new();
    let mut lab = Lab::start(Settings::new(3, domains)).await.unwrap();
    // Which of its names a server is asked for in TLS depends on the target that comes first.
    let seed = [input, &["--seed", "3", "--no-starttls"]].concat();
    lab = folder.scan(lab, &format!("whole.{format}"), &seed).await;
    let parts = ["1", "2", "3"].map(|k| format!("part-{k}.{format}"));
    for (k, part) in ["1/3", "2/3", "3/3"].into_iter().zip(&parts) {
        lab = folder.scan(lab, part, &[&seed[..], &["--shard", k]].concat()).await;
    }
    let parts = parts.each_ref().map(String::as_str);
    let said = folder.merged(&parts, &format!("joined.{format}"), &[]);
    assert!(said.starts_with("complete: rows written ") && said.lines().count() == 1, "{said}");

    let whole = rows(&folder.path(&format!("whole.{format}")));
    let joined = rows(&folder.path(&format!("joined.{format}")));
    let differ: Vec<_> = whole.iter().zip(&joined).filter(|(one, other)| one != other).take(3).collect();
    assert!(whole == joined, "{} rows and {}: {differ:#?}", whole.len(), joined.len());
    for part in parts {
        let share = rows(&folder.path(part)).len();
        assert!(share > whole.len() / 6 && share < whole.len() / 2, "{part} holds {share} of {}", whole.len());
    }
    let (one, other) = (folder.manifest(&format!("whole.{format}")), folder.manifest(&format!("joined.{format}")));
    for what in ["tally", "inputs", "seeds", "complete"] {
        assert_eq!(one[what], other[what], "{what}");
    }
    for count in ["records_read", "records_rejected", "records_excluded", "targets", "rows", "exclusions"] {
        assert_eq!(one["counts"][count], other["counts"][count], "{count}");
    }
    assert_eq!(other["parts"].as_array().unwrap().len(), 3);
    assert_eq!(other["parts"][1]["shard"], "2/3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shards_of_the_lab_are_the_whole_as_csv() {
    whole_and_in_shards("csv", &[], 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shards_of_the_lab_are_the_whole_as_jsonl() {
    whole_and_in_shards("jsonl.zst", &[], 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shards_of_the_lab_are_the_whole_as_parquet() {
    whole_and_in_shards("parquet", &[], 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shards_of_networks_are_the_whole() {
    whole_and_in_shards("jsonl", &["198.51.100.0/25", "2001:db8:25::/122", "s02.lab.test"], 120).await;
}

/// The rows of a scan of the lab, as JSON.
fn some_rows(folder: &Folder, targets: &[&str]) -> Vec<Value> {
    let output = folder.text("some.jsonl");
    let scanned = mxcensus(&[&["scan", "--lab", "-q", "--order", "input", "-o", &output], targets].concat());
    assert_eq!(scanned.status.code(), Some(0), "{}", stderr(&scanned));
    fs::read_to_string(&output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// That a merge is refused in one line that says all this, and leaves nothing.
fn assert_refused(folder: &Folder, parts: &[&str], output: &str, says: &[&str]) {
    let refused = folder.merge(parts, output, &[]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{parts:?}: {said}");
    for says in says {
        assert!(said.contains(says), "{parts:?}: {said:?} does not say {says:?}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");
    for left in ["", ".part", ".manifest.json", ".lock"] {
        assert!(!folder.path(&format!("{output}{left}")).exists(), "{output}{left} is there");
    }
}

#[test]
fn shares_that_are_missing_or_cut_short_are_named_and_joined_only_when_asked() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test"]);
    folder.part("1.jsonl", Some("1/4"), &rows[..1]);
    folder.part("3.jsonl", Some("3/4"), &rows[1..]);
    assert_refused(&folder, &["1.jsonl", "3.jsonl"], "out.jsonl", &["shares 2/4, 4/4 are missing", "--partial"]);
    let joined = folder.merge(&["1.jsonl", "3.jsonl"], "out.jsonl", &["--partial"]);
    assert_eq!(joined.status.code(), Some(3), "{}", stderr(&joined));
    assert!(stderr(&joined).starts_with("incomplete (shares 2/4, 4/4 are missing): rows written 3 = 1 + 2; targets 2"));
    let manifest = folder.manifest("out.jsonl");
    assert_eq!((&manifest["complete"], &manifest["counts"]["rows"]), (&json!(false), &json!(3)));

    folder.part("2.jsonl", Some("2/4"), &[]);
    folder.part("4.jsonl.part", Some("4/4"), &[]);
    fs::rename(folder.path("4.jsonl.part.manifest.json"), folder.path("4.jsonl.manifest.json")).unwrap();
    folder.edit("4.jsonl", |manifest| {
        manifest["complete"] = json!(false);
        manifest["inputs"] = json!([]);
    });
    let all = ["1.jsonl", "2.jsonl", "3.jsonl", "4.jsonl.part"];
    assert_refused(&folder, &all, "all.jsonl", &["the run of", "4.jsonl.part was cut short"]);
    let joined = folder.merge(&all, "all.jsonl.gz", &["--partial", "-q"]);
    assert_eq!((joined.status.code(), &*stderr(&joined)), (Some(3), ""));
    folder.edit("4.jsonl", |manifest| manifest["complete"] = json!(true));
    folder.edit("4.jsonl", |manifest| manifest["inputs"] = json!([{ "name": "l", "sha256": "00", "records": 9 }]));
    let said = folder.merged(&all, "all.jsonl.zst", &[]);
    assert_eq!(said, "complete: rows written 3 = 1 + 0 + 2 + 0; targets 2\n");
    let manifest = folder.manifest("all.jsonl.zst");
    assert_eq!(
        manifest["counts"],
        json!({ "dns_questions": 20, "records_read": 9, "rows": 3, "rows_repeated": 0, "targets": 2 })
    );
    assert_eq!(manifest["inputs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_does_not_belong_together_is_refused_by_name_and_leaves_nothing() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test"]);
    folder.part("1.jsonl", Some("1/2"), &rows[..1]);
    folder.part("2.jsonl", Some("2/2"), &rows[1..]);
    let both = ["1.jsonl", "2.jsonl"];
    let change = |place: &'static str, value: Value, says: &[&str]| {
        folder.part("2.jsonl", Some("2/2"), &rows[1..]);
        folder.edit("2.jsonl", |manifest| *manifest.pointer_mut(place).unwrap() = value);
        assert_refused(&folder, &both, "out.jsonl", &[says, &["1.jsonl", "2.jsonl"]].concat());
    };
    change("/configuration/seed", json!(2), &["--seed was 1 and is 2"]);
    change("/configuration/shard", json!("1/2"), &["both are share 1/2"]);
    change("/inputs/0/sha256", json!("01"), &["not of the same list"]);
    folder.part("2.jsonl", Some("2/3"), &rows[1..]);
    assert_refused(&folder, &both, "out.jsonl", &["2.jsonl is share 2/3"]);
    folder.part("2.jsonl", None, &rows[1..]);
    assert_refused(&folder, &both, "out.jsonl", &["2.jsonl is no share"]);
    assert_refused(&folder, &["1.jsonl", "1.jsonl"], "out.jsonl", &["1.jsonl is given twice"]);
    assert_refused(&folder, &["1.jsonl", "none.jsonl"], "out.jsonl", &["cannot open", "none.jsonl"]);
    assert_refused(&folder, &["1.jsonl"], "out.csv", &["out.csv does not go with the format jsonl"]);
    assert_refused(&folder, &["1.jsonl"], "1.jsonl/out", &["1.jsonl"]);
    let refused = folder.merge(&both, "1.jsonl", &[]);
    assert!(stderr(&refused).contains("would be overwritten"), "{}", stderr(&refused));

    // Whole runs: of one list they are refused, of two they are joined.
    folder.part("1.jsonl", None, &rows[..1]);
    folder.part("2.jsonl", None, &rows[1..]);
    let joined = folder.merged(&both, "two.jsonl", &[]);
    assert!(joined.starts_with("complete: rows written 3 = 1 + 2"), "{joined}");
    assert_eq!(folder.manifest("two.jsonl")["counts"]["records_read"], 18);
    folder.edit("2.jsonl", |manifest| manifest["inputs"][0]["sha256"] = json!("1.jsonl"));
    assert_refused(&folder, &both, "out.jsonl", &["whole runs of the same list"]);
}

#[test]
fn a_part_that_is_not_what_it_says_is_refused() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test", "s03.lab.test"]);
    folder.part("1.jsonl", Some("1/2"), &rows[..2]);
    let refused = |rows: &[Value], says: &[&str]| {
        folder.part("2.jsonl", Some("2/2"), rows);
        assert_refused(&folder, &["1.jsonl", "2.jsonl"], "out.jsonl", says);
    };
    let changed = |place: &str, value: Value| {
        let mut rows = rows[2..].to_vec();
        rows[1][place] = value;
        rows
    };
    refused(&changed("schema_version", json!(2)), &["row 2 of", "2.jsonl is of version 2", "knows up to 1"]);
    refused(&changed("fqdn", json!("perhaps")), &["record 2 of", "2.jsonl is damaged"]);
    refused(&changed("findings", json!(["no-such"])), &["record 2 of", "\"no-such\"", "a newer one may"]);
    refused(&rows[1..], &["1 rows stand in more than one part", "shares of one list"]);
    let mut columns = rows[2..].to_vec();
    columns[0].as_object_mut().unwrap().insert("added".to_owned(), json!(1));
    refused(&columns, &["the columns of", "1.jsonl", "2.jsonl", "is missing in the one and \"added\" in the other"]);
    folder.part("2.jsonl", Some("2/2"), &rows[2..]);
    folder.edit("2.jsonl", |manifest| manifest["counts"]["rows"] = json!(7));
    assert_refused(&folder, &["1.jsonl", "2.jsonl"], "out.jsonl", &["2.jsonl holds 2 rows", "tells of 7"]);
    for (name, bytes) in [("other.csv", &b"a,b\n"[..]), ("broken.jsonl", b"{\"a\":"), ("cut.csv", b"")] {
        fs::write(folder.path(name), bytes).unwrap();
        assert_refused(&folder, &[name], "out.csv", &[name]);
    }
    let csv = folder.text("some.csv");
    mxcensus(&["scan", "--lab", "-q", "s01.lab.test", "-o", &csv]);
    assert_refused(&folder, &["1.jsonl", "some.csv"], "out.csv", &["1.jsonl holds jsonl", "some.csv holds csv"]);
    let half = fs::read(&csv).unwrap();
    fs::write(folder.path("half.csv"), &half[..half.len() - 200]).unwrap();
    assert_refused(&folder, &["half.csv"], "out.csv", &["record 1 of", "half.csv is damaged"]);
}

#[test]
fn parts_without_a_manifest_are_taken_for_their_rows_with_a_warning_and_doubles_are_told() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test", "s03.lab.test"]);
    folder.part("1.jsonl", Some("1/4"), &rows[..2]);
    folder.part("2.jsonl", None, &rows[1..]);
    fs::remove_file(folder.path("2.jsonl.manifest.json")).unwrap();
    let said = folder.merged(&["1.jsonl", "2.jsonl"], "out.jsonl", &[]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("warning: ") && lines[0].contains("2.jsonl has no manifest"), "{said}");
    assert_eq!(lines[1], "warning: 1 rows stand in more than one part, and so in the output");
    assert_eq!(lines[2], "complete: rows written 5 = 2 + 3; targets 4");
    let manifest = folder.manifest("out.jsonl");
    assert_eq!(manifest["counts"], json!({ "targets": 4, "rows": 5, "rows_repeated": 1 }));
    assert_eq!(manifest["tally"]["rows"], 5);
    assert_eq!(manifest["parts"][1]["shard"], Value::Null);
}

#[test]
fn the_rejects_of_shares_are_those_of_one_and_those_of_runs_are_all() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test"]);
    for (shards, lines) in [([Some("1/2"), Some("2/2")], 2), ([None, None], 3)] {
        for (name, shard, rows) in [("1.jsonl", shards[0], &rows[..1]), ("2.jsonl", shards[1], &rows[1..])] {
            folder.part(name, shard, rows);
            let rejects = format!("file,record,column,reason,text\nlist.csv,{name},a,b,c\n");
            fs::write(folder.path(&format!("{name}.rejects.csv")), rejects).unwrap();
        }
        folder.merged(&["1.jsonl", "2.jsonl"], "out.jsonl", &["-q"]);
        let rejects = fs::read_to_string(folder.path("out.jsonl.rejects.csv")).unwrap();
        assert_eq!(rejects.lines().count(), lines, "{rejects}");
    }
    // Those of an earlier output would tell of records that are well.
    for name in ["1.jsonl", "2.jsonl"] {
        fs::remove_file(folder.path(&format!("{name}.rejects.csv"))).unwrap();
    }
    folder.merged(&["1.jsonl", "2.jsonl"], "out.jsonl", &["-q"]);
    assert!(!folder.path("out.jsonl.rejects.csv").exists());
}

#[test]
fn rows_go_to_standard_output_as_they_stand_and_a_full_disk_is_our_fault() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test", "s02.lab.test"]);
    folder.part("1.jsonl", Some("1/1"), &rows);
    let part = folder.text("1.jsonl");
    let joined = mxcensus(&["merge", &part, "-o", "-", "-q"]);
    assert_eq!((joined.status.code(), &*stderr(&joined)), (Some(0), ""));
    assert!(joined.stdout == fs::read(&part).unwrap());
    let full = mxcensus(&["merge", &part, "-o", "/dev/full"]);
    assert_eq!(full.status.code(), Some(4), "{}", stderr(&full));
    assert!(stderr(&full).contains("cannot write /dev/full"), "{}", stderr(&full));
}

#[test]
fn an_output_that_a_scan_has_not_finished_is_not_written_over() {
    let folder = Folder::new();
    let rows = some_rows(&folder, &["s01.lab.test"]);
    folder.part("1.jsonl", Some("1/1"), &rows);
    fs::write(folder.path("out.jsonl.journal"), "mxcensus-journal 0.0.0\n").unwrap();
    // A journal of another version tells of nothing that could be lost to this one.
    folder.merged(&["1.jsonl"], "out.jsonl", &["-q"]);
    let list = folder.text("list.csv");
    fs::write(&list, "s01.lab.test\n".repeat(50_000)).unwrap();
    let output = folder.text("cut.jsonl");
    let mut scan = Command::new(PROGRAM)
        .args(["scan", "--lab", "-q", "-i", &list, "-o", &output, "--memory=1", "--checkpoint=50ms"])
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while fs::metadata(folder.path("cut.jsonl.part")).is_ok_and(|found| found.len() < 1_000)
        || !folder.path("cut.jsonl.part").exists()
    {
        assert!(begun.elapsed().as_secs() < 60 && scan.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let held = folder.merge(&["1.jsonl"], "cut.jsonl", &[]);
    assert_eq!(held.status.code(), Some(2));
    assert!(stderr(&held).contains("is being written by another run"), "{}", stderr(&held));
    Command::new("kill").args(["-INT", &scan.id().to_string()]).status().unwrap();
    assert_eq!(scan.wait().unwrap().code(), Some(3));
    let unfinished = folder.merge(&["1.jsonl"], "cut.jsonl", &[]);
    assert_eq!(unfinished.status.code(), Some(2));
    assert!(stderr(&unfinished).contains("was interrupted with"), "{}", stderr(&unfinished));
}
