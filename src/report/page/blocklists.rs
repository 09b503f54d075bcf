//! Which blocklists have the servers, and whether the lists could be believed.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::survey::{Blocklist, Health, Survey};
use super::Section;
use super::words::{count_cell, counted, interval, number, percent, rest, text, word};

pub(super) fn section(survey: &Survey) -> Option<Section> {
    let blocklists = &survey.blocklists;
    if blocklists.lists.entries.is_empty() {
        return None;
    }
    let counting = &blocklists.counted;
    let many = survey.runs.len() > 1;
    let body = html! {
        p {
            "Lists were asked about the address of " (counted(blocklists.asked, "row")) ". Of those " (percent(counting.share))
            @if let Some(interval) = interval(counting) { " (" (interval) ")" }
            " are on a list that decides rule 5. A list is tested before, during and after a run; what it said since its last good test is
            not believed, and counts as no answer."
        }
        div.scroll { table.sortable {
            thead { tr {
                th scope="col" { "list" }
                th.number scope="col" aria-sort="descending" data-first="descending" { "listed" }
                th.number scope="col" data-first="descending" { "of them counting" }
                th.number scope="col" data-first="descending" { "no answer" }
                th scope="col" data-unsorted { "why no answer" }
                th scope="col" { "health" }
            } }
            tbody { @for list in &blocklists.lists.entries { (one(list, many)) } }
        } }
        (rest(&blocklists.lists, "list", "rows"))
    };
    Some(Section { id: "blocklists", title: "Blocklists", body })
}

fn one(list: &Blocklist, many: bool) -> Markup {
    html! {
        tr {
            th.nowrap scope="row" { (text(&list.list)) }
            (count_cell(list.listed))
            (count_cell(list.counted))
            (count_cell(list.silent))
            td { @for (cause, rows) in &list.silent_why { span.word { (cause) " " (number(*rows)) } } }
            td {
                @if list.health.is_empty() { (word("unknown", "not told")) }
                @for told in &list.health { div { (health(told, many)) } }
            }
        }
    }
}

fn health(health: &Health, many: bool) -> Markup {
    html! {
        @if many { span.soft { "file " (health.run + 1) ": " } }
        @match &health.off {
            None => { (word("good", "healthy to the end")) }
            Some(why) => {
                (word("bad", "left out"))
                (text(why))
                @match health.off_since.and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
                    Some(since) => { ", since " time.nowrap { (since.strftime("%Y-%m-%d %H:%M UTC").to_string()) } }
                    None => { ", from the start" }
                }
                "; "
            }
        }
        span.soft {
            (counted(health.asked, "question")) ", " (counted(health.tests, "test"))
            @for (count, what) in [
                (health.hits, "listed"),
                (health.refused, "refused"),
                (health.unanswered, "unanswered"),
                (health.void, "not believed"),
                (health.over_budget, "over the budget of the day"),
            ] { @if count > 0 { ", " (number(count)) " " (what) } }
        }
    }
}
