//! What holds for every evidence, however damaged.
//! Comes in: a good server whose answers are replaced at random. Goes out: nothing but proof.

use proptest::prelude::*;

use super::assess;
use super::scene::{NOW, Scene, nodata, nxdomain, seen};
use crate::model::dns::Answer;
use crate::model::evidence::{Evidence, Introduced};
use crate::model::observed::Observed;
use crate::model::smtp::{Oddities, Session};
use crate::model::words::{Basis, Cause, ConnectStatus, Profile, Rule, SmtpStatus, Verdict};

/// What becomes of an answer.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Kept,
    Other,
    Nxdomain,
    Nodata,
    Failed(Cause),
    NotAsked,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Kept),
        Just(Fate::Other),
        Just(Fate::Nxdomain),
        Just(Fate::Nodata),
        prop::sample::select(Cause::ALL.to_vec()).prop_map(Fate::Failed),
        Just(Fate::NotAsked),
    ]
}

/// Fates that leave a thing unknown; `Bogus` is a fact about the zone, not a failure to learn one.
fn ignorance() -> impl Strategy<Value = Fate> {
    let causes: Vec<Cause> = Cause::ALL.iter().copied().filter(|cause| *cause != Cause::Bogus).collect();
    prop_oneof![prop::sample::select(causes).prop_map(Fate::Failed), Just(Fate::NotAsked)]
}

fn apply<T>(fate: Fate, answer: &mut Answer<T>, other: T) {
    match fate {
        Fate::Kept => {}
        Fate::Other => *answer = seen(vec![other]),
        Fate::Nxdomain => *answer = nxdomain(),
        Fate::Nodata => *answer = nodata(),
        Fate::Failed(cause) => *answer = Observed::failed(cause),
        Fate::NotAsked => *answer = Observed::NotAsked(Cause::NotAsked),
    }
}

/// Answers of one scene: MX, exchange ×2, PTR, its forward, introduced ×3, the five lists.
fn damaged(fates: &[Fate], session: Option<Session>, basis: Basis) -> Scene {
    let mut scene = Scene::good(1);
    let mut fates = fates.iter().copied();
    let mut next = || fates.next().unwrap();
    let other = || crate::model::dns::Mx { preference: 5, exchange: crate::model::name::Name::root() };
    apply(next(), scene.evidence.mx.as_mut().unwrap(), other());
    apply(next(), &mut scene.exchange().addresses.v4, [10, 0, 0, 1].into());
    apply(next(), &mut scene.exchange().addresses.v6, 5.into());
    let host = scene.host();
    apply(next(), &mut host.ptr, super::scene::name("x.other.test"));
    apply(next(), &mut host.forward[0].addresses, [203, 0, 113, 1].into());
    apply(next(), &mut host.introduced.addresses.v4, [203, 0, 113, 1].into());
    apply(next(), &mut host.introduced.addresses.v6, 5.into());
    apply(next(), &mut host.introduced.mx, other());
    for listing in &mut host.listings {
        apply(next(), &mut listing.codes, [127, 0, 0, 2].into());
    }
    host.basis = basis;
    if let Some(session) = session {
        host.session = session;
        host.introduction = None;
        host.ehlo = None;
        host.introduced = Introduced::not_asked(Cause::NoIntroduction);
    }
    scene
}

const ANSWERS: usize = 13;

fn session() -> impl Strategy<Value = Session> {
    let connect = prop::sample::select(ConnectStatus::ALL.to_vec());
    let status = prop::sample::select(SmtpStatus::ALL.to_vec());
    let cause = prop::option::of(prop::sample::select(Cause::ALL.to_vec()));
    (connect, status, cause, any::<bool>(), any::<u16>()).prop_map(|(connect, status, cause, greeted, code)| Session {
        status,
        cause,
        greeting: greeted.then(|| super::scene::reply(code, &["x"])),
        ..Session::none(25, connect)
    })
}

/// A session that failed to tell anything.
fn silence() -> impl Strategy<Value = Session> {
    let connect = prop::sample::select(vec![
        ConnectStatus::Timeout,
        ConnectStatus::Refused,
        ConnectStatus::Unreachable,
        ConnectStatus::Reset,
        ConnectStatus::SelfFault,
        ConnectStatus::NotAsked,
        ConnectStatus::Open,
    ]);
    let cause = prop::option::of(prop::sample::select(Cause::ALL.to_vec()));
    (connect, cause).prop_map(|(connect, cause)| Session { cause, ..Session::none(25, connect) })
}

