//! How often each verdict was given, and why some could not be.

use maud::{Markup, html};

use super::super::survey::{Level, RuleShares, Share, Survey};
use super::words::{count_cell, counted, interval, number, percent, share_cell};
use super::{Section, plot};

pub(super) fn section(survey: &Survey) -> Option<Section> {
    // Those first that most questions are about.
    let levels: Vec<&Level> = ["domain", "server", "row"]
        .iter()
        .filter_map(|by| survey.levels.iter().find(|level| level.by == *by))
        .collect();
    if levels.is_empty() {
        return None;
    }
    let body = html! {
        p { "Shares are of those to whom a rule applies. What could not be told stands apart, between what passes and what fails: the
            share that passes is at least the blue part, and at most the blue and the hatched part together. The line across the end of
            the blue part is the 95% interval of its share." }
        (legend())
        @for level in levels { (one(survey, level)) }
    };
    Some(Section { id: "prevalence", title: "How many conform", body })
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Legend" {
            @for (class, word) in [("pass", "pass"), ("unknown", "unknown"), ("fail", "fail")] {
                li {
                    svg.swatch width="18" height="12" aria-hidden="true" { rect width="18" height="12" class=(class) {} }
                    (word)
                }
            }
            li {
                svg.swatch width="18" height="12" aria-hidden="true" { g.whisker {
                    line x1="1" x2="17" y1="6" y2="6" {}
                    line x1="1" x2="1" y1="2" y2="10" {}
                    line x1="17" x2="17" y1="2" y2="10" {}
                } }
                "95% interval"
            }
        }
    }
}

/// A line of a level: a rule, or the five in one word.
struct Line<'a> {
    name: String,
    pass: &'a Share,
    unknown: &'a Share,
    fail: &'a Share,
    na: u64,
}

fn lines<'a>(survey: &Survey, level: &'a Level) -> Vec<Line<'a>> {
    let overall = &level.overall;
    let all = Line {
        name: "all five rules".to_owned(),
        pass: &overall.conformant,
        unknown: &overall.undetermined,
        fail: &overall.misconfigured,
        na: overall.na,
    };
    let rules = level.rules.iter().map(|shares| {
        let RuleShares { rule, pass, fail, unknown, na } = shares;
        let id = survey.rules.iter().find(|about| about.rule == *rule).map(|about| format!("{} ", about.id));
        Line { name: format!("{}{rule}", id.unwrap_or_default()), pass, unknown, fail, na: *na }
    });
    std::iter::once(all).chain(rules).collect()
}

fn one(survey: &Survey, level: &Level) -> Markup {
    let lines = lines(survey, level);
    let bars: Vec<plot::Bar> = lines.iter().map(bar).collect();
    let title = format!("Verdicts by {}", level.by);
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let shares = [line.pass, line.unknown, line.fail].map(|share| percent(share.share));
            let [pass, unknown, fail] = shares;
            format!("{}: {pass} pass, {unknown} unknown, {fail} fail.", line.name)
        })
        .collect();
    let id = format!("by-{}", level.by);
    let alternative = plot::Alternative { id: &id, title: &title, text: &told.join(" ") };
    html! {
        h3 { "By " (level.by) }
        p.soft {
            (counted(level.counted, level.by)) " counted"
            @if level.one_of > 1 { ", a sample: one of " (number(level.one_of)) }
            "; " (level.meaning) "."
        }
        figure { (plot::bars(&alternative, &bars)) }
        details {
            summary { "The numbers by " (level.by) }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "rule" }
                    th.number scope="col" { "applies to" }
                    th.number scope="col" { "pass" }
                    th.number scope="col" { "share" }
                    th.number scope="col" { "unknown" }
                    th.number scope="col" { "share" }
                    th.number scope="col" { "fail" }
                    th.number scope="col" { "share" }
                    th.number scope="col" { "n/a" }
                } }
                tbody { @for line in &lines { tr {
                    th.nowrap scope="row" { (line.name) }
                    (count_cell(line.pass.of))
                    @for share in [line.pass, line.unknown, line.fail] { (count_cell(share.count)) (share_cell(share)) }
                    (count_cell(line.na))
                } } }
            } }
        }
    }
}

fn bar(line: &Line<'_>) -> plot::Bar {
    let part = |class, share: &Share| plot::Part {
        class,
        share: share.share.unwrap_or(0.0),
        told: format!("{class}: {} of {}, {}", number(share.count), number(share.of), percent(share.share)),
    };
    let note = match interval(line.pass) {
        Some(interval) => format!("{} ({interval})", percent(line.pass.share)),
        None => "applies to none".to_owned(),
    };
    plot::Bar {
        label: line.name.clone(),
        note,
        parts: vec![part("pass", line.pass), part("unknown", line.unknown), part("fail", line.fail)],
        interval: line.pass.low.zip(line.pass.high),
    }
}

pub(super) fn unknown(survey: &Survey) -> Option<Section> {
    let all: u64 = survey.unknown_why.iter().map(|cause| cause.verdicts).sum();
    if all == 0 {
        return None;
    }
    let body = html! {
        p { "What could not be told has a cause, and is neither a pass nor a fail. " (counted(all, "verdict")) " of rows "
            @if all == 1 { "is" } @else { "are" } " unknown." }
        div.scroll { table {
            thead { tr {
                th scope="col" { "cause" }
                th.number scope="col" { "verdicts" }
                th.number scope="col" { "share" }
                td {}
                th scope="col" { "rules" }
            } }
            tbody { @for unknown in &survey.unknown_why { tr {
                @let share = Share::of(unknown.verdicts, all).share;
                th.nowrap scope="row" { (unknown.cause) }
                (count_cell(unknown.verdicts))
                td.number { (percent(share)) }
                td.drawn { (plot::share("unknown", share.unwrap_or(0.0))) }
                td { @for (rule, count) in &unknown.rules { span.word { (rule) " " (number(*count)) } } }
            } } }
        } }
    };
    Some(Section { id: "unknown", title: "Why some are unknown", body })
}
