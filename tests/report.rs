//! What runs came to: the program as a shell meets it, on scans of the loopback world.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::fmt::Write as _;
use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use shell::{Folder, mxcensus, stderr};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Folder {
    /// Scans some targets of the lab.
    fn scan(&self, name: &str, more: &[&str]) {
        let output = self.text(name);
        let scanned = mxcensus(&[&["scan", "--lab", "--lab-domains", "120", "-q", "-o", &output], more].concat());
        assert_eq!(scanned.status.code(), Some(0), "{}", stderr(&scanned));
    }

    /// The rows of a file of JSONL.
    fn rows(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Writes rows without a manifest.
    fn write(&self, name: &str, rows: &[Value]) {
        let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
        fs::write(self.path(name), lines.concat()).unwrap();
    }

    fn report(&self, names: &[&str], more: &[&str]) -> Output {
        let paths: Vec<String> = names.iter().map(|name| self.text(name)).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        mxcensus(&[&["report"], &paths[..], more].concat())
    }

    /// The survey.
    fn survey(&self, names: &[&str]) -> Value {
        let told = self.report(names, &["--format", "json"]);
        assert_eq!((told.status.code(), &*stderr(&told)), (Some(0), ""), "{names:?}");
        serde_json::from_slice(&told.stdout).unwrap()
    }

    /// The same without what depends on the files, and on the clock.
    fn numbers(&self, names: &[&str]) -> Value {
        let mut survey = self.survey(names);
        for part in ["runs", "title", "greeting_ms", "connect_ms"] {
            survey.as_object_mut().unwrap().remove(part).unwrap();
        }
        survey
    }
}

/// The entry of an array whose member has this value.
fn entry<'a>(array: &'a Value, member: &str, value: &str) -> &'a Value {
    let found = array.as_array().unwrap().iter().find(|entry| entry[member] == value);
    found.unwrap_or_else(|| panic!("no {member} is {value}: {array:#}"))
}

fn strings(notes: &Value) -> Vec<&str> {
    notes.as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
}

#[test]
fn one_run_gives_one_survey_whatever_form_it_has() {
    let folder = Folder::new();
    let forms = ["csv", "csv.gz", "jsonl", "jsonl.zst", "parquet"];
    for form in forms {
        folder.scan(&format!("rows.{form}"), &["--order", "input", "--no-starttls"]);
    }
    let first = folder.numbers(&["rows.csv"]);
    assert_eq!(first["notes"], json!([]));
    for form in forms {
        let name = format!("rows.{form}");
        assert_eq!(folder.numbers(&[&name]), first, "{form}");
        assert_eq!(folder.survey(&[&name])["runs"][0]["form"], form.split('.').next().unwrap());
    }
    // The same twice is told, and counts twice.
    let both = folder.numbers(&["rows.csv", "rows.parquet"]);
    let rows = first["totals"]["rows"].as_u64().unwrap();
    assert_eq!((&both["totals"]["rows"], &both["totals"]["repeated"]), (&json!(2 * rows), &json!(rows)));
    assert_eq!(both["totals"]["servers"], first["totals"]["servers"]);
    assert!(strings(&both["notes"])[0].starts_with(&format!("{rows} rows are of the same target")), "{both:#}");
}

#[test]
fn shards_together_are_what_the_whole_is() {
    let folder = Folder::new();
    folder.scan("whole.csv", &["--order", "input", "--no-starttls"]);
    fs::create_dir(folder.path("parts")).unwrap();
    for share in 1..=3 {
        let name = format!("parts/part-{share}.parquet");
        folder.scan(&name, &["--order", "input", "--no-starttls", "--shard", &format!("{share}/3")]);
    }
    let (mut whole, mut parts) = (folder.numbers(&["whole.csv"]), folder.numbers(&["parts"]));
    // Which of equally bad rows comes first is up to the order of the rows, and so is the run that tells of a list.
    for survey in [&mut whole, &mut parts] {
        survey["worst"]["rows"] = json!(survey["worst"]["rows"].as_array().unwrap().len());
        for list in survey["blocklists"]["lists"]["entries"].as_array_mut().unwrap() {
            list["health"] = Value::Null;
        }
    }
    assert_eq!(parts, whole);
    let survey = folder.survey(&["parts"]);
    let shards: Vec<&Value> = survey["runs"].as_array().unwrap().iter().map(|run| &run["manifest"]["shard"]).collect();
    assert_eq!(shards, [&json!("1/3"), &json!("2/3"), &json!("3/3")]);
}

