//! The recipes for clusters, run as a cluster would run them: a share each, and the results joined.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");
/// All scenarios of the lab's world, and some of the bulk.
const DOMAINS: &str = "240";
/// What no two scans have in common. Nor have they certificates: each world makes its own, and which of its names a server is
/// asked for depends on the target that comes first. So TLS is left out here.
const TIMES: [&str; 4] = ["connect_ms", "greeting_ms", "scanned_at", "elapsed_ms"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with a list of the lab's targets, and the rows of one scan of it all.
struct Site {
    folder: tempfile::TempDir,
    whole: Vec<String>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, whole: Vec::new() };
        let listed = Command::new(PROGRAM).args(["lab", "--list", DOMAINS]).output().unwrap();
        fs::write(site.path("list.csv"), listed.stdout).unwrap();
        let (list, whole) = (site.path("list.csv"), site.path("whole.csv.zst"));
        let words =
            ["scan", "--lab", "--lab-domains", DOMAINS, "--no-starttls", "-q", "-i", list.to_str().unwrap(), "-o"];
        ended(Command::new(PROGRAM).args(words).arg(&whole), 0);
        Self { whole: rows(&whole), ..site }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that finds the program, as on a machine where it is installed.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let installed = Path::new(PROGRAM).parent().unwrap().display();
        let path = format!("{}:{installed}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.args(words).env("PATH", path).stdin(Stdio::null());
        command
    }

    /// That the joined rows are those of the one scan.
    fn assert_joined(&self) {
        let joined = rows(&self.path("census.csv.zst"));
        assert!(joined.len() > 240);
        let differ: Vec<_> = joined.iter().zip(&self.whole).filter(|(one, other)| one != other).take(3).collect();
        assert!(joined == self.whole, "{} rows and {}: {differ:#?}", joined.len(), self.whole.len());
    }
}

/// Runs a command to its end, which is to be this one.
fn ended(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    output
}

/// The rows of a file, sorted, without what no two scans have in common.
fn rows(path: &Path) -> Vec<String> {
    let text = zstd::decode_all(fs::File::open(path).unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(&*text);
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        let cells = header.iter().zip(&record).filter(|(column, _)| !TIMES.contains(column));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join("\0")
    };
    let mut rows: Vec<String> = reader.records().map(|record| row(record.unwrap())).collect();
    rows.sort();
    rows
}

