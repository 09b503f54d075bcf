//! How long servers take to greet.

use maud::{Markup, html};

use super::super::survey::{Distribution, Quantile, Survey};
use super::words::{counted, number};
use super::{Section, plot};

/// Columns of a histogram at most: as many as can be told apart on a phone.
const COLUMNS: usize = 48;

pub(super) fn section(survey: &Survey) -> Option<Section> {
    if survey.greeting_ms.servers == 0 && survey.connect_ms.servers == 0 {
        return None;
    }
    let body = html! {
        p { "Each server counts once. Columns are bins of growing width, so that fast and slow servers stand in one picture; a quantile is
            as exact as the bins." }
        (one("greeting", "From the connection to the end of the greeting", &survey.greeting_ms))
        (one("connect", "To the connection", &survey.connect_ms))
    };
    Some(Section { id: "times", title: "How long greetings take", body })
}

fn one(id: &str, title: &str, distribution: &Distribution) -> Markup {
    if distribution.servers == 0 {
        return html! {};
    }
    let together = distribution.bins.len().div_ceil(COLUMNS).max(1);
    let bins: Vec<plot::Bin> = distribution
        .bins
        .chunks(together)
        .filter_map(|bins| Some((bins.first()?.from, bins.last()?.below, bins.iter().map(|bin| bin.servers).sum())))
        .map(|(from, below, count)| plot::Bin {
            label: milliseconds(from),
            count,
            told: format!("{}: {}", range(from, below), counted(count, "server")),
        })
        .collect();
    let quantiles: Vec<(String, String)> = distribution
        .quantiles
        .iter()
        .map(|quantile| (quantile_name(quantile), range(quantile.from, quantile.below)))
        .collect();
    let told: Vec<String> = quantiles.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let told = format!("Of {}. {}.", counted(distribution.servers, "server"), told.join(", "));
    let alternative = plot::Alternative { id, title, text: &told };
    html! {
        h3 { (title) }
        figure {
            (plot::histogram(&alternative, &bins))
            figcaption { "Servers by milliseconds; " (counted(distribution.servers, "server")) " of which it is known." }
        }
        dl.quantiles {
            @for (name, value) in &quantiles { div { dt { (name) } dd { (value) } } }
            @if let Some(longest) = distribution.longest { div { dt { "longest" } dd { (milliseconds(longest.into())) } } }
        }
        details {
            summary { "The numbers" }
            div.bins { table {
                thead { tr { th.number scope="col" { "from" } th.number scope="col" { "below" } th.number scope="col" { "servers" } } }
                tbody { @for bin in distribution.bins.iter().filter(|bin| bin.servers > 0) { tr {
                    td.number { (number(bin.from)) " ms" }
                    td.number { (number(bin.below)) " ms" }
                    td.number { (number(bin.servers)) }
                } } }
            } }
        }
    }
}

fn quantile_name(quantile: &Quantile) -> String {
    if (quantile.of - 0.5).abs() < f64::EPSILON { "median".to_owned() } else { format!("{}%", quantile.of * 100.0) }
}

/// What lies between two times, the second of which is not reached.
fn range(from: u64, below: u64) -> String {
    match below.saturating_sub(1) {
        last if last <= from => milliseconds(from),
        last if last < 1_000 => format!("{from}–{}", milliseconds(last)),
        last => format!("{}–{}", milliseconds(from), milliseconds(last)),
    }
}

/// Milliseconds as people say them.
fn milliseconds(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", number(ms / 1_000), ms % 1_000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        assert_eq!([0, 999, 1_000, 62_350].map(milliseconds), ["0 ms", "999 ms", "1.0 s", "62.3 s"]);
        assert_eq!((range(14, 15), range(16, 18)), ("14 ms".to_owned(), "16–17 ms".to_owned()));
        let names = [0.5, 0.9, 0.99].map(|of| quantile_name(&Quantile { of, from: 0, below: 1 }));
        assert_eq!(names, ["median", "90%", "99%"]);
    }
}
