//! The row of each mode, and what was said to it.
//!
//! A row is written as `connect smtp | greeting | EHLO | extensions | TLS | rule 1 and why | findings | what was said`: the statuses;
//! code and name of each reply; the keywords offered; what STARTTLS came to, and whether the certificate is trusted; the
//! verdict on the introduction, with the cause of an `unknown`; the findings; and the words that the server heard. `-` is null,
//! NAME the server's own name.

use mxcensus::lab::farm::{MODES, Mode, Visit};
use serde_json::Value;

use crate::scan::{ALL, mode};

/// A row as the table below writes it.
pub(crate) fn shown(mode: &Mode, row: &Value, visit: &Visit) -> String {
    let own = mode.host();
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if *text == own => "NAME".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let list = |value: &Value| match value.as_array() {
        None => "-".to_owned(),
        Some(items) if items.len() > 10 => format!("{} words", items.len()),
        Some(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
    };
    let reply = |code: &str, name: &str| match (text(&row[code]), text(&row[name])) {
        (code, name) if code == "-" && name == "-" => "-".to_owned(),
        (code, name) => format!("{code} {name}"),
    };
    let trust = row["tls_cert_trust"].as_str().map(|trust| format!(" {trust}"));
    let why = causes(row, "unknown_why").into_iter().find_map(|(rule, why)| (rule == "introduces").then_some(why));
    let said = visit.heard.iter().map(|line| line.split([' ', '\\']).next().unwrap().to_owned());
    [
        format!("{} {}", text(&row["connect_status"]), text(&row["smtp_status"])),
        reply("greeting_code", "greeting_name"),
        reply("ehlo_code", "ehlo_name"),
        list(&row["extensions"]),
        format!("{}{}", text(&row["tls_status"]), trust.unwrap_or_default()),
        format!("{}{}", text(&row["introduces"]), why.map(|why| format!(" {why}")).unwrap_or_default()),
        list(&row["findings"]),
        said.collect::<Vec<_>>().join(" "),
    ]
    .join(" | ")
}

/// `rule=cause`, taken apart.
fn causes<'a>(row: &'a Value, column: &str) -> Vec<(&'a str, &'a str)> {
    let causes = row[column].as_array().into_iter().flatten();
    causes.map(|cause| cause.as_str().unwrap().split_once('=').unwrap()).collect()
}

/// What follows from the verdict on the introduction: of a name under `farm.test` is known, without a question, that it is no
/// FQDN of the public DNS (RFC 6761 §6.2). Without an introduction nothing is known of it, or there is nothing to know.
fn assert_the_rest_follows(row: &Value) {
    let (verdicts, because) = match row["introduces"].as_str().unwrap() {
        "pass" => (["fail", "fail", "na"], "name-absent"),
        "unknown" => (["unknown"; 3], "no-introduction"),
        "fail" => (["na"; 3], "no-name"),
        _ => (["na"; 3], "no-mail-service"),
    };
    let rules = ["fqdn", "exists", "matches"];
    for (rule, verdict) in rules.into_iter().zip(verdicts) {
        assert_eq!(row[rule], verdict, "{rule}: {row}");
        let column = if verdict == "unknown" { "unknown_why" } else { "na_why" };
        let why = causes(row, column).into_iter().find(|(of, _)| *of == rule).map(|(_, why)| why);
        assert_eq!(why, (verdict != "fail").then_some(because), "{rule}: {row}");
    }
    for rule in ["unlisted", "reverse"] {
        assert!(causes(row, "unknown_why").contains(&(rule, "not-asked")), "{rule}: {row}");
    }
    assert_eq!(row["mx"], "na");
    let overall =
        if [&row["introduces"], &row["fqdn"]].contains(&&"fail".into()) { "misconfigured" } else { "undetermined" };
    assert_eq!(row["verdict"], overall, "{row}");
}

macro_rules! rows {
    ($($name:ident $row:literal)+) => {
        $(
            #[test]
            fn $name() {
                let mode = mode(&stringify!($name).replace('_', "-"));
                let (row, visit) = (ALL.row(mode.address()), ALL.visit(mode.address()));
                assert_eq!(shown(mode, row, visit), $row, "{}: {}", mode.word, mode.about);
                assert_the_rest_follows(row);
            }
        )+

        #[test]
        fn every_mode_has_its_row() {
            let tested: Vec<String> = [$(stringify!($name)),+].iter().map(|name| name.replace('_', "-")).collect();
            for mode in MODES {
                assert!(tested.iter().any(|word| word == mode.word), "{} has no row", mode.word);
            }
        }
    };
}