#[test]
fn the_counts_are_those_that_the_run_has_told_itself() {
    let folder = Folder::new();
    folder.scan("rows.parquet", &[]);
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.path("rows.parquet.manifest.json")).unwrap()).unwrap();
    let (tally, survey) = (&manifest["tally"], folder.survey(&["rows.parquet"]));
    assert_eq!((&survey["totals"]["rows"], &survey["totals"]["targets"]), (&tally["rows"], &tally["targets"]));
    for (by, told) in [("row", tally), ("server", &tally["servers"]), ("domain", &tally["domains"])] {
        let level = entry(&survey["levels"], "by", by);
        for rule in level["rules"].as_array().unwrap() {
            let told = &told[rule["rule"].as_str().unwrap()];
            for verdict in ["pass", "fail", "unknown"] {
                assert_eq!(rule[verdict]["count"], told[verdict], "{by} {rule}");
            }
            assert_eq!(rule["na"], told["na"], "{by} {rule}");
        }
        for word in ["conformant", "misconfigured", "undetermined"] {
            assert_eq!(level["overall"][word]["count"], told["verdict"][word], "{by}");
        }
    }
    for (code, count) in tally["findings"].as_object().unwrap() {
        let found = entry(&survey["findings"], "code", code);
        assert_eq!(&found["rows"]["count"], count, "{code}");
        let explained: Value =
            serde_json::from_slice(&mxcensus(&["explain", code, "--format", "json"]).stdout).unwrap();
        assert_eq!(found["remedy"], explained[0]["remedy"]);
    }
    assert_eq!(survey["findings"].as_array().unwrap().len(), tally["findings"].as_object().unwrap().len());
    for (cause, count) in tally["unknown_why"].as_object().unwrap() {
        assert_eq!(&entry(&survey["unknown_why"], "cause", cause)["verdicts"], count, "{cause}");
    }
    // What the manifest says of the run is told as it says it.
    let run = &survey["runs"][0]["manifest"];
    for part in ["version", "start", "end", "complete", "seeds", "counts", "effective"] {
        assert_eq!(run[part], manifest[part], "{part}");
    }
    assert_eq!(run["configuration"]["profile"], "census");
    let health = &entry(&survey["blocklists"]["lists"]["entries"], "list", "bl1.lab.test")["health"][0];
    assert_eq!(health["asked"], entry(&manifest["lists"], "list", "bl1.lab.test")["asked"]);
    // A share of those to whom the rule applies, with Wilson's bounds.
    let fqdn = entry(&entry(&survey["levels"], "by", "row")["rules"], "rule", "fqdn");
    let (count, of) = (fqdn["fail"]["count"].as_f64().unwrap(), fqdn["fail"]["of"].as_f64().unwrap());
    assert_eq!(fqdn["fail"]["of"].as_u64().unwrap() + fqdn["na"].as_u64().unwrap(), tally["rows"].as_u64().unwrap());
    let (p, z) = (count / of, 1.96);
    let reach = z / (1.0 + z * z / of) * (p * (1.0 - p) / of + z * z / (4.0 * of * of)).sqrt();
    let middle = (p + z * z / (2.0 * of)) / (1.0 + z * z / of);
    for (bound, wanted) in [("low", middle - reach), ("high", middle + reach)] {
        assert!((fqdn["fail"][bound].as_f64().unwrap() - wanted).abs() < 1e-4, "{fqdn}");
    }
}

