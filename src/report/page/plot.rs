//! Plots as inline SVG: stacked bars with intervals, and histograms.
//! Comes in: shares and labels. Goes out: an `<svg>` that follows the page's colours and width, with its text alternative.
//! Lengths across are per cent of the page, those down are pixels: text keeps its size on a phone, and no viewBox scales it.
//! Nothing here knows what is drawn.

use maud::{Markup, PreEscaped};
use svg::Document;
use svg::node::element::{Definitions, Group, Line, Pattern, Rectangle, Text, Title};

use super::words;

/// Room for a bar with its label above it.
const ROW: u32 = 46;
const BAR: u32 = 16;
/// Where the bar begins below the top of its row.
const BELOW_LABEL: u32 = 22;
const AXIS: u32 = 26;

/// A plot in words, for who cannot see it.
#[derive(Debug)]
pub(super) struct Alternative<'a> {
    /// What the plot is called by other elements; unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// A stacked bar of shares.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    /// What stands at the right end above it.
    pub(super) note: String,
    pub(super) parts: Vec<Part>,
    /// The interval of the first part's share.
    pub(super) interval: Option<(f64, f64)>,
}

/// A part of a bar.
#[derive(Debug)]
pub(super) struct Part {
    /// Says its colour and pattern.
    pub(super) class: &'static str,
    /// From 0 to 1.
    pub(super) share: f64,
    /// What is shown where a pointer rests.
    pub(super) told: String,
}

/// A bin of a histogram.
#[derive(Debug)]
pub(super) struct Bin {
    pub(super) label: String,
    pub(super) count: u64,
    pub(super) told: String,
}

/// The patterns that plots fill with, once for the page.
pub(super) fn patterns() -> Markup {
    let hatch = |id: &str, back: &str, line: &str| {
        Pattern::new()
            .set("id", id)
            .set("width", 6)
            .set("height", 6)
            .set("patternUnits", "userSpaceOnUse")
            .set("patternTransform", "rotate(45)")
            .add(Rectangle::new().set("width", 6).set("height", 6).set("class", back))
            .add(Rectangle::new().set("width", 2).set("height", 6).set("class", line))
    };
    let defs = Definitions::new().add(hatch("hatch", "hatch-back", "hatch-line"));
    let holder = Document::new().set("width", 0).set("height", 0).set("class", "patterns").set("aria-hidden", "true");
    PreEscaped(holder.add(defs).to_string())
}

