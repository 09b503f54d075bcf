//! Each code's cases in `fixtures/cases`: it fires, it is clear, it cannot be told.
//! Comes in: the files, and the table. Goes out: nothing but proof, or what is wrong with file and key.
//! A code that is not gathered has one file that says why; a code may not have both.
//! A code without one of the three, or a form of a code that no case shows, fails here.

mod answer;
mod file;
mod smtp;
mod verdicts;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::file::{File, Texts};
use super::scene::letters;
use super::table::{Entry, Force, Form, Gathered, TABLE, entry};
use crate::model::assessment::Assessment;
use crate::model::finding::{Code, Finding};
use crate::model::words::{Basis, Profile, Rule, Verdict};

/// Codes whose condition is the whole of what is to say: nothing beside the row's own columns was seen.
const SPEAKS_FOR_ITSELF: &[Code] = &[Code::ScannerExcluded];

/// What a case shows, by the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fires,
    Clear,
    CannotTell,
    NotGathered,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".toml")?;
        let is = |word: &str| stem == word || stem.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'));
        match stem {
            "not-gathered" => Some(Self::NotGathered),
            _ if is("fires") => Some(Self::Fires),
            _ if is("clear") => Some(Self::Clear),
            _ if is("cannot-tell") => Some(Self::CannotTell),
            _ => None,
        }
    }
}

/// One file of one code.
struct Told {
    path: PathBuf,
    kind: Kind,
    file: File,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

/// All cases by code, and what could not be read.
fn read() -> (BTreeMap<Code, Vec<Told>>, Vec<String>) {
    let (mut told, mut wrong) = (BTreeMap::<Code, Vec<Told>>::new(), Vec::new());
    let list =
        |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>();
    for under in list(&folder()).into_iter().filter(|path| path.is_dir()) {
        let code = Code::ALL.iter().copied().find(|code| under.ends_with(code.as_str()));
        for path in list(&under) {
            match (code, Kind::of(&path), File::read(&path)) {
                (_, _, Err(error)) => wrong.push(error),
                (None, ..) | (_, None, _) => wrong.push(format!("{}: names no code, or no outcome", path.display())),
                (Some(code), Some(kind), Ok(file)) => told.entry(code).or_default().push(Told { path, kind, file }),
            }
        }
    }
    (told, wrong)
}

/// What is wrong with one case of a code that is gathered.
fn check(entry: &Entry, told: &Told) -> Result<(), String> {
    let Told { kind, file, .. } = told;
    let scene = file.scene()?;
    let rows = scene.judged().rows;
    let basis = if file.client.is_some() { Basis::Observed } else { Basis::Announced };
    let says = |rows: &[Assessment]| {
        let told = rows.iter().map(|row| format!("{} {:?} {:?}", letters(row), row.unknown_why, row.findings));
        told.collect::<Vec<_>>().join("\n    ")
    };
    let found: Vec<&Finding> = rows.iter().flat_map(|row| &row.findings).collect();
    let same = |code: &Finding| code.code == entry.code;

    let verdicts: Vec<String> = rows.iter().map(letters).collect();
    let wanted = file.verdicts.as_ref().map_or(&[][..], Texts::all);
    let as_wanted = match wanted {
        // One verdict holds for all rows.
        [wanted] => verdicts.iter().all(|verdict| verdict == wanted),
        wanted => verdicts == wanted,
    };
    if !as_wanted {
        return Err(format!("verdicts: {wanted:?} expected, {verdicts:?} seen\n    {}", says(&rows)));
    }
    let quiet = |code: &Code| *code != entry.code && *code != Code::MxNoIpv6;
    let beside: BTreeSet<Code> = found.iter().map(|finding| finding.code).filter(quiet).collect();
    if beside != file.beside.iter().copied().collect() {
        let named: Vec<&str> = beside.iter().map(|code| code.as_str()).collect();
        return Err(format!("beside: {named:?} seen\n    {}", says(&rows)));
    }
    for (rule, cause) in &file.unknown {
        if !rows.iter().any(|row| row.unknown_why.contains(&(*rule, *cause))) {
            return Err(format!("unknown.{rule}: not {cause}\n    {}", says(&rows)));
        }
    }
    for (rule, cause) in &file.na {
        if !rows.iter().any(|row| row.na_why.contains(&(*rule, *cause))) {
            let why: Vec<_> = rows.iter().map(|row| &row.na_why).collect();
            return Err(format!("na.{rule}: not {cause}, but {why:?}"));
        }
    }
    let profile = scene.policy.profile;
    match kind {
        Kind::Fires => {
            let finding =
                *found.iter().find(|code| same(code)).ok_or_else(|| format!("absent\n    {}", says(&rows)))?;
            fires(entry, file, finding, &rows, basis, profile)
        }
        _ if found.iter().any(|code| same(code)) => Err(format!("the code is there\n    {}", says(&rows))),
        Kind::Clear => clear(entry, file, &rows, profile),
        Kind::CannotTell => cannot_tell(entry, file, &rows, basis, profile),
        Kind::NotGathered => Err("the code is gathered: `not-gathered` must go".to_owned()),
    }
}

/// The form that a case is about.
fn form_of<'a>(entry: &'a Entry, file: &File) -> Result<(usize, &'a Form), String> {
    let found = entry.forms.iter().enumerate().find(|(_, form)| form.when == file.form);
    found.ok_or_else(|| format!("form: the table has none {:?}", file.form))
}