#[test]
fn what_servers_say_steers_no_terminal_and_runs_in_no_spreadsheet() {
    let folder = Folder::new();
    folder.scan("rows.jsonl", &["--no-starttls"]);
    let mut rows = folder.rows("rows.jsonl");
    let bad = rows.iter_mut().find(|row| row["fqdn"] == "fail" && row["greeting_ms"].is_u64()).unwrap();
    bad["greeting"] = json!("=HYPERLINK(\"http://x\")\u{1b}[2J\u{202e}");
    bad["introduction"] = json!("@SUM(A1)\u{9b}31m\u{7}");
    bad["ptr_names"] = json!(["a\u{1b}]0;owned\u{7}.example", "b.example"]);
    bad["software"] = json!("+evil\u{1b}[31m");
    bad["reverse"] = json!("fail");
    bad["mx"] = json!("fail");
    folder.write("hostile.jsonl", &rows);
    let steers = |text: &str| text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    for format in ["text", "json", "csv"] {
        let told = stdout(&folder.report(&["hostile.jsonl"], &["--format", format]));
        assert_eq!(steers(&told), None, "{format}");
        assert!(told.contains("SUM(A1)") && told.contains("evil"), "{format}: {told}");
    }
    let told = stdout(&folder.report(&["hostile.jsonl"], &["--format", "csv"]));
    let mut reader = csv::Reader::from_reader(told.as_bytes());
    for record in reader.records().map(Result::unwrap) {
        assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{record:?}");
    }
    let worst = &folder.survey(&["hostile.jsonl"])["worst"]["rows"][0];
    assert_eq!(worst["introduction"], "@SUM(A1)\\xC2\\x9B31m\\x07");
    assert_eq!(worst["ptr"], "a\\x1B]0;owned\\x07.example b.example");
}

#[test]
fn the_table_has_every_figure_of_the_survey() {
    let folder = Folder::new();
    folder.scan("rows.csv", &["--no-starttls"]);
    let told = folder.report(&["rows.csv"], &["-o", &folder.text("tables.csv")]);
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    assert!(stderr(&told).contains(" rows of 1 file told in "), "{}", stderr(&told));
    let survey = folder.survey(&["rows.csv"]);
    let mut reader = csv::Reader::from_path(folder.path("tables.csv")).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header.join(","), "table,level,key,what,count,of,share,low,high,text");
    let help = stdout(&mxcensus(&["report", "--help"]));
    assert!(header.iter().all(|name| help.contains(name)), "{help}");
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let count = |head: [&str; 4]| {
        let found: Vec<_> = records.iter().filter(|record| record.iter().take(4).eq(head)).collect();
        assert_eq!(found.len(), 1, "{head:?}");
        found[0].get(4).unwrap().parse::<u64>().unwrap()
    };
    for level in survey["levels"].as_array().unwrap() {
        let by = level["by"].as_str().unwrap();
        for rule in level["rules"].as_array().unwrap() {
            let name = rule["rule"].as_str().unwrap();
            assert_eq!(json!(count(["verdict", by, name, "fail"])), rule["fail"]["count"]);
            assert_eq!(json!(count(["verdict", by, name, "na"])), rule["na"]);
        }
    }
    for found in survey["findings"].as_array().unwrap() {
        let (code, severity) = (found["code"].as_str().unwrap(), found["severity"].as_str().unwrap());
        assert_eq!(json!(count(["finding", "server", code, severity])), found["servers"]["count"]);
    }
    for network in survey["networks"]["entries"].as_array().unwrap() {
        let name = network["network"].as_str().unwrap();
        assert_eq!(json!(count(["network", "network", name, "failing_servers"])), network["failing_servers"]);
    }
    assert_eq!(json!(count(["worst", "row", "", "all"])), survey["worst"]["of"]);
}

