//! Whether parts belong together, by what their manifests say.
//! Comes in: the parts' manifests. Goes out: what is missing, or why they must not be joined.
//! Shards are shares of one list, by the same options; other runs are of different lists, by the same options.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::journal::{MAY_DIFFER, differences};
use super::{Error, Part};
use crate::output::manifest::{Manifest, Source};

/// Options that parts may have otherwise, beside those that a resumed run may: which share of what it is, where it went, and what
/// each machine calls its own.
const MAY_DIFFER_TOO: &[&str] =
    &["shard", "input", "format", "evidence", "rejects", "order", "helo", "resolver", "targets"];

/// What is known of the parts together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kin {
    /// They are shares of one list.
    pub(super) shares: bool,
    /// The shares that nobody gave, as K/N.
    pub(super) missing: Vec<String>,
    /// Parts whose run was cut short.
    pub(super) unfinished: Vec<PathBuf>,
    /// Parts that nothing is known of but their rows.
    pub(super) unknown: Vec<PathBuf>,
    /// More than one version of the program.
    pub(super) versions: Vec<String>,
}

/// What the manifests of these parts say of them together.
pub(super) fn of(parts: &[Part]) -> Result<Kin, Error> {
    let mut kin = Kin::default();
    let mut told = Vec::new();
    for part in parts {
        match &part.manifest {
            Some(manifest) => told.push((part.path.as_path(), manifest)),
            None => kin.unknown.push(part.path.clone()),
        }
    }
    let Some(((first, like), others)) = told.split_first() else { return Ok(kin) };
    for (path, manifest) in others {
        let different = differences(&like.configuration, &manifest.configuration, &[MAY_DIFFER, MAY_DIFFER_TOO]);
        if !different.is_empty() {
            return Err(Error::Options { one: first.into(), other: path.into(), differences: different.join(", ") });
        }
    }
    kin.unfinished = told.iter().filter(|(_, manifest)| !manifest.complete).map(|(path, _)| path.into()).collect();
    kin.versions = told.iter().map(|(_, manifest)| manifest.version.clone()).collect();
    kin.versions.sort_unstable();
    kin.versions.dedup();
    if told.iter().all(|(_, manifest)| shard(manifest).is_none()) {
        return different_lists(&told).map(|()| kin);
    }
    kin.shares = true;
    kin.missing = missing(&told)?;
    if !kin.unknown.is_empty() {
        // It may be any of them.
        kin.missing.clear();
    }
    Ok(kin)
}

/// Which share of its list a run was of.
pub(super) fn shard(manifest: &Manifest) -> Option<&str> {
    manifest.configuration.get("shard").and_then(Value::as_str)
}

/// The number of a share, and how many there are.
fn numbers(shard: &str) -> Option<(u32, u32)> {
    let (k, n) = shard.split_once('/')?;
    Some((k.trim().parse().ok()?, n.trim().parse().ok()?))
}

/// The shares that are missing of these, which are of one list, and each another.
fn missing(told: &[(&Path, &Manifest)]) -> Result<Vec<String>, Error> {
    let n = told.iter().find_map(|(_, manifest)| shard(manifest).and_then(numbers)).map_or(0, |(_, n)| n);
    let mut found: BTreeMap<u32, &Path> = BTreeMap::new();
    for &(path, manifest) in told {
        let Some((k, _)) = shard(manifest).and_then(numbers).filter(|(_, own)| *own == n) else {
            let shard = shard(manifest).map_or_else(|| "no share".to_owned(), |shard| format!("share {shard}"));
            return Err(Error::OtherShares { path: path.into(), shard, n });
        };
        if let Some(one) = found.insert(k, path) {
            return Err(Error::Twice { one: one.into(), other: path.into(), shard: format!("{k}/{n}") });
        }
    }
    // A run that was cut short does not know what it would have read.
    let mut whole = told.iter().filter(|(_, manifest)| manifest.complete);
    if let Some((one, like)) = whole.next()
        && let Some((other, _)) = whole.find(|(_, manifest)| !is_same_list(like, manifest))
    {
        return Err(Error::OtherList { one: one.into(), other: other.into() });
    }
    Ok((1..=n).filter(|k| !found.contains_key(k)).map(|k| format!("{k}/{n}")).collect())
}

