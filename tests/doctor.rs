//! `doctor` as a shell meets it: in the lab's world, and with resolvers that cannot be believed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

#[expect(dead_code, reason = "shared with the tests of the DNS engine, which use all of it")]
#[path = "hostile/message.rs"]
mod message;
#[expect(dead_code, reason = "shared with the tests of the DNS engine, which use all of it")]
#[path = "hostile/server.rs"]
mod server;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use message::{A, Asked, Reply, SOA, name};
use server::{Packet, Server, Step};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");

/// The checks of a run, with its exit code.
fn examined(output: &Output) -> (Vec<Value>, i32) {
    let page: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (page["checks"].as_array().unwrap().clone(), output.status.code().unwrap())
}

fn doctor(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(["doctor"]).args(words).stdin(Stdio::null()).output().unwrap()
}

fn in_lab(words: &[&str]) -> (Vec<Value>, i32) {
    examined(&doctor(&[&["--lab", "--format", "json"], words].concat()))
}

fn status<'c>(checks: &'c [Value], which: &str) -> &'c str {
    let found = checks.iter().find(|check| check["check"] == which);
    found.unwrap_or_else(|| panic!("no check {which}: {checks:#?}"))["status"].as_str().unwrap()
}

#[test]
fn the_first_machine_of_the_lab_is_fit() {
    let (checks, code) = in_lab(&["--port25", "mail.s01.lab.test"]);
    assert_eq!(code, 0, "{checks:#?}");
    let well = [
        "own-address",
        "ptr",
        "ptr-confirmed",
        "ptr-class",
        "ehlo-name",
        "ehlo-exists",
        "ehlo-address",
        "listings",
        "port25",
        "resolver",
        "resolver-nxdomain",
        "resolver-127",
        "resolver-dnssec",
        "resolver-tcp",
        "resolver-public",
    ];
    for which in well {
        assert_eq!(status(&checks, which), "ok", "{which}: {checks:#?}");
    }
    assert_eq!(status(&checks, "ehlo-spf"), "warning");
    let (_, strict) = in_lab(&["--fail-on", "warning"]);
    assert_eq!(strict, 1);
}

#[test]
fn machines_with_faults_are_told_so_and_fail() {
    let of = |address, helo, which: &str, expected| {
        let (checks, code) = in_lab(&["--address", address, "--helo", helo]);
        assert_eq!(status(&checks, which), expected, "{checks:#?}");
        let check = checks.iter().find(|check| check["check"] == which).unwrap();
        assert!(check["do"].is_string(), "{check}");
        code
    };
    assert_eq!(of("198.51.100.26", "mail.s26.lab.test", "ptr", "fault"), 1);
    assert_eq!(of("198.51.100.49", "mail.s49.lab.test", "listings", "fault"), 1);
    assert_eq!(of("198.51.100.1", "mail.s02.lab.test", "ehlo-address", "warning"), 0);
    assert_eq!(of("198.51.100.1", "nobody.lab.test", "ehlo-exists", "fault"), 1);
    assert_eq!(of("198.51.100.1", "probe", "ehlo-name", "fault"), 1);
    assert_eq!(of("10.0.0.1", "mail.s01.lab.test", "own-address", "unknown"), 0);
}

#[test]
fn nobody_is_dialled_who_was_not_named_and_quiet_shows_what_is_wrong_alone() {
    let (checks, _) = in_lab(&[]);
    let port25 = checks.iter().find(|check| check["check"] == "port25").unwrap();
    assert_eq!((port25["status"].as_str(), port25["cause"].as_str()), (Some("unknown"), Some("not-asked")));
    let (quiet, _) = in_lab(&["-q"]);
    assert!(!quiet.is_empty() && quiet.iter().all(|check| check["status"] == "warning"), "{quiet:#?}");
    let text = String::from_utf8(doctor(&["--lab"]).stdout).unwrap();
    assert!(text.lines().last().unwrap().starts_with("fit to scan"), "{text}");
    assert_eq!(doctor(&["--lab", "--port25", "no host"]).status.code(), Some(2));
}

/// The root's SOA, and nothing else.
fn root(asked: &Asked) -> Option<Reply> {
    let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
    asked.name().is_empty().then(|| asked.reply(0).own(SOA, &soa))
}

async fn through(server: &Server) -> (Vec<Value>, i32) {
    let resolver = server.address.to_string();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let words = ["--resolver", &resolver, "--dnsbl", "bl.example", "--helo", "probe.ietf.org", "--ipv4-only"];
    let more = ["--dns-timeout", "2s", "--rate-test", "20", "--format", "json", "--state", state];
    let output = tokio::process::Command::new(PROGRAM).arg("doctor").args(words).args(more).output().await.unwrap();
    examined(&output)
}

#[tokio::test]
async fn a_resolver_that_rewrites_nxdomain_strips_loopback_and_refuses_tcp_is_found_out() {
    let server = Server::udp(|asked| {
        let rewritten = || match asked.name() {
            // What a filter against DNS rebinding leaves of 127.0.0.2.
            listed if listed.ends_with("bl.example") => asked.reply(0),
            _ => asked.reply(0).own(A, &[203, 0, 113, 80]),
        };
        vec![Packet::new(root(asked).unwrap_or_else(rewritten))]
    })
    .await;
    let (checks, code) = through(&server).await;
    assert_eq!(code, 1, "{checks:#?}");
    assert_eq!(status(&checks, "resolver"), "ok");
    assert_eq!(status(&checks, "resolver-nxdomain"), "fault");
    assert_eq!(status(&checks, "resolver-127"), "fault");
    assert_eq!(status(&checks, "resolver-tcp"), "warning");
    assert_eq!(status(&checks, "resolver-dnssec"), "warning");
    assert_eq!(server.by_tcp(), 0);
}

#[tokio::test]
async fn an_honest_resolver_passes_what_the_lying_one_does_not() {
    let listed = |asked: &Asked| asked.name().starts_with("2.0.0.127.bl.");
    let answer = move |asked: &Asked| match root(asked) {
        Some(reply) => reply,
        None if listed(asked) => asked.reply(0).own(A, &[127, 0, 0, 2]),
        None => asked.reply(3),
    };
    let server =
        Server::both(move |asked| vec![Packet::new(answer(asked))], move |asked| vec![Step::framed(&answer(asked))])
            .await;
    let (checks, _) = through(&server).await;
    for which in ["resolver", "resolver-nxdomain", "resolver-127", "resolver-tcp", "resolver-latency"] {
        assert_eq!(status(&checks, which), "ok", "{which}: {checks:#?}");
    }
    assert_eq!(server.by_tcp(), 1, "TCP is tried once");
    assert_eq!(status(&checks, "ehlo-exists"), "fault", "that name is denied here");
}

#[tokio::test]
async fn a_resolver_that_is_not_there_is_one_fault_and_nothing_else_is_guessed() {
    let output = tokio::process::Command::new(PROGRAM)
        .args(["doctor", "--resolver", "127.0.0.9:9", "--helo", "probe.ietf.org", "--no-dnsbl", "--dns-timeout", "1s"])
        .args(["--format", "json", "--ipv4-only"])
        .output()
        .await
        .unwrap();
    let (checks, code) = examined(&output);
    assert_eq!(code, 1, "{checks:#?}");
    assert_eq!(status(&checks, "resolver"), "fault");
    assert_eq!(status(&checks, "ehlo-exists"), "unknown");
    assert!(!checks.iter().any(|check| check["check"] == "resolver-nxdomain"), "{checks:#?}");
}
