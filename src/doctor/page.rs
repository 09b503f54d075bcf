//! How the checks look.
//! Comes in: the checks that are shown, and all of them for the last line. Goes out: text or JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Check, Status};

const STRING: &str = "writing to a String cannot fail";

/// What programs read.
#[derive(Serialize)]
struct Page<'a> {
    /// Whether a scan can be made.
    fit: bool,
    checks: &'a [&'a Check],
}

pub(super) fn json(shown: &[&Check], all: &[Check]) -> String {
    let fit = all.iter().all(|check| check.status != Status::Fault);
    serde_json::to_string_pretty(&Page { fit, checks: shown }).expect("a page holds texts and flags")
}

pub(super) fn text(shown: &[&Check], all: &[Check], colour: bool) -> String {
    let mut out = String::new();
    let widest = shown.iter().map(|check| check.check.len()).max().unwrap_or(0);
    for Check { check, status, cause, evidence, advice } in shown {
        let (on, off) = match status {
            _ if !colour => ("", ""),
            Status::Ok => ("\u{1b}[32m", "\u{1b}[0m"),
            Status::Warning => ("\u{1b}[33m", "\u{1b}[0m"),
            Status::Fault => ("\u{1b}[31m", "\u{1b}[0m"),
            Status::Unknown => ("\u{1b}[2m", "\u{1b}[0m"),
        };
        let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        writeln!(out, "{on}{status:<7}{off}  {check:<widest$}  {evidence}{cause}").expect(STRING);
        if let Some(advice) = advice {
            writeln!(out, "{:9}{:widest$}  do: {advice}", "", "").expect(STRING);
        }
    }
    let count = |status| all.iter().filter(|check| check.status == status).count();
    let [ok, warnings, faults, unknown] = [Status::Ok, Status::Warning, Status::Fault, Status::Unknown].map(count);
    let fit = match (faults, warnings) {
        (0, 0) => "fit to scan",
        (0, _) => "fit to scan, with what the warnings say",
        _ => "not fit to scan before the faults are mended",
    };
    writeln!(out, "{fit}: ok {ok}, warning {warnings}, fault {faults}, unknown {unknown}").expect(STRING);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words::Cause;

    #[test]
    fn a_page_says_what_to_do_below_what_was_seen_and_counts_also_what_is_not_shown() {
        let all = [
            Check::ok("clock", "2026-12-01"),
            Check::fault("ptr", "192.0.2.1 has no reverse name", "ask for one"),
            Check::unknown("port25", Cause::NotAsked, "nobody was dialled", "name a server"),
        ];
        let page = text(&[&all[1], &all[2]], &all, false);
        assert_eq!(
            page,
            "fault    ptr     192.0.2.1 has no reverse name\n\
             \x20                do: ask for one\n\
             unknown  port25  nobody was dialled (not-asked)\n\
             \x20                do: name a server\n\
             not fit to scan before the faults are mended: ok 1, warning 0, fault 1, unknown 1\n"
        );
        let read: serde_json::Value = serde_json::from_str(&json(&[&all[1]], &all)).unwrap();
        assert_eq!(read["fit"], false);
        assert_eq!(read["checks"][0]["status"], "fault");
        assert_eq!(read["checks"][0]["do"], "ask for one");
    }
}
