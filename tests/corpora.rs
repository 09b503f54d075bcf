//! The seeds of the fuzz targets, through the same functions: they stay alive without cargo-fuzz.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the file is a library where it belongs")]
mod targets;

/// What each seed of a target comes to.
fn seeds<T>(target: &str, run: fn(&[u8]) -> T) -> Vec<(String, T)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.display().to_string(), run(&fs::read(&path).unwrap()))).collect()
}

#[test]
fn names_of_any_bytes_have_a_class_and_an_owner() {
    assert!(seeds("names", targets::names).len() >= 30);
}

#[test]
fn replies_of_any_bytes_are_read() {
    assert!(seeds("replies", targets::replies).len() >= 30);
}

#[test]
fn greetings_of_any_words_name_only_what_they_said() {
    assert!(seeds("greetings", targets::greetings).len() >= 30);
}

#[test]
fn reverse_names_of_any_bytes_are_scored() {
    assert!(seeds("reverse", targets::reverse).len() >= 20);
}

#[test]
fn evidence_out_of_a_file_is_judged() {
    let seeds = seeds("judge", targets::judge);
    assert!(seeds.len() >= 8);
    for (path, is_evidence) in seeds {
        assert_eq!(is_evidence, !path.ends_with("broken.json"), "{path}");
    }
}

#[test]
fn logs_of_any_bytes_are_read() {
    assert!(seeds("logs", targets::logs).len() >= 8);
}

#[test]
fn replies_of_name_servers_are_read_and_mean_the_same_to_another_reader() {
    let seeds = seeds("dns", targets::dns);
    assert!(seeds.len() >= 30);
    for (path, is_reply) in seeds {
        let none = ["random", "truncated", "other-question", "query", "empty"];
        assert_eq!(is_reply, !none.iter().any(|name| path.ends_with(name)), "{path}");
    }
}
