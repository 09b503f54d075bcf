//! What `scan --show-config` prints: every option with its value in effect and where that comes from, as TOML.
//! Comes in: what was typed, what a file has added, and what is in effect. Goes out: text that `--config` reads back.
//! What a machine derives by itself is a comment: read back on another machine it is derived anew.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::file::CONTRARY;
use crate::probe::dnsbl::catalogue::redacted;

/// Options that are no part of a configuration.
const NO_PART: [&str; 5] = ["config", "show-config", "help", "version", "resume"];

/// Where a value comes from that nobody has given.
const DERIVED: [(&str, &str); 13] = [
    ("concurrency", "derived from descriptors and --memory"),
    ("resolver", "the system's"),
    ("helo", "this machine's FQDN"),
    ("dnsbl", "those asked by themselves"),
    ("connect-timeout", "by the profile"),
    ("greeting-timeout", "by the profile"),
    ("session-timeout", "by the profile"),
    ("state", "in the XDG state home"),
    ("rejects", "beside the output"),
    ("format", "by the name of the output"),
    ("allow-special", "of the lab"),
    ("receiver", "of the lab"),
    ("lab-servers", "a fifth of the targets"),
];

/// The options of `scan` as they were given, by whom, and what came of them.
#[derive(Debug)]
pub struct Given<'a> {
    /// The definition of `scan`.
    pub scan: &'a Command,
    /// The command line.
    pub typed: &'a ArgMatches,
    /// The command line and the configuration file.
    pub all: &'a ArgMatches,
    /// Values in effect, by the names of the options; durations in seconds.
    pub effective: &'a Value,
}

/// The page.
pub fn page(given: &Given<'_>) -> String {
    let mut text = String::from(
        "# The options in effect of `mxcensus scan`, for its --config. Behind # stands what is not set, and what is derived\n\
         # on each machine and by the other options: without the # it is pinned.\n",
    );
    let targets = given.all.get_raw("targets").map_or(0, Iterator::count);
    if targets > 0 {
        writeln!(text, "# Targets of the command line, which are no part of it: {targets}").expect(STRING);
    }
    let mut headings: Vec<&str> = Vec::new();
    for heading in given.scan.get_arguments().map(heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        let mut begun = false;
        for arg in given.scan.get_arguments().filter(|arg| heading(arg) == wanted) {
            let Some(name) = arg.get_long().filter(|name| !NO_PART.contains(name)) else { continue };
            if !std::mem::replace(&mut begun, true) {
                writeln!(text, "\n# {wanted}").expect(STRING);
            }
            writeln!(text, "{}", given.line(arg, name)).expect(STRING);
        }
    }
    text
}

const STRING: &str = "writing to a String cannot fail";

fn heading(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or("Of all commands")
}

