//! What a resumed run refuses to go on with, and what it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::run::{PROGRAM, assert_same, rows, signal};

/// A scan of a list that was interrupted with some of it done, and may be gone on with by other words.
struct Interrupted {
    folder: tempfile::TempDir,
    /// How a start without any fault goes.
    usual: Vec<String>,
}

impl Interrupted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        fs::write(&list, list_of(400)).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let usual = ["-i", &path("list"), "-o", &path("out.csv"), "--smtp-rate", "200", "--no-dnsbl"];
        let interrupted = Self { usual: usual.into_iter().map(str::to_owned).collect(), folder };
        let mut child = interrupted.command(&["--checkpoint", "20ms"]).stderr(Stdio::null()).spawn().unwrap();
        let part = interrupted.path("out.csv.part");
        super::run::wait_for("rows", &mut child, || fs::metadata(&part).is_ok_and(|file| file.len() > 20_000));
        signal(&child, "KILL");
        child.wait().unwrap();
        interrupted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["scan", "--lab", "--seed", "5", "--lab-domains", "4000", "--no-starttls"]);
        command.args(&self.usual).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn start(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// One line that says so, exit code 2, and the work of the interrupted run is where it was.
    fn assert_refused(&self, more: &[&str], says: &[&str]) {
        let work = ["out.csv.part", "out.csv.journal"].map(|name| fs::read(self.path(name)).unwrap());
        let ended = self.start(more);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{more:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{more:?}: {said}");
        for word in says {
            assert!(said.contains(word), "{more:?}: {said:?} does not say {word:?}");
        }
        let kept = ["out.csv.part", "out.csv.journal"].map(|name| fs::read(self.path(name)).unwrap());
        assert!(kept == work, "{more:?}: the interrupted run is not what it was");
    }
}

/// The lab's first targets that are domains of their own.
fn list_of(count: usize) -> String {
    let listed = Command::new(PROGRAM).args(["lab", "--list", "4000", "--seed", "5"]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let names = text.lines().filter(|line| line.starts_with('d') && line.contains(".lab.test"));
    names.take(count).map(|name| name.split(',').next().unwrap().to_owned() + "\n").collect()
}

#[test]
fn a_run_is_gone_on_with_only_as_it_was_begun_and_the_difference_is_named() {
    let run = Interrupted::new();
    let out = run.path("out.csv");
    let journal = run.path("out.csv.journal");
    // Whoever forgets --resume loses nothing.
    run.assert_refused(&[], &["was interrupted with ", "go on with --resume", journal.to_str().unwrap()]);
    run.assert_refused(&["--resume", "--profile", "rfc5321"], &["--profile was \"census\" and is \"rfc5321\""]);
    run.assert_refused(
        &["--resume", "--ipv4-only", "--retries", "2"],
        &["--ipv4-only was false and is true", "--retries was 0 and is 2"],
    );
    run.assert_refused(&["--resume", "s01.lab.test"], &["TARGET was [] and is [\"s01.lab.test\"]"]);
    let evidence = run.path("seen.jsonl");
    run.assert_refused(&["--resume", "--evidence", evidence.to_str().unwrap()], &["--evidence was null and is "]);

    // Another input: what was read of it is not what it begins with now.
    let list = run.path("list");
    let good = fs::read_to_string(&list).unwrap();
    fs::write(&list, good.replacen('d', "e", 1)).unwrap();
    run.assert_refused(&["--resume"], &[list.to_str().unwrap()]);
    fs::write(&list, good.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    run.assert_refused(&["--resume"], &[list.to_str().unwrap()]);
    fs::write(&list, &good).unwrap();

    // Another version, and what is none at all.
    let kept = fs::read(&journal).unwrap();
    let end = kept.iter().position(|byte| *byte == b'\n').unwrap();
    fs::write(&journal, [b"mxcensus-journal 0.0.1", &kept[end..]].concat()).unwrap();
    run.assert_refused(&["--resume"], &["another version of this program (0.0.1)"]);
    fs::write(&journal, &kept[..kept.len() / 2]).unwrap();
    run.assert_refused(&["--resume"], &["out.csv.journal is damaged"]);
    fs::write(&journal, b"one line\n").unwrap();
    run.assert_refused(&["--resume"], &["it is another file"]);
    fs::write(&journal, &kept).unwrap();

    // Less of the output than the journal tells of.
    let part = run.path("out.csv.part");
    let rows_so_far = fs::read(&part).unwrap();
    fs::write(&part, &rows_so_far[..100]).unwrap();
    run.assert_refused(&["--resume"], &["out.csv.part"]);
    fs::write(&part, &rows_so_far).unwrap();

    // How fast it goes, and what is left alone from now on, may change.
    let ended = run.start(&["--resume", "--smtp-rate", "0", "--concurrency", "50"]);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.contains("records read 400 = done 400"), "{said}");
    assert_whole(&out, &good);
}

/// A list that grew at its end is the same as far as it was read.
#[test]
fn a_list_that_has_grown_is_gone_on_with() {
    let run = Interrupted::new();
    let grown = list_of(500);
    fs::write(run.path("list"), &grown).unwrap();
    let ended = run.start(&["--resume", "--smtp-rate", "0"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_whole(&run.path("out.csv"), &grown);

    // Complete is complete: said, and nothing is written.
    let before = fs::read(run.path("out.csv")).unwrap();
    let again = run.start(&["--resume", "--smtp-rate", "0"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.success() && said.contains("complete already"), "{said}");
    assert!(fs::read(run.path("out.csv")).unwrap() == before);
    let other = run.start(&["--resume", "--profile", "rfc5321"]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(other.status.code() == Some(2) && said.contains("--profile was"), "{said}");
}

/// Each target of the list has its rows, and no row is there twice.
fn assert_whole(out: &Path, list: &str) {
    let rows = rows(out);
    let cell = |row: &str| row.split('|').find_map(|cell| cell.strip_prefix("target=").map(str::to_owned)).unwrap();
    let mut targets: Vec<String> = rows.iter().map(|row| cell(row)).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut wanted: Vec<String> = list.lines().map(str::to_owned).collect();
    wanted.sort_unstable();
    assert_same(&targets, &wanted, "targets");
    let mut once = rows.clone();
    once.dedup();
    assert_same(&rows, &once, "rows");
}
