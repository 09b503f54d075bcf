//! How the page of blocklists looks.
//! Comes in: what there is to show. Goes out: text of at most a hundred columns, or CSV.

use std::fmt::Write as _;

use super::{Line, Page};
use crate::model::dnsbl::{CodeRule, ListClass};

/// The widest line.
const WIDTH: usize = 100;
/// Where the text of a field begins.
const INDENT: usize = 12;

const STRING: &str = "writing to a String cannot fail";

impl Page<'_> {
    pub(super) fn text(&self, colour: bool) -> String {
        let mut out = String::new();
        let core =
            if self.quorum.core { ", a core list among them" } else { ", or all there is for an address's family" };
        let begin =
            format!("Asked by a scan with these options; a pass needs a weight of {}{core}:", self.quorum.weight);
        wrap(&mut out, "", &begin, 0);
        for line in self.lists.iter().filter(|line| line.asked) {
            line.text(&mut out, colour);
        }
        out.push_str("\nIn the catalogue, and asked when named with --dnsbl or --dnsbl-file:\n");
        for line in self.lists.iter().filter(|line| !line.asked) {
            line.text(&mut out, colour);
        }
        out.push_str("\nNever asked, and refused when named:\n\n");
        for deny in self.denied {
            wrap(&mut out, "  ", &format!("{}: {}", deny.zones.join(", "), deny.why), 4);
        }
        out
    }

    pub(super) fn csv(&self) -> String {
        let mut out = csv::Writer::from_writer(Vec::new());
        let header = [
            "zone", "kind", "asked", "default", "core", "ipv4", "ipv6", "codes", "rate", "daily", "usage", "status",
            "checked", "lookup", "healthy", "health",
        ];
        let lists = self.lists.iter().map(|line| {
            let maybe = |flag: Option<bool>| flag.map_or_else(String::new, |flag| flag.to_string());
            let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
            [
                line.zone.to_owned(),
                line.kind.to_owned(),
                line.asked.to_string(),
                word(line.default),
                line.core.to_string(),
                line.ipv4.to_string(),
                line.ipv6.to_string(),
                line.codes(";"),
                line.rate.map_or_else(String::new, |rate| rate.to_string()),
                line.daily.to_string(),
                line.usage.to_owned(),
                word(line.status),
                word(line.checked),
                word(line.lookup),
                maybe(line.healthy),
                line.health.clone().unwrap_or_default(),
            ]
        });
        let denied = self.denied.iter().flat_map(|deny| {
            deny.zones.iter().map(|zone| {
                let mut cells: [String; 16] = Default::default();
                let [first, .., usage, status, _, _, _, _] = &mut cells;
                first.clone_from(zone);
                usage.clone_from(&deny.why);
                "denied".clone_into(status);
                cells
            })
        });
        let rows = std::iter::once(header.map(str::to_owned)).chain(lists).chain(denied);
        rows.for_each(|row| out.write_record(row).expect("writing to a Vec cannot fail"));
        String::from_utf8(out.into_inner().expect("writing to a Vec cannot fail")).expect("CSV of texts is text")
    }
}

impl Line<'_> {
    fn text(&self, out: &mut String, colour: bool) {
        let families = match (self.ipv4, self.ipv6) {
            (true, true) => "addresses, IPv4 and IPv6",
            (true, false) => "addresses, IPv4",
            (false, true) => "addresses, IPv6",
            (false, false) => "domain names",
        };
        let core = if self.core { "; a core list" } else { "" };
        write!(out, "\n{}\n", self.zone).expect(STRING);
        if let Some(health) = &self.health {
            let (on, off) = match (colour, self.healthy) {
                (false, _) => ("", ""),
                (true, Some(true)) => ("\u{1b}[32m", "\u{1b}[0m"),
                (true, _) => ("\u{1b}[31m", "\u{1b}[0m"),
            };
            out.push_str(on);
            field(out, "health", &format!("it {health}"));
            // The colour ends before the line does.
            out.pop();
            out.push_str(off);
            out.push('\n');
        }
        let default = self.default.map_or_else(String::new, |default| format!("; by default: {default}"));
        field(out, "lists", &format!("{families}{core}{default}"));
        field(out, "codes", &self.codes("; "));
        let rate = self.rate.map_or_else(String::new, |rate| format!("{rate} questions a second, "));
        field(out, "limits", &format!("{rate}{} a day", self.daily));
        field(out, "usage", self.usage);
        if let (Some(status), Some(checked)) = (self.status, self.checked) {
            field(out, "seen", &format!("{status} on {checked}"));
        }
        if let Some(lookup) = self.lookup {
            field(out, "removal", lookup);
        }
    }

    /// The codes with class and weight: `127.0.0.2-3 spam-source 1`.
    fn codes(&self, between: &str) -> String {
        let code = |rule: &CodeRule| {
            let octet = rule.from.octets()[3];
            if self.bits && rule.class != ListClass::Refusal && octet.is_power_of_two() {
                return format!("bit {octet} {}", rule.class);
            }
            let last = if rule.to == rule.from { String::new() } else { format!(" to {}", rule.to) };
            let weight = if rule.weight > 0.0 { format!(" {}", rule.weight) } else { String::new() };
            format!("{}{last} {}{weight}", rule.from, rule.class)
        };
        self.codes.iter().map(code).collect::<Vec<_>>().join(between)
    }
}

fn field(out: &mut String, name: &str, text: &str) {
    wrap(out, &format!("  {name:<width$}", width = INDENT - 2), text, INDENT);
}

/// A text behind `head`, its further lines indented; words that are longer than a line stay whole.
fn wrap(out: &mut String, head: &str, text: &str, indent: usize) {
    out.push_str(head);
    let mut column = head.chars().count();
    let begin = column;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let at_begin = column == begin || column == indent;
        if !at_begin && column + 1 + length > WIDTH {
            write!(out, "\n{:indent$}{word}", "").expect(STRING);
            column = indent + length;
        } else {
            let space = if at_begin { "" } else { " " };
            write!(out, "{space}{word}").expect(STRING);
            column += space.len() + length;
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_hundred_columns_and_none_loses_a_word() {
        let words = "several words of a text ".repeat(20);
        let mut out = String::new();
        field(&mut out, "usage", &words);
        assert!(out.lines().all(|line| line.len() <= WIDTH) && out.lines().count() > 4, "{out}");
        assert!(out.lines().skip(1).all(|line| line.starts_with(&" ".repeat(INDENT))));
        let all: Vec<&str> = out.split_whitespace().skip(1).collect();
        assert_eq!(all, words.split_whitespace().collect::<Vec<_>>());
    }
}
