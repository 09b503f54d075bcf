//! A resolver that is killed and started again while a scan needs it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use mxcensus::cli::{Cli, Command};
use mxcensus::lab::{Lab, Settings};
use mxcensus::scan::stop::Stop;
use mxcensus::{config, scan};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::run::{differences, rows};

/// What a row is known by, and its verdicts.
const KEY: [&str; 4] = ["target", "exchange", "address", "introduced_by"];
const RULES: [&str; 7] = ["introduces", "fqdn", "exists", "matches", "unlisted", "reverse", "mx"];

/// Hands on what comes at one address, over UDP and TCP, to the resolver behind it, until it is dropped.
async fn forward(listen: SocketAddr, to: SocketAddr) -> (SocketAddr, JoinSet<()>) {
    let udp = Arc::new(UdpSocket::bind(listen).await.unwrap());
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut streams = JoinSet::new();
        while let Ok((mut stream, _)) = tcp.accept().await {
            streams.spawn(async move {
                let Ok(mut behind) = TcpStream::connect(to).await else { return };
                tokio::io::copy_bidirectional(&mut stream, &mut behind).await.ok();
            });
        }
    });
    running.spawn(async move {
        // Each asker has a socket of its own, so that replies find back.
        let (mut behind, mut answers) = (HashMap::new(), JoinSet::new());
        let mut buffer = [0; 4_096];
        loop {
            // That somebody has gone is told as an error of a later call.
            let Ok((length, asker)) = udp.recv_from(&mut buffer).await else { continue };
            if let Entry::Vacant(place) = behind.entry(asker) {
                let own = Arc::new(UdpSocket::bind((to.ip(), 0)).await.unwrap());
                own.connect(to).await.unwrap();
                place.insert(Arc::clone(&own));
                let udp = Arc::clone(&udp);
                answers.spawn(async move {
                    let mut buffer = [0; 4_096];
                    while let Ok(length) = own.recv(&mut buffer).await {
                        udp.send_to(&buffer[..length], asker).await.ok();
                    }
                });
            }
            behind[&asker].send(&buffer[..length]).await.ok();
        }
    });
    (address, running)
}

/// Scans while the resolver is away for a time, and gives the rows, sorted.
async fn scan_without(away: Option<Duration>, more: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.jsonl");
    let lab = Lab::start(Settings::new(5, 2_000)).await.unwrap();
    let resolver = lab.resolver();
    let (address, running) = forward(SocketAddr::new(resolver.ip(), 0), resolver).await;
    let at = address.to_string();
    let words = ["mxcensus", "scan", "--lab", "--quiet", "--no-starttls", "--resolver", &at, "--dns-rate", "4000"];
    let words = words.into_iter().chain(["-o", output.to_str().unwrap()]).chain(more.iter().copied());
    let Command::Scan(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not a scan") };
    let meant = config::scan_in(*args, Some(lab)).unwrap();
    let scan = tokio::spawn(scan::run(meant.job, Stop::default()));
    let _again = match away {
        Some(away) => {
            tokio::time::sleep(Duration::from_millis(600)).await;
            drop(running);
            assert!(!scan.is_finished(), "the fault comes too late");
            tokio::time::sleep(away).await;
            forward(address, resolver).await.1
        }
        None => running,
    };
    assert!(scan.await.unwrap().unwrap().complete);
    rows(&output)
}

/// A row without how often it was tried.
fn once(rows: Vec<String>) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|row| row.split('|').filter(|cell| !cell.starts_with("attempts=")).collect::<Vec<_>>().join("|"))
        .collect();
    rows.sort_unstable();
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolver_that_comes_back_in_time_changes_no_row() {
    let wanted = scan_without(None, &[]).await;
    let found = scan_without(Some(Duration::from_secs(4)), &[]).await;
    super::run::assert_same(&found, &wanted, "rows over a resolver that was away for 4 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolver_that_is_away_for_longer_leaves_unknowns_and_a_later_pass_mends_them() {
    let patience = ["--dns-timeout", "1s"];
    let wanted = scan_without(None, &patience).await;
    let found = scan_without(Some(Duration::from_secs(4)), &patience).await;
    let (_, more) = differences(&found, &wanted);
    let targets = |rows: &[String]| -> Vec<String> {
        let mut targets: Vec<String> = rows
            .iter()
            .map(|row| row.split('|').find(|cell| cell.starts_with("target=")).unwrap().to_owned())
            .collect();
        targets.dedup();
        targets.sort_unstable();
        targets.dedup();
        targets
    };
    assert_eq!(targets(&found), targets(&wanted), "a target is lost");
    // What could not be asked is unknown, with its cause; no verdict is another one.
    let cells = |row: &str| -> HashMap<String, String> {
        row.split('|')
            .filter_map(|cell| cell.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    };
    let key = |cells: &HashMap<String, String>| KEY.map(|name| cells.get(name).cloned());
    let known: HashMap<_, _> = wanted.iter().map(|row| cells(row)).map(|cells| (key(&cells), cells)).collect();
    let mut unknown = 0;
    for row in &more {
        let cells = cells(row);
        // An exchange that did not resolve has its row without an address.
        let Some(wanted) = known.get(&key(&cells)) else { continue };
        for rule in RULES {
            let is_unknown = cells[rule] == "unknown";
            unknown += usize::from(is_unknown);
            assert!(
                is_unknown && row.contains("unknown_why=") || cells[rule] == wanted[rule],
                "{rule}: {row} was {wanted:?}"
            );
        }
    }
    assert!(unknown > 0, "the fault left no trace");

    let later = [&patience[..], &["--retries", "3", "--retry-after", "3s"]].concat();
    let wanted = once(scan_without(None, &later).await);
    let found = once(scan_without(Some(Duration::from_secs(4)), &later).await);
    super::run::assert_same(&found, &wanted, "rows after later passes");
}
