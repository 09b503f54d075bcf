//! The scanner against servers nobody here wrote: NSD and Unbound for DNS, rbldnsd for blocklists, Postfix, Exim and
//! `OpenSMTPD` for mail, all on loopback. `scripts/servers install` fetches them; without them these tests fail.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic; the switch for tests does not reach it")]

#[path = "servers/fixture.rs"]
mod fixture;
#[path = "servers/run.rs"]
mod run;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fixture::{Row, Servers};
use serde_json::Value;

const LIST: &str = "dnsbl.mxcensus-fixture.org";

/// One entry of `expected.toml`: a row the scan must have.
struct Expected {
    target: String,
    columns: Vec<(String, String)>,
    findings: Vec<String>,
}

fn expectations() -> Vec<Expected> {
    let table: toml::Table = include_str!("../fixtures/servers/expected.toml").parse().unwrap();
    let rows = table.get("row").and_then(toml::Value::as_array).unwrap();
    rows.iter()
        .map(|row| {
            let mut expected = Expected { target: String::new(), columns: Vec::new(), findings: Vec::new() };
            for (key, value) in row.as_table().unwrap() {
                match (key.as_str(), value) {
                    ("target", toml::Value::String(text)) => expected.target.clone_from(text),
                    ("findings", toml::Value::Array(codes)) => {
                        expected.findings = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
                    }
                    (_, toml::Value::String(text)) => expected.columns.push((key.clone(), text.clone())),
                    _ => panic!("expected.toml: {key} is neither a text nor the list of findings"),
                }
            }
            expected
        })
        .collect()
}

impl Expected {
    /// What of this is not so; empty when a row is as expected.
    fn violated_by(&self, rows: &[Row]) -> Vec<String> {
        let exchange = self.columns.iter().find(|(column, _)| column == "exchange");
        let mut candidates = rows.iter().filter(|row| {
            row.column("target") == self.target && exchange.is_none_or(|(_, name)| row.column("exchange") == name)
        });
        let Some(row) = candidates.next() else {
            return vec![format!("{}: no row with exchange {exchange:?}", self.target)];
        };
        let mut wrong: Vec<String> = Vec::new();
        if candidates.next().is_some() {
            wrong.push(format!("{}: more than one row with exchange {exchange:?}", self.target));
        }
        for (column, text) in &self.columns {
            let found = row.column(column);
            if found != text {
                wrong.push(format!("{}: {column} is `{found}`, not `{text}`", self.target));
            }
        }
        let found = row.list("findings");
        for code in self.findings.iter().filter(|code| !found.contains(&code.as_str())) {
            wrong.push(format!("{}: no finding {code} among {found:?}", self.target));
        }
        wrong
    }
}

#[test]
fn real_servers_are_judged_as_they_are_configured() {
    let servers = Servers::start();
    let expected = expectations();
    let targets: BTreeSet<&str> = expected.iter().map(|row| row.target.as_str()).collect();
    let input = targets.iter().fold(String::from("domain\n"), |text, target| text + target + "\n");
    let rows = servers.scan(&["--dnsbl", LIST], &input);

    let wrong: Vec<String> = expected.iter().flat_map(|row| row.violated_by(&rows)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows.len(), expected.len(), "a row that nothing here expects");

    // Six of the targets lead to mx1. It has seen one connection for all of them, besides the one that asked whether it was up,
    // and that one did no more than it had to.
    let sessions = servers.sessions_of("mx1");
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert!(sessions.iter().all(|session| session.ends_with("ehlo=2 starttls=1 quit=1 commands=4")), "{sessions:?}");
}

#[test]
fn what_a_real_handshake_shows_stands_in_the_evidence() {
    let servers = Servers::start();
    let evidence = servers.file("evidence.jsonl");
    let input = "right.mxcensus-fixture.org\nnameless.mxcensus-fixture.org\nsmallkey.mxcensus-fixture.org\n";
    let options = ["--dnsbl", LIST, "--order", "input", "--evidence", evidence.to_str().unwrap()];
    assert_eq!(servers.scan(&options, input).len(), 3);
    let text = std::fs::read_to_string(evidence).unwrap();
    let shown: Vec<Value> = text
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|evidence| evidence.pointer("/routes/0/hosts/0/session/tls").unwrap().clone())
        .collect();
    let [right, old, small] = &shown[..] else { panic!("{} records", shown.len()) };
    let fact = |tls: &Value, name: &str| tls.get(name).and_then(|fact| fact.as_str()).map(str::to_owned);
    assert_eq!(fact(right, "group").as_deref(), Some("x25519"));
    assert_eq!(fact(right, "server_name").as_deref(), Some("mx1.mxcensus-fixture.org"));
    assert_eq!(fact(old, "failure").as_deref(), Some("old-protocol"));
    assert_eq!(fact(old, "alert").as_deref(), Some("protocol_version"));
    let certificate = small.get("certificate").unwrap();
    assert_eq!(fact(certificate, "signature").as_deref(), Some("sha256WithRSAEncryption"));
    // `openssl x509 -in small-certificate.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`
    let key = "dd6c4028bac644c49668bbe2e001ae3d2f026c55c970326fb81aa85277422916";
    assert_eq!(fact(certificate, "key_sha256").as_deref(), Some(key));
}

