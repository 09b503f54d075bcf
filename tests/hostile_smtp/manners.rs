//! How the scanner behaves, whatever the server does: once to each address, no word but its four, QUIT, FIN, and in time.

use std::fs;
use std::process::Command;
use std::time::Duration;

use mxcensus::lab::farm::{Left, MODES, Mode, Treatment};

use crate::scan::{ALL, SESSION, mode, rows_of, scan};

#[test]
fn nothing_hangs_and_every_session_keeps_to_its_deadline() {
    for row in ALL.all() {
        let elapsed = Duration::from_millis(row["elapsed_ms"].as_u64().unwrap());
        assert!(elapsed < SESSION + Duration::from_secs(2), "{row}");
    }
    // All at once: together they take what the slowest takes.
    assert!(ALL.took < SESSION * 3, "{:?}", ALL.took);
}

#[test]
fn no_address_is_dialled_twice() {
    for mode in MODES {
        assert_eq!(ALL.visit(mode.address()).treatment, Treatment::Usual);
    }
    assert_eq!(ALL.visits.len(), MODES.len());

    // However often it is asked for.
    let modes = ["good", "reset-at-greeting", "close-at-greeting", "shut-at-greeting", "refuse-at-helo"];
    let again = scan([modes; 5].into_iter().flatten().map(|word| mode(word).address()));
    let mut visited: Vec<&str> = again.visits.iter().map(|visit| visit.mode).collect();
    visited.sort_unstable();
    let mut expected = modes;
    expected.sort_unstable();
    assert_eq!(visited, expected);
    assert_eq!(again.all().count(), 25, "every record has its row");
}

#[test]
fn nothing_is_said_but_ehlo_helo_starttls_and_quit() {
    for visit in &ALL.visits {
        for line in &visit.heard {
            let line = line.trim_end_matches("\\x0D\\x0A");
            let known = ["EHLO scanner.lab.test", "HELO scanner.lab.test", "STARTTLS", "QUIT"].contains(&line);
            assert!(known, "{line:?} was said to {}", visit.mode);
        }
    }
}

#[test]
fn the_scanner_leaves_with_fin_unless_the_server_never_stops_talking() {
    for visit in &ALL.visits {
        let expected: &[Left] = match visit.mode {
            mode if mode.starts_with("reset-") => &[Left::Cut],
            // What was sent and never read makes the system add a reset to the FIN.
            "many-keywords" | "talks-endlessly" => &[Left::Fin, Left::Reset],
            mode if mode.starts_with("endless-") => &[Left::Fin, Left::Reset],
            _ => &[Left::Fin],
        };
        assert!(expected.contains(&visit.left), "{visit:?}");
    }
}

#[test]
fn an_endless_sender_is_heard_to_the_caps_and_costs_no_memory() {
    const EACH: u8 = 40;
    const ENDLESS: [&str; 10] = [
        "endless-line",
        "endless-greeting",
        "endless-noise",
        "endless-newlines",
        "endless-zeros",
        "endless-ehlo-line",
        "endless-ehlo",
        "endless-quit",
        "talks-endlessly",
        "endless-inside-tls",
    ];
    const FINITE: [&str; 10] = [
        "good",
        "greets-250",
        "mixed-codes",
        "mixed-codes-in-ehlo",
        "bare-cr",
        "bare-lf",
        "eight-bit",
        "nul",
        "long-line",
        "good-tls",
    ];
    let all = |modes: [&str; 10]| {
        let addresses = |mode: &'static Mode| (1..=EACH).map(|host| mode.address_of(host));
        scan(modes.into_iter().map(mode).flat_map(addresses))
    };
    let (finite, endless) = (all(FINITE), all(ENDLESS));
    for scan in [&finite, &endless] {
        assert_eq!((scan.all().count(), scan.visits.len()), (400, 400));
    }
    // What is read is 64 KiB at most; what more was sent the system holds, which has its own idea of how much that may be.
    let said = endless.visits.iter().max_by_key(|visit| visit.said).unwrap();
    assert!(said.said < 8 << 20, "{} octets were taken of {}", said.said, said.mode);
    let seen = format!("{} KiB, and {} KiB without; {} octets sent at most", endless.held, finite.held, said.said);
    println!("{seen}");
    // Sixteen KiB of each sender would be 6 MiB.
    assert!(endless.held < finite.held + 6 * 1024, "{seen}");
}

#[test]
fn what_they_said_is_stored_and_judged_to_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("evidence.jsonl");
    fs::write(&evidence, &ALL.evidence).unwrap();
    let judged = Command::new(env!("CARGO_BIN_EXE_mxcensus"))
        .args(["judge", "--quiet", "--format", "jsonl", "--allow-special", "127.0.0.0/8"])
        .arg(&evidence)
        .output()
        .unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    assert_eq!(rows_of(&String::from_utf8(judged.stdout).unwrap()), ALL.rows);
}
