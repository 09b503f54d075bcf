//! Whether two runs can be compared, by what their manifests say.
//! Comes in: the manifests beside two outputs, as far as there are any. Goes out: which blocklists each run has asked, and what to
//! warn of.
//! Runs by other options are compared all the same: what these have changed cannot be told from what the servers have.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::journal::differences;
use super::super::merge::named;
use super::change::Lists;
use crate::output::manifest::Manifest;

/// What was in effect that decides what is found and how it is judged, beside the blocklists. Seeds, rates and patience do not.
const IN_EFFECT: &[&str] =
    &["profile", "quorum", "probes", "port", "starttls", "families-routed", "allow-special", "receiver"];
/// The same as it is typed, for runs that do not tell what was in effect.
const TYPED: &[&str] = &[
    "profile",
    "dnsbl",
    "dnsbl-file",
    "no-dnsbl",
    "quorum",
    "probes",
    "port",
    "no-starttls",
    "ipv4-only",
    "ipv6-only",
    "allow-special",
    "receiver",
];
/// What is told as typed only.
const ALWAYS_TYPED: &[&str] = &["shard", "lab"];

/// Two runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) lists: Lists,
    /// Why what is told as change may be none.
    pub(super) warning: Option<String>,
}

/// What is known of the runs of two outputs.
pub(super) fn of(old: &Path, new: &Path) -> Runs {
    let read = |path: &Path| Manifest::read(&named(path));
    let (old_run, new_run) = (read(old), read(new));
    let lists = Lists { old: old_run.as_ref().and_then(asked), new: new_run.as_ref().and_then(asked) };
    let mut why = Vec::new();
    if let (Some(one), Some(other)) = (&old_run, &new_run) {
        why.extend(differing(one, other));
        why.extend(lists_differing(&lists));
    }
    for (path, run) in [(old, &old_run), (new, &new_run)] {
        if run.as_ref().is_some_and(|run| !run.complete) {
            why.push(format!("the run of {} is not complete, and rows are missing", path.display()));
        }
    }
    let warning = (!why.is_empty()).then(|| {
        let why = why.join("; ");
        format!(
            "{} and {} are not of like runs, which may be all that has changed: {why}",
            old.display(),
            new.display()
        )
    });
    Runs { lists, warning }
}

/// What was in effect; `judge` tells it of each evidence, of which there is mostly one.
fn in_effect(manifest: &Manifest) -> &Value {
    match manifest.effective.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => &manifest.effective,
    }
}

/// The blocklists that a run has asked, as far as it tells.
fn asked(manifest: &Manifest) -> Option<BTreeSet<String>> {
    let (effective, typed) = (in_effect(manifest), &manifest.configuration);
    let names = |value: &Value, name: &str| -> Option<BTreeSet<String>> {
        value.get(name)?.as_array()?.iter().map(|zone| zone.as_str().map(str::to_owned)).collect()
    };
    let left_out = names(effective, "probes").is_some_and(|probes| !probes.contains("dnsbl"));
    if left_out || typed.get("no-dnsbl") == Some(&json!(true)) {
        return Some(BTreeSet::new());
    }
    // Lists of a file are known by their own names only where the run has told them.
    let is_all = typed.get("dnsbl-file").is_none_or(|files| files == &json!([]));
    names(effective, "dnsbl").or_else(|| names(typed, "dnsbl").filter(|lists| is_all && !lists.is_empty()))
}

/// The options in which two runs differ, but for the lists they asked.
fn differing(old: &Manifest, new: &Manifest) -> Vec<String> {
    let (old_effect, new_effect) = (in_effect(old), in_effect(new));
    let told = old_effect.is_object() && new_effect.is_object();
    let options = |manifest: &Manifest| {
        let pick = |value: &Value, names: &[&str]| -> Map<String, Value> {
            names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(name)?.clone()))).collect()
        };
        let mut picked = pick(&manifest.configuration, ALWAYS_TYPED);
        if told {
            picked.extend(pick(in_effect(manifest), IN_EFFECT));
            // To judge again does not tell what is the scan's alone.
            picked.retain(|name, _| {
                ALWAYS_TYPED.contains(&name.as_str())
                    || [old_effect, new_effect].iter().all(|one| one.get(name).is_some())
            });
        } else {
            picked.extend(pick(&manifest.configuration, TYPED));
        }
        // Which results is another question every day; whether there were any decides what can be found.
        let previous = manifest.configuration.get("previous").is_some_and(|files| files != &json!([]));
        picked.insert("previous".to_owned(), json!(if previous { "given" } else { "not given" }));
        Value::Object(picked)
    };
    let mut differing = differences(&options(old), &options(new), &[]);
    differing.extend(tables_differing(&old.configuration, &new.configuration));
    differing
}