#[test]
fn networks_come_by_their_trouble_and_the_worst_rows_first() {
    let folder = Folder::new();
    folder.scan("rows.jsonl", &["--no-starttls"]);
    let like = folder.rows("rows.jsonl").into_iter().find(|row| row["verdict"] == "conformant").unwrap();
    let row = |line: u64, address: &str, fails: &[&str]| {
        let mut row = like.clone();
        (row["line"], row["target"], row["address"]) = (json!(line), json!(format!("d{line}.example")), json!(address));
        row["exchange"] = json!(format!("mx{line}.mail.example{}.co.uk", line % 2));
        for rule in fails {
            row[rule] = json!("fail");
            row["verdict"] = json!("misconfigured");
        }
        row
    };
    let rows = [
        row(1, "192.0.2.1", &[]),
        row(2, "192.0.2.2", &["fqdn"]),
        row(3, "192.0.2.2", &["fqdn", "exists", "matches"]),
        row(4, "198.51.100.7", &["unlisted"]),
        row(5, "198.51.100.8", &["exists", "matches"]),
        row(6, "2001:db8:25::9", &[]),
        row(7, "2001:db8:25:ffff::9", &[]),
    ];
    folder.write("made.jsonl", &rows);
    let survey = folder.survey(&["made.jsonl"]);
    let told: Vec<Value> = survey["networks"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|network| json!([network["network"], network["failing_servers"], network["servers"], network["rows"]]))
        .collect();
    assert_eq!(
        told,
        [json!(["198.51.100.0/24", 2, 2, 2]), json!(["192.0.2.0/24", 1, 2, 3]), json!(["2001:db8:25::/48", 0, 2, 2])]
    );
    let worst: Vec<&Value> = survey["worst"]["rows"].as_array().unwrap().iter().map(|row| &row["row"]).collect();
    assert_eq!(worst, [3, 5, 2, 4]);
    let few = folder.report(&["made.jsonl"], &["--format", "json", "--worst", "2"]);
    let few: Value = serde_json::from_slice(&few.stdout).unwrap();
    let kept: Vec<&Value> = few["worst"]["rows"].as_array().unwrap().iter().map(|row| &row["row"]).collect();
    assert_eq!((kept, &few["worst"]["of"]), (vec![&json!(3), &json!(5)], &json!(4)));
    let providers = &survey["providers"]["entries"];
    let (one, other) = (entry(providers, "domain", "example1.co.uk"), entry(providers, "domain", "example0.co.uk"));
    assert_eq!((&one["rows"], &one["targets"]["count"], &one["targets"]["of"]), (&json!(4), &json!(4), &json!(7)));
    assert_eq!((&other["rows"], &other["misconfigured"]["count"]), (&json!(3), &json!(2)));
}

#[test]
fn a_missing_or_odd_manifest_is_told_and_stops_nothing() {
    let folder = Folder::new();
    folder.scan("rows.csv", &["--no-starttls"]);
    let manifest = folder.path("rows.csv.manifest.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    let notes = |text: Option<&str>| {
        match text {
            Some(text) => fs::write(&manifest, text).unwrap(),
            None => fs::remove_file(&manifest).unwrap(),
        }
        let survey = folder.survey(&["rows.csv"]);
        let text = stdout(&folder.report(&["rows.csv"], &[]));
        let notes: Vec<String> = strings(&survey["notes"]).into_iter().map(str::to_owned).collect();
        assert!(notes.iter().all(|note| text.contains(&format!("note: {note}"))), "{text}");
        (notes.join("\n"), survey["runs"][0]["manifest"].is_null())
    };
    assert_eq!(notes(Some(&whole)), (String::new(), false));
    let cut = whole.replace("\"complete\": true", "\"complete\": false");
    for (text, says, is_unknown) in [
        (Some(cut.as_str()), "was cut short", false),
        (Some(&whole.replace("\"rows\": 1", "\"rows\": 9")), "its manifest tells of 9", false),
        (Some("{"), "is damaged", true),
        (None, "has no manifest", true),
    ] {
        let (note, unknown) = notes(text);
        assert!(note.contains(says) && unknown == is_unknown, "{says}: {note}");
    }
}

#[test]
fn nothing_is_told_where_there_is_nothing() {
    let folder = Folder::new();
    folder.scan("rows.csv", &["--no-starttls"]);
    let header = fs::read_to_string(folder.path("rows.csv")).unwrap().lines().next().unwrap().to_owned();
    fs::write(folder.path("none.csv"), format!("{header}\n")).unwrap();
    fs::write(folder.path("none.jsonl"), "").unwrap();
    for name in ["none.csv", "none.jsonl"] {
        let survey = folder.survey(&[name]);
        assert_eq!((&survey["totals"]["rows"], &survey["levels"]), (&json!(0), &json!([])), "{name}");
        assert_eq!(survey["runs"][0]["scanned"], Value::Null);
        let text = folder.report(&[name], &[]);
        assert!(text.status.success() && stdout(&text).contains("0 rows, 0 targets, 0 servers"), "{}", stdout(&text));
    }
}