#[test]
fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    let servers = Servers::start();
    let rows = servers.scan(&["--dnsbl", LIST], "crowd.mxcensus-fixture.org\n");
    assert!(rows.iter().all(|row| row.column("mx_status") == "ok" && row.column("exchange_status") == "nxdomain"));
    let exchanges: BTreeSet<&str> = rows.iter().map(|row| row.column("exchange")).collect();
    assert_eq!(exchanges.len(), 20);
}

#[test]
fn lists_that_fail_their_own_test_entries_are_not_believed() {
    let servers = Servers::start();
    for list in ["everything.mxcensus-fixture.org", "empty.mxcensus-fixture.org"] {
        let rows = servers.scan(&["--dnsbl", list], "right.mxcensus-fixture.org\nlisted.mxcensus-fixture.org\n");
        assert_eq!(rows.len(), 2);
        for row in &rows {
            assert_eq!(row.column("dnsbl_listed"), "", "{list}");
            assert!(row.column("dnsbl_unknown").starts_with(&format!("{list}=")), "{}", row.column("dnsbl_unknown"));
            assert_eq!(row.column("unlisted"), "unknown", "{list}");
            assert_eq!(row.column("verdict"), "undetermined", "{list}");
        }
    }
}

#[test]
fn a_list_of_domain_names_gives_a_finding_and_no_verdict() {
    let servers = Servers::start();
    let lists = servers.file("lists.toml");
    let text = "[[list]]\nzone = 'names.mxcensus-fixture.org'\nkind = 'name'\nbits = true\ncodes = [\n\
                { from = '127.0.0.8', class = 'phishing' },\n{ from = '127.0.0.64', class = 'spam-source' }]\n";
    std::fs::write(&lists, text).unwrap();
    let input = "ip,helo\n127.25.3.2,mail.mxcensus-other.org\n127.25.1.1,mx1.mxcensus-fixture.org\n";
    let mut rows = servers.scan(&["--dnsbl", LIST, "--dnsbl-file", lists.to_str().unwrap()], input);
    rows.sort_by_key(|row| row.column("line").parse::<u64>().unwrap());
    let [other, own] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!(other.column("rhsbl_listed"), "mxcensus-other.org@names.mxcensus-fixture.org=127.0.0.72");
    assert!(other.list("findings").contains(&"rhsbl-listed"), "{:?}", other.list("findings"));
    assert!(!own.list("findings").contains(&"rhsbl-listed"), "{:?}", own.list("findings"));
    assert_eq!(own.column("rhsbl_listed"), "");
    for row in [other, own] {
        assert_eq!((row.column("dnsbl_listed"), row.column("dnsbl_unknown"), row.column("unlisted")), ("", "", "pass"));
    }
    let budget = std::fs::read_to_string(servers.file("state/budget.json")).unwrap();
    assert!(budget.contains("names.mxcensus-fixture.org#"), "{budget}");
}

#[test]
fn recorded_introductions_are_judged_without_a_session() {
    let servers = Servers::start();
    let input = "ip,helo\n\
                 127.25.1.1,mx1.mxcensus-fixture.org\n\
                 127.25.1.1,localhost.localdomain\n\
                 127.25.2.1,exim1.mxcensus-fixture.org\n\
                 127.25.3.2,mail.mxcensus-other.org\n";
    let mut rows = servers.scan(&["--dnsbl", LIST], input);
    rows.sort_by_key(|row| row.column("line").parse::<u64>().unwrap());
    let verdicts: Vec<[&str; 4]> =
        rows.iter().map(|row| ["fqdn", "matches", "unlisted", "verdict"].map(|column| row.column(column))).collect();
    assert_eq!(verdicts.first(), Some(&["pass", "pass", "pass", "conformant"]));
    assert_eq!(verdicts.get(1).map(|row| (row[0], row[3])), Some(("fail", "misconfigured")));
    assert_eq!(verdicts.get(2), Some(&["pass", "pass", "fail", "misconfigured"]));
    assert_eq!(verdicts.get(3), Some(&["pass", "fail", "pass", "misconfigured"]));
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.column("basis") == "observed" && row.column("greeting").is_empty()));
    assert_eq!(servers.sessions_of("mx1"), Vec::<String>::new());
}

#[test]
fn no_server_outlives_its_test() {
    let servers = Servers::start();
    let listeners = servers.listeners();
    let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok();
    assert!(listeners.iter().all(answers));
    drop(servers);
    // A killed process may take a moment to be gone.
    let deadline = Instant::now() + Duration::from_secs(10);
    for address in &listeners {
        while answers(address) {
            assert!(Instant::now() < deadline, "{address} still answers");
        }
    }
}