/// That no two runs are of the same list.
fn different_lists(told: &[(&Path, &Manifest)]) -> Result<(), Error> {
    for (at, (one, manifest)) in told.iter().enumerate() {
        if let Some((other, _)) = told.iter().skip(at + 1).find(|(_, other)| is_same_list(manifest, other)) {
            return Err(Error::SameList { one: one.into(), other: other.into() });
        }
    }
    Ok(())
}

fn is_same_list(one: &Manifest, other: &Manifest) -> bool {
    read(one) == read(other) && targets(one) == targets(other)
}

/// What was read, whatever it was called.
fn read(manifest: &Manifest) -> Vec<(Option<&str>, u64)> {
    manifest.inputs.iter().map(|Source { sha256, records, .. }| (sha256.as_deref(), *records)).collect()
}

/// The targets of the command line.
fn targets(manifest: &Manifest) -> Option<&Value> {
    manifest.configuration.get("targets")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(name: &str, shard: Option<&str>, change: impl FnOnce(&mut Manifest)) -> Part {
        let mut manifest = Manifest::begin(json!({ "shard": shard, "seed": 1, "output": name, "helo": name }), 0);
        manifest.inputs = vec![Source { name: name.to_owned(), sha256: Some("aa".to_owned()), records: 3 }];
        manifest.complete = true;
        change(&mut manifest);
        Part { path: name.into(), manifest: Some(manifest), ..Part::default() }
    }

    fn refused(parts: &[Part]) -> String {
        of(parts).unwrap_err().to_string()
    }

    #[test]
    fn shares_of_one_list_belong_together_and_those_missing_are_named() {
        let parts = ["1/4", "3/4"].map(|shard| part(shard, Some(shard), |_| ()));
        let kin = of(&parts).unwrap();
        assert!(kin.shares && kin.unfinished.is_empty() && kin.unknown.is_empty());
        assert_eq!(kin.missing, ["2/4", "4/4"]);
        let mut unknown = parts.to_vec();
        unknown.push(Part { path: "x".into(), ..Part::default() });
        let kin = of(&unknown).unwrap();
        assert_eq!((kin.missing.len(), kin.unknown.len()), (0, 1), "the unknown one may be any of them");
        let cut = part("2", Some("2/2"), |manifest| {
            manifest.complete = false;
            manifest.inputs.clear();
        });
        let kin = of(&[cut, part("1", Some("1/2"), |_| ())]).unwrap();
        assert_eq!((kin.missing.len(), kin.unfinished), (0, vec!["2".into()]));
    }

    #[test]
    fn what_does_not_belong_together_is_told_by_name_and_reason() {
        let one = part("one", Some("1/2"), |_| ());
        let same = |change: fn(&mut Manifest)| [one.clone(), part("other", Some("2/2"), change)];
        for (parts, says) in [
            (same(|other| other.configuration["seed"] = json!(2)), "--seed was 1 and is 2"),
            (same(|other| other.configuration["shard"] = json!("1/2")), "both are share 1/2"),
            (same(|other| other.configuration["shard"] = json!("2/3")), "is share 2/3"),
            (same(|other| other.configuration["shard"] = Value::Null), "is no share"),
            (same(|other| other.inputs[0].sha256 = Some("bb".to_owned())), "not of the same list"),
            (same(|other| other.configuration["targets"] = json!(["x"])), "not of the same list"),
        ] {
            let said = refused(&parts);
            assert!(said.contains(says) && said.contains("one") | said.contains("other"), "{said}");
        }
        let whole = |name| part(name, None, |_| ());
        assert!(refused(&[whole("one"), whole("other")]).contains("the same list"));
        let another = part("other", None, |other| other.inputs[0].sha256 = Some("bb".to_owned()));
        assert_eq!(
            of(&[whole("one"), another]).unwrap(),
            Kin { versions: vec![env!("CARGO_PKG_VERSION").to_owned()], ..Kin::default() }
        );
    }
}