#[test]
fn what_cannot_be_read_is_said_in_one_line_and_leaves_nothing() {
    let folder = Folder::new();
    folder.scan("rows.csv", &["--no-starttls"]);
    folder.scan("rows.jsonl", &["--no-starttls"]);
    let text = fs::read(folder.path("rows.csv")).unwrap();
    fs::write(folder.path("cut.csv"), &text[..text.len() - 200]).unwrap();
    folder.scan("rows.parquet", &["--no-starttls"]);
    let bytes = fs::read(folder.path("rows.parquet")).unwrap();
    fs::write(folder.path("cut.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    let mut rows = folder.rows("rows.jsonl");
    rows[7]["schema_version"] = json!(99);
    folder.write("newer.jsonl", &rows);
    rows[7]["schema_version"] = json!(1);
    rows[3]["findings"] = json!(["no-such-finding"]);
    folder.write("strange.jsonl", &rows);
    fs::write(folder.path("list.csv"), "target\nexample.org\n").unwrap();
    fs::create_dir(folder.path("empty")).unwrap();
    let refused = |names: &[&str], more: &[&str], says: &str| {
        let refused = folder.report(names, more);
        let said = stderr(&refused);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{names:?}: {said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{names:?}: {said}");
    };
    let output = folder.text("out.json");
    let to_file = ["-o", &*output];
    refused(&["cut.csv"], &to_file, "cut.csv is damaged");
    refused(&["cut.parquet"], &to_file, "cut.parquet is damaged");
    refused(&["newer.jsonl"], &to_file, "row 8 of");
    refused(&["strange.jsonl"], &to_file, "record 4 of");
    refused(&["list.csv"], &to_file, "has no column");
    refused(&["nowhere.csv"], &to_file, "cannot open");
    refused(&["empty"], &to_file, "has no file of rows");
    refused(&["rows.csv", "rows.csv"], &to_file, "is given twice");
    refused(&["rows.csv"], &["-o", &folder.text("rows.csv")], "rows.csv");
    refused(&["rows.csv"], &["-o", &folder.text("out.csv"), "--format", "json"], "does not go with that");
    refused(&["rows.csv"], &["-o", &folder.text("out.pdf")], "does not go with that");
    refused(&["rows.csv"], &["-o", &folder.text("nowhere/out.json")], "there is no directory");
    fs::create_dir(folder.path("folder.json")).unwrap();
    refused(&["rows.csv"], &["-o", &folder.text("folder.json")], "is a directory");
    let left = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("out.")), "something is left");
}

#[test]
fn many_rows_cut_into_pieces_count_as_in_one() {
    let folder = Folder::new();
    folder.scan("rows.jsonl", &["--no-starttls", "--order", "input"]);
    let rows = folder.rows("rows.jsonl");
    // Over 20,000 rows, several pieces of lines; each repetition is of other targets, and of servers in another network.
    let times = 20_000 / rows.len() as u64 + 1;
    let mut lines = String::new();
    for time in 0..times {
        for row in &rows {
            let mut row = row.clone();
            row["line"] = json!(time * 1_000 + row["line"].as_u64().unwrap_or(0));
            row["target"] = json!(format!("{time}.{}", row["target"].as_str().unwrap()));
            writeln!(lines, "{row}").unwrap();
        }
    }
    assert!(lines.len() > 3 * (4 << 20), "{}", lines.len());
    fs::write(folder.path("many.jsonl"), lines).unwrap();
    let (one, many) = (folder.survey(&["rows.jsonl"]), folder.survey(&["many.jsonl"]));
    for count in ["rows", "targets", "announced", "observed"] {
        assert_eq!(many["totals"][count].as_u64().unwrap(), one["totals"][count].as_u64().unwrap() * times, "{count}");
    }
    assert_eq!(many["totals"]["servers"], one["totals"]["servers"]);
    for by in ["row", "domain"] {
        let (one, many) = (entry(&one["levels"], "by", by), entry(&many["levels"], "by", by));
        for (one, many) in one["rules"].as_array().unwrap().iter().zip(many["rules"].as_array().unwrap()) {
            for verdict in ["pass", "fail", "unknown"] {
                let count = |rule: &Value| rule[verdict]["count"].as_u64().unwrap();
                assert_eq!(count(many), count(one) * times, "{by} {}", one["rule"]);
            }
        }
    }
    let provider = |survey: &Value| survey["providers"]["entries"][0]["targets"]["count"].as_u64().unwrap();
    assert_eq!(provider(&many), provider(&one) * times);
    assert_eq!(many["worst"]["rows"].as_array().unwrap().len(), 1_000);
}
