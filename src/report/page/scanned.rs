//! What was scanned and how: the files, and what their manifests say.

use maud::{Markup, html};
use serde_json::Value;

use super::super::survey::{Run, Survey, Told};
use super::Section;
use super::words::{counted, moment, number, text, word};

/// So many files stand open.
const OPEN: usize = 2;

pub(super) fn section(survey: &Survey) -> Section {
    let totals = &survey.totals;
    let body = html! {
        dl.facts {
            dt { "Whose words" }
            dd {
                (counted(totals.announced, "row")) " judged by what a server says of itself when it is dialled, "
                (number(totals.observed)) " by an introduction that somebody recorded"
            }
            @if totals.repeated > 0 {
                dt { "Repeated" }
                dd {
                    @if totals.repeated_one_of > 1 { "about " }
                    (counted(totals.repeated, "row")) " of a target, exchange, address and introduction that an earlier file has as well"
                }
            }
        }
        @for (place, run) in survey.runs.iter().enumerate() {
            details open[place < OPEN] {
                summary { (text(&run.name)) ", " (counted(run.rows, "row")) }
                (one(run))
            }
        }
    };
    Section { id: "scanned", title: "What was scanned, and how", body }
}

fn one(run: &Run) -> Markup {
    html! {
        dl.facts {
            dt { "Rows" } dd { (number(run.rows)) ", " (run.form) }
            @if let Some([first, last]) = &run.scanned {
                dt { "Targets taken up" } dd { (moment(first)) " to " (moment(last)) }
            }
            @match &run.manifest {
                Some(told) => (manifest(told))
                None => { dt { "Manifest" } dd { (word("unknown", "none")) "how it was made is not known" } }
            }
        }
        @if let Some(told) = &run.manifest { (more(told)) }
    }
}

fn manifest(told: &Told) -> Markup {
    html! {
        dt { "Run" }
        dd {
            (moment(&told.start)) " to "
            @match &told.end { Some(end) => (moment(end)), None => "an end that is not known" }
            @if let Some(seconds) = told.seconds { ", " (duration(seconds)) }
        }
        dt { "Complete" }
        dd {
            @if told.complete { (word("good", "complete")) }
            @else { (word("bad", "cut short")) "the shares are of what was done" }
            @if told.resumed > 0 { "resumed " (counted(told.resumed.into(), "time")) }
        }
        dt { "Program" } dd { "mxcensus " (text(&told.version)) }
        @if let Some(shard) = &told.shard { dt { "Share of the list" } dd { (text(shard)) } }
        @for input in &told.inputs {
            dt { "Input" }
            dd {
                (text(&input.name)) ", " (counted(input.records, "record"))
                @if let Some(sha256) = &input.sha256 { br; span.soft { "SHA-256 " code { (text(sha256)) } } }
            }
        }
        @if !told.configuration.is_empty() {
            dt { "Options" }
            dd { @for (name, value) in &told.configuration { (option(name, value)) } }
        }
        @if !told.seeds.is_empty() {
            dt { "Seeds" }
            dd { @for (name, seed) in &told.seeds { span.word { (text(name)) " " (seed) } } }
        }
    }
}

fn option(name: &str, value: &Value) -> Markup {
    html! { span.word { (text(name)) @if *value != Value::Bool(true) { " " (text(&spelled(value))) } } }
}

/// A value without the quotes that a program needs.
fn spelled(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(spelled).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn more(told: &Told) -> Markup {
    html! {
        @if !told.effective.is_null() {
            details {
                summary { "What was in effect" }
                dl.facts {
                    @match &told.effective {
                        Value::Object(values) => @for (name, value) in values {
                            dt { (text(name)) } dd { (text(&spelled(value))) }
                        }
                        other => { dt { "value" } dd { (text(&spelled(other))) } }
                    }
                }
            }
        }
        @if !told.counts.is_empty() {
            details {
                summary { "What was counted" }
                dl.facts { @for (name, count) in &told.counts { dt { (text(name)) } dd { (number(*count)) } } }
            }
        }
        @if !told.tables.is_empty() {
            details {
                summary { "The tables of names that the rules go by" }
                div.scroll { table {
                    thead { tr { th { "table" } th { "date" } th.number { "version" } th { "digest" } } }
                    tbody { @for table in &told.tables { tr {
                        th scope="row" { (text(&table.name)) }
                        td.nowrap { (text(&table.date)) }
                        td.number { @match table.version { Some(version) => (version), None => "–" } }
                        td { code { (text(&table.digest)) } }
                    } } }
                } }
            }
        }
    }
}

/// Seconds as people say them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a negative time is none, an endless one the longest"
)]
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, _) => format!("{seconds:.1} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{} {hours} h", counted(days, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (1.26, "1.3 s"),
            (602.296, "10 min 2 s"),
            (7_260.0, "2 h 1 min"),
            (90_000.0, "1 day 1 h"),
            (-5.0, "-5.0 s"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }
}
