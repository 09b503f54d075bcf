//! What has changed between two runs: the program as a shell meets it, on scans of the loopback world.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use mxcensus::scan::diff::change::Kind;
use mxcensus::scan::diff::records::COLUMNS;
use serde_json::{Value, json};
use shell::{Folder, PROGRAM, mxcensus, stderr};

const FORMS: [&str; 5] = ["csv", "csv.gz", "jsonl", "jsonl.zst", "parquet"];

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Folder {
    /// Scans some targets of the lab.
    fn scan(&self, name: &str, more: &[&str]) {
        let output = self.text(name);
        let targets = ["s01", "s02", "s03", "s04", "s05", "s12", "s20"].map(|name| format!("{name}.lab.test"));
        let words = ["scan", "--lab", "-q", "--no-starttls", "-o", &output].into_iter();
        let words = words.chain(more.iter().copied()).chain(targets.iter().map(String::as_str));
        let scanned = mxcensus(&words.collect::<Vec<_>>());
        assert_eq!(scanned.status.code(), Some(0), "{}", stderr(&scanned));
    }

    /// The rows of a scan of the lab as JSON.
    fn rows(&self) -> Vec<Value> {
        self.scan("rows.jsonl", &["--order", "input"]);
        fs::read_to_string(self.path("rows.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Writes rows without a manifest.
    fn write(&self, name: &str, rows: &[Value]) {
        let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
        fs::write(self.path(name), lines.concat()).unwrap();
    }

    fn diff(&self, old: &str, new: &str, more: &[&str]) -> Output {
        let (old, new) = (self.text(old), self.text(new));
        mxcensus(&[&["diff", &old, &new], more].concat())
    }

    /// The changes as records.
    fn changes(&self, old: &str, new: &str) -> Vec<Value> {
        let told = self.diff(old, new, &["--format", "jsonl"]);
        assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
        stdout(&told).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The first row that all rules pass for.
fn good(rows: &mut [Value]) -> &mut Value {
    rows.iter_mut().find(|row| row["verdict"] == "conformant").unwrap()
}

#[test]
fn two_scans_of_one_world_differ_in_nothing_whatever_form_they_have() {
    let folder = Folder::new();
    for form in FORMS {
        folder.scan(&format!("rows.{form}"), &[]);
    }
    let rows = folder.rows();
    let mut edited = rows.clone();
    let row = good(&mut edited);
    (row["exists"], row["verdict"], row["findings"]) =
        (json!("fail"), json!("misconfigured"), json!(["helo-nxdomain"]));
    let (target, address) = (row["target"].clone(), row["address"].clone());
    folder.write("edited.jsonl", &edited);
    let line = format!("nothing has changed: {0} rows before, {0} now\n", rows.len());
    for old in FORMS {
        let old = format!("rows.{old}");
        for new in FORMS {
            let told = folder.diff(&old, &format!("rows.{new}"), &["--fail-on", "warning"]);
            assert_eq!((told.status.code(), stdout(&told)), (Some(0), line.clone()), "{old} {new}: {}", stderr(&told));
            assert_eq!(stderr(&told), "", "{old} {new}");
        }
        let changes = folder.changes(&old, "edited.jsonl");
        assert_eq!(changes[0]["change"], "broken", "{old}: {changes:#?}");
        assert_eq!((&changes[0]["target"], &changes[0]["address"]), (&target, &address));
        let back = folder.changes("edited.jsonl", &old);
        assert_eq!(back.len(), changes.len(), "{old}");
        assert!(
            back.iter().any(|change| change["change"] == "fixed" && change["was"] == json!(["exists=fail"])),
            "{back:#?}"
        );
    }
}

#[test]
fn another_world_is_told_in_text_csv_and_jsonl_alike() {
    let folder = Folder::new();
    folder.scan("old.csv", &["--seed", "1"]);
    folder.scan("new.parquet", &["--seed", "2"]);
    let mut rows = folder.rows();
    good(&mut rows)["address"] = json!("192.0.2.77");
    folder.write("new.jsonl", &rows);
    let changes = folder.changes("old.csv", "new.jsonl");
    let kinds: Vec<&str> = changes.iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"appeared") && kinds.contains(&"vanished") && kinds.len() == 2, "{changes:#?}");

    let told = folder.diff("old.csv", "new.jsonl", &["--format", "csv"]);
    let text = stdout(&told);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
    for (record, change) in reader.records().map(Result::unwrap).zip(&changes) {
        for (cell, name) in record.iter().zip(&header) {
            let wanted = match &change[name] {
                Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(";"),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            assert_eq!(cell, wanted, "{name}");
        }
    }
    assert!(stderr(&told).starts_with(&format!("{0} rows before, {0} now: 1 appeared, 1 vanished", rows.len())));

    let text = stdout(&folder.diff("old.csv", "new.jsonl", &[]));
    assert!(
        text.contains("\nappeared (1)\n  ") && text.contains("  192.0.2.77  ") && !text.contains('\u{1b}'),
        "{text}"
    );
    // Another world is another run of the same options: the seed is not warned of.
    let worlds = folder.diff("old.csv", "new.parquet", &[]);
    assert_eq!((worlds.status.code(), stderr(&worlds)), (Some(0), String::new()));
}

#[test]
fn the_help_tells_every_column_and_every_kind() {
    let help = stdout(&mxcensus(&["diff", "--help"]));
    for word in COLUMNS.iter().map(|column| column.name).chain(Kind::WORDS.iter().copied()) {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn the_exit_code_tells_whether_something_got_worse() {
    let folder = Folder::new();
    let rows = folder.rows();
    folder.write("old.jsonl", &rows);
    let with = |name: &str, change: fn(&mut Value)| {
        let mut rows = rows.clone();
        change(good(&mut rows));
        folder.write(name, &rows);
    };
    with("broken.jsonl", |row| row["reverse"] = json!("fail"));
    with("listed.jsonl", |row| {
        (row["unlisted"], row["dnsbl_counted"]) = (json!("fail"), json!(["bl1.lab.test"]));
    });
    with("warning.jsonl", |row| row["findings"].as_array_mut().unwrap().push(json!("helo-unstable")));
    with("unknown.jsonl", |row| {
        (row["matches"], row["unknown_why"]) = (json!("unknown"), json!(["matches=servfail"]));
    });
    with("mended.jsonl", |row| row["mx"] = json!("na"));
    for (old, new, codes) in [
        ("old", "old", [0, 0, 0]),
        ("old", "broken", [0, 1, 1]),
        ("broken", "old", [0, 0, 0]),
        ("old", "listed", [0, 1, 1]),
        ("listed", "old", [0, 0, 0]),
        ("old", "warning", [0, 0, 1]),
        ("warning", "old", [0, 0, 0]),
        ("old", "unknown", [0, 0, 0]),
        ("unknown", "broken", [0, 1, 1]),
        ("mended", "old", [0, 0, 0]),
    ] {
        for (fail_on, code) in ["never", "error", "warning"].into_iter().zip(codes) {
            let told = folder.diff(&format!("{old}.jsonl"), &format!("{new}.jsonl"), &["-q", "--fail-on", fail_on]);
            assert_eq!(told.status.code(), Some(code), "{old} {new} {fail_on}: {}", stdout(&told));
            assert_eq!(old == new, told.stdout.is_empty(), "cron sends no mail where nothing has changed");
            assert_eq!(stderr(&told), "");
        }
    }
    // What was unknown and fails now may have failed before.
    let known = folder.changes("unknown.jsonl", "old.jsonl");
    assert_eq!(
        (known.len(), &known[0]["change"], &known[0]["why"]),
        (1, &json!("became-known"), &json!(["matches=servfail"]))
    );
}

#[test]
fn what_cannot_be_compared_is_said_in_one_line() {
    let folder = Folder::new();
    let mut rows = folder.rows();
    folder.write("old.jsonl", &rows);
    rows[0]["schema_version"] = json!(99);
    folder.write("newer.jsonl", &rows);
    fs::write(folder.path("list.csv"), "target\nexample.org\n").unwrap();
    let old = folder.text("old.jsonl");
    let refused = |more: &[&str], says: &str| {
        let refused = mxcensus(&[&["diff", &old], more].concat());
        let said = stderr(&refused);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{more:?}: {said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{more:?}: {said}");
    };
    refused(&[&folder.text("newer.jsonl")], "row 1 of");
    refused(&[&folder.text("nowhere.csv")], "cannot open");
    refused(&[&folder.text("list.csv")], "has no column");
    refused(&[&old, "-o", &old], "old.jsonl");
    refused(&[&old, "-o", &folder.text("x.parquet")], "text, csv or jsonl");
    refused(&[&old, "-o", &folder.text("x.csv"), "--format", "jsonl"], "text, csv or jsonl");
    assert_eq!(mxcensus(&["diff", "-", "-"]).status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 5, "nothing is left behind");
}

#[test]
fn runs_of_other_options_are_compared_with_one_warning() {
    let folder = Folder::new();
    folder.scan("old.csv", &[]);
    folder.scan("new.csv", &["--dnsbl", "bl2.lab.test", "--profile", "patient"]);
    let told = folder.diff("old.csv", "new.csv", &[]);
    let said = stderr(&told);
    assert_eq!((told.status.code(), said.lines().count()), (Some(0), 1), "{said}");
    for says in ["--profile was \"census\" and is \"patient\"", "asked in the old run only: bl1.lab.test"] {
        assert!(said.contains(says), "{said}");
    }
    let changes = folder.changes("old.csv", "new.csv");
    assert!(changes.iter().all(|change| change["change"] != "delisted"), "{changes:#?}");
    assert_eq!(stderr(&folder.diff("old.csv", "new.csv", &["-q"])), "");
}

#[test]
fn an_output_is_whole_and_of_the_form_that_its_name_says() {
    let folder = Folder::new();
    let rows = folder.rows();
    folder.write("old.jsonl", &rows);
    folder.write("new.jsonl", &rows[1..]);
    for (name, begins) in [("c.csv", "change,severity,"), ("c.jsonl", "{\"change\":\"vanished\""), ("c.txt", "")] {
        fs::write(folder.path(name), "an older one").unwrap();
        let output = folder.text(name);
        let told = folder.diff("old.jsonl", "new.jsonl", &["-o", &output]);
        assert_eq!((told.status.code(), told.stdout.len()), (Some(0), 0), "{}", stderr(&told));
        let text = fs::read_to_string(&output).unwrap();
        assert!(text.starts_with(begins) && text.contains("vanished") && !text.contains("older"), "{text}");
        assert!(stderr(&told).ends_with("1 vanished\n"), "{}", stderr(&told));
        assert!(!folder.path(&format!("{name}.part")).exists());
    }
    let zipped = folder.text("c.jsonl.gz");
    folder.diff("old.jsonl", "new.jsonl", &["-q", "-o", &zipped]);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(&zipped).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn of_each_kind_only_so_many_are_shown_the_worst_first() {
    let folder = Folder::new();
    let row = good(&mut folder.rows()).clone();
    let many: Vec<Value> = (0..20)
        .map(|n| {
            let mut row = row.clone();
            row["target"] = json!(format!("t{n:02}.example"));
            if n == 15 {
                (row["fqdn"], row["verdict"]) = (json!("fail"), json!("misconfigured"));
            }
            row
        })
        .collect();
    folder.write("old.jsonl", &[]);
    folder.write("new.jsonl", &many);
    let text = stdout(&folder.diff("old.jsonl", "new.jsonl", &["--limit", "3"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["0 rows before, 20 now: 20 appeared", "", "appeared (20)"]);
    assert!(lines[3].starts_with("  t15.example  ") && lines[4].starts_with("  t00.example  "), "{text}");
    assert_eq!((lines.len(), lines[6]), (7, "  and 17 more: --limit tells more, --format csv all"));
}

#[test]
fn hostile_text_steers_no_terminal_and_no_spreadsheet() {
    let folder = Folder::new();
    let mut row = good(&mut folder.rows()).clone();
    row["target"] = json!("=cmd|' /C calc'!A0\u{1b}]0;owned\u{7}\u{202e}\r\nbroken (99)");
    row["exchange"] = json!(format!("{}\u{9b}2J", "x".repeat(5_000)));
    folder.write("old.jsonl", &[]);
    folder.write("new.jsonl", &[row]);
    // A file that somebody else has written, with bytes that this program would have escaped.
    for more in [&[][..], &["--format", "csv"], &["--format", "jsonl"]] {
        let text = stdout(&folder.diff("old.jsonl", "new.jsonl", more));
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(steers) && text.contains("x1B]0;owned"), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("broken") || line.contains(",=cmd")), "{text}");
    }
}

#[test]
fn one_side_may_be_a_pipe_and_a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::new();
    let rows = folder.rows();
    folder.write("old.jsonl", &[]);
    let many: Vec<Value> = (0..3_000)
        .map(|n| {
            let mut row = rows[0].clone();
            row["target"] = json!(format!("t{n}.example"));
            row
        })
        .collect();
    let text = many.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let old = folder.text("old.jsonl");
    let mut child = Command::new(PROGRAM)
        .args(["diff", &old, "-", "--format", "jsonl", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut some = [0; 10];
    out.read_exact(&mut some).unwrap();
    drop(out);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), stderr(&ended)), (Some(0), String::new()));
}