fn fires(
    entry: &Entry,
    file: &File,
    finding: &Finding,
    rows: &[Assessment],
    basis: Basis,
    profile: Profile,
) -> Result<(), String> {
    let (at, form) = form_of(entry, file)?;
    if file.severity != Some(finding.severity) || finding.severity != form.severity(basis) {
        let (said, table) = (file.severity, form.severity(basis));
        return Err(format!("severity: {said:?} expected, {} seen, {table} in the table", finding.severity));
    }
    for effect in entry.effects(at, profile) {
        let holds = |verdict| rows.iter().any(|row| row.verdict(effect.rule) == verdict);
        let held = match effect.force(basis) {
            Force::Fail => holds(Verdict::Fail),
            Force::Unknown => holds(Verdict::Unknown),
            Force::Na => holds(Verdict::Na),
            Force::Part | Force::Nothing => true,
        };
        if !held {
            return Err(format!("{}: the effect of the table is not there", effect.rule));
        }
    }
    if finding.detail.is_empty() && !SPEAKS_FOR_ITSELF.contains(&entry.code) {
        return Err("detail: empty".to_owned());
    }
    match &file.detail {
        Some(words) if !finding.detail.contains(words.as_str()) => Err(format!("detail: {:?}", finding.detail)),
        _ => Ok(()),
    }
}

/// The rules that one of a code's forms decides by a fact.
fn decided(entry: &Entry, profile: Profile) -> BTreeSet<Rule> {
    let effects = (0..entry.forms.len()).flat_map(|at| entry.effects(at, profile));
    let facts = effects.filter(|effect| {
        [effect.observed, effect.announced].iter().any(|force| matches!(force, Force::Fail | Force::Na))
    });
    facts.map(|effect| effect.rule).collect()
}

/// The evidence is there: a rule may be unknown only for what another code says.
fn clear(entry: &Entry, file: &File, rows: &[Assessment], profile: Profile) -> Result<(), String> {
    let unknown = |rule: &Rule| rows.iter().any(|row| row.verdict(*rule) == Verdict::Unknown);
    match decided(entry, profile).iter().find(|rule| unknown(rule)) {
        Some(rule) if file.beside.is_empty() => Err(format!("{rule} is unknown: that is no innocent neighbour")),
        _ => Ok(()),
    }
}

/// The evidence is missing: what the code would have decided is unknown, and the case names the cause.
fn cannot_tell(entry: &Entry, file: &File, rows: &[Assessment], basis: Basis, profile: Profile) -> Result<(), String> {
    let asked = |rule: Rule| {
        let effects = (0..entry.forms.len()).flat_map(|form| entry.effects(form, profile));
        effects.filter(|effect| effect.rule == rule).any(|effect| effect.force(basis) != Force::Nothing)
    };
    for rule in decided(entry, profile).into_iter().filter(|rule| asked(*rule)) {
        if !rows.iter().any(|row| row.verdict(rule) == Verdict::Unknown) {
            // Another code may have broken it already.
            if rows.iter().any(|row| row.verdict(rule) == Verdict::Fail) {
                continue;
            }
            return Err(format!("{rule} is not unknown, and the code could have decided it"));
        }
        if !file.unknown.contains_key(&rule) {
            return Err(format!("unknown.{rule}: the cause is not named"));
        }
    }
    Ok(())
}

/// Forms on each basis on which they weigh differently.
fn wanted(entry: &Entry) -> Vec<(&'static str, Option<Basis>)> {
    let both = |form: &Form| {
        form.observed != form.announced || form.effects.iter().any(|effect| effect.observed != effect.announced)
    };
    let mut wanted = Vec::new();
    for form in entry.forms {
        if both(form) {
            wanted.extend([Basis::Observed, Basis::Announced].map(|basis| (form.when, Some(basis))));
        } else {
            wanted.push((form.when, None));
        }
    }
    wanted
}

