//! What holds for every evidence, however damaged.
//! Comes in: a good server whose answers are replaced at random. Goes out: nothing but proof.
//! Over 400 lines: all properties share the ways to damage evidence, which are the first half.

use proptest::prelude::*;

use super::assess;
use super::scene::{NOW, Scene, denied, nodata, nxdomain, seen};
use crate::model::dns::Answer;
use crate::model::evidence::{Evidence, Introduced};
use crate::model::observed::{Denial, Observed};
use crate::model::smtp::{Oddities, Session};
use crate::model::words::{Basis, Cause, ConnectStatus, Profile, Rule, SmtpStatus, Verdict};

/// What becomes of an answer.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Kept,
    Other,
    Nxdomain,
    Nodata,
    Looped,
    Failed(Cause),
    NotAsked,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Kept),
        Just(Fate::Other),
        Just(Fate::Nxdomain),
        Just(Fate::Nodata),
        Just(Fate::Looped),
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
        Fate::Looped => *answer = denied(Denial::AliasLoop),
        Fate::Failed(cause) => *answer = Observed::failed(cause),
        Fate::NotAsked => *answer = Observed::NotAsked(Cause::NotAsked),
    }
}

/// Answers of one scene: MX, exchange ×2, PTR, its forward, introduced ×3, the seven lists.
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

const ANSWERS: usize = 15;
/// From here on they are the lists'.
const LISTS: usize = 8;

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

/// Why a question can come back without an answer; `Bogus` is a fact about the zone.
const FAILURES: &[Cause] = &[
    Cause::Timeout,
    Cause::Servfail,
    Cause::Refused,
    Cause::Formerr,
    Cause::Notimp,
    Cause::Lame,
    Cause::Filtered,
    Cause::Truncated,
    Cause::Malformed,
    Cause::ResolverDown,
    Cause::SelfFault,
];

/// Why a rule does not apply.
const REASONS: &[Cause] = &[
    Cause::Excluded,
    Cause::SpecialAddress,
    Cause::NotADomain,
    Cause::NullMx,
    Cause::NoMailDomain,
    Cause::NoServer,
    Cause::NoMailService,
    Cause::NoName,
    Cause::NotAName,
    Cause::NameAbsent,
    Cause::Profile,
];

fn fact() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Kept), Just(Fate::Other), Just(Fate::Nxdomain), Just(Fate::Nodata), Just(Fate::Looped)]
}

fn failure() -> impl Strategy<Value = Fate> {
    prop::sample::select(FAILURES.to_vec()).prop_map(Fate::Failed)
}

fn anything() -> impl Strategy<Value = Fate> {
    prop_oneof![3 => fact(), 1 => Just(Fate::Failed(Cause::Bogus)), 1 => failure(), 1 => Just(Fate::NotAsked)]
}

/// The same fates but for one.
fn replaced(fates: &[Fate], at: usize, fate: Fate) -> Vec<Fate> {
    let mut fates = fates.to_vec();
    fates[at] = fate;
    fates
}

/// A scene whose answers have these fates; one in two has the reverse name of an access line.
fn scene_of(fates: &[Fate], observed: bool, dsl: bool, helo: Option<&str>) -> Scene {
    let basis = if observed { Basis::Observed } else { Basis::Announced };
    let mut scene = damaged(fates, None, basis);
    let host = scene.host();
    if dsl {
        let name = super::scene::name("dsl-198-51-100-1.pool.isp.test");
        if let Observed::Seen(records) = &mut host.ptr {
            records.values = vec![name.clone()];
        }
        host.forward[0].name = name;
    }
    if let Some(helo) = helo {
        host.introduction = Some(super::scene::introduction(helo, crate::model::words::IntroducedBy::Greeting));
    }
    scene
}

fn helo() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        None,
        None,
        Some("gmail.com"),
        Some("mail.s01.nosuchtld99"),
        Some("mail_out.s01.lab.test"),
    ])
}

