//! The habits of a good command: help with examples, a hand for slips, and colours only where a person looks.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::fs;
use std::process::{Command, Stdio};

use clap::{CommandFactory as _, Parser as _};
use mxcensus::cli::Cli;
use shell::{Folder, PROGRAM, mxcensus, stderr};

/// Every command with its own help.
fn helps() -> Vec<(String, String)> {
    let mut all = Cli::command();
    all.build();
    let names = all.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help");
    let of = |name: Option<&str>| {
        let words: Vec<&str> = name.into_iter().chain(["--help"]).collect();
        let output = mxcensus(&words);
        assert_eq!(output.status.code(), Some(0));
        (name.unwrap_or_default().to_owned(), String::from_utf8(output.stdout).unwrap())
    };
    [of(None)].into_iter().chain(names.map(|name| of(Some(name)))).collect()
}

/// An example's words, as a shell would read them: up to a pipe, a redirection or a comment.
fn words(example: &str) -> Vec<&str> {
    example.split_whitespace().take_while(|word| !["|", ">", "#"].contains(word)).collect()
}

#[test]
fn every_help_has_examples_that_the_program_takes() {
    let helps = helps();
    assert!(helps.len() > 12, "{}", helps.len());
    for (name, help) in helps {
        let examples = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} has no examples")).1;
        let examples: Vec<&str> = examples.lines().map_while(|line| line.strip_prefix("  ")).collect();
        assert!(examples.len() > 1, "{name}: {examples:?}");
        for example in examples {
            let words = words(example);
            assert_eq!(words.first(), Some(&"mxcensus"), "{name}: {example}");
            assert!(name.is_empty() || words.get(1) == Some(&name.as_str()), "{name}: {example}");
            if let Err(refused) = Cli::try_parse_from(&words) {
                panic!("{example}: {refused}");
            }
        }
    }
}

#[test]
fn a_slip_is_answered_with_what_may_be_meant() {
    let folder = Folder::new();
    let config = folder.text("config.toml");
    fs::write(&config, "resovler = '127.0.0.1'\n").unwrap();
    for (words, meant) in [
        (&["scna"][..], "scan"),
        (&["scan", "--resovler", "127.0.0.1"], "--resolver"),
        (&["scan", "--profile", "cencus"], "census"),
        (&["scan", "--lab", "--config", &config], "did you mean `resolver`?"),
        (&["explain", "dnsbl-lsted"], "did you mean `dnsbl-listed`?"),
        (&["explain", "mtaches"], "did you mean `matches`?"),
        (&["man", "dcotor"], "did you mean `doctor`?"),
        (&["lab", "--hostile", "greet-250"], "did you mean `greets-250`?"),
    ] {
        let refused = mxcensus(words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        assert!(stderr(&refused).contains(meant), "{words:?}: {}", stderr(&refused));
    }
    // A blocklist that nobody knows may be somebody's own, so it is only asked after.
    let noted =
        mxcensus(&["scan", "--lab", "--lab-domains", "1", "--dnsbl", "bl.spamcpo.net", "-o", &folder.text("out.csv")]);
    let said = stderr(&noted);
    assert_eq!(noted.status.code(), Some(0), "{said}");
    assert!(said.contains("bl.spamcpo.net is not in the catalogue; did you mean `bl.spamcop.net`?"), "{said}");
    // And where nothing is near, nothing is made up.
    assert!(!stderr(&mxcensus(&["explain", "teapot"])).contains("did you mean"));
}

const PAGES: &[&str] = &[
    "--help",
    "scan --help",
    "diff --help",
    "scna",
    "scan --profile cencus",
    "explain teapot",
    "explain fqdn",
    "schema",
    "lists --offline",
    "doctor --lab --rate-test 0",
];

/// All that a person at a terminal would see of it.
fn on_a_terminal(words: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new("script");
    command.args(["-q", "-c", &format!("{PROGRAM} {words}"), "/dev/null"]).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

#[test]
fn colours_are_for_terminals_and_for_nobody_who_declines() {
    for words in PAGES {
        let piped = Command::new(PROGRAM).args(words.split(' ')).env_remove("NO_COLOR").env("TERM", "xterm").output();
        let piped = piped.unwrap();
        for stream in [&piped.stdout, &piped.stderr] {
            assert!(!stream.contains(&0x1b), "{words}: {}", String::from_utf8_lossy(stream));
        }
        let declined = on_a_terminal(words, &[("NO_COLOR", "1")]);
        assert!(!declined.is_empty() && !declined.contains('\u{1b}'), "{words}: {declined}");
    }
    // Else this could not fail.
    for words in ["--help", "scan --help", "scna"] {
        assert!(on_a_terminal(words, &[]).contains('\u{1b}'), "{words}");
    }
}
