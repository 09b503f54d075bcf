//! A survey as one HTML page that needs nothing beside it.
//! Comes in: a survey. Goes out: the page's text, with style, script and plots in it.
//! Every text is escaped by the template; what a browser may run or apply is named by its digest in the page's policy, so that nothing
//! else can, whatever a server calls itself. Nothing is counted here.

mod audit;
mod blocklists;
mod findings;
mod method;
mod plot;
mod prevalence;
mod scanned;
mod shares;
mod times;
mod words;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::words::{counted, interval, number, percent, text};
use super::survey::{Level, Share, Survey};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A part of the page.
struct Section {
    /// What links lead to.
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// The page.
pub fn html(survey: &Survey) -> String {
    let sections = [
        Some(scanned::section(survey)),
        prevalence::section(survey),
        prevalence::unknown(survey),
        findings::section(survey),
        shares::software(survey),
        shares::providers(survey),
        shares::reverse_names(survey),
        blocklists::section(survey),
        shares::tls(survey),
        times::section(survey),
        audit::networks(survey),
        audit::worst(survey),
        Some(method::section(survey)),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(survey.made_by);
                title { (survey.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (plot::patterns())
                (header(survey))
                nav aria-label="Contents" { ol {
                    @for section in &sections { li { a href={ "#" (section.id) } { (section.title) } } }
                } }
                main {
                    @for section in &sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-head" } {
                            h2 id={ (section.id) "-head" } { (section.title) }
                            (section.body)
                        }
                    }
                }
                footer {
                    p { "Made by " (survey.made_by) ". " (counted(survey.totals.rows, "row")) " of "
                        (counted(survey.runs.len() as u64, "file")) "; the form of these numbers is version "
                        (survey.schema_version) ". This page needs nothing beside it and asks nobody for anything." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// What a browser may do with the page: apply its style, run its script, and nothing else.
fn policy() -> String {
    let digest = |text: &str| BASE64.encode(&Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

/// The level that speaks for the whole: domains, where there are any, else servers.
fn leading(survey: &Survey) -> Option<&Level> {
    ["domain", "server", "row"].iter().find_map(|by| survey.levels.iter().find(|level| level.by == *by))
}

fn header(survey: &Survey) -> Markup {
    let when = survey.runs.iter().filter_map(|run| run.scanned.as_ref());
    let first = when.clone().map(|[first, _]| first).min();
    let last = when.map(|[_, last]| last).max();
    html! {
        header {
            p.kicker { "A census of mail servers" }
            h1 { (text(&survey.title)) }
            p.lead {
                (counted(survey.totals.targets, "target")) ", " (counted(survey.totals.servers, "server"))
                @if survey.totals.servers_one_of > 1 { " (estimated)" }
                ", " (counted(survey.totals.rows, "row"))
                @if let (Some(first), Some(last)) = (first, last) {
                    " · " (day(first)) @if date(first) != date(last) { " to " (day(last)) }
                }
            }
            @for note in &survey.notes { p.warn { (text(note)) "." } }
            @if let Some(level) = leading(survey) { (key_figures(level)) }
        }
    }
}

fn date(time: &str) -> &str {
    time.split('T').next().unwrap_or_default()
}

/// The date of a point in time.
fn day(time: &str) -> Markup {
    html! { time datetime=(date(time)) { (text(date(time))) } }
}

fn key_figures(level: &Level) -> Markup {
    let overall = &level.overall;
    let figure = |class: &str, word: &str, means: &str, share: &Share| {
        html! {
            div {
                dt class={ "key " (class) } { (word) }
                dd { (percent(share.share)) }
                dd.more {
                    @if let Some(interval) = interval(share) { "95% interval " (interval) br; }
                    (number(share.count)) " of " (counted(share.of, level.by)) ": " (means)
                }
            }
        }
    };
    html! {
        dl.figures {
            (figure("pass", "conformant", "all five rules pass", &overall.conformant))
            (figure("fail", "misconfigured", "one of the five fails", &overall.misconfigured))
            (figure("unknown", "undetermined", "none fails, some unknown", &overall.undetermined))
        }
        @if level.one_of > 1 { p.soft { "Of a sample: one " (level.by) " of " (number(level.one_of)) "." } }
        @if overall.na > 0 {
            p.soft { (counted(overall.na, level.by)) " had nothing to judge, and " @if overall.na == 1 { "is" } @else { "are" }
                " in no share." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::finding::Code;

    /// The worst rows that are asked for unless told otherwise.
    const WORST: usize = 1_000;

    #[test]
    fn what_may_run_and_be_applied_stands_in_the_policy_and_nothing_else_does() {
        let page = html(&sample::survey());
        assert!(page.contains(&policy()) && policy().starts_with("default-src 'none'; "));
        for (open, close, text) in [("<style>", "</style>", STYLE), ("<script>", "</script>", SCRIPT)] {
            let inner: Vec<&str> = page.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect();
            assert_eq!(inner, [text], "a digest is that of the text as it stands there");
            assert!(!text.contains("</"), "it would end its element");
        }
        for forbidden in [" style=", "href=\"http", "src=", " on"] {
            let tags = page.split('<').filter_map(|rest| rest.split('>').next());
            let found: Vec<&str> = tags.filter(|tag| !tag.contains("&lt;") && tag.contains(forbidden)).collect();
            assert!(found.is_empty(), "{forbidden}: {found:?}");
        }
    }

    #[test]
    fn hostile_texts_are_text() {
        let page = html(&sample::survey());
        assert!(!page.contains("<script>alert"));
        let escaped =
            sample::HOSTILE.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        for part in ["scanned", "software", "worst-rows"] {
            let section =
                page.split(&format!("<section id=\"{part}\"")).nth(1).and_then(|rest| rest.split("</section>").next());
            assert!(section.unwrap().contains(&escaped), "{part}");
        }
    }

    #[test]
    fn a_page_of_all_that_a_survey_may_hold_is_small() {
        // However many rows there were: rankings end at a thousand entries, times at as many bins as a day has.
        let mut survey = sample::survey();
        let host = "a-rather-long-host-name.customers.of-a-provider.example";
        let mut row = survey.worst.rows[0].clone();
        for text in [&mut row.target, &mut row.exchange, &mut row.introduction] {
            host.clone_into(text);
        }
        row.ptr = format!("{host} {host}");
        row.greeting = format!("{host} ESMTP; no unsolicited mail, please").repeat(4);
        row.findings = vec![Code::HeloIllegalChar; 12];
        survey.worst.rows = vec![row; WORST];
        fill(&mut survey.software.entries, 1_000);
        fill(&mut survey.providers.entries, 1_000);
        fill(&mut survey.networks.entries, 1_000);
        fill(&mut survey.blocklists.lists.entries, 1_000);
        fill(&mut survey.findings, Code::ALL.len());
        fill(&mut survey.greeting_ms.bins, 400);
        let octets = html(&survey).len();
        assert!(octets < 5_000_000, "{octets}");
    }

    fn fill<T: Clone>(entries: &mut Vec<T>, count: usize) {
        *entries = entries.iter().cycle().take(count).cloned().collect();
    }

    #[test]
    fn a_survey_of_nothing_has_a_page() {
        let mut survey = sample::survey();
        survey.levels.clear();
        survey.unknown_why.clear();
        survey.findings.clear();
        survey.software.entries.clear();
        survey.providers.entries.clear();
        survey.ptr_class.clear();
        survey.tls.status.clear();
        survey.blocklists.lists.entries.clear();
        (survey.greeting_ms.servers, survey.connect_ms.servers) = (0, 0);
        survey.networks.entries.clear();
        survey.worst.rows.clear();
        let page = html(&survey);
        assert_eq!(page.matches("<section").count(), 2, "what was scanned, and how to read it");
    }
}
