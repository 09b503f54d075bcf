//! What the program tells of its doings: nothing, unless somebody asks, and then only what he asks for.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::process::{Command, Stdio};

use shell::{Folder, PROGRAM, mxcensus, stderr};

/// A scan of the lab's first domains; its stderr.
fn said(words: &[&str], variable: Option<&str>) -> String {
    let folder = Folder::new();
    let mut command = Command::new(PROGRAM);
    command.args(["scan", "--lab", "--lab-domains", "150", "-o", &folder.text("out.csv")]).args(words);
    command.env_remove("MXCENSUS_LOG").envs(variable.map(|filter| ("MXCENSUS_LOG", filter)));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

/// The lines that are events.
fn events(said: &str) -> Vec<&str> {
    let is_event = |line: &&str| {
        ["INFO", "DEBUG", "TRACE", "WARN", "ERROR"].iter().any(|level| line.contains(&format!(" {level} ")))
    };
    said.lines().filter(is_event).collect()
}

#[test]
fn nobody_who_has_not_asked_is_told_anything() {
    for words in [&[][..], &["--progress", "plain"], &["-q"]] {
        let said = said(words, None);
        assert!(events(&said).is_empty(), "{words:?}: {said}");
    }
    assert_eq!(said(&["-q"], None), "");
}

#[test]
fn verbose_tells_of_the_run_and_of_no_single_server() {
    let said = said(&["-v"], None);
    let events = events(&said);
    assert!(events.iter().all(|line| line.contains(" INFO mxcensus::")), "{said}");
    assert!(events.iter().any(|line| line.contains("run begun") && line.contains("targets=150")), "{said}");
    assert!(events.iter().any(|line| line.contains("run ended complete=true")), "{said}");
    assert!(!said.contains("session"), "{said}");
}

#[test]
fn a_filter_chooses_targets_and_levels() {
    let said_by_option = said(&["--log", "mxcensus::probe::smtp=debug", "-q"], Some("mxcensus=trace"));
    let events_of_smtp = events(&said_by_option);
    assert!(
        events_of_smtp.iter().all(|line| line.contains("DEBUG mxcensus::probe::smtp: session ")),
        "{said_by_option}"
    );
    let ended: Vec<&&str> = events_of_smtp.iter().filter(|line| line.contains("session ended address=")).collect();
    let begun = events_of_smtp.iter().filter(|line| line.contains("session begun address=")).count();
    assert!(begun > 50 && begun == ended.len(), "{begun} {}", ended.len());
    assert!(ended.iter().any(|line| line.contains("connect=open status=ok")), "{said_by_option}");
    assert!(ended.iter().any(|line| line.contains("connect=refused") && line.contains("cause=\"connect-refused\"")));

    let said_by_variable = said(&["-q"], Some("mxcensus=debug"));
    for told in ["question=", "no answer", "checkpoint written", "run ended", "asked again"] {
        assert!(said_by_variable.contains(told), "{told}: {said_by_variable}");
    }
    // Greetings of the lab hold control characters, and names of its DNS whatever they like.
    assert!(said_by_variable.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn who_turns_us_away_and_what_waits_is_told() {
    let said = said(&["-q", "--retries", "1", "--retry-after", "100ms", "--log", "mxcensus=debug"], None);
    assert!(said.contains("waits for its next pass") && said.contains("next pass begun"), "{said}");
}

#[test]
fn a_filter_that_is_none_is_refused_with_what_to_write() {
    let mut by_variable = Command::new(PROGRAM);
    by_variable.arg("schema").env("MXCENSUS_LOG", "mxcensus=loud");
    for output in [mxcensus(&["schema", "--log=mxcensus=loud"]), by_variable.output().unwrap()] {
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("\"mxcensus=loud\"") && said.contains("such as `mxcensus::probe::smtp=debug`"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
