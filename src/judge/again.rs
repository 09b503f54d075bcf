//! What an earlier run makes of this one.
//! Comes in: scenes, and facts that an earlier run found. Goes out: nothing but proof.

use super::scene::*;
use crate::model::dns::Addresses;
use crate::model::evidence::Earlier;
use crate::model::finding::Code::{self, *};
use crate::model::history::Fact;
use crate::model::observed::Observed;
use crate::model::smtp::Session;
use crate::model::words::{Cause, ConnectStatus, Profile, SmtpStatus};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The only row's verdicts and codes.
fn row(scene: &Scene) -> (String, Vec<Code>) {
    let row = scene.row();
    (letters(&row), codes(&row))
}

#[test]
fn a_server_that_is_silent_again_fails_after_a_quarter_of_an_hour() {
    let mut scene = Scene::good(60);
    scene.ends(Session {
        status: SmtpStatus::NoGreeting,
        cause: Some(Cause::GreetingNone),
        ..Session::none(25, ConnectStatus::Open)
    });
    let address = scene.host().address;
    for (before, letters) in [(14 * MINUTE, "UUUUPPP"), (15 * MINUTE, "FNNNPPP"), (-MINUTE, "UUUUPPP")] {
        scene.knows(&[(Fact::GreetingNone(address), before)]);
        assert_eq!(row(&scene), (letters.to_owned(), vec![GreetingNone]), "{before} ms before");
    }
    scene.knows(&[(Fact::GreetingNone(ip("198.51.100.61")), DAY), (Fact::ReverseLame(address), DAY)]);
    assert_eq!(row(&scene).0, "UUUUPPP", "another server's silence, and another fact about this one");
}

#[test]
fn a_domain_that_is_unreachable_again_fails() {
    let mut scene = Scene::good(47);
    scene.ends(Session::none(25, ConnectStatus::Timeout));
    let domain = name("s47.lab.test");
    assert_eq!(row(&scene), ("UUUUPPU".to_owned(), vec![MxAllUnreachable, ConnectTimeout]));
    scene.knows(&[(Fact::AllUnreachable(&domain), 15 * MINUTE)]);
    assert_eq!(row(&scene), ("UUUUPPF".to_owned(), vec![MxAllUnreachable, ConnectTimeout]));
    scene.knows(&[(Fact::AllUnreachable(&domain), MINUTE)]);
    assert_eq!(row(&scene).0, "UUUUPPU", "maybe the same outage");
    scene.knows(&[(Fact::AllUnreachable(&name("s48.lab.test")), DAY)]);
    assert_eq!(row(&scene).0, "UUUUPPU", "another domain");
}

#[test]
fn an_earlier_pass_of_the_same_run_counts_like_an_earlier_run() {
    let earlier = |scene: &mut Scene, before: i64, cause: Cause, connect: ConnectStatus| {
        let host = scene.host();
        let scanned_at = host.scanned_at - before;
        host.earlier =
            vec![Earlier { scanned_at, connect, status: SmtpStatus::NoGreeting, cause: Some(cause), reply: None }];
    };
    let mut silent = Scene::good(60);
    silent.ends(Session {
        status: SmtpStatus::NoGreeting,
        cause: Some(Cause::GreetingNone),
        ..Session::none(25, ConnectStatus::Open)
    });
    for (before, cause, letters) in [
        (14 * MINUTE, Cause::GreetingNone, "UUUUPPP"),
        (15 * MINUTE, Cause::GreetingNone, "FNNNPPP"),
        (15 * MINUTE, Cause::Deferred, "UUUUPPP"),
    ] {
        earlier(&mut silent, before, cause, ConnectStatus::Open);
        assert_eq!(row(&silent), (letters.to_owned(), vec![GreetingNone]), "{before} ms before, {cause}");
    }
    let mut dead = Scene::good(47);
    dead.ends(Session::none(25, ConnectStatus::Timeout));
    for (before, connect, letters) in [
        (14 * MINUTE, ConnectStatus::Timeout, "UUUUPPU"),
        (15 * MINUTE, ConnectStatus::Timeout, "UUUUPPF"),
        (15 * MINUTE, ConnectStatus::Open, "UUUUPPU"),
    ] {
        earlier(&mut dead, before, Cause::ConnectTimeout, connect);
        assert_eq!(row(&dead).0, letters, "{before} ms before, {connect}");
    }
}

#[test]
fn a_reverse_zone_that_was_lame_on_two_days_before_fails() {
    let mut scene = Scene::good(28);
    let host = scene.host();
    host.ptr = Observed::failed(Cause::Lame);
    host.forward.clear();
    let lame = Fact::ReverseLame(host.address);
    for (before, letter) in [(vec![], 'U'), (vec![DAY], 'U'), (vec![DAY, DAY + MINUTE], 'U'), (vec![DAY, 2 * DAY], 'F')]
    {
        scene.knows(&before.iter().map(|before| (lame, *before)).collect::<Vec<_>>());
        assert_eq!(row(&scene), (format!("PPPP{letter}PP"), vec![PtrZoneLame]), "{before:?}");
    }
}

#[test]
fn what_was_at_fault_and_listed_is_suspected_of_a_stale_listing_once_it_is_mended() {
    let mut scene = Scene::good(69);
    scene.listed(0, "127.0.0.2");
    let fact = Fact::FaultyAndListed(scene.host().address);
    assert_eq!(row(&scene), ("PPPPPFP".to_owned(), vec![DnsblListed]));
    scene.knows(&[(fact, DAY)]);
    assert_eq!(row(&scene), ("PPPPPFP".to_owned(), vec![DnsblListed, DnsblStaleSuspect]));
    scene.policy.profile = Profile::Rfc5321;
    assert_eq!(row(&scene), ("PPPPNFP".to_owned(), vec![DnsblListed, DnsblStaleSuspect]), "no question of the reverse");
    scene.policy.profile = Profile::Census;
    scene.knows(&[(fact, 0)]);
    assert_eq!(row(&scene).1, [DnsblListed], "the same run");

    // Not mended, not known to be mended, or not listed any more: nothing to suspect.
    scene.knows(&[(fact, DAY)]);
    let mut broken = scene.clone();
    broken.host().ptr = denied_by("100.51.198.in-addr.arpa");
    broken.host().forward.clear();
    assert!(!row(&broken).1.contains(&DnsblStaleSuspect));
    let mut unknown = scene.clone();
    unknown.host().introduced.addresses = Addresses { v4: Observed::failed(Cause::Timeout), v6: nodata() };
    assert!(!row(&unknown).1.contains(&DnsblStaleSuspect));
    scene.host().listings[0].codes = nxdomain();
    assert_eq!(row(&scene), ("PPPPPPP".to_owned(), vec![]));
}
