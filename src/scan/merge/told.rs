//! What is told of joined outputs, in their manifest and on stderr.
//! Comes in: the parts, and what was counted of their rows. Goes out: the manifest of the whole, and lines.
//! What only the parts' own runs know is summed; what the rows tell is not taken from anybody.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::super::progress::{one_line, say_plainly};
use super::Part;
use super::kin::{self, Kin};
use crate::model::clock::now_ms;
use crate::output::manifest::{Manifest, Piece};
use crate::output::rfc3339;
use crate::report::tally::Tally;

/// Counts that are the same in each share of a list, because each reads the whole of it.
const OF_THE_LIST: &[&str] = &["records_read", "records_rejected"];
/// Counts that are made anew, or mean nothing of the whole.
const NOT_SUMMED: &[&str] = &["targets", "rows", "records_of_other_shards"];

/// What is told of the whole.
pub(super) fn manifest(parts: &[Part], kin: &Kin, tally: &Tally, repeated: u64, output: &Path) -> Manifest {
    let told: Vec<&Manifest> = parts.iter().filter_map(|part| part.manifest.as_ref()).collect();
    let mut configuration =
        told.first().map_or_else(|| json!({ "command": "merge" }), |first| first.configuration.clone());
    if let Value::Object(options) = &mut configuration {
        options.insert("output".to_owned(), json!(output.display().to_string()));
        if kin.shares {
            options.insert("shard".to_owned(), Value::Null);
        }
    }
    let now = now_ms();
    let mut whole = Manifest::begin(configuration, now);
    if let Some(start) = told.iter().map(|manifest| &manifest.start).min() {
        whole.start.clone_from(start);
    }
    whole.end = told.iter().filter_map(|manifest| manifest.end.clone()).max().or_else(|| rfc3339(now));
    whole.resumed = told.iter().map(|manifest| manifest.resumed).sum();
    for manifest in &told {
        whole.seeds.extend(manifest.seeds.clone());
    }
    // Any complete share tells of the whole list.
    let of_list = told.iter().copied().filter(|manifest| manifest.complete || !kin.shares);
    let inputs = of_list.take(if kin.shares { 1 } else { usize::MAX }).flat_map(|manifest| manifest.inputs.clone());
    whole.inputs = inputs.collect();
    // A part that nothing is known of would be missing in every sum.
    if kin.unknown.is_empty() {
        whole.counts = sums(&told, kin.shares);
    }
    whole.counts.extend(
        [("targets", tally.targets()), ("rows", tally.rows()), ("rows_repeated", repeated)]
            .map(|(name, count)| (name.to_owned(), count)),
    );
    whole.tally = serde_json::to_value(tally.told()).expect("a tally has texts as keys and whole numbers as values");
    whole.parts = parts.iter().map(piece).collect();
    whole.complete = kin.missing.is_empty() && kin.unfinished.is_empty();
    whole
}

/// What the parts' runs have counted together.
fn sums(told: &[&Manifest], shares: bool) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (name, count) in told.iter().flat_map(|manifest| &manifest.counts) {
        if NOT_SUMMED.contains(&name.as_str()) {
            continue;
        }
        let sum: &mut u64 = sums.entry(name.clone()).or_default();
        *sum = if shares && OF_THE_LIST.contains(&name.as_str()) { (*sum).max(*count) } else { *sum + count };
    }
    sums
}

fn piece(part: &Part) -> Piece {
    let manifest = part.manifest.as_ref();
    Piece {
        name: part.path.display().to_string(),
        sha256: part.sha256.clone(),
        rows: part.rows,
        shard: manifest.and_then(kin::shard).map(str::to_owned),
        version: manifest.map(|manifest| manifest.version.clone()),
        complete: manifest.map(|manifest| manifest.complete),
    }
}

/// Says what there is to say.
pub(super) fn tell(parts: &[Part], kin: &Kin, incomplete: Option<&str>, tally: &Tally, repeated: u64) {
    let mut warnings = Vec::new();
    for path in &kin.unknown {
        warnings.push(format!(
            "{} has no manifest that this program understands: that it belongs to the others, and whether shares are missing, \
             cannot be told",
            path.display()
        ));
    }
    if kin.versions.len() > 1 {
        warnings.push(format!("the parts are of different versions of this program: {}", kin.versions.join(", ")));
    }
    if repeated > 0 {
        warnings.push(format!("{repeated} rows stand in more than one part, and so in the output"));
    }
    for warning in warnings {
        say_plainly(&one_line(&format!("warning: {warning}")));
    }
    let sizes: Vec<String> = parts.iter().map(|part| part.rows.to_string()).collect();
    let how = incomplete.map_or_else(|| "complete".to_owned(), |what| format!("incomplete ({what})"));
    say_plainly(&one_line(&format!(
        "{how}: rows written {} = {}; targets {}",
        tally.rows(),
        sizes.join(" + "),
        tally.targets()
    )));
}
