//! Evidence for the benches: what a scan of the lab gathers.

use std::sync::Arc;

use clap::Parser as _;
use mxcensus::cli::{Cli, Command};
use mxcensus::config::{self, Meant};
use mxcensus::judge::Policy;
use mxcensus::lab::{Lab, Settings};
use mxcensus::model::dnsbl::Health;
use mxcensus::model::evidence::Evidence;
use mxcensus::model::name::Name;
use mxcensus::model::target::{Subject, Target};
use mxcensus::probe::{Errand, Prober, dns};
use tokio::runtime::Runtime;

async fn meant(targets: u64) -> Meant {
    let words = ["mxcensus", "scan", "--lab"];
    let Command::Scan(args) = Cli::try_parse_from(words).expect("the words are options of scan").command else {
        unreachable!("the command is scan")
    };
    let lab = Lab::start(Settings::new(1, targets)).await.expect("the lab starts on loopback");
    config::scan_in(*args, Some(lab)).expect("the options can be meant")
}

/// What a scan gathers of the domains of a lab with so many targets, and what it is judged by.
pub(crate) fn evidence(targets: u64) -> (Vec<Evidence>, Policy) {
    Runtime::new().expect("the system can start threads").block_on(gathered(targets))
}

async fn gathered(targets: u64) -> (Vec<Evidence>, Policy) {
    let Meant { job, lab, .. } = meant(targets).await;
    let lab = lab.expect("the lab was given");
    let policy = Policy {
        profile: job.profile,
        naming: job.probe.naming,
        allowed: job.probe.allowed.clone(),
        lists: Arc::clone(&job.probe.lists),
        health: vec![Health::Healthy; job.probe.lists.len()],
        quorum: job.quorum,
        receivers: Vec::new(),
        history: Arc::default(),
    };
    let engine = dns::Engine::start(job.dns).await.expect("loopback has free ports");
    let prober = Prober::new(engine, job.probe);
    let mut evidence = Vec::new();
    for (text, sequence) in lab.targets().zip(0..) {
        let Ok(name) = Name::parse(&text) else { continue };
        let target = Target {
            sequence,
            line: None,
            text: text.into(),
            subject: Subject::Domain(name),
            from_network: false,
            excluded: false,
            unstable: false,
        };
        // Without limits and with one asker nothing stands in the way.
        let gathered = prober.gather(&Errand::first(target)).await.expect("no server is spoken to meanwhile");
        evidence.push(prober.settle(gathered));
    }
    (evidence, policy)
}