/// Bars below each other over an axis from 0 to 100%.
pub(super) fn bars(alternative: &Alternative<'_>, bars: &[Bar]) -> Markup {
    let below = ROW * u32::try_from(bars.len()).unwrap_or(u32::MAX / ROW - 1);
    let mut plot = document(alternative, below + AXIS);
    for (tick, anchor) in [(0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")] {
        let at = format!("{tick}%");
        if anchor == "middle" {
            let grid = Line::new().set("x1", at.as_str()).set("x2", at.as_str()).set("y1", 0).set("y2", below + 4);
            plot = plot.add(grid.set("class", "grid"));
        }
        plot = plot.add(text(&at, &at, below + 20, anchor).set("class", "tick"));
    }
    for (row, bar) in (0..).zip(bars) {
        plot = plot.add(stacked(bar, row * ROW));
    }
    PreEscaped(plot.to_string())
}

fn stacked(bar: &Bar, top: u32) -> Group {
    let mut group = Group::new()
        .add(text(&bar.label, "0%", top + 16, "start").set("class", "label"))
        .add(text(&bar.note, "100%", top + 16, "end").set("class", "note"));
    let mut from = 0.0;
    for part in bar.parts.iter().filter(|part| part.share > 0.0) {
        group = group.add(
            Rectangle::new()
                .set("x", percent(from))
                .set("y", top + BELOW_LABEL)
                .set("width", percent(part.share))
                .set("height", BAR)
                .set("class", part.class)
                .add(Title::new(part.told.as_str())),
        );
        from += part.share;
    }
    if let Some((low, high)) = bar.interval {
        // Twice: a broad line in the page's own colour, so that it shows on every part.
        for class in ["halo", "whisker"] {
            group = group.add(whisker(low, high, top + BELOW_LABEL, class));
        }
    }
    group
}

fn whisker(low: f64, high: f64, top: u32, class: &str) -> Group {
    let line = |from: f64, to: f64, above: u32, below: u32| {
        Line::new().set("x1", percent(from)).set("x2", percent(to)).set("y1", above).set("y2", below)
    };
    let (above, middle, below) = (top + 3, top + BAR / 2, top + BAR - 3);
    Group::new()
        .set("class", class)
        .add(line(low, high, middle, middle))
        .add(line(low, low, above, below))
        .add(line(high, high, above, below))
}

/// One share as a bar without words, beside the number that says it.
pub(super) fn share(class: &str, share: f64) -> Markup {
    let track = Rectangle::new().set("width", "100%").set("height", 10).set("class", "track");
    let bar = Rectangle::new().set("width", percent(share)).set("height", 10).set("class", class);
    let plot = Document::new().set("class", "share").set("width", "100%").set("height", 10).set("aria-hidden", "true");
    PreEscaped(plot.add(track).add(bar).to_string())
}

/// Columns beside each other, one for each bin.
pub(super) fn histogram(alternative: &Alternative<'_>, bins: &[Bin]) -> Markup {
    const HIGH: u32 = 150;
    const ABOVE: u32 = 20;
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let mut plot = document(alternative, ABOVE + HIGH + AXIS);
    let each = 1.0 / count(bins.len().max(1));
    // As many labels as fit beside each other on a phone.
    let every = bins.len().div_ceil(6).max(1);
    for (place, bin) in bins.iter().enumerate() {
        let height = u32::try_from(u128::from(bin.count) * u128::from(HIGH) / u128::from(most)).unwrap_or(HIGH);
        let height = if bin.count > 0 { height.max(1) } else { 0 };
        let from = each * count(place);
        plot = plot.add(
            Rectangle::new()
                .set("x", percent(from + each * 0.06))
                .set("width", percent(each * 0.88))
                .set("y", ABOVE + HIGH - height)
                .set("height", height)
                .set("class", "column")
                .add(Title::new(bin.told.as_str())),
        );
        if place % every == 0 {
            // The first one begins at the edge, where a page ends.
            let (at, anchor) = if place == 0 { (from, "start") } else { (from + each / 2.0, "middle") };
            plot = plot.add(text(&bin.label, &percent(at), ABOVE + HIGH + 18, anchor).set("class", "tick"));
        }
    }
    let base = Line::new().set("x1", "0%").set("x2", "100%").set("y1", ABOVE + HIGH).set("y2", ABOVE + HIGH);
    let top = Line::new().set("x1", "0%").set("x2", "100%").set("y1", ABOVE).set("y2", ABOVE).set("class", "grid");
    let told = text(&words::number(most), "100%", ABOVE - 6, "end").set("class", "most");
    PreEscaped(plot.add(base.set("class", "base")).add(top).add(told).to_string())
}

fn document(alternative: &Alternative<'_>, height: u32) -> Document {
    let Alternative { id, title, text } = alternative;
    Document::new()
        .set("class", "plot")
        .set("width", "100%")
        .set("height", height)
        .set("role", "img")
        .set("aria-labelledby", format!("{id}-title {id}-text"))
        .add(Title::new(*title).set("id", format!("{id}-title")))
        .add(svg::node::element::Description::new().set("id", format!("{id}-text")).add(svg::node::Text::new(*text)))
}

fn text(words: &str, x: &str, y: u32, anchor: &str) -> Text {
    Text::new(words).set("x", x).set("y", y).set("text-anchor", anchor)
}

/// A share in per cent, as a length.
fn percent(share: f64) -> String {
    format!("{:.3}%", share.clamp(0.0, 1.0) * 100.0)
}

/// A number of things as a number to draw with.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A part over its whole, to be drawn.
#[expect(clippy::cast_precision_loss, reason = "no picture is that exact")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
