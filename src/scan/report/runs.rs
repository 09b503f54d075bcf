//! What is known of the runs behind files of rows.
//! Comes in: files that have been counted, and the manifests beside them. Goes out: what a survey tells of them, and what its reader
//! has to know first.
//! A manifest that is missing, damaged or of other rows is told, and never a reason to stop.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::super::merge::named;
use crate::input::results::Form;
use crate::output::manifest::{Manifest, Source};
use crate::report::survey::{Health, Input, Run, Table, Told};

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) runs: Vec<Run>,
    pub(super) notes: Vec<String>,
    /// What the runs say of their blocklists.
    pub(super) health: BTreeMap<String, Vec<Health>>,
}

impl Known {
    /// A file of so many rows.
    pub(super) fn add(&mut self, path: &Path, form: Form, rows: u64, scanned: Option<[String; 2]>) {
        let name = path.display().to_string();
        let manifest = Manifest::read(&named(path));
        let number = self.runs.len();
        let complaint = match &manifest {
            None if Manifest::path(&named(path)).is_file() => {
                Some(format!("the manifest of {name} is damaged, or of another version: how it was made is not known"))
            }
            None => Some(format!("{name} has no manifest: how it was made, and whether it is whole, is not known")),
            Some(manifest) => complaint(&name, manifest, rows),
        };
        self.notes.extend(complaint);
        for account in manifest.iter().flat_map(|manifest| manifest.lists.as_array().into_iter().flatten()) {
            if let Some((list, health)) = health(number, account) {
                self.health.entry(list).or_default().push(health);
            }
        }
        let scanned = scanned.map(|times| times.map(|time| format!("{time}Z")));
        let manifest = manifest.map(told);
        self.runs.push(Run { name, form: form.as_str(), rows, scanned, manifest });
    }
}

/// What is odd about a run.
fn complaint(name: &str, manifest: &Manifest, rows: u64) -> Option<String> {
    if !manifest.complete {
        return Some(format!(
            "the run of {name} was cut short, or a part of it is missing: its shares are not those of its list"
        ));
    }
    let told = manifest.counts.get("rows").copied().filter(|told| *told != rows)?;
    Some(format!(
        "{name} holds {rows} rows, and its manifest tells of {told}: it is not whole, or not the file of that run"
    ))
}

fn told(manifest: Manifest) -> Told {
    let mut options = match manifest.configuration {
        Value::Object(options) => options,
        _ => Map::new(),
    };
    let tables = options.remove("tables");
    let shard = options.get("shard").and_then(Value::as_str).map(str::to_owned);
    let said = options.into_iter().filter(|(_, value)| !is_nothing(value));
    Told {
        version: manifest.version,
        start: manifest.start,
        end: manifest.end,
        complete: manifest.complete,
        resumed: manifest.resumed,
        shard,
        seeds: manifest.seeds,
        configuration: said.collect(),
        effective: manifest.effective,
        tables: tables.as_ref().and_then(Value::as_object).into_iter().flatten().map(table).collect(),
        inputs: manifest.inputs.into_iter().map(input).collect(),
        counts: manifest.counts,
        seconds: manifest.rates.map(|rates| rates.seconds),
    }
}

/// Whether an option was left alone.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn table((name, table): (&String, &Value)) -> Table {
    let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = table.get("version").and_then(Value::as_u64);
    Table { name: name.clone(), date: text("date"), version, digest: text("digest") }
}

fn input(Source { name, sha256, records }: Source) -> Input {
    Input { name, sha256, records }
}

/// What a run says of one list, which it calls by its name.
fn health(run: usize, account: &Value) -> Option<(String, Health)> {
    let count = |key: &str| account.get(key).and_then(Value::as_u64).unwrap_or(0);
    let health = Health {
        run,
        asked: count("asked"),
        hits: count("hits"),
        refused: count("refused"),
        unanswered: count("unanswered"),
        void: count("void"),
        over_budget: count("over_budget"),
        tests: count("tests"),
        off: account.get("off").and_then(Value::as_str).map(str::to_owned),
        off_since: account.get("off_since").and_then(Value::as_i64),
    };
    Some((account.get("list")?.as_str()?.to_owned(), health))
}
