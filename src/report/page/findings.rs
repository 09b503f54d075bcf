//! What was found, by frequency, and how to mend it.

use maud::{Markup, html};

use super::super::survey::{Found, Survey};
use super::words::{count_cell, percent, phrase, sentence, share_cell, word};
use super::{Section, plot};

/// So many stand in sight; the others are one click away.
const OPEN: usize = 15;

pub(super) fn section(survey: &Survey) -> Option<Section> {
    if survey.findings.is_empty() {
        return None;
    }
    let open = survey.findings.get(..OPEN.min(survey.findings.len())).unwrap_or_default();
    let more = survey.findings.get(OPEN..).unwrap_or_default();
    let body = html! {
        p { "What stands behind the verdicts, the most frequent first, with what to do about it. The bar is the share of rows; the share of
            servers has its 95% interval beside it. A finding that weighs nothing against a server is an “info”." }
        (table(open))
        @if !more.is_empty() {
            details { summary { (more.len()) " less frequent findings" } (table(more)) }
        }
    };
    Some(Section { id: "findings", title: "What was found", body })
}

fn table(findings: &[Found]) -> Markup {
    html! {
        div.scroll { table.wide {
            thead { tr {
                th scope="col" { "finding" }
                th.number scope="col" { "rows" }
                th.number scope="col" { "share" }
                td {}
                th.number scope="col" { "of servers" }
                th scope="col" { "what it means, and how to mend it" }
            } }
            tbody { @for found in findings { tr {
                th.nowrap scope="row" { (found.code) br; (word(found.severity.as_str(), found.severity.as_str())) }
                (count_cell(found.rows.count))
                td.number { (percent(found.rows.share)) }
                td.drawn { (plot::share("bar", found.rows.share.unwrap_or(0.0))) }
                (share_cell(&found.servers))
                td.prose { (sentence(found.meaning)) " " span.soft { (sentence(found.why)) } br; strong { "Mend: " } (phrase(found.remedy)) "." }
            } } }
        } }
    }
}