/// The tables of names in which two runs differ.
fn tables_differing(old: &Value, new: &Value) -> Option<String> {
    let (old, new) = (old.get("tables")?.as_object()?, new.get("tables")?.as_object()?);
    let digest = |table: Option<&Value>| table.and_then(|table| table.get("digest")).cloned();
    let names = old.iter().filter(|(name, table)| digest(Some(table)) != digest(new.get(*name)));
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| format!("the tables of names differ in {}", names.join(", ")))
}

/// What one run has asked and the other has not.
fn lists_differing(lists: &Lists) -> Vec<String> {
    let (Some(old), Some(new)) = (&lists.old, &lists.new) else { return Vec::new() };
    let told = |zones: Vec<&str>, when: &str| {
        (!zones.is_empty()).then(|| format!("blocklists asked in the {when} run only: {}", zones.join(", ")))
    };
    let only = |one: &BTreeSet<String>, other| one.difference(other).map(String::as_str).collect::<Vec<_>>().join(" ");
    let both = [(only(old, new), "old"), (only(new, old), "new")];
    both.iter().filter_map(|(zones, when)| told(zones.split_whitespace().collect(), when)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(profile: &str, lists: &[&str], change: impl FnOnce(&mut Manifest)) -> Manifest {
        let mut manifest = Manifest::begin(json!({ "seed": 1, "profile": profile, "previous": [] }), 0);
        manifest.effective = json!({ "profile": profile, "dnsbl": lists, "probes": ["mx", "dnsbl"], "seed": 1 });
        manifest.complete = true;
        change(&mut manifest);
        manifest
    }

    fn warning(old: &Manifest, new: &Manifest) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["old.csv", "new.csv"].map(|name| folder.path().join(name));
        old.write(&paths[0]).unwrap();
        new.write(&paths[1]).unwrap();
        of(&paths[0], &paths[1]).warning
    }

    #[test]
    fn only_what_decides_verdicts_is_warned_of() {
        let old = manifest("census", &["a", "b"], |_| ());
        assert_eq!(warning(&old, &old), None);
        let other_day = manifest("census", &["b", "a"], |run| {
            run.effective["seed"] = json!(2);
            run.configuration["seed"] = json!(2);
            run.configuration["output"] = json!("tuesday.csv");
        });
        assert_eq!(warning(&old, &other_day), None);
        for (new, says) in [
            (manifest("rfc5321", &["a", "b"], |_| ()), "--profile was \"census\" and is \"rfc5321\""),
            (
                manifest("census", &["b", "c"], |_| ()),
                "asked in the old run only: a; blocklists asked in the new run only: c",
            ),
            (manifest("census", &["a", "b"], |run| run.complete = false), "new.csv is not complete"),
            (
                manifest("census", &["a", "b"], |run| run.configuration["previous"] = json!(["monday.csv"])),
                "--previous was \"not given\" and is \"given\"",
            ),
            (
                manifest("patient", &[], |run| run.effective = Value::Null),
                "--profile was \"census\" and is \"patient\"",
            ),
        ] {
            let said = warning(&old, &new).unwrap();
            assert!(said.contains(says) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn which_lists_were_asked_is_known_only_from_a_run_that_tells() {
        let zones = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        assert_eq!(asked(&manifest("census", &["a", "b"], |_| ())), zones(&["a", "b"]));
        assert_eq!(asked(&manifest("census", &["a"], |run| run.effective["probes"] = json!(["mx"]))), zones(&[]));
        let typed = |typed: Value| {
            asked(&manifest("census", &[], |run| {
                run.effective = Value::Null;
                run.configuration = typed;
            }))
        };
        assert_eq!(typed(json!({ "dnsbl": ["a"] })), zones(&["a"]));
        assert_eq!(typed(json!({ "dnsbl": ["a"], "dnsbl-file": ["own.toml"] })), None);
        assert_eq!(typed(json!({ "dnsbl": [], "no-dnsbl": true })), zones(&[]));
        assert_eq!(typed(json!({ "dnsbl": [] })), None);
        assert!(of(Path::new("-"), Path::new("-")).warning.is_none());
    }
}