/// What is missing or too much among the cases of a code.
fn complete(entry: &Entry, told: &[Told]) -> Vec<String> {
    let kinds: BTreeSet<Kind> = told.iter().map(|told| told.kind).collect();
    let pending = !told.is_empty() && told.iter().all(|told| told.file.pending);
    let mut wrong = Vec::new();
    let mut say = |text: String| wrong.push(format!("{}: {text}", entry.code));
    if let (Gathered::No(reason), false) = (entry.gathered, pending) {
        match told {
            [Told { kind: Kind::NotGathered, file, .. }] if file.reason.as_deref() == Some(reason) => {}
            _ => say(format!("not gathered: one `not-gathered.toml` with the reason {reason:?} is wanted")),
        }
        return wrong;
    }
    if kinds != BTreeSet::from([Kind::Fires, Kind::Clear, Kind::CannotTell]) {
        say(format!("{kinds:?} is not the three outcomes"));
    }
    let basis = |file: &File| if file.client.is_some() { Basis::Observed } else { Basis::Announced };
    for (when, on) in wanted(entry) {
        let shown = told.iter().any(|told| {
            told.kind == Kind::Fires && told.file.form == when && on.is_none_or(|on| on == basis(&told.file))
        });
        if !shown {
            say(format!("no case shows the form {when:?} ({on:?})"));
        }
    }
    wrong
}

#[test]
fn every_code_fires_is_clear_and_cannot_be_told_where_its_cases_say_so() {
    let (told, mut wrong) = read();
    for entry in TABLE {
        for told in told.get(&entry.code).into_iter().flatten() {
            let outcome = match (entry.gathered, told.file.pending) {
                (Gathered::No(_), _) => Ok(()),
                (Gathered::Yes, true) => Err("the code is gathered now: `pending` must go".to_owned()),
                (Gathered::Yes, false) => check(entry, told),
            };
            wrong.extend(outcome.err().map(|error| format!("{}: {error}", told.path.display())));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_code_lacks_one_of_the_three_outcomes_and_no_form_goes_unseen() {
    let (told, mut wrong) = read();
    for entry in TABLE {
        wrong.extend(complete(entry, told.get(&entry.code).map_or(&[], Vec::as_slice)));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_case_that_is_wrong_is_told_with_its_key() {
    let check = |kind, text: &str| {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        check(entry(Code::PtrMissing), &Told { path: PathBuf::new(), kind, file })
    };
    let right = "verdicts = 'PPPPFPP'\nseverity = 'error'\nserver.ptr = 'nodata'";
    assert_eq!(check(Kind::Fires, right), Ok(()));
    for (kind, text, words) in [
        (Kind::Fires, "verdict = 'PPPPFPP'", "unknown field `verdict`"),
        (Kind::Fires, "server.prt = 'nodata'", "unknown field `prt`"),
        (Kind::Fires, "server.ptr = 'no data'\nserver.name.a = 'none'", "server.name.a: \"none\""),
        (Kind::Fires, "server.lists.bl9 = '127.0.0.2'", "bl9 is none of the lists"),
        (Kind::Fires, "verdicts = 'PPPPPPP'\nserver.ptr = 'nodata'", "verdicts: "),
        (Kind::Fires, "verdicts = 'PPPPFPP'\nserver.ptr = 'nodata'", "severity: "),
        (Kind::Fires, "verdicts = 'PPPPPPP'\nseverity = 'error'", "absent"),
        (Kind::Fires, "verdicts = 'PPPPFPP'\nserver = { ptr = 'nodata', tls = 'handshake-failed' }", "beside: "),
        (Kind::Clear, "verdicts = 'PPPPFPP'\nserver.ptr = 'nodata'", "the code is there"),
        (Kind::CannotTell, "verdicts = 'PPPPPPP'", "reverse is not unknown"),
        (Kind::CannotTell, "verdicts = 'PPPPUPP'\nserver.ptr = 'not-asked'", "the cause is not named"),
        (Kind::Fires, "previous.lame = ['yesterday']", "previous: \"yesterday\""),
    ] {
        let error = check(kind, text).expect_err(text);
        assert!(error.contains(words), "{text}: {error}");
    }
    let lacking = |code| complete(entry(code), &[]).len();
    assert_eq!((lacking(Code::PtrMissing), lacking(Code::GreetingSlow), lacking(Code::RelayOpen)), (2, 3, 1));
}
