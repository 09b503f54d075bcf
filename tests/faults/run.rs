//! One scan of the lab, its outputs, and what in them must be alike however often it was interrupted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader as _, SerializedFileReader};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");

/// What a run takes that was not interrupted, and when it took place: alike in no two runs.
const TIMES: [&str; 4] = ["connect_ms", "greeting_ms", "elapsed_ms", "scanned_at"];

/// A number out of the environment: the size of the test.
pub(crate) fn size(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A scan of the lab into one folder.
pub(crate) struct Scan {
    pub(crate) folder: PathBuf,
    pub(crate) output: &'static str,
    pub(crate) evidence: Option<&'static str>,
    pub(crate) targets: usize,
    /// More words.
    pub(crate) more: Vec<String>,
}

impl Scan {
    pub(crate) fn new(folder: &Path, output: &'static str, targets: usize) -> Self {
        Self { folder: folder.to_owned(), output, evidence: None, targets, more: Vec::new() }
    }

    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|word| (*word).to_owned()));
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(self.output)
    }

    /// A file beside the output.
    pub(crate) fn beside(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}{end}", self.output))
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let targets = self.targets.to_string();
        // A certificate is made anew in every start of the lab, and its dates stand in the rows.
        let fixed = ["scan", "--lab", "--lab-domains", &targets, "--seed", "5", "--no-starttls", "--progress", "none"];
        let mut words: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
        let path = |name: &str| self.folder.join(name).to_str().unwrap().to_owned();
        words.extend(["-o".to_owned(), path(self.output)]);
        words.extend(self.evidence.into_iter().flat_map(|name| ["--evidence".to_owned(), path(name)]));
        words.extend(self.more.iter().cloned());
        words
    }

    /// Starts it, or goes on with it. What it says goes to a file that the next start begins anew.
    pub(crate) fn start(&self) -> Child {
        let said = File::create(self.folder.join("said")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(self.words()).arg("--resume").stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        command.spawn().unwrap()
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap()
    }

    /// How many targets were done already when it was started last; 0 where it was stopped before it said so.
    pub(crate) fn resumed(&self) -> usize {
        let said = self.said();
        said.split_once("resumed: ").map_or(0, |(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
    }

    /// Runs it to its end, which must be this one.
    pub(crate) fn run(&self, code: i32) {
        let status = self.start().wait().unwrap();
        assert_eq!(status.code(), Some(code), "{}", self.said());
    }

    /// Nothing stands under a final name.
    pub(crate) fn assert_unfinished(&self) {
        for name in [Some(self.output), self.evidence].into_iter().flatten() {
            assert!(!self.folder.join(name).exists(), "a part of {name} stands under the final name");
        }
    }

    /// All is under its final name, and nothing else is left.
    pub(crate) fn assert_finished(&self) {
        for name in [Some(self.output), self.evidence].into_iter().flatten() {
            assert!(self.folder.join(name).exists(), "{name} is missing");
        }
        let names = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let working = |name: &String| [".part", ".journal", ".lock"].iter().any(|mark| name.contains(mark));
        let left: Vec<String> = names.filter(working).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Its rows, sorted.
    pub(crate) fn rows(&self) -> Vec<String> {
        rows(&self.path())
    }

    /// Evidence is as whole as the rows: judged again it gives the same.
    pub(crate) fn assert_evidence_gives(&self, rows_wanted: &[String]) {
        let Some(evidence) = self.evidence else { return };
        let again = self.folder.join("again.csv");
        let words = ["judge", self.folder.join(evidence).to_str().unwrap(), "--quiet", "-o", again.to_str().unwrap()]
            .map(str::to_owned);
        assert!(Command::new(PROGRAM).args(words).status().unwrap().success());
        assert_same(&rows(&again), rows_wanted, "rows of the evidence");
    }

    /// Takes away what a finished run has left, so that another may begin.
    pub(crate) fn clear(&self) {
        for entry in fs::read_dir(&self.folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

/// The sorted rows of an undisturbed scan, and how long it took.
pub(crate) fn undisturbed(targets: usize, more: &[&str]) -> (Vec<String>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let scan = Scan::new(folder.path(), "whole.csv", targets).with(more);
    let begun = Instant::now();
    scan.run(0);
    let took = begun.elapsed();
    scan.assert_finished();
    (scan.rows(), took)
}

/// The rows of a file, sorted, each as `column=cell` of what must be alike, in the order of the columns; what is empty is left out.
pub(crate) fn rows(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let read = || -> Box<dyn std::io::Read> {
        let file = File::open(path).unwrap();
        match name.rsplit('.').next().unwrap() {
            "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
            "zst" => Box::new(zstd::Decoder::new(file).unwrap()),
            _ => Box::new(file),
        }
    };
    let mut rows = match name {
        _ if name.contains(".csv") => of_csv(read()),
        _ if name.contains(".jsonl") => of_jsonl(read()),
        _ => of_parquet(path),
    };
    rows.sort_unstable();
    rows
}

fn row<'a>(cells: impl Iterator<Item = (&'a str, String)>) -> String {
    let kept = cells.filter(|(name, cell)| !cell.is_empty() && !TIMES.contains(name));
    kept.map(|(name, cell)| format!("{name}={cell}")).collect::<Vec<_>>().join("|")
}

fn of_csv(read: impl std::io::Read) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(read);
    let header = reader.headers().unwrap().clone();
    let records = reader.records().map(Result::unwrap);
    // Cells that a spreadsheet would run begin with an apostrophe.
    let plain = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    records.map(|record| row(header.iter().zip(record.iter().map(plain)))).collect()
}

fn of_jsonl(read: impl std::io::Read) -> Vec<String> {
    use std::io::BufRead as _;
    let lines = std::io::BufReader::new(read).lines().map(Result::unwrap);
    let cell = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    };
    let rows = lines.map(|line| {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        row(object.iter().map(|(name, value)| (name.as_str(), cell(value))))
    });
    rows.collect()
}

fn of_parquet(path: &Path) -> Vec<String> {
    use parquet::record::Field;
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let text = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::ListInternal(list) => {
            let items = list.elements().iter().map(|item| match item {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            });
            items.collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    };
    let rows = reader.get_row_iter(None).unwrap().map(|found| {
        let found = found.unwrap();
        let cells: Vec<(&String, &Field)> = found.get_column_iter().collect();
        row(cells.into_iter().map(|(name, field)| (name.as_str(), text(field))))
    });
    rows.collect()
}

/// The same rows, each as often.
pub(crate) fn assert_same(found: &[String], wanted: &[String], what: &str) {
    if found == wanted {
        return;
    }
    let (lost, more) = differences(found, wanted);
    panic!(
        "{what}: {} rows where {} are wanted; {} lost or otherwise, {} doubled or otherwise\n{:?}\n{:?}",
        found.len(),
        wanted.len(),
        lost.len(),
        more.len(),
        lost.first(),
        more.first()
    );
}

/// Rows of sorted lists that only the second has, and those that only the first has.
pub(crate) fn differences<'a>(found: &'a [String], wanted: &'a [String]) -> (Vec<&'a String>, Vec<&'a String>) {
    let (mut lost, mut more) = (Vec::new(), Vec::new());
    let (mut found, mut wanted) = (found.iter().peekable(), wanted.iter().peekable());
    loop {
        match (found.peek(), wanted.peek()) {
            (Some(one), Some(other)) if one == other => {
                found.next();
                wanted.next();
            }
            (Some(one), Some(other)) if one < other => more.extend(found.next()),
            (Some(_), None) => more.extend(found.next()),
            (_, Some(_)) => lost.extend(wanted.next()),
            (None, None) => return (lost, more),
        }
    }
}

/// Sends a signal to a program that this test has started.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for something that takes its time.
pub(crate) fn wait_for(what: &str, child: &mut Child, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        let ended: Option<ExitStatus> = child.try_wait().unwrap();
        assert!(ended.is_none(), "{what}: the program has ended before, {ended:?}");
        assert!(begun.elapsed().as_secs() < 120, "{what}: not after two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
}
