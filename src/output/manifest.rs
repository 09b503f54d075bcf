//! The manifest of a run: what was asked, out of which input, and what came of it.
//! Comes in: what the run knows at its end. Goes out: `OUT.manifest.json`, replaced as a whole.
//! Nothing is counted here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::SCHEMA_VERSION;
use super::file::{beside, replace};
use super::{Error, rfc3339};

/// One run, told to whoever finds its output later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The program's version.
    pub version: String,
    /// The version of the column table.
    pub schema_version: u16,
    /// The options as they were given, secrets left out.
    pub configuration: Value,
    /// What was in effect: each value that an option may set, and what was derived where none did.
    #[serde(default)]
    pub effective: Value,
    /// The seeds of the run, by what they decide.
    pub seeds: BTreeMap<String, u64>,
    /// What was read.
    pub inputs: Vec<Source>,
    /// How often the run was interrupted and resumed.
    #[serde(default)]
    pub resumed: u32,
    /// When the run began, RFC 3339.
    pub start: String,
    /// When it ended, RFC 3339; None while it runs.
    pub end: Option<String>,
    /// Records and rows by what became of them: read, done, rejected, excluded, written.
    pub counts: BTreeMap<String, u64>,
    /// What was achieved; None where no run stands behind the output as a whole.
    #[serde(default)]
    pub rates: Option<Rates>,
    /// Rows by verdict, finding and cause.
    pub tally: Value,
    /// What was counted of each blocklist: asked, hits, refusals, void answers, and why it was left out.
    #[serde(default)]
    pub lists: Value,
    /// The files that were joined to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Piece>,
    /// False when the run was cut short, or a part is missing.
    pub complete: bool,
}

/// What a run achieved in a second, over the time that all its starts have taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// That time, in seconds.
    pub seconds: f64,
    /// Targets whose rows are written.
    pub targets: f64,
    /// Rows.
    pub rows: f64,
    /// Questions that went to a resolver.
    pub dns_questions: f64,
    /// SMTP connections attempted.
    pub connections: f64,
}

impl Rates {
    /// So many targets, rows, DNS questions and connections in this time.
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52, and these are rates for a person")]
    pub fn over(took: Duration, [targets, rows, dns_questions, connections]: [u64; 4]) -> Self {
        // To the millisecond, and what took less than one is told as if it had taken one.
        let ms = took.as_millis().max(1) as f64;
        let rate = |count: u64| (count as f64 * 1e6 / ms).round() / 1e3;
        Self {
            seconds: ms / 1e3,
            targets: rate(targets),
            rows: rate(rows),
            dns_questions: rate(dns_questions),
            connections: rate(connections),
        }
    }
}

/// A file of rows that was joined with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The file.
    pub name: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Its rows.
    pub rows: u64,
    /// Which share of a list it is; None where it is no share, or where that is not known.
    pub shard: Option<String>,
    /// The version of the program that wrote it, as far as its manifest tells.
    pub version: Option<String>,
    /// Whether its run was complete, as far as its manifest tells.
    pub complete: Option<bool>,
}

/// One input of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file, `-` for standard input, or `command line`.
    pub name: String,
    /// SHA-256 of its bytes as read, lower-case hex; None when it was not read to its end.
    pub sha256: Option<String>,
    /// Records read from it.
    pub records: u64,
}

impl Manifest {
    /// The manifest of a run that begins now: nothing counted, not complete.
    pub fn begin(configuration: Value, start_ms: i64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: SCHEMA_VERSION,
            configuration,
            effective: Value::Null,
            seeds: BTreeMap::new(),
            inputs: Vec::new(),
            resumed: 0,
            start: rfc3339(start_ms).unwrap_or_default(),
            end: None,
            counts: BTreeMap::new(),
            rates: None,
            tally: Value::Null,
            lists: Value::Null,
            parts: Vec::new(),
            complete: false,
        }
    }

    /// Writes the manifest beside an output: a reader sees the old one or the new one, never a part.
    /// Beside a device or a pipe there is no place for one.
    pub fn write(&self, output: &Path) -> Result<(), Error> {
        if super::is_direct(output) {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest's keys are texts and its numbers finite");
        text.push(b'\n');
        replace(&Self::path(output), &text)
    }

    /// The manifest beside an output; None where none is, or none that this program understands.
    pub fn read(output: &Path) -> Option<Self> {
        let text = std::fs::read(Self::path(output)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Where the manifest of an output stands.
    pub fn path(output: &Path) -> PathBuf {
        beside(output, ".manifest.json")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_stands_beside_its_output_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("out.parquet");
        let mut manifest = Manifest::begin(json!({ "port": 25 }), 0);
        manifest.seeds.insert("order".to_owned(), 7);
        manifest.inputs.push(Source { name: "-".to_owned(), sha256: None, records: 3 });
        manifest.counts.insert("read".to_owned(), 3);
        manifest.write(&output).unwrap();
        manifest.complete = true;
        manifest.end = rfc3339(1_000);
        manifest.write(&output).unwrap();

        let text = std::fs::read_to_string(directory.path().join("out.parquet.manifest.json")).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        assert!(text.contains("\"start\": \"1970-01-01T00:00:00.000Z\""));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
