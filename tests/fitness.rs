//! What `scan` finds out about its own machine before it scans many: in a network of its own, where it has an address that others
//! see and that has no reverse name.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

#[path = "manners/namespace.rs"]
mod namespace;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");
/// The way to the root name servers leaves from a public address; no packet goes there.
const PUBLIC: &str = "ip addr add 193.0.14.77/32 dev lo; ip route add 198.41.0.0/24 dev lo src 193.0.14.77";

#[test]
fn a_machine_without_a_reverse_name_scans_a_thousand_targets_and_no_more() {
    namespace::run("from_an_unfit_machine", PUBLIC);
}

/// A lab that others than `--lab` scan.
struct World {
    lab: Child,
    options: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.lab.kill().unwrap();
        self.lab.wait().unwrap();
    }
}

impl World {
    fn start() -> Self {
        let mut lab = Command::new(PROGRAM).args(["lab"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(lab.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.starts_with("scan")).unwrap();
        let options = line.split_once("--resolver").unwrap().1.split(" --helo").next().unwrap();
        let options = options.split_whitespace().map(str::to_owned);
        // A name that is none of the lab's, and could be a real one.
        let options =
            ["--resolver".to_owned()].into_iter().chain(options).chain(["--helo".into(), "mx.ietf.org".into()]);
        Self { lab, options: options.collect() }
    }

    fn scan(&self, words: &[&str], input: Stdio) -> Output {
        let rates = ["--per-network", "0", "--per-provider", "0", "--smtp-rate", "0", "--no-dnsbl", "--no-starttls"];
        let options = self.options.chunks(2).filter(|option| !matches!(option, [name, _] if name == "--dnsbl"));
        let options = options.flatten();
        Command::new(PROGRAM).arg("scan").args(words).args(options).args(rates).stdin(input).output().unwrap()
    }
}

fn list(path: &Path, count: usize) {
    let listed = Command::new(PROGRAM).args(["lab", "--list", &count.to_string()]).output().unwrap();
    fs::write(path, listed.stdout).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lines behind the header.
fn rows(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count().saturating_sub(1))
}

#[test]
#[ignore = "it has to run in a network of its own"]
fn from_an_unfit_machine() {
    let world = World::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    list(&at("many.csv"), 1_300);
    list(&at("few.csv"), 20);
    let (many, few, out) = (text(&at("many.csv")), text(&at("few.csv")), text(&at("out.csv")));

    // A few are scanned, and the fault is told.
    let small = world.scan(&["-i", &few, "-o", &text(&at("few.out.csv"))], Stdio::null());
    let told = said(&small);
    assert!(small.status.success() && told.contains("fault: ptr: 193.0.14.77 has no reverse name"), "{told}");

    // Of a list that can be counted not one is.
    let large = world.scan(&["-i", &many, "-o", &out], Stdio::null());
    let told = said(&large);
    assert_eq!(large.status.code(), Some(2), "{told}");
    assert!(told.contains("not fit to scan more than 1000 targets") && told.contains("--force"), "{told}");
    assert!(!at("out.csv").exists() && !at("out.csv.part").exists());

    // Of one that cannot, a thousand are, and the rest as soon as it is wanted all the same.
    let piped = world.scan(&["-i", "-", "-o", &out], File::open(&many).unwrap().into());
    let told = said(&piped);
    assert_eq!(piped.status.code(), Some(2), "{told}");
    assert!(told.contains("not fit to scan more than 1000 targets"), "{told}");
    assert!(!at("out.csv").exists() && rows(&at("out.csv.part")) >= 1_000, "{told}");
    let forced = ["-i", "-", "-o", &out, "--resume", "--force"];
    let forced = world.scan(&forced, File::open(&many).unwrap().into());
    let told = said(&forced);
    assert!(forced.status.success(), "{told}");
    assert!(told.contains("resumed: 1000 targets are done already"), "{told}");
    assert!(rows(&at("out.csv")) >= 1_300, "{told}");
}
