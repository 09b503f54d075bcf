//! What to act on: the networks with most trouble, and the worst rows.

use maud::{Markup, html};

use super::super::survey::{Survey, WorstRow};
use super::words::{count_cell, counted, height, number, on_paper, percent, rest, text, word};
use super::{Section, plot};
use crate::model::finding::Code;
use crate::model::words::{Rule, Verdict};

pub(super) fn networks(survey: &Survey) -> Option<Section> {
    let ranking = &survey.networks;
    if ranking.entries.is_empty() {
        return None;
    }
    let body = html! {
        p { "A /24 of IPv4 or a /48 of IPv6 each, those with most failing servers first. A server fails when one of its rows is
            misconfigured." }
        div class=(height(ranking.entries.len())) { table.sortable {
            thead { tr {
                th scope="col" { "network" }
                th.number scope="col" data-first="descending" { "servers" }
                th.number scope="col" aria-sort="descending" data-first="descending" { "failing servers" }
                th scope="col" data-first="descending" { "their share" }
                th.number scope="col" data-first="descending" { "listed" }
                th.number scope="col" data-first="descending" { "rows" }
                th.number scope="col" data-first="descending" { "failing rows" }
                th.number scope="col" data-first="descending" { "undetermined" }
                th scope="col" data-unsorted { "graver findings, with their rows" }
            } }
            tbody { @for network in &ranking.entries { tr {
                @let share = plot::ratio(network.failing_servers, network.servers);
                th.nowrap scope="row" { (text(&network.network)) }
                (count_cell(network.servers))
                (count_cell(network.failing_servers))
                td.drawn data-sort=(share) { (plot::share("fail", share)) span.soft { (percent(Some(share))) } }
                (count_cell(network.listed_servers))
                (count_cell(network.rows))
                (count_cell(network.failing))
                (count_cell(network.undetermined))
                td { @for (code, rows) in &network.findings { span.word { (code) " " (number(*rows)) } } }
            } } }
        } }
        (on_paper(ranking.entries.len()))
        (rest(ranking, "network", "rows that fail"))
    };
    Some(Section { id: "networks", title: "Networks by trouble", body })
}

pub(super) fn worst(survey: &Survey) -> Option<Section> {
    let worst = &survey.worst;
    if worst.rows.is_empty() {
        return None;
    }
    let many = survey.runs.len() > 1;
    let body = html! {
        p {
            @if worst.of > worst.rows.len() as u64 {
                "The worst " (number(worst.rows.len() as u64)) " of " (counted(worst.of, "row")) " in which a rule fails: "
            } @else { (counted(worst.of, "row")) " in which a rule fails: " }
            "most failing rules first, then most errors. All stands as a server or a list said it; control characters as "
            code { "\\xHH" } "."
        }
        (controls(&worst.rows))
        div.scroll { table #worst .sortable.wide {
            thead { tr {
                th.number scope="col" aria-sort="ascending" { "no." }
                th scope="col" { "target" }
                th scope="col" { "exchange, address, reverse name" }
                th scope="col" { "introduction, greeting" }
                th.short scope="col" data-first="descending" { "fails" }
                th scope="col" { "findings" }
                th.short scope="col" { "row" }
            } }
            tbody { @for (place, row) in worst.rows.iter().enumerate() { (one(place + 1, row, many)) } }
        } }
        (on_paper(worst.rows.len()))
        p.more-rows { button #filter-more type="button" hidden { "Show more" } }
    };
    Some(Section { id: "worst-rows", title: "The worst rows", body })
}

/// What filters the rows; a page without script does not show it.
fn controls(rows: &[WorstRow]) -> Markup {
    let mut codes: Vec<Code> = rows.iter().flat_map(|row| row.findings.iter().copied()).collect();
    codes.sort_unstable_by_key(|code| code.as_str());
    codes.dedup();
    let failing = Rule::ALL.iter().filter(|rule| rows.iter().any(|row| fails(row).any(|other| other == **rule)));
    html! {
        div.controls hidden role="search" aria-label="Filter the rows" {
            label.wide { "Text: all of these words" input #filter-text type="search" autocomplete="off" spellcheck="false" aria-controls="worst"; }
            label { "Rule that fails" select data-filter="rules" aria-controls="worst" {
                option value="" { "any" }
                @for rule in failing { option value=(rule) { (rule) } }
            } }
            label { "Finding" select data-filter="findings" aria-controls="worst" {
                option value="" { "any" }
                @for code in &codes { option value=(code) { (code) } }
            } }
            button #filter-clear type="button" { "Clear" }
        }
        p.soft #filter-told role="status" {}
    }
}

fn fails(row: &WorstRow) -> impl Iterator<Item = Rule> + '_ {
    Rule::ALL.iter().zip(row.verdicts).filter(|(_, verdict)| *verdict == Verdict::Fail).map(|(rule, _)| *rule)
}

fn one(place: usize, row: &WorstRow, many: bool) -> Markup {
    let rules: Vec<&str> = fails(row).map(Rule::as_str).collect();
    let unknown = Rule::ALL.iter().zip(row.verdicts).filter(|(_, verdict)| *verdict == Verdict::Unknown);
    let codes: Vec<&str> = row.findings.iter().map(|code| code.as_str()).collect();
    html! {
        tr data-rules=(rules.join(" ")) data-findings=(codes.join(" ")) {
            td.number { (place) }
            th scope="row" { (text(&row.target)) }
            td.server data-sort=(row.address) {
                @if !row.exchange.is_empty() { (text(&row.exchange)) br; }
                span.nowrap { (text(&row.address)) }
                @if !row.ptr.is_empty() { br; span.soft { "PTR " (text(&row.ptr)) } }
            }
            td.said {
                @if row.introduction.is_empty() { span.soft { "none" } } @else { (text(&row.introduction)) }
                @if !row.greeting.is_empty() { br; span.soft { (text(&row.greeting)) } }
            }
            td.short data-sort=(format!("{} {}", rules.len(), rules.join(" "))) {
                @for rule in &rules { (word("fail", rule)) }
                @for (rule, _) in unknown { (word("unknown", &format!("{rule}?"))) }
            }
            td {
                @for code in &codes { span.word { (code) } }
                @for list in &row.blocklists { span.word { "on " (text(list)) } }
            }
            td.nowrap.short data-sort=(format!("{} {}", row.run, row.row)) { @if many { (row.run + 1) ":" } (number(row.row)) }
        }
    }
}
