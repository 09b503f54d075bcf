//! The manifest of a run: what was asked, out of which input, and what came of it.
//! Comes in: what the run knows at its end. Goes out: `OUT.manifest.json`, replaced as a whole.
//! Nothing is counted here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// The configuration in effect, secrets left out.
    pub configuration: Value,
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
    /// Rows by verdict, finding and cause.
    pub tally: Value,
    /// What was counted of each blocklist: asked, hits, refusals, void answers, and why it was left out.
    #[serde(default)]
    pub lists: Value,
    /// False when the run was cut short.
    pub complete: bool,
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
            seeds: BTreeMap::new(),
            inputs: Vec::new(),
            resumed: 0,
            start: rfc3339(start_ms).unwrap_or_default(),
            end: None,
            counts: BTreeMap::new(),
            tally: Value::Null,
            lists: Value::Null,
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