fn verdicts(scene: &Scene) -> Vec<[Verdict; Rule::ALL.len()]> {
    scene.judged().rows.iter().map(|row| row.verdicts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_attempt_that_failed_breaks_no_more_rules_than_one_that_was_not_made(
        fates in prop::collection::vec(anything(), ANSWERS),
        at in 0..ANSWERS,
        failure in failure(),
        observed in any::<bool>(),
        dsl in any::<bool>(),
        helo in helo(),
    ) {
        let with = |fate| scene_of(&replaced(&fates, at, fate), observed, dsl, helo);
        let fails = |scene: &Scene| -> Vec<Vec<Rule>> {
            let failed = |row: &crate::model::assessment::Assessment| {
                Rule::ALL.iter().copied().filter(|rule| row.verdict(*rule) == Verdict::Fail).collect()
            };
            scene.judged().rows.iter().map(failed).collect()
        };
        prop_assert_eq!(fails(&with(failure)), fails(&with(Fate::NotAsked)), "answer {}", at);
    }

    // Of a list an alias loop is no fact: it is an answer that says nothing of the address.
    #[test]
    fn a_certain_fact_never_makes_a_verdict_unknown(
        fates in prop::collection::vec(anything(), ANSWERS),
        at in 0..ANSWERS,
        ignorance in prop_oneof![failure(), Just(Fate::NotAsked)],
        fact in fact(),
        observed in any::<bool>(),
        dsl in any::<bool>(),
        helo in helo(),
    ) {
        let with = |fate| scene_of(&replaced(&fates, at, fate), observed, dsl, helo);
        prop_assume!(at < LISTS || !matches!(fact, Fate::Looped));
        let (before, after) = (verdicts(&with(ignorance)), verdicts(&with(fact)));
        for (before, after) in before.iter().zip(&after) {
            for ((rule, before), after) in Rule::ALL.iter().zip(before).zip(after) {
                let certain = matches!(before, Verdict::Pass | Verdict::Fail);
                prop_assert!(!(certain && *after == Verdict::Unknown), "answer {}: {}", at, rule);
            }
        }
    }

    #[test]
    fn what_does_not_apply_has_a_reason_and_what_is_unknown_a_cause(
        fates in prop::collection::vec(anything(), ANSWERS),
        observed in any::<bool>(),
        dsl in any::<bool>(),
        helo in helo(),
        profile in prop::sample::select(Profile::ALL.to_vec()),
    ) {
        let mut scene = scene_of(&fates, observed, dsl, helo);
        scene.policy.profile = profile;
        for row in scene.judged().rows {
            for (rule, reason) in &row.na_why {
                prop_assert!(REASONS.contains(reason), "{} is {}", rule, reason);
            }
            for (rule, cause) in &row.unknown_why {
                prop_assert!(!REASONS.contains(cause), "{} is {}", rule, cause);
            }
        }
    }

    #[test]
    fn the_order_of_the_evidence_changes_nothing(
        fates in prop::collection::vec(anything(), 6),
        names in Just(vec![0_usize, 1, 2]).prop_shuffle(),
        forward in Just(vec![0_usize, 1, 2]).prop_shuffle(),
        lists in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        addresses in Just(vec![0_usize, 1, 2]).prop_shuffle(),
        records in Just(vec![0_usize, 1, 2]).prop_shuffle(),
        helo in helo(),
    ) {
        let scene = several(&fates, helo);
        let mut other = scene.clone();
        let host = other.host();
        if let Observed::Seen(records) = &mut host.ptr {
            records.values = shuffled(&records.values, &names);
        }
        host.forward = shuffled(&host.forward, &forward);
        host.listings = shuffled(&host.listings, &lists);
        if let Observed::Seen(records) = &mut host.introduced.addresses.v4 {
            records.values = shuffled(&records.values, &addresses);
        }
        if let Some(Observed::Seen(mx)) = &mut other.evidence.mx {
            mx.values = shuffled(&mx.values, &records);
        }
        other.evidence.routes = shuffled(&other.evidence.routes, &records);
        let told = |scene: &Scene, order: &[usize]| {
            let rows = scene.judged().rows;
            let told = rows.into_iter().map(|row| {
                let codes: Vec<_> = row.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
                (row.verdicts, row.unknown_why, row.na_why, row.ptr_class, codes)
            });
            let told: Vec<_> = told.collect();
            order.iter().map(|at| told[*at].clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(told(&scene, &records), told(&other, &[0, 1, 2]));
    }
}

fn shuffled<T: Clone>(values: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|at| values[*at].clone()).collect()
}

/// Three exchanges of one preference, the first server with three PTR names and its name with three addresses; of the
/// PTR names, two of the lists and one exchange the answers have these fates.
fn several(fates: &[Fate], helo: Option<&str>) -> Scene {
    use super::scene::{ip, name, route};
    let mut scene = scene_of(&[Fate::Kept; ANSWERS], false, false, helo);
    let own = scene.own();
    scene.mx(&[(10, &own), (10, "b.lab.test"), (10, "c.lab.test")]);
    scene.evidence.routes.push(route(10, "b.lab.test", "203.0.113.20"));
    scene.evidence.routes.push(route(10, "c.lab.test", "203.0.113.21"));
    let host = scene.host();
    let names = ["mail.s01.lab.test", "dsl-198-51-100-1.pool.isp.test", "h1.other.test"].map(name);
    host.forward = names
        .iter()
        .map(|name| crate::model::evidence::Forward { name: name.clone(), addresses: seen(vec![host.address]) })
        .collect();
    host.ptr = seen(names.to_vec());
    for (forward, fate) in host.forward.iter_mut().zip(fates) {
        apply(*fate, &mut forward.addresses, ip("203.0.113.1"));
    }
    let addresses = [[198, 51, 100, 1], [203, 0, 113, 1], [10, 0, 0, 1]];
    host.introduced.addresses.v4 = seen(addresses.map(Into::into).to_vec());
    apply(fates[3], &mut host.listings[0].codes, [127, 0, 0, 2].into());
    apply(fates[4], &mut host.listings[3].codes, [127, 0, 0, 2].into());
    let exchange = std::sync::Arc::make_mut(scene.route(1).exchange.as_mut().unwrap());
    apply(fates[5], &mut exchange.addresses.v6, 5.into());
    scene
}
