//! The crate as another program uses it: nothing but what its first page shows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mxcensus::{Cause, Census, Code, Options, Overall, Rule, Scan, Severity, Verdict};

#[tokio::test]
async fn what_cannot_be_meant_is_said_in_a_line() {
    let error = |options: Options| async move { Census::start(&options).await.unwrap_err() };
    for (options, told) in [
        (Options::lab().with("no-such-thing", "1"), "unexpected argument '--no-such-thing'"),
        (Options::lab().with("port", "many"), "invalid value 'many' for '--port <N>'"),
        (Options::lab().with("smtp-rate", "-1"), "--smtp-rate"),
    ] {
        let error = error(options).await;
        let said = error.to_string();
        assert!(said.contains(told) && !said.contains('\n'), "{said}");
        assert_eq!(error.exit_code(), 2, "{said}");
    }
    let census = Census::start(&Options::lab().with("lab-domains", "30")).await.unwrap();
    for (target, told) in [("192.0.2.0/24", "is a network"), ("a b", "a b")] {
        let error = census.examine(target).await.unwrap_err();
        assert!(error.to_string().contains(told) && error.exit_code() == 2, "{error}");
    }
    let nowhere = Scan::new(&Options::lab()).run().await.unwrap_err();
    assert!(nowhere.to_string().contains("needs an output"), "{nowhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_ask_at_a_time_and_get_what_a_scan_gets() {
    let options = Options::lab().with("lab-domains", "120").flag("no-starttls");
    let scanned = Arc::new(Mutex::new(Vec::new()));
    let take = Arc::clone(&scanned);
    let summary = Scan::new(&options)
        .rows(move |row| {
            let verdicts = Rule::ALL.iter().map(|rule| row.verdict(*rule)).collect::<Vec<_>>();
            let place = (row.target().to_owned(), row.exchange().map(str::to_owned), row.address());
            take.lock().unwrap().push((place, verdicts));
        })
        .await
        .unwrap();
    assert!(summary.complete);
    let mut scanned = std::mem::take(&mut *scanned.lock().unwrap());
    scanned.sort();

    // Those that somebody has recorded are asked for in another way.
    let targets: BTreeSet<String> = scanned.iter().map(|((target, ..), _)| target.clone()).collect();
    let census = Arc::new(Census::start(&options).await.unwrap());
    let asked =
        targets.into_iter().filter(|target| target.parse::<std::net::IpAddr>().is_err() && !target.contains('/'));
    let asked = asked.map(|target| {
        let census = Arc::clone(&census);
        tokio::spawn(async move { census.examine(&target).await.unwrap() })
    });
    let mut examined = Vec::new();
    for one in asked.collect::<Vec<_>>() {
        let one = one.await.unwrap();
        examined.extend(one.rows().map(|row| {
            let verdicts = Rule::ALL.iter().map(|rule| row.verdict(*rule)).collect::<Vec<_>>();
            ((row.target().to_owned(), row.exchange().map(str::to_owned), row.address()), verdicts)
        }));
    }
    examined.sort();
    let targets: BTreeSet<&String> = examined.iter().map(|((target, ..), _)| target).collect();
    scanned.retain(|((target, ..), _)| targets.contains(target));
    assert!(examined.len() > 100, "{}", examined.len());
    assert_eq!(examined, scanned);
}

#[tokio::test]
async fn a_row_tells_its_findings_its_causes_and_all_its_columns() {
    let census = Census::start(&Options::lab().with("lab-domains", "60").with("probes", "mx,ptr,smtp")).await.unwrap();
    let examined = census.examine("s01.lab.test").await.unwrap();
    let row = examined.rows().next().unwrap();
    assert_eq!((row.verdict(Rule::Unlisted), row.cause(Rule::Unlisted)), (Verdict::Unknown, Some(Cause::NotAsked)));
    assert_eq!((row.overall(), row.cause(Rule::Fqdn)), (Overall::Undetermined, None));
    let object: serde_json::Value = serde_json::from_str(&row.json()).unwrap();
    assert_eq!(object.get("target").unwrap(), "s01.lab.test");
    assert_eq!(object.get("unlisted").unwrap(), "unknown");
    let address = row.address().unwrap();
    let seen = census.examine_introduction(address, "friend@example.org").await;
    let found = seen.rows().next().unwrap().findings().iter().find(|finding| finding.severity == Severity::Error);
    assert!(found.is_some_and(|finding| Code::ALL.contains(&finding.code)), "{found:?}");
    census.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_was_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    let options = Options::lab().with("lab-domains", "400").flag("no-starttls");
    let slow = options.with("dns-rate", "300").with("concurrency", "20").flag("resume");
    let soon = tokio::time::sleep(Duration::from_millis(1_500));
    let stopped = Scan::new(&slow).output(&output).run_until(soon).await.unwrap();
    assert!(!stopped.complete && !output.exists());
    let again = Scan::new(&slow).output(&output).run().await.unwrap();
    assert!(again.complete && output.exists());
    let rows = std::fs::read_to_string(&output).unwrap();
    let targets: BTreeSet<&str> = rows.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
    assert!(targets.len() >= 380, "{}", targets.len());
}
