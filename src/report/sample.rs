//! A small survey for the tests of what shows one; some of its texts are hostile.

use serde_json::json;

use super::survey::*;
use crate::model::finding::Code;
use crate::model::words::{Basis, Cause, CertTrust, Overall, PtrClass, Rule, Severity, TlsFailure, TlsStatus, Verdict};

/// What a server may call itself.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'&\\x1B[2J=1+1";

fn counted<T>(word: T, rows: u64, servers: u64) -> Counted<T> {
    Counted { word, rows: Share::of(rows, 90), servers: Share::of(servers, 40) }
}

fn ranking<T>(entries: Vec<T>) -> Ranking<T> {
    Ranking { entries, others: 0, approximate: false, missed_at_most: 0 }
}

fn level(by: &'static str, counted: u64) -> Level {
    let of = counted - 10;
    let rules = Rule::ALL.iter().map(|rule| RuleShares {
        rule: *rule,
        pass: Share::of(of - 20, of),
        fail: Share::of(15, of),
        unknown: Share::of(5, of),
        na: 10,
    });
    let overall = OverallShares {
        conformant: Share::of(of - 20, of),
        misconfigured: Share::of(15, of),
        undetermined: Share::of(5, of),
        na: 10,
    };
    Level { by, meaning: "each counts once", counted, one_of: 1, rules: rules.collect(), overall }
}

fn run() -> Run {
    let told = Told {
        version: "0.1.0".to_owned(),
        start: "2026-12-01T02:47:46.251Z".to_owned(),
        end: Some("2026-12-01T02:57:48.547Z".to_owned()),
        complete: true,
        resumed: 0,
        shard: None,
        seeds: [("order".to_owned(), 1)].into(),
        configuration: [("profile".to_owned(), json!("census")), ("seed".to_owned(), json!(1))].into(),
        effective: json!({ "dnsbl": ["bl1.example"], "helo": "scanner.example" }),
        tables: vec![Table {
            name: "tlds.txt".to_owned(),
            date: "2026-11-24".to_owned(),
            version: None,
            digest: "c1097ca574193029".to_owned(),
        }],
        inputs: vec![Input { name: "list.csv".to_owned(), sha256: Some("4d18".repeat(16)), records: 90 }],
        counts: [("records_read".to_owned(), 90), ("rows".to_owned(), 100)].into(),
        seconds: Some(602.296),
    };
    let scanned = Some(["2026-12-01T02:47:46Z".to_owned(), "2026-12-01T02:57:40Z".to_owned()]);
    Run { name: format!("{HOSTILE}.csv"), form: "csv", rows: 100, scanned, manifest: Some(told) }
}

fn distribution(servers: u64) -> Distribution {
    let bins = vec![
        Bin { from: 14, below: 15, servers: servers - 3 },
        Bin { from: 15, below: 16, servers: 0 },
        Bin { from: 16, below: 18, servers: 3 },
    ];
    let quantiles = vec![Quantile { of: 0.5, from: 14, below: 15 }, Quantile { of: 0.99, from: 16, below: 18 }];
    Distribution { servers, bins, quantiles, longest: Some(17) }
}

fn worst() -> WorstRow {
    WorstRow {
        run: 0,
        row: 7,
        target: "example.org".to_owned(),
        exchange: "mx.example.org".to_owned(),
        address: "192.0.2.7".to_owned(),
        ptr: HOSTILE.to_owned(),
        introduction: HOSTILE.to_owned(),
        greeting: format!("{HOSTILE} ESMTP"),
        basis: Some(Basis::Announced),
        verdicts: [
            Verdict::Pass,
            Verdict::Fail,
            Verdict::Na,
            Verdict::Na,
            Verdict::Fail,
            Verdict::Unknown,
            Verdict::Pass,
        ],
        overall: Overall::Misconfigured,
        findings: vec![Code::HeloIllegalChar, Code::DnsblListed],
        blocklists: vec!["bl1.example".to_owned()],
    }
}

/// A survey with something in each of its parts.
pub(crate) fn survey() -> Survey {
    let health = Health {
        run: 0,
        asked: 95,
        hits: 4,
        refused: 0,
        unanswered: 1,
        void: 2,
        over_budget: 0,
        tests: 3,
        off: Some("answers nothing to its test entry".to_owned()),
        off_since: Some(1_764_557_268_000),
    };
    Survey {
        schema_version: SURVEY_VERSION,
        made_by: "mxcensus 0.1.0".to_owned(),
        title: "A sample".to_owned(),
        runs: vec![run()],
        notes: vec![format!("{HOSTILE} has no manifest")],
        totals: Totals {
            rows: 100,
            targets: 90,
            servers: 40,
            servers_one_of: 1,
            repeated: 0,
            repeated_one_of: 1,
            announced: 95,
            observed: 0,
        },
        rules: vec![About {
            rule: Rule::Fqdn,
            id: "R2",
            asks: "the introduction must be a proper fully qualified domain name",
            pass: "it is one",
            fail: "it is something else",
            unknown: "no introduction was seen",
            na: "there is no introduction",
        }],
        levels: vec![level("row", 100), level("domain", 90), level("server", 40)],
        unknown_why: vec![Unknown { cause: Cause::ConnectTimeout, verdicts: 5, rules: vec![(Rule::Introduces, 5)] }],
        findings: vec![Found {
            code: Code::HeloIllegalChar,
            severity: Severity::Error,
            rows: Share::of(15, 100),
            servers: Share::of(6, 40),
            meaning: "a character that no host name has",
            why: "RFC 5321 §2.3.5",
            remedy: "configure the server's own name",
        }],
        software: ranking(vec![
            Software { name: Some(HOSTILE.to_owned()), rows: Share::of(60, 90), servers: Share::of(30, 40) },
            Software { name: None, rows: Share::of(30, 90), servers: Share::of(10, 40) },
        ]),
        providers: Ranking {
            entries: vec![Provider {
                domain: "example.org".to_owned(),
                targets: Share::of(50, 90),
                rows: 55,
                misconfigured: Share::of(5, 50),
                undetermined: Share::of(0, 50),
            }],
            others: 12,
            approximate: true,
            missed_at_most: 2,
        },
        ptr_class: PtrClass::ALL.iter().zip(1..).map(|(class, rows)| counted(*class, rows, rows)).collect(),
        tls: Tls {
            status: TlsStatus::ALL.iter().zip(1..).map(|(status, rows)| counted(*status, rows, rows)).collect(),
            version: vec![counted("TLSv1.3".to_owned(), 80, 30)],
            trust: CertTrust::WORDS.iter().zip(1..).map(|(trust, rows)| counted(*trust, rows, rows)).collect(),
            failure: TlsFailure::WORDS.iter().map(|failure| counted(*failure, 0, 0)).collect(),
        },
        blocklists: Blocklists {
            asked: 95,
            counted: Share::of(4, 95),
            lists: ranking(vec![Blocklist {
                list: "bl1.example".to_owned(),
                listed: 4,
                counted: 4,
                silent: 2,
                silent_why: vec![(Cause::ListUnhealthy, 2)],
                health: vec![health],
            }]),
        },
        greeting_ms: distribution(38),
        connect_ms: distribution(40),
        networks: ranking(vec![Network {
            network: "192.0.2.0/24".to_owned(),
            servers: 12,
            failing_servers: 4,
            listed_servers: 1,
            rows: 30,
            failing: 9,
            undetermined: 2,
            findings: vec![(Code::HeloIllegalChar, 9)],
        }]),
        worst: Worst { of: 15, rows: vec![worst()] },
    }
}
