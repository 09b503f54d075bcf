//! Servers that look at how many come: the rows tell those who were turned away from those who were not.

use std::time::Duration;

use mxcensus::lab::farm::Treatment;

use crate::rows::shown;
use crate::scan::{LATE, mode, scan};

const ADDRESSES: u8 = 8;

/// The rows of a mode's addresses beside how the server says that it received each visit.
fn received(word: &str) -> Vec<(Treatment, String, Duration)> {
    let mode = mode(word);
    let scan = scan((1..=ADDRESSES).map(|host| mode.address_of(host)));
    let each = (1..=ADDRESSES).map(|host| {
        let (row, visit) = (scan.row(mode.address_of(host)), scan.visit(mode.address_of(host)));
        (visit.treatment, shown(mode, row, visit), Duration::from_millis(row["greeting_ms"].as_u64().unwrap()))
    });
    each.collect()
}

const SERVED: &str = "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | \
                      helo-special-use smtp-no-starttls | EHLO QUIT";

#[test]
fn who_comes_into_a_crowd_waits_and_is_served_all_the_same() {
    let received = received("tarpits-under-load");
    for (treatment, row, greeted) in &received {
        assert_eq!(row, SERVED);
        // The scanner's clock starts when it sees the connection, which on a busy machine is later than the server's.
        assert!(*treatment == Treatment::Usual || *greeted >= LATE / 2, "greeted after {greeted:?}");
    }
    assert!(received.iter().any(|(treatment, ..)| *treatment == Treatment::Slowed), "there was no crowd");
}

#[test]
fn a_ban_is_about_the_scanner_and_says_nothing_of_the_server() {
    for (word, banned) in [
        (
            "bans",
            "open deferred | 421 - | - | - | not-asked | unknown scanner-blocked | greeting-scanner-blocked | QUIT",
        ),
        (
            "bans-for-good",
            "open rejected | 554 - | - | - | not-asked | unknown rejected | greeting-not-220 smtp-quit-no-221 | QUIT",
        ),
    ] {
        let received = received(word);
        for (treatment, row, _) in &received {
            assert_eq!(row, if *treatment == Treatment::Banned { banned } else { SERVED }, "{word}");
        }
        let served = received.iter().filter(|(treatment, ..)| *treatment == Treatment::Usual).count();
        assert_eq!(served, 3, "{word}");
    }
}
