//! Changes for programs: one record each, as CSV or JSONL.
//! Comes in: changes with their places. Goes out: lines of an output that is there only when it is whole.
//! The columns stand in one table, as those of a row do.

use serde_json::{Map, Value};

use super::change::Change;
use crate::model::standing::Place;
use crate::output::csv::{Formulas, cell};
use crate::output::{Error, Format, Lines};

/// A column of a record.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub meaning: &'static str,
    value: fn(&Place, &Change) -> Held,
}

/// What a record has in a column.
enum Held {
    Text(String),
    List(Vec<String>),
}

/// The columns of a record, in their order.
pub const COLUMNS: &[Column] = &[
    Column { name: "change", meaning: "the kind of change", value: |_, change| text(&change.kind) },
    Column {
        name: "severity",
        meaning: "the worst of what is new in it: `error` `warning` `info`",
        value: |_, change| text(&change.severity),
    },
    Column { name: "target", meaning: "the target as given", value: |place, _| text(&place.target) },
    Column { name: "exchange", meaning: "the MX host name, if any", value: |place, _| text(&place.exchange) },
    Column { name: "address", meaning: "the address, if any", value: |place, _| text(&place.address) },
    Column {
        name: "introduction",
        meaning: "the introduction that was recorded, if one was",
        value: |place, _| text(&place.introduction),
    },
    Column {
        name: "was",
        meaning: "`rule=verdict` in OLD of each rule it is about",
        value: |_, change| list(change.was.iter().map(|(rule, verdict)| format!("{rule}={verdict}"))),
    },
    Column {
        name: "is",
        meaning: "the same in NEW",
        value: |_, change| list(change.is.iter().map(|(rule, verdict)| format!("{rule}={verdict}"))),
    },
    Column {
        name: "why",
        meaning: "`rule=cause` of each rule that became, or was, unknown",
        value: |_, change| list(change.causes.iter().map(|(rule, cause)| format!("{rule}={cause}"))),
    },
    Column {
        name: "findings_gone",
        meaning: "ids of findings in OLD only",
        value: |_, change| list(change.gone.iter().map(ToString::to_string)),
    },
    Column {
        name: "findings_new",
        meaning: "ids of findings in NEW only",
        value: |_, change| list(change.new.iter().map(ToString::to_string)),
    },
    Column {
        name: "zones",
        meaning: "the blocklists it is about",
        value: |_, change| list(change.zones.iter().map(ToString::to_string)),
    },
];

fn text(shown: &impl ToString) -> Held {
    Held::Text(shown.to_string())
}

fn list(items: impl Iterator<Item = String>) -> Held {
    Held::List(items.collect())
}

/// An output of records.
#[derive(Debug)]
pub(super) struct Records {
    lines: Lines,
    format: Format,
}

impl Records {
    /// Begins an output; CSV has its header also where nothing has changed.
    pub(super) fn begin(lines: Lines, format: Format) -> Result<Self, Error> {
        let mut records = Self { lines, format };
        if format == Format::Csv {
            records.lines.write(&csv(COLUMNS.iter().map(|column| column.name.to_owned())))?;
        }
        Ok(records)
    }

    /// Writes a record.
    pub(super) fn write(&mut self, place: &Place, change: &Change) -> Result<(), Error> {
        let line = match self.format {
            Format::Csv => csv(COLUMNS.iter().map(|column| match (column.value)(place, change) {
                Held::Text(text) => cell(&text, Formulas::Neutralised).into_owned(),
                Held::List(items) => cell(&items.join(";"), Formulas::Neutralised).into_owned(),
            })),
            Format::Jsonl | Format::Parquet => json(place, change).into_bytes(),
        };
        self.lines.write(&line)
    }

    /// Ends the output and gives it its name.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.lines.finish()
    }
}

/// A record as an object: null for what is not there, lists as arrays.
fn json(place: &Place, change: &Change) -> String {
    let member = |column: &Column| {
        let value = match (column.value)(place, change) {
            Held::Text(text) if text.is_empty() => Value::Null,
            Held::Text(text) => text.into(),
            Held::List(items) => items.into(),
        };
        (column.name.to_owned(), value)
    };
    Value::Object(COLUMNS.iter().map(member).collect::<Map<_, _>>()).to_string()
}

/// A line of CSV without its end.
fn csv(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = ::csv::WriterBuilder::new().buffer_capacity(1_024).from_writer(Vec::with_capacity(256));
    writer.write_record(cells.collect::<Vec<_>>()).expect("memory takes any record, and this is the only one");
    let mut line = writer.into_inner().expect("memory takes any record");
    line.pop();
    line
}