rows! {
    good
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    good_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO QUIT"

    // Slow: the deadline says when it is over, and nothing is said before the greeting is whole (RFC 5321 §4.3.1, §4.5.3.2).
    never_greets
        "open no-greeting | - | - | - | not-asked | unknown greeting-timeout | greeting-timeout | "
    greets_late
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    answers_late
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    drip
        "open deadline | 220 - | - | - | not-asked | unknown tarpit | smtp-tarpit | "
    drip_quick
        "open deadline | 220 - | - | - | not-asked | unknown greeting-timeout | greeting-timeout | "
    drip_in_ehlo
        "open deadline | 220 NAME | 250 - | - | not-asked | unknown tarpit | smtp-tarpit | EHLO"

    // Endless: what is beyond the caps is not known (greeting-endless); what is no reply is no SMTP, however much of it comes.
    endless_line
        "open too-long | 220 - | - | - | not-asked | unknown too-long | greeting-line-too-long greeting-endless | "
    endless_greeting
        "open too-long | 220 - | - | - | not-asked | unknown too-long | greeting-endless | "
    endless_noise
        "open too-long | 220 - | - | - | not-asked | unknown too-long | greeting-endless greeting-code-mixed | "
    endless_newlines
        "open protocol | - | - | - | not-asked | fail | greeting-bad-syntax greeting-bare-lf | "
    endless_zeros
        "open protocol | - | - | - | not-asked | fail | greeting-bad-syntax greeting-control-chars | "
    endless_ehlo_line
        "open too-long | 220 NAME | 250 - | - | not-asked | unknown too-long | greeting-line-too-long greeting-endless | EHLO"
    endless_ehlo
        "open too-long | 220 NAME | 250 - | - | not-asked | unknown too-long | greeting-endless | EHLO"
    many_keywords
        "open too-long | 220 NAME | 250 - | - | not-asked | unknown too-long | greeting-endless | EHLO"
    many_lines
        "open ok | 220 NAME | 250 NAME | 63 words | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    endless_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO"
    endless_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"
    talks_endlessly
        "open protocol | 220 NAME | - | - | not-asked | pass | helo-special-use greeting-bare-lf smtp-desync smtp-quit-no-221 | "
    long_line
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-line-too-long smtp-no-starttls | EHLO QUIT"

    // Resets: before the greeting is whole nobody has introduced himself; behind it the name is known.
    reset_at_greeting
        "reset reset | - | - | - | not-asked | unknown connect-reset | connect-reset | "
    reset_mid_greeting
        "reset reset | 220 - | - | - | not-asked | unknown connect-reset | connect-reset | "
    reset_at_ehlo
        "open reset | 220 NAME | - | - | not-asked | pass | helo-special-use | EHLO"
    reset_mid_ehlo
        "open reset | 220 NAME | 250 - | - | not-asked | pass | helo-special-use | EHLO"
    reset_at_helo
        "open reset | 220 NAME | 502 - |  | not-asked | pass | helo-special-use | EHLO HELO"
    reset_at_starttls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    reset_in_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    reset_mid_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    reset_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO"
    reset_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"

    // Closes: the same. Half a reply is none, and offers nothing.
    close_at_greeting
        "open no-greeting | - | - | - | not-asked | unknown greeting-none | greeting-none | "
    close_mid_greeting
        "open closed | 220 - | - | - | not-asked | unknown closed |  | "
    close_mid_code
        "open closed | - | - | - | not-asked | unknown closed |  | "
    close_behind_greeting
        "open closed | 220 NAME | - | - | not-asked | pass | helo-special-use | EHLO"
    close_at_ehlo
        "open closed | 220 NAME | - | - | not-asked | pass | helo-special-use | EHLO"
    cut_after_hyphen
        "open closed | 220 NAME | 250 - | - | not-asked | pass | helo-special-use | EHLO"
    cut_between_lines
        "open closed | 220 NAME | 250 - | - | not-asked | pass | helo-special-use | EHLO"
    cut_without_crlf
        "open closed | 220 NAME | 250 - | - | not-asked | pass | helo-special-use | EHLO"
    close_at_helo
        "open closed | 220 NAME | 502 - |  | not-asked | pass | helo-special-use | EHLO HELO"
    close_at_starttls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    close_in_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    close_mid_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    close_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO"
    close_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"

    // Stalls: the same once more.
    stall_mid_greeting
        "open deadline | 220 - | - | - | not-asked | unknown greeting-timeout | greeting-timeout | "
    stall_at_ehlo
        "open deadline | 220 NAME | - | - | not-asked | pass | helo-special-use | EHLO"
    stall_mid_ehlo
        "open deadline | 220 NAME | 250 - | - | not-asked | pass | helo-special-use | EHLO"
    stall_at_helo
        "open deadline | 220 NAME | 502 - |  | not-asked | pass | helo-special-use | EHLO HELO"
    stall_at_starttls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    stall_in_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    stall_mid_handshake
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    stall_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO"
    stall_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"

    // 4xx: at the greeting it keeps the introduction back; later it does not. What was answered in full is left with QUIT.
    defer_at_greeting
        "open deferred | 450 - | - | - | not-asked | unknown deferred | greeting-not-220 | QUIT"
    defer_at_ehlo
        "open deferred | 220 NAME | 450 - |  | not-asked | pass | helo-special-use | EHLO QUIT"
    defer_at_helo
        "open deferred | 220 NAME | 502 - |  | not-asked | unknown ehlo-rejected | ehlo-helo-rejected | EHLO HELO QUIT"
    defer_at_starttls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | refused | pass | helo-special-use | EHLO STARTTLS QUIT"
    defer_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO QUIT"
    defer_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"

    // 421: the server closes, and owes QUIT nothing (RFC 5321 §3.8).
    shut_at_greeting
        "open deferred | 421 - | - | - | not-asked | unknown deferred | greeting-not-220 | QUIT"
    shut_at_ehlo
        "open deferred | 220 NAME | 421 - |  | not-asked | pass | helo-special-use | EHLO QUIT"
    shut_at_helo
        "open deferred | 220 NAME | 502 - |  | not-asked | unknown ehlo-rejected | ehlo-helo-rejected | EHLO HELO QUIT"
    shut_at_starttls
        "open deferred | 220 NAME | 250 NAME | PIPELINING STARTTLS | refused | pass | helo-special-use | EHLO STARTTLS QUIT"
    shut_inside_tls
        "open deferred | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO QUIT"
    shut_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"

    // 5xx.
    refuse_at_greeting
        "open rejected | 554 - | - | - | not-asked | unknown rejected | greeting-not-220 | QUIT"
    refuse_for_the_list
        "open rejected | 554 - | - | - | not-asked | unknown scanner-blocked | greeting-scanner-blocked | QUIT"
    no_service
        "open rejected | 521 - | - | - | not-asked | na | greeting-no-service | QUIT"
    refuse_at_ehlo
        "open ok | 220 NAME | 502 NAME |  | not-asked | pass | helo-special-use ehlo-rejected | EHLO HELO QUIT"
    refuse_at_ehlo_for_good
        "open rejected | 220 NAME | 554 - |  | not-asked | pass | helo-special-use | EHLO QUIT"
    refuse_at_helo
        "open rejected | 220 NAME | 502 - |  | not-asked | unknown ehlo-rejected | ehlo-helo-rejected | EHLO HELO QUIT"
    refuse_at_starttls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | refused | pass | helo-special-use | EHLO STARTTLS QUIT"
    refuse_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO QUIT"
    refuse_at_quit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-quit-no-221 | EHLO QUIT"
    close_when_refusing
        "open rejected | 554 - | - | - | not-asked | unknown rejected | greeting-not-220 smtp-quit-no-221 | QUIT"

    // Wrong replies: told, and read all the same.
    greets_250
        "open ok | 250 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-not-220 smtp-no-starttls | EHLO QUIT"
    greets_354
        "open protocol | 354 NAME | - | - | not-asked | unknown rejected | greeting-not-220 | QUIT"
    greets_600
        "open protocol | - | - | - | not-asked | fail | greeting-bad-syntax | "
    answers_354
        "open protocol | 220 NAME | 354 - |  | not-asked | pass | helo-special-use | EHLO QUIT"
    mixed_codes
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-code-mixed smtp-no-starttls | EHLO QUIT"
    mixed_codes_in_ehlo
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-code-mixed smtp-no-starttls | EHLO QUIT"
    bare_code
        "open ok | 220 - | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-bare-code greeting-no-name smtp-no-starttls | EHLO QUIT"
    no_separator
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-no-separator smtp-no-starttls | EHLO QUIT"
    bare_lf
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-bare-lf smtp-no-starttls | EHLO QUIT"
    bare_cr
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-bare-lf smtp-no-starttls | EHLO QUIT"
    nul
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-control-chars smtp-no-starttls | EHLO QUIT"
    eight_bit
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-non-ascii smtp-no-starttls | EHLO QUIT"
    escapes
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use greeting-control-chars smtp-no-starttls | EHLO QUIT"
    bad_keywords
        "open ok | 220 NAME | 250 NAME | \\x1B[31MRED PIPELINING A;B | not-offered | pass | helo-special-use greeting-control-chars smtp-no-starttls smtp-ehlo-bad-keyword | EHLO QUIT"
    masked_starttls
        "open ok | 220 NAME | 250 NAME | XXXXXXXA | not-offered | pass | helo-special-use smtp-starttls-masked | EHLO QUIT"
    talks_early
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-desync | EHLO QUIT"
    talks_on
        "open ok | 220 NAME | 250 NAME | 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls smtp-desync | EHLO QUIT"

    // Not SMTP: no word is said to it.
    http
        "open protocol | - | - | - | not-asked | fail | greeting-wrong-protocol | "
    tls_at_once
        "open protocol | - | - | - | not-asked | fail | greeting-wrong-protocol greeting-control-chars | "
    ssh
        "open protocol | - | - | - | not-asked | fail | greeting-wrong-protocol | "
    imap
        "open protocol | - | - | - | not-asked | fail | greeting-wrong-protocol | "
    pop3
        "open protocol | - | - | - | not-asked | fail | greeting-wrong-protocol | "
    ftp
        "open protocol | 220 - | - | - | not-asked | fail | greeting-wrong-protocol | "
    garbage
        "open protocol | - | - | - | not-asked | fail | greeting-bad-syntax greeting-non-ascii greeting-control-chars | "
    garbage_text
        "open protocol | - | - | - | not-asked | fail | greeting-bad-syntax | "

    // STARTTLS: what comes in plaintext behind the 220 is dropped and told; no handshake changes what the plaintext has shown.
    starttls_injects
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | injected trusted | pass | helo-special-use smtp-desync | EHLO STARTTLS EHLO QUIT"
    starttls_injects_much
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | injected trusted | pass | helo-special-use smtp-desync | EHLO STARTTLS EHLO QUIT"
    starttls_then_plaintext
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    starttls_garbage
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed | EHLO STARTTLS"
    starttls_old_alert
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed tls-old-protocol | EHLO STARTTLS"
    starttls_old_hello
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | handshake-failed | pass | helo-special-use smtp-starttls-failed tls-old-protocol | EHLO STARTTLS"
    starttls_again
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use | EHLO STARTTLS EHLO QUIT"
    talks_early_inside_tls
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok trusted | pass | helo-special-use smtp-desync | EHLO STARTTLS EHLO QUIT"
    broken_chain
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok unknown-issuer | pass | helo-special-use tls-cert-untrusted | EHLO STARTTLS EHLO QUIT"
    self_signed
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok self-signed | pass | helo-special-use tls-cert-untrusted | EHLO STARTTLS EHLO QUIT"
    expired
        "open ok | 220 NAME | 250 NAME | PIPELINING STARTTLS | ok expired | pass | helo-special-use tls-cert-expired | EHLO STARTTLS EHLO QUIT"

    // In numbers: one visitor is as good as any other (`numbers` sends more).
    tarpits_under_load
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    bans
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
    bans_for_good
        "open ok | 220 NAME | 250 NAME | PIPELINING 8BITMIME | not-offered | pass | helo-special-use smtp-no-starttls | EHLO QUIT"
}