proptest! {
    #[test]
    fn any_evidence_gets_the_same_verdicts_twice_and_every_unknown_its_cause(
        fates in prop::collection::vec(fate(), ANSWERS),
        session in prop::option::of(session()),
        observed in any::<bool>(),
        profile in prop::sample::select(Profile::ALL.to_vec()),
        excluded in any::<bool>(),
    ) {
        let basis = if observed { Basis::Observed } else { Basis::Announced };
        let mut scene = damaged(&fates, session, basis);
        scene.policy.profile = profile;
        scene.evidence.target.excluded = excluded;
        let judged = assess(scene.evidence.clone(), &scene.policy);
        prop_assert_eq!(&judged.rows, &assess(scene.evidence.clone(), &scene.policy).rows);
        prop_assert!(!judged.rows.is_empty());
        for row in &judged.rows {
            for &rule in Rule::ALL {
                let causes = row.unknown_why.iter().filter(|(of, _)| *of == rule).count();
                prop_assert_eq!(causes, usize::from(row.verdict(rule) == Verdict::Unknown), "{}", rule);
                let reasons = row.na_why.iter().filter(|(of, _)| *of == rule).count();
                prop_assert_eq!(reasons, usize::from(row.verdict(rule) == Verdict::Na), "{}", rule);
            }
            prop_assert!(row.findings.is_sorted_by_key(|finding| (finding.severity, finding.code)));
            prop_assert!(row.findings.windows(2).all(|pair| pair[0].code != pair[1].code));
        }
    }

    #[test]
    fn stored_evidence_is_the_same_evidence(
        fates in prop::collection::vec(fate(), ANSWERS),
        session in prop::option::of(session()),
        raw in prop::collection::vec(any::<u8>(), 0..40),
        odd in any::<[bool; 8]>(),
        text in any::<String>(),
        excluded in any::<bool>(),
    ) {
        let mut scene = damaged(&fates, session, Basis::Announced);
        scene.evidence.target.text = text.into();
        scene.evidence.target.excluded = excluded;
        let [bare_lf, long_line, mixed_codes, non_ascii, control, no_separator, bare_code, no_code] = odd;
        if let Some(greeting) = &mut scene.host().session.greeting {
            greeting.raw = raw.into();
            greeting.oddities =
                Oddities { bare_lf, long_line, mixed_codes, non_ascii, control, no_separator, bare_code, no_code };
        }
        let stored = serde_json::to_string(&scene.evidence).unwrap();
        let back: Evidence = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&back, &scene.evidence);
        prop_assert_eq!(assess(back, &scene.policy).rows, assess(scene.evidence, &scene.policy).rows);
    }

    #[test]
    fn a_file_that_anybody_may_have_edited_makes_no_rule_panic(
        fates in prop::collection::vec(fate(), ANSWERS),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut scene = damaged(&fates, None, Basis::Announced);
        let mut stored = serde_json::to_vec(&scene.evidence).unwrap();
        for (at, byte) in &edits {
            *at.get_mut(&mut stored) = *byte;
        }
        // Also a piece of it a second time, which may make one list or text longer than it was.
        let piece = stored[cut.index(stored.len())..].to_vec();
        for text in [&stored, &[&stored[..cut.index(stored.len())], &piece].concat()] {
            if let Ok(evidence) = serde_json::from_slice::<Evidence>(text) {
                scene.policy.profile = Profile::Patient;
                prop_assert!(!assess(evidence, &scene.policy).rows.is_empty());
            }
        }
    }

    #[test]
    fn ignorance_never_becomes_a_failure(
        fates in prop::collection::vec(ignorance(), ANSWERS),
        session in silence(),
        profile in prop::sample::select(Profile::ALL.to_vec()),
    ) {
        let mut scene = damaged(&fates, Some(session), Basis::Announced);
        scene.policy.profile = profile;
        prop_assert_eq!(scene.evidence.scanned_at, NOW);
        for row in &scene.judged().rows {
            prop_assert!(!row.verdicts.contains(&Verdict::Fail), "{:?} {:?}", row.verdicts, row.findings);
            prop_assert!(!row.verdicts[..5].contains(&Verdict::Pass), "{:?}", row.verdicts);
        }
    }
}
