//! The layers of ARCHITECTURE.md, read off the sources.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import, besides itself.
const MAY_ENTER: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("input", &["model"]),
    ("plan", &["model"]),
    ("probe", &["model"]),
    ("judge", &["model"]),
    ("output", &["model"]),
    ("report", &["model"]),
    ("lab", &["model"]),
    ("observe", &["model"]),
    // Shows the catalogue, and tests lists as a scan does.
    ("lists", &["model", "probe"]),
    // Asks as a scan does, and of reverse names what the rules ask.
    ("doctor", &["model", "probe", "judge"]),
    // Has a look at its own machine first.
    ("scan", &["model", "input", "plan", "probe", "judge", "output", "report", "doctor"]),
    // Takes a resolver as the one who asks it reads it, shows a blocklist without its key, and knows what a wrong key is like.
    ("cli", &["model", "probe"]),
    ("config", &["model", "input", "plan", "probe", "output", "scan", "cli", "lab", "lists", "observe", "doctor"]),
    // Says its lines above the bar of a run.
    ("log", &["scan"]),
    // The doors for other programs.
    ("census", &["model", "input", "output", "scan", "config", "cli", "lab", "error"]),
    ("error", &["cli", "config", "doctor", "lab", "lists", "log", "observe", "output", "scan"]),
];

/// Where a foreign crate stops.
const STAYS_IN: &[(&str, &[&str])] = &[
    ("hickory_resolver", &["src/probe/dns/"]),
    ("hickory_proto", &["src/probe/dns/"]),
    ("arrow_array", &["src/output/", "src/input/columnar.rs"]),
    ("arrow_schema", &["src/output/"]),
    ("parquet", &["src/output/", "src/input/columnar.rs"]),
    ("clap", &["src/cli/", "src/program.rs"]),
    ("clap_complete", &["src/cli/", "src/program.rs"]),
    ("clap_mangen", &["src/cli/pages.rs"]),
    ("data_encoding", &["src/report/page/"]),
    ("governor", &["src/probe/budget.rs"]),
    ("indicatif", &["src/scan/progress.rs"]),
    ("maud", &["src/report/page/"]),
    ("mimalloc", &["src/main.rs"]),
    ("prometheus", &["src/scan/metrics/"]),
    ("psl", &["src/model/tables/"]),
    ("publicsuffix", &["src/model/tables/"]),
    ("quick_cache", &["src/probe/memo.rs"]),
    ("rayon", &["src/scan/rejudge.rs", "src/scan/report/"]),
    ("rcgen", &["src/lab/", "src/probe/dns/", "src/probe/smtp/"]),
    ("rustls", &["src/lab/", "src/probe/dns/", "src/probe/smtp/"]),
    ("rlimit", &["src/config/mod.rs", "src/doctor/gather.rs"]),
    ("strsim", &["src/model/alike.rs"]),
    // An event stands where somebody asks or runs; what is pure has none.
    ("tracing", &["src/log.rs", "src/probe/", "src/scan/"]),
    ("tracing_subscriber", &["src/log.rs"]),
    ("svg", &["src/report/page/plot.rs"]),
    // In `judge` only for its cases, which are files.
    ("toml", &["src/cli/file.rs", "src/cli/show.rs", "src/probe/dnsbl/", "src/judge/cases/"]),
];

/// Tests that enter another room, each for a reason.
const TESTS_MAY: &[(&str, &str)] = &[
    // Cases are written in the words of servers: the probe's own code must read them, or the case proves nothing.
    ("src/judge/cases/smtp.rs", "probe"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source with its path below the package and its lines without comments.
fn read() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    sources(&root.join("src"), &mut paths);
    let read = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
        (path.strip_prefix(root).unwrap().display().to_string(), code.join("\n"))
    });
    read.collect()
}

/// The words that follow `before` in the text, up to the next character that no identifier has.
fn words_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.match_indices(before)
        .filter_map(|(at, _)| {
            let rest = text.get(at + before.len()..)?;
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            rest.get(..end)
        })
        .collect()
}

/// The rooms a source names: `crate::room`, and the rooms in `use crate::{a, b::c}`.
fn rooms(code: &str) -> BTreeSet<&str> {
    let mut rooms: BTreeSet<&str> = words_after(code, "crate::").into_iter().filter(|room| !room.is_empty()).collect();
    for group in code.split("use crate::{").skip(1) {
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && depth == 0 && c.is_alphabetic() => {
                    start = false;
                    let rest = group.get(at..).unwrap();
                    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                    rooms.insert(rest.get(..end).unwrap());
                }
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn no_room_enters_another_than_it_may() {
    let all: BTreeSet<&str> = MAY_ENTER.iter().map(|(room, _)| *room).collect();
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, code) in &read() {
        let room = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        if matches!(room, "main" | "lib" | "program") {
            continue;
        }
        let Some((room, may)) = MAY_ENTER.iter().find(|(known, _)| *known == room) else {
            breaches.push(format!("{path}: the room {room} is not in the table"));
            continue;
        };
        seen.insert(*room);
        for other in rooms(code) {
            let excused = TESTS_MAY.contains(&(path.as_str(), other));
            if all.contains(other) && other != *room && !may.contains(&other) && !excused {
                breaches.push(format!("{path}: {room} enters {other}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    assert_eq!(seen, all, "a room of the table has no source");
}

#[test]
fn foreign_crates_stop_at_their_one_place() {
    let mut breaches = Vec::new();
    for (path, code) in &read() {
        for (name, places) in STAYS_IN {
            let named = [format!("use {name}::"), format!("{name}::")];
            let uses = named.iter().any(|text| {
                code.match_indices(text.as_str()).any(|(at, _)| {
                    let before = code.get(..at).and_then(|head| head.chars().next_back());
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                })
            });
            if uses && !places.iter().any(|place| path.starts_with(place)) {
                breaches.push(format!("{path}: {name} belongs in {}", places.join(", ")));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// Files of `scan` that work on what is stored: to judge or to join it again, no packet is sent.
#[test]
fn what_is_stored_is_worked_on_without_the_network() {
    let stored = [
        "src/scan/rejudge.rs",
        "src/scan/merge/",
        "src/scan/diff/",
        "src/scan/report/",
        "src/input/",
        "src/judge/",
        "src/output/",
        "src/report/",
    ];
    let sources = read();
    for place in stored {
        let mut files = sources.iter().filter(|(path, _)| path.starts_with(place)).peekable();
        assert!(files.peek().is_some(), "there is no {place}");
        for (path, code) in files.filter(|(path, _)| !TESTS_MAY.iter().any(|(test, _)| path == test)) {
            let network = ["TcpStream", "UdpSocket", "tokio::net", "crate::probe", "super::resolver"];
            let found = network.iter().find(|name| code.contains(**name));
            assert!(found.is_none(), "{path} knows {}", found.unwrap());
        }
    }
}

#[test]
fn the_reader_of_this_test_sees_grouped_imports() {
    let code = "use crate::{input, probe::dns::{self, Lookup}};\nlet x = crate::model::name::Name::root();";
    assert_eq!(rooms(code), BTreeSet::from(["input", "probe", "model"]));
}

#[test]
fn only_main_ends_the_process_and_one_file_is_unsafe() {
    for (path, code) in &read() {
        assert!(!code.contains("process::exit"), "{path} ends the process");
        // System calls that no library offers.
        let may = path.ends_with("src/probe/dns/engine/batch.rs");
        assert!(may || !code.contains("unsafe "), "{path} is unsafe");
    }
}
