//! Living with the data: the examples of fixtures/data run with the real readers from `PyPI`, and say what the program says.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use shell::{Folder, mxcensus, stderr};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data");

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/test packages"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A Python with the packages of requirements.txt, kept from run to run as long as these are the same.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let wanted = format!("{FIXTURES}/requirements.txt");
        let (stamp, python) = (folder.join("stamp"), folder.join("bin/python"));
        let wants = fs::read_to_string(&wanted).unwrap();
        if fs::read_to_string(&stamp).ok().as_deref() != Some(&wants) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement", &wanted]));
            fs::write(&stamp, wants).unwrap();
        }
        python
    })
}

/// A scan of the lab: the same rows at every call, but for the times.
fn scan(output: &str, more: &[&str]) {
    let words = ["scan", "--lab", "--lab-domains", "600", "-q", "-o", output];
    let done = mxcensus(&[&words[..], more].concat());
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
}

fn answers(reader: &str, place: &str) -> Value {
    let script = format!("{FIXTURES}/with_{reader}.py");
    serde_json::from_str(&run(Command::new(python()).args([&script, place]))).unwrap()
}

/// The answer to a question as an object of `key` to `value`.
fn by(answers: &Value, question: &str, key: &str, value: impl Fn(&Value) -> Value) -> Value {
    let records = answers.get(question).and_then(Value::as_array).unwrap();
    records.iter().map(|record| (record[key].as_str().unwrap().to_owned(), value(record))).collect::<Map<_, _>>().into()
}

fn outcomes(record: &Value) -> Value {
    ["pass", "fail", "unknown", "na"].map(|word| (word.to_owned(), record[word].clone())).into_iter().collect()
}

/// What of the program's own tally concerns these rules.
fn told(tally: &Value, rules: &Value) -> Value {
    rules.as_object().unwrap().keys().map(|rule| (rule.clone(), tally[rule].clone())).collect()
}

/// The same answer to every question.
fn same(one: &Value, other: &Value, what: &str) {
    let names = |answers: &Value| answers.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{what}");
    for name in names(one) {
        assert_eq!(one[&name], other[&name], "{what}: {name}");
    }
}

#[test]
fn duckdb_polars_and_pandas_read_what_the_program_has_counted() {
    let folder = Folder::new();
    fs::create_dir(folder.path("parts")).unwrap();
    let (mut parts, mut seen) = (Vec::new(), Vec::new());
    for shard in 1..=2 {
        let (part, evidence) = (format!("parts/{shard}.parquet"), format!("{shard}.jsonl"));
        scan(&folder.text(&part), &["--shard", &format!("{shard}/2"), "--evidence", &folder.text(&evidence)]);
        parts.push(folder.text(&part));
        seen.push(folder.text(&evidence));
    }
    // The same rows in one file, and in another form.
    let (whole, sheet) = (folder.text("census.parquet"), folder.text("census.csv"));
    for words in
        [vec!["merge", &parts[0], &parts[1], "-q", "-o", &whole], vec!["judge", &seen[0], &seen[1], "-q", "-o", &sheet]]
    {
        let done = mxcensus(&words);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }

    let manifest: Value = serde_json::from_slice(&fs::read(format!("{whole}.manifest.json")).unwrap()).unwrap();
    let tally = &manifest["tally"];
    let parts_of_all = folder.text("parts/*.parquet");
    let mut readings = Vec::new();
    for reader in ["duckdb", "polars", "pandas"] {
        let read = answers(reader, &whole);
        let rules = by(&read, "prevalence", "rule", outcomes);
        assert_eq!((&rules, rules.as_object().unwrap().len()), (&told(tally, &rules), 7), "{reader}");
        let rules = by(&read, "servers", "rule", outcomes);
        assert_eq!((&rules, rules.as_object().unwrap().len()), (&told(&tally["servers"], &rules), 6), "{reader}");
        assert_eq!(by(&read, "findings", "finding", |record| record["rows"].clone()), tally["findings"], "{reader}");
        assert_eq!(by(&read, "causes", "cause", |record| record["verdicts"].clone()), tally["unknown_why"], "{reader}");

        let times = &read["times"];
        let (start, end) = (manifest["start"].as_str().unwrap(), manifest["end"].as_str().unwrap());
        let (first, last) = (times[0]["first"].as_str().unwrap(), times[0]["last"].as_str().unwrap());
        assert!(start <= first && first <= last && last <= end, "{reader}: {start} {times} {end}");
        assert_eq!(times[0]["ended_certificates"], json!(1), "{reader}");

        for place in [parts_of_all.as_str(), &sheet] {
            same(&answers(reader, place), &read, &format!("{reader} {place}"));
        }
        readings.push((reader, read));
    }
    let [(_, duckdb), others @ ..] = &readings[..] else { panic!() };
    for (reader, read) in others {
        same(read, duckdb, reader);
    }
    assert!(duckdb["largest"][0]["domains"].as_u64().unwrap() > duckdb["largest"][9]["domains"].as_u64().unwrap());
    assert!(duckdb["software"].as_array().unwrap().len() > 1);
}

