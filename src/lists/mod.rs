//! The blocklists, for a person: the catalogue, and the health of those a scan would ask.
//! Comes in: the lists a run would have, and how to reach them. Goes out: a page of text, JSON or CSV.
//! The tests are those a scan begins with; nothing else is asked.

mod page;

use serde::Serialize;

use crate::model::dnsbl::{CodeRule, Health, List, ListClass, Quorum};
use crate::probe::dns::{self, Engine};
use crate::probe::dnsbl::catalogue::{Chosen, Deny, Entry, Kind, denials, known};
use crate::probe::dnsbl::panel::Panel;

/// What to show.
#[derive(Debug)]
pub struct Job {
    /// The lists a scan would ask.
    pub chosen: Chosen,
    /// How to test them; None leaves their health out.
    pub test: Option<Test>,
    /// In which form.
    pub format: Format,
    /// Colours in the text.
    pub colour: bool,
}

/// How to test lists.
#[derive(Debug)]
pub struct Test {
    /// The lists.
    pub panel: Panel,
    /// The resolver.
    pub dns: dns::Settings,
}

/// The form of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For spreadsheets: a line a list, then a line for each zone that is never asked.
    Csv,
}

/// Why lists cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The DNS client cannot be set up.
    #[error("cannot set up the DNS client")]
    Dns(#[from] dns::Error),
}

/// All there is to show.
#[derive(Debug, Serialize)]
struct Page<'a> {
    /// What rule 5 would need to pass.
    quorum: Quorum,
    lists: Vec<Line<'a>>,
    denied: &'a [Deny],
}

/// One list.
#[derive(Debug, Serialize)]
struct Line<'a> {
    zone: &'a str,
    kind: &'static str,
    /// Whether a scan with these options asks it.
    asked: bool,
    /// When a scan asks it without being told to; None for a list that the catalogue does not have.
    default: Option<&'static str>,
    core: bool,
    ipv4: bool,
    ipv6: bool,
    codes: Vec<CodeRule>,
    /// Whether the last octet of a code is a mask.
    bits: bool,
    /// Questions a second and a day at most; None is the run's own default.
    rate: Option<f32>,
    daily: u32,
    usage: &'a str,
    status: Option<&'static str>,
    checked: Option<&'a str>,
    lookup: Option<&'a str>,
    /// How it does now, in words that go on from "the list"; None where it was not tested.
    health: Option<String>,
    /// Whether a scan would believe it; None where it was not tested.
    healthy: Option<bool>,
}

/// What came of it.
#[derive(Debug)]
pub struct Shown {
    /// The page.
    pub page: String,
    /// What could not be written down of the budgets.
    pub complaint: Option<String>,
    /// Whether any of the lists that were tested answered, in whatever way.
    pub is_answered: bool,
}

/// Tests what is to be tested and makes the page.
pub async fn run(job: Job) -> Result<Shown, Error> {
    let Job { chosen, test, format, colour } = job;
    let mut complaint = None;
    let mut lists = chosen.lists;
    let mut health: Vec<Option<Health>> = vec![None; lists.len()];
    let mut six_missing = vec![false; lists.len()];
    if let Some(Test { panel, dns }) = test {
        let engine = Engine::start(dns).await?;
        health = panel.first_test(&engine).await.into_iter().map(Some).collect();
        let served = panel.lists();
        six_missing = lists.iter().zip(served.iter()).map(|(named, served)| named.ipv6 && !served.ipv6).collect();
        panel.close().await;
        complaint = panel.complaint();
    }
    let is_silent = |health: &Option<Health>| matches!(health, Some(Health::Silent(_)));
    let is_answered = health.is_empty() || !health.iter().all(is_silent);
    let asked = lists.iter_mut().zip(&chosen.terms).zip(health.iter().zip(six_missing));
    let mut lines: Vec<Line<'_>> = asked
        .map(|((list, terms), (health, six_missing))| {
            let entry = known().iter().find(|entry| *entry.zone == *list.shown);
            let said = health.as_ref().map(|health| match (health, six_missing) {
                (Health::Healthy, true) => format!("{health}, but none over IPv6: it is asked about IPv4 only"),
                _ => health.to_string(),
            });
            let healthy = health.as_ref().map(|health| *health == Health::Healthy);
            Line { asked: true, health: said, healthy, daily: terms.daily, ..line(list, entry) }
        })
        .collect();
    let others: Vec<(&Entry, List)> = known()
        .iter()
        .filter(|entry| !lines.iter().any(|line| *line.zone == *entry.zone))
        .filter_map(|entry| Some((entry, entry.as_list()?)))
        .collect();
    lines.extend(others.iter().map(|(entry, list)| line(list, Some(entry))));
    let page = Page { quorum: chosen.quorum, lists: lines, denied: denials() };
    let page = match format {
        Format::Text => page.text(colour),
        Format::Json => serde_json::to_string_pretty(&page).expect("a page has texts as keys and finite numbers"),
        Format::Csv => page.csv(),
    };
    Ok(Shown { page, complaint, is_answered })
}

fn line<'a>(list: &'a List, entry: Option<&'a Entry>) -> Line<'a> {
    Line {
        zone: &list.shown,
        kind: if list.names { Kind::Name } else { Kind::Address }.as_str(),
        asked: false,
        default: entry.map(|entry| entry.default.as_str()),
        core: list.core,
        ipv4: list.ipv4,
        ipv6: list.ipv6,
        // The refusals that every list has are no news.
        codes: list
            .codes
            .iter()
            .skip_while(|rule| rule.class == ListClass::Refusal && rule.from.octets()[1] == 255)
            .cloned()
            .collect(),
        bits: list.bits,
        rate: list.rate,
        daily: entry.map_or(0, |entry| entry.daily),
        usage: entry.map_or("not in the catalogue", |entry| &entry.usage),
        status: entry.map(|entry| entry.status.as_str()),
        checked: entry.map(|entry| &*entry.checked),
        lookup: list.lookup.as_deref(),
        health: None,
        healthy: None,
    }
}