impl Given<'_> {
    /// One option.
    fn line(&self, arg: &Arg, name: &str) -> String {
        let named = |name: &str| self.scan.get_arguments().find(|arg| arg.get_long() == Some(name));
        // A switch for each way is one value.
        if let Some(on) = name.strip_prefix("no-").filter(|on| self.is_switch(on)) {
            return format!("# {name} is {on} = false");
        }
        let off = format!("no-{name}");
        if let (Some(value), Some(off)) = (self.effect(arg, name).filter(|_| self.is_switch(name)), named(&off)) {
            let source = self.source(arg).or_else(|| self.source(off)).unwrap_or("default");
            return format!("{name} = {value}  # {source}");
        }
        if let Some(source) = self.source(arg) {
            return match self.values(arg, name) {
                Some(values) => format!("{name} = {values}  # {source}"),
                None => format!("# {name}: its value is not UTF-8, so it has to be given on the command line"),
            };
        }
        let others = CONTRARY.iter().filter(|pair| pair.contains(&name)).flatten();
        let contrary = others.into_iter().find(|other| **other != name && self.is_given(other));
        if let Some(other) = contrary {
            return format!("# {name} gives way to {other}");
        }
        let derived = DERIVED.iter().find(|(known, _)| *known == name).map(|(_, how)| *how);
        match (self.effect(arg, name), derived) {
            (Some(value), Some(how)) => format!("# {name} = {value}  # {how}"),
            // Without the lab these are refused.
            (Some(value), None) if name.starts_with("lab-") && !self.all.get_flag("lab") => {
                format!("# {name} = {value}  # in the lab only")
            }
            (Some(value), None) => format!("{name} = {value}  # default"),
            (None, _) => format!("# {name} is not set"),
        }
    }

    fn is_switch(&self, name: &str) -> bool {
        let mut all = self.scan.get_arguments();
        all.any(|arg| arg.get_long() == Some(name) && matches!(arg.get_action(), ArgAction::SetTrue))
    }

    /// Who has given it; None where nobody has.
    fn source(&self, arg: &Arg) -> Option<&'static str> {
        let id = arg.get_id().as_str();
        match (self.typed.value_source(id), self.all.value_source(id)) {
            (Some(ValueSource::CommandLine), _) => Some("command line"),
            (_, Some(ValueSource::CommandLine)) => Some("config file"),
            _ => None,
        }
    }

    fn is_given(&self, name: &str) -> bool {
        self.scan.get_arguments().any(|arg| arg.get_long() == Some(name) && self.source(arg).is_some())
    }

    /// What was given, or what the definition has in its place; without keys, and None where it is no text.
    fn values(&self, arg: &Arg, name: &str) -> Option<toml::Value> {
        let id = arg.get_id().as_str();
        if matches!(arg.get_action(), ArgAction::Count) {
            let times = usize::from(self.all.get_count(id));
            let many = || toml::Value::Array(vec![toml::Value::Boolean(true); times]);
            return Some(if times > 1 { many() } else { toml::Value::Boolean(times == 1) });
        }
        let raw: Option<Vec<&str>> = self.all.get_raw(id)?.map(std::ffi::OsStr::to_str).collect();
        let shown = |text: &str| toml_of(&if name == "dnsbl" { redacted(text) } else { text.to_owned() });
        let mut values: Vec<toml::Value> = raw?.into_iter().map(shown).collect();
        if matches!(arg.get_action(), ArgAction::Append) { Some(toml::Value::Array(values)) } else { values.pop() }
    }

    /// What is in effect of an option that nobody has given.
    fn effect(&self, arg: &Arg, name: &str) -> Option<toml::Value> {
        let is_duration = arg.get_value_names().is_some_and(|names| names.iter().any(|name| *name == "DURATION"));
        let possible = arg.get_possible_values();
        match self.effective.get(name) {
            Some(Value::Number(number)) if is_duration => Some(toml_of(&duration(number.as_f64()?))),
            // Such as the order in which rows complete, for which there is no word.
            Some(Value::String(word))
                if !possible.is_empty() && !possible.iter().any(|known| known.matches(word, false)) =>
            {
                None
            }
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(Value::Array(items)) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(toml::Value::Array),
            Some(value) => plain(value),
            None => self.values(arg, name),
        }
    }
}

/// A value as a file would have it: a number where it reads as one.
fn toml_of(text: &str) -> toml::Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => toml::Value::Integer(number),
        _ if text == "true" || text == "false" => toml::Value::Boolean(text == "true"),
        _ => toml::Value::String(text.to_owned()),
    }
}

fn plain(value: &Value) -> Option<toml::Value> {
    match value {
        Value::Bool(value) => Some(toml::Value::Boolean(*value)),
        Value::String(text) => Some(toml::Value::String(text.clone())),
        // A whole number without a point, as it is typed.
        Value::Number(number) => Some(toml_of(&number.as_f64()?.to_string())).map(|value| match value {
            toml::Value::String(text) => text.parse().map_or(toml::Value::String(text), toml::Value::Float),
            whole => whole,
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Seconds as a duration is written.
fn duration(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds}s") } else { format!("{}ms", (seconds * 1_000.0).round()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_as_what_they_were() {
        for (text, written) in
            [("2525", "2525"), ("007", "\"007\""), ("true", "true"), ("a\"b", "'a\"b'"), ("1/4", "\"1/4\"")]
        {
            assert_eq!(toml_of(text).to_string(), written);
        }
        assert_eq!((duration(15.0), duration(0.25)), ("15s".to_owned(), "250ms".to_owned()));
    }
}