/// Rows of the lab, of every kind of target.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
faults = [error.message for line in open(sys.argv[2]) for error in validator.iter_errors(json.loads(line))]
print(json.dumps(faults))
";

#[test]
fn every_line_of_jsonl_is_what_its_json_schema_says() {
    let folder = Folder::new();
    let (schema, rows) = (folder.text("schema.json"), folder.text("rows.jsonl"));
    scan(&rows, &[]);
    let printed = mxcensus(&["schema", "--format", "json-schema"]).stdout;
    fs::write(&schema, printed).unwrap();
    let faults = |rows: &str| {
        let said = run(Command::new(python()).args(["-c", VALIDATE, &schema, rows]));
        serde_json::from_str::<Vec<String>>(&said).unwrap()
    };
    assert!(fs::read_to_string(&rows).unwrap().lines().count() > 600);
    assert_eq!(faults(&rows), Vec::<String>::new());

    // And what no row can be, it finds.
    let first = fs::read_to_string(&rows).unwrap().lines().next().unwrap().to_owned();
    let wrong = [
        ("port", json!(65536)),
        ("verdict", json!("fine")),
        ("verdict", Value::Null),
        ("scanned_at", json!("yesterday")),
        ("findings", json!(["no-finding"])),
        ("unknown_why", json!(["fqdn"])),
        ("schema_version", json!(2)),
        ("greeting", json!(["a list"])),
    ];
    let lines = wrong.iter().map(|(name, value)| {
        let mut row: Value = serde_json::from_str(&first).unwrap();
        row[*name] = value.clone();
        format!("{row}\n")
    });
    let mut lines: Vec<String> = lines.collect();
    let mut row: Value = serde_json::from_str(&first).unwrap();
    row.as_object_mut().unwrap().remove("address");
    lines.push(format!("{row}\n"));
    for line in lines {
        fs::write(&rows, &line).unwrap();
        assert!(!faults(&rows).is_empty(), "{line}");
    }
}

#[test]
fn the_data_dictionary_is_whole() {
    let printed: Value = serde_json::from_slice(&mxcensus(&["schema", "--format", "json"]).stdout).unwrap();
    assert_eq!(
        (&printed["schema_version"], &printed["program_version"]),
        (&json!(1), &json!(env!("CARGO_PKG_VERSION")))
    );
    let column = |name: &str| {
        let columns = printed["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap().clone()
    };
    assert_eq!(column("verdict")["meanings"]["conformant"], "All five pass.");
    assert_eq!((&column("verdict")["nullable"], &column("address")["nullable"]), (&json!(false), &json!(true)));
    assert_eq!(column("elapsed_ms")["unit"], "milliseconds");
    assert_eq!(column("scanned_at")["unit"], "milliseconds since 1970-01-01T00:00:00Z");
    // Every finding that the column can hold is explained, and so is every rule.
    let codes: Vec<&Value> = printed["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    let findings = column("findings");
    assert_eq!(codes, findings["items"]["words"].as_array().unwrap().iter().collect::<Vec<_>>());
    for finding in printed["findings"].as_array().unwrap() {
        assert!(!finding["remedy"].as_str().unwrap().is_empty(), "{finding}");
        assert!(printed["severities"].get(finding["forms"][0]["announced"].as_str().unwrap()).is_some(), "{finding}");
    }
    let rules: Vec<&Value> = printed["rules"].as_array().unwrap().iter().map(|rule| &rule["rule"]["rule"]).collect();
    assert_eq!(rules.len(), 7);
    assert!(rules.iter().all(|rule| column(rule.as_str().unwrap())["type"] == "verdict"), "{rules:?}");
}