/// Waits for something that another process does.
fn until(what: &str, child: &mut Child, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none() && begun.elapsed().as_secs() < 60, "no {what}: {ended:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One task of a Slurm array job of three.
fn task(site: &Site, k: &str, more: &[&str]) -> Command {
    let (list, folder) = (site.path("list.csv"), site.folder.path());
    let share = ["3", list.to_str().unwrap(), folder.to_str().unwrap()];
    let world = ["--lab", "--lab-domains", DOMAINS, "--no-starttls"];
    // Rates are given as they are without a share of them, so that the world does not have to wait.
    let rates = ["--dns-rate=0", "--smtp-rate=0", "--per-network=0", "--per-provider=0", "--dnsbl-rate=0"];
    let script = root().join("scripts/cluster/slurm");
    let mut task = site.command(script.to_str().unwrap(), &[&share[..], &world, &rates, more].concat());
    task.env("SLURM_ARRAY_TASK_ID", k).env("SLURM_ARRAY_JOB_ID", "77");
    task
}

/// How long the starts of the first share have taken together, as its manifest tells. Its connections are counted over as long.
fn seconds(site: &Site) -> f64 {
    let manifest = fs::read(site.path("part-1.csv.zst.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let seconds = manifest["rates"]["seconds"].as_f64().unwrap();
    let connections = manifest["rates"]["connections"].as_f64().unwrap() * seconds;
    assert!((connections - manifest["counts"]["connections"].as_f64().unwrap()).abs() < 0.5, "{manifest}");
    seconds
}

#[test]
fn an_array_job_scans_its_shares_and_a_task_whose_time_is_up_is_queued_again_and_goes_on() {
    let site = Site::new();
    // Slurm's own command, as far as it is called.
    let scontrol = site.path("scontrol");
    fs::write(&scontrol, format!("#!/bin/sh\necho \"$@\" >> {}\n", site.path("requeued").display())).unwrap();
    fs::set_permissions(&scontrol, fs::Permissions::from_mode(0o755)).unwrap();

    // With so little memory, rows are settled while most targets are still to come.
    let slowly = ["--smtp-rate=5", "--memory=1", "--concurrency=4", "--checkpoint=100ms"];
    let mut slow = task(&site, "1", &slowly).stderr(Stdio::null()).spawn().unwrap();
    let rows_so_far = || fs::metadata(site.path("part-1.csv.zst.part")).is_ok_and(|found| found.len() > 1_000);
    until("row", &mut slow, rows_so_far);
    // What Slurm does with `--signal=B:TERM`: only the script itself is told.
    Command::new("kill").args(["-TERM", &slow.id().to_string()]).status().unwrap();
    assert_eq!(slow.wait().unwrap().code(), Some(3));
    assert_eq!(fs::read_to_string(site.path("requeued")).unwrap(), "requeue 77_1\n");
    assert!(!site.path("part-1.csv.zst").exists());
    let first = seconds(&site);

    let again = ended(&mut task(&site, "1", &["--checkpoint=100ms"]), 0);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("resumed: ") && !said.contains("resumed: 0 targets"), "{said}");
    assert!(seconds(&site) > first, "the rates are over both starts");
    for k in ["2", "3"] {
        ended(&mut task(&site, k, &[]), 0);
    }
    // Submitted again with all others, a task that is done says so.
    let said = String::from_utf8(ended(&mut task(&site, "2", &[]), 0).stderr).unwrap();
    assert!(said.contains("complete already"), "{said}");
    let parts = format!("mxcensus merge {0}/part-*.csv.zst -o {0}/census.csv.zst", site.folder.path().display());
    ended(&mut site.command("sh", &["-c", &parts]), 0);
    site.assert_joined();
    let evidence = ["1", "2", "3"].map(|k| site.path(&format!("seen-{k}.jsonl.zst")));
    let again = site.path("again.csv.zst");
    ended(Command::new(PROGRAM).args(["judge", "-q", "-o"]).arg(&again).args(&evidence), 0);
    assert!(rows(&again) == site.whole, "the evidence of all shares makes the rows of all");

    ended(&mut site.command(root().join("scripts/cluster/slurm").to_str().unwrap(), &["3", "list.csv", "out"]), 2);
}

/// The shell text of the only container of a manifest, its environment, and the number of its shares: what the API would read.
fn container(name: &str) -> (String, BTreeMap<String, String>, Vec<String>) {
    let text = fs::read_to_string(root().join("scripts/cluster").join(name)).unwrap();
    assert!(text.contains("          command: [/bin/sh, -ec]\n          args:\n            - |\n"), "{text}");
    let (before, script) = text.split_once("            - |\n").unwrap();
    let inside = script.lines().take_while(|line| line.starts_with("              "));
    let script: Vec<&str> = inside.map(|line| line.get(14..).unwrap()).collect();
    let names = before.split("            - name: ").skip(1).map(str::lines);
    let variable = |mut lines: std::str::Lines<'_>| {
        let name = lines.next().unwrap().to_owned();
        let value = lines.next().unwrap().strip_prefix("              value: ")?;
        Some((name, value.trim_matches('"').to_owned()))
    };
    let counts = ["completions", "parallelism"].map(|key| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    });
    (script.join("\n"), names.filter_map(variable).collect(), counts.to_vec())
}

#[test]
fn an_indexed_job_scans_its_shares_and_another_joins_them() {
    let site = Site::new();
    let (script, mut environment, counts) = container("kubernetes.yaml");
    assert_eq!(counts, [environment["SHARES"].clone(), environment["SHARES"].clone()]);
    assert_eq!((&*environment["DATA"], &*environment["OPTIONS"]), ("/data", "--helo scanner.example.org"));
    environment.insert("DATA".to_owned(), site.folder.path().display().to_string());
    environment.insert("SHARES".to_owned(), "3".to_owned());
    let rates = "--dns-rate=0 --smtp-rate=0 --per-network=0 --per-provider=0 --dnsbl-rate=0";
    environment.insert("OPTIONS".to_owned(), format!("--lab --lab-domains {DOMAINS} --no-starttls {rates}"));
    // The last one twice: a pod whose node was lost after all was done.
    for index in ["0", "1", "2", "2"] {
        let mut pod = site.command("/bin/sh", &["-ec", &script]);
        ended(pod.envs(&environment).env("JOB_COMPLETION_INDEX", index), 0);
    }
    let (script, merging, _) = container("kubernetes-merge.yaml");
    assert_eq!(merging.keys().collect::<Vec<_>>(), ["DATA"]);
    ended(site.command("/bin/sh", &["-ec", &script]).envs(&environment), 0);
    site.assert_joined();
}
