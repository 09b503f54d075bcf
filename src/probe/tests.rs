//! The prober over a zone that is written in the test.
//! Over 400 lines: the world, the servers and the prober at the top serve every test.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::domain::ADDRESSES;
use super::*;
use crate::model::clock::now_ms;
use crate::model::dns::{Data, Question};
use crate::model::dns::{RecordType, reverse_name};
use crate::model::dnsbl::Health;
use crate::model::observed::Denial;
use crate::model::words::{IntroducedBy, MxStatus, Profile, SmtpStatus};
use crate::probe::dns::Zone;
use crate::probe::dnsbl::catalogue::{Request, choose};

const WORLD: &str = "
    many.org    SOA  ns.many.org
    many.org    MX   10 mx.host.org
    more.org    MX   10 mx.host.org
    more.org    MX   20 192.0.2.9
    mx.host.org A    192.0.2.25
    25.2.0.192.in-addr.arpa PTR mx.host.org
    null.org    MX   0 .
    both.org    MX   0 .
    both.org    MX   10 mx.host.org
    own.org     A    192.0.2.26
    sick.org    MX   !servfail
    sick.org    A    192.0.2.26
    bare.org    TXT  nothing
    inside.org  MX   10 in.host.org
    in.host.org A    10.1.2.3
    gone.org    MX   10 mx.unregistered.org
    25.2.0.192.bl.host.org A   127.0.0.2
    25.2.0.192.bl.host.org TXT see elsewhere
";

fn settings(endpoint: SocketAddr) -> Settings {
    let lists = choose(&Request { zones: vec!["bl.host.org".into()], ..Request::default() }).unwrap().lists;
    Settings {
        wanted: Wanted::ALL,
        families: Families { v4: true, v6: true },
        routed: Families { v4: true, v6: true },
        allowed: Allowed::new(vec!["192.0.2.0/24".parse().unwrap()]),
        exclusions: Arc::default(),
        naming: Naming::default(),
        caller: Arc::new(smtp::session::Caller {
            helo: Name::parse("scanner.host.org").unwrap(),
            tls: None,
            limits: smtp::session::Limits::of(Profile::Census),
            naming: Naming::default(),
        }),
        lanes: 0,
        port: 25,
        endpoint: Arc::new(move |_, _| endpoint),
        lists: lists.into(),
        terms: Vec::new(),
        ledger: None,
        smtp_rate: 0.0,
        sockets: 10,
        again: Again { times: 0, after: Duration::from_secs(1) },
        per_network: 0.0,
        per_provider: 0.0,
        dnsbl_rate: 0.0,
        memory: 1 << 24,
        scratch: std::env::temp_dir(),
    }
}

fn target(subject: Subject) -> Target {
    Target {
        sequence: 0,
        line: Some(1),
        text: Arc::from("as given"),
        subject,
        from_network: false,
        excluded: false,
        unstable: false,
    }
}

/// Gathers evidence, waiting for whatever stands in the way.
async fn gather<L: Lookup>(prober: &Prober<L>, target: Target) -> Gathered {
    let errand = Errand::first(target);
    loop {
        match prober.gather(&errand).await {
            Ok(gathered) => return gathered,
            Err(obstacle) => {
                if let Some(at) = prober.again(&obstacle) {
                    tokio::time::sleep_until(at.into()).await;
                }
            }
        }
    }
}

fn domain(name: &str) -> Target {
    target(Subject::Domain(Name::parse(name).unwrap()))
}

/// A server that greets as mx.host.org, and how many connections it has taken.
async fn server() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, taken) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut buffer = [0; 512];
                let replies = ["220 mx.host.org ESMTP\r\n", "250 mx.host.org\r\n", "221 bye\r\n"];
                for reply in replies {
                    if stream.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                    if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (address, taken)
}

async fn prober() -> (Prober<Zone>, Arc<AtomicU64>) {
    let (endpoint, taken) = server().await;
    (Prober::new(Zone::parse(WORLD).unwrap(), settings(endpoint)), taken)
}

#[tokio::test]
async fn domains_behind_one_exchange_share_everything() {
    let (prober, taken) = prober().await;
    let (many, more) = tokio::join!(gather(&prober, domain("many.org")), gather(&prober, domain("more.org")));
    assert_eq!(taken.load(Ordering::Relaxed), 1, "one connection");
    assert!(Arc::ptr_eq(&many.routes[0].hosts[0], &more.routes[0].hosts[0]));
    let host = &many.routes[0].hosts[0];
    assert_eq!(host.session.status, SmtpStatus::Ok);
    assert_eq!(host.introduction.as_ref().unwrap().by, IntroducedBy::Greeting);
    assert_eq!(host.confirmed().count(), 1);
    assert_eq!(host.listings[0].codes.seen().unwrap().values, ["127.0.0.2".parse::<std::net::Ipv4Addr>().unwrap()]);
    assert_eq!(host.listings[0].reason.seen().unwrap().values.len(), 1);
    let ptr = Question { name: reverse_name(host.address), kind: RecordType::Ptr };
    assert_eq!(prober.answers.lookup().asked(&ptr), 1);
    // The literal stands in its own route, and nobody was asked for it.
    assert!(more.routes[1].hosts.is_empty());
    let literal = Question { name: Name::trusted("192.0.2.9".into()), kind: RecordType::A };
    assert_eq!(prober.answers.lookup().asked(&literal), 0);
}

#[tokio::test]
async fn the_kinds_of_mx_data_are_told_apart() {
    let (prober, _) = prober().await;
    for (name, status, routes) in [
        ("many.org", MxStatus::Ok, 1),
        ("null.org", MxStatus::NullMx, 1),
        ("both.org", MxStatus::Ok, 2),
        ("own.org", MxStatus::Implicit, 1),
        ("bare.org", MxStatus::None, 1),
        ("nowhere.org", MxStatus::Nxdomain, 0),
        // A failure is no empty answer, whatever address there is.
        ("sick.org", MxStatus::Servfail, 0),
    ] {
        let evidence = gather(&prober, domain(name)).await;
        assert_eq!((evidence.mx_status(), evidence.routes.len()), (status, routes), "{name}");
    }
}

#[tokio::test]
async fn a_special_address_is_not_contacted_whatever_name_leads_to_it() {
    let (prober, taken) = prober().await;
    let evidence = gather(&prober, domain("inside.org")).await;
    let host = &evidence.routes[0].hosts[0];
    assert_eq!(host.session.connect, ConnectStatus::Special);
    assert_eq!(host.ptr.unknown(), Some(Cause::SpecialAddress));
    let ptr = Question { name: reverse_name(host.address), kind: RecordType::Ptr };
    assert_eq!((taken.load(Ordering::Relaxed), prober.answers.lookup().asked(&ptr)), (0, 0));
}

#[tokio::test]
async fn who_is_excluded_is_left_alone_by_name_and_by_address() {
    let (endpoint, taken) = server().await;
    let mut exclusions = Exclusions::default();
    exclusions.add("host.org").unwrap();
    exclusions.add("192.0.2.26").unwrap();
    exclusions.seal();
    let settings = Settings { exclusions: Arc::new(exclusions), ..settings(endpoint) };
    let prober = Prober::new(Zone::parse(WORLD).unwrap(), settings);
    for name in ["many.org", "own.org"] {
        let evidence = gather(&prober, domain(name)).await;
        assert_eq!(evidence.routes[0].hosts[0].session.connect, ConnectStatus::Excluded, "{name}");
    }
    assert_eq!((taken.load(Ordering::Relaxed), prober.work().exclusions), (0, 2));
}

#[tokio::test]
async fn an_observed_introduction_is_looked_up_without_a_session() {
    let (prober, taken) = prober().await;
    let helo = "mx.host.org".into();
    let subject = Subject::Observed { address: "192.0.2.25".parse().unwrap(), helo };
    let evidence = gather(&prober, target(subject)).await;
    let host = &evidence.routes[0].hosts[0];
    assert_eq!(host.introduced.addresses.all().collect::<Vec<_>>(), [host.address]);
    assert_eq!(host.session.connect, ConnectStatus::NotAsked);
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_exchange_under_an_unregistered_domain_is_asked_for_once_more_above() {
    let (prober, _) = prober().await;
    let evidence = gather(&prober, domain("gone.org")).await;
    let exchange = evidence.routes[0].exchange.as_ref().unwrap();
    assert!(exchange.organisation.absent().is_some_and(|absence| absence.how == Denial::Nxdomain));
}

#[tokio::test]
async fn one_domain_never_leads_to_more_connections_than_it_has_rows() {
    let (endpoint, taken) = server().await;
    let world = (0..10).flat_map(|exchange| {
        let addresses = (0..20).map(move |last| format!("mx{exchange}.host.org A 192.0.2.{}", exchange * 20 + last));
        std::iter::once(format!("wide.org MX {exchange} mx{exchange}.host.org")).chain(addresses)
    });
    let world = world.collect::<Vec<_>>().join("\n");
    let prober = Prober::new(Zone::parse(&world).unwrap(), settings(endpoint));
    let evidence = gather(&prober, domain("wide.org")).await;
    let hosts: usize = evidence.routes.iter().map(|route| route.hosts.len()).sum();
    assert!(evidence.capped);
    assert_eq!((evidence.routes.len(), hosts, taken.load(Ordering::Relaxed)), (10, ADDRESSES, ADDRESSES as u64));
}

/// A world that turns into another while it is asked.
struct Turning {
    before: Zone,
    after: Zone,
    turned: std::sync::atomic::AtomicBool,
}

impl Lookup for Turning {
    async fn lookup(&self, question: &Question) -> Answer<Data> {
        let turned = self.turned.load(Ordering::Relaxed);
        if turned { self.after.lookup(question).await } else { self.before.lookup(question).await }
    }
}

const HEALTHY: &str = "
    2.0.0.127.bl.host.org A 127.0.0.2
    2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.host.org A 127.0.0.2
";

#[tokio::test]
async fn answers_of_a_list_that_turns_are_void_since_its_last_good_test() {
    let (endpoint, _) = server().await;
    let world = Turning {
        before: Zone::parse(&format!("{WORLD}{HEALTHY}")).unwrap(),
        after: Zone::parse(&format!("{WORLD}*.bl.host.org A 127.0.0.2\n*.2.0.192.bl.host.org A 127.0.0.2")).unwrap(),
        turned: false.into(),
    };
    let prober = Prober::new(world, settings(endpoint));
    assert_eq!(prober.first_test().await, [Health::Healthy]);
    let early = gather(&prober, domain("many.org")).await;
    assert!(!prober.settled()(&early), "no test has come after it");
    assert!(prober.next_test().is_some());
    prober.test_open().await;
    assert!(prober.settled()(&early) && prober.next_test().is_none());

    let address = |last: u8| target(Subject::Address([192, 0, 2, last].into()));
    let doubtful = gather(&prober, address(30)).await;
    prober.answers.lookup().turned.store(true, Ordering::Relaxed);
    let wrong = gather(&prober, address(31)).await;
    assert!(!prober.settled()(&doubtful) && !prober.settled()(&wrong));
    prober.test_open().await;
    for (gathered, void, codes) in [(early, false, true), (doubtful, true, false), (wrong, true, true)] {
        assert!(prober.settled()(&gathered));
        let listing = prober.settle(gathered).routes[0].hosts[0].listings[0].clone();
        assert_eq!((listing.void, listing.codes.seen().is_some()), (void, codes), "the answer itself is kept");
    }
    let late = gather(&prober, address(32)).await;
    assert_eq!(late.routes[0].hosts[0].listings[0].codes.unknown(), Some(Cause::ListUnhealthy));
    // The same server by another way: the answer is the same one, and as void.
    let again = gather(&prober, address(31)).await;
    assert!(prober.settle(again).routes[0].hosts[0].listings[0].void);
    let account = &prober.accounts()[0];
    assert_eq!((account.void, account.tests), (2, 3));
    assert!(account.off.is_some() && account.off_since.is_some());
}

#[tokio::test]
async fn a_list_without_an_ipv6_test_entry_is_asked_about_ipv4_only() {
    let (endpoint, _) = server().await;
    let world =
        format!("{WORLD}2.0.0.127.bl.host.org A 127.0.0.2\nsix.org MX 10 mx.six.org\nmx.six.org AAAA 2001:470:1::1");
    let prober = Prober::new(Zone::parse(&world).unwrap(), settings(endpoint));
    assert_eq!(prober.first_test().await, [Health::Healthy]);
    assert!(prober.lists()[0].ipv4 && !prober.lists()[0].ipv6);
    let six = gather(&prober, domain("six.org")).await;
    assert_eq!(six.routes[0].hosts[0].listings[0].codes, Observed::NotAsked(Cause::NotAsked));
    assert!(prober.settled()(&six), "there is nothing to believe");
}

#[tokio::test]
async fn a_list_that_fails_its_first_test_is_not_asked_at_all() {
    let (prober, _) = prober().await;
    assert!(matches!(prober.first_test().await[..], [Health::Untrustworthy(_)]));
    let many = gather(&prober, domain("many.org")).await;
    assert_eq!(many.routes[0].hosts[0].listings[0].codes, Observed::NotAsked(Cause::ListUnhealthy));
}

#[tokio::test]
async fn a_list_of_domain_names_is_asked_about_each_organisation_once_and_never_about_addresses() {
    let (endpoint, _) = server().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let list =
        "[[list]]\nzone = 'rhs.lists.org'\nkind = 'name'\ncodes = [{ from = '127.0.1.2', class = 'spam-source' }]\n";
    std::fs::write(file.path(), list).unwrap();
    let chosen = choose(&Request { files: vec![file.path().into()], ..Request::default() }).unwrap();
    let world = format!(
        "{WORLD}test.rhs.lists.org A 127.0.1.2
        host.org.rhs.lists.org A 127.0.1.2
        host.org.rhs.lists.org TXT seen in spam
        twin.net MX 10 mx.host.org
        twin.net MX 20 mx2.host.org
        mx2.host.org A 192.0.2.27"
    );
    let settings = Settings { lists: chosen.lists.into(), terms: chosen.terms, ..settings(endpoint) };
    let prober = Prober::new(Zone::parse(&world).unwrap(), settings);
    assert_eq!(prober.first_test().await, [Health::Healthy]);
    let (twin, many) = tokio::join!(gather(&prober, domain("twin.net")), gather(&prober, domain("many.org")));
    for gathered in [&twin, &many] {
        let exchange = gathered.routes[0].exchange.as_ref().unwrap();
        for domains in [&exchange.domains, &gathered.routes[0].hosts[0].domains] {
            let [about] = &domains[..] else { panic!("{domains:?}") };
            assert_eq!(about.name.as_str(), "host.org");
            assert_eq!(about.listing.codes.seen().unwrap().values, [std::net::Ipv4Addr::new(127, 0, 1, 2)]);
            assert!(about.listing.reason.seen().is_some());
        }
        assert!(gathered.routes[0].hosts[0].listings.is_empty());
        assert!(!prober.settled()(gathered));
    }
    let about = Question { name: Name::parse("host.org.rhs.lists.org").unwrap(), kind: RecordType::A };
    assert_eq!(prober.answers.lookup().asked(&about), 1);
    let before = prober.answers.lookup().asked_in_all();
    let literal = Subject::Observed { address: "192.0.2.40".parse().unwrap(), helo: "[192.0.2.40]".into() };
    let host = gather(&prober, target(literal)).await;
    assert!(host.routes[0].hosts[0].domains.is_empty());
    assert_eq!(prober.answers.lookup().asked_in_all() - before, 1, "the PTR question alone");
}

#[tokio::test]
async fn a_key_is_in_no_evidence() {
    const KEY: &str = "abcdefghijklmnopqrstuvwxyz";
    let (endpoint, _) = server().await;
    let zone = format!("{KEY}.zen.dq.spamhaus.net");
    let chosen = choose(&Request { zones: vec![zone.clone()], ..Request::default() }).unwrap();
    let world = format!(
        "{zone} SOA ns.dq.spamhaus.net
        2.0.0.127.{zone} A 127.0.0.2
        30.2.0.192.{zone} A !servfail EDE 22: At delegation {zone}
        31.2.0.192.{zone} CNAME x.{zone}
        x.{zone} A 127.0.0.2
        x.{zone} TXT see https://example.org/?key={KEY}"
    );
    let settings = Settings { lists: chosen.lists.into(), terms: chosen.terms, ..settings(endpoint) };
    let prober = Prober::new(Zone::parse(&world).unwrap(), settings);
    assert_eq!(prober.first_test().await, [Health::Healthy]);
    for last in [29, 30, 31] {
        let evidence = prober.settle(gather(&prober, target(Subject::Address([192, 0, 2, last].into()))).await);
        assert!(!matches!(evidence.routes[0].hosts[0].listings[0].codes, Observed::NotAsked(_)));
        let told = [format!("{evidence:?}"), serde_json::to_string(&evidence).unwrap()];
        assert!(told.iter().all(|text| !text.contains(KEY)), "{told:?}");
    }
    let lists = prober.lists();
    let told = [format!("{lists:?}"), serde_json::to_string(&lists[..]).unwrap(), format!("{:?}", prober.accounts())];
    assert!(told.iter().all(|text| !text.contains(KEY)), "{told:?}");
}

/// A server that says this to the first connections, and then greets as mx.host.org.
async fn first_says(replies: &'static [&'static str]) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, taken) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = usize::try_from(count.fetch_add(1, Ordering::Relaxed)).unwrap();
            let welcome = ["220 mx.host.org ESMTP\r\n", "250 mx.host.org\r\n", "221 bye\r\n"];
            let script = match replies.get(number) {
                Some(first) => vec![*first, "221 bye\r\n"],
                None => welcome.to_vec(),
            };
            tokio::spawn(async move {
                for reply in script.into_iter().filter(|reply| !reply.is_empty()) {
                    let told = stream.write_all(reply.as_bytes()).await;
                    if told.is_err() || stream.read(&mut [0; 512]).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (address, taken)
}

#[tokio::test]
async fn a_later_pass_asks_again_what_was_put_off_and_nothing_else() {
    let (endpoint, taken) = first_says(&["450 4.7.1 greylisted\r\n"]).await;
    let again = Again { times: 2, after: Duration::from_secs(60) };
    let prober = Prober::new(Zone::parse(WORLD).unwrap(), Settings { again, ..settings(endpoint) });
    let errand = Errand::first(domain("many.org"));
    let first = prober.gather(&errand).await.unwrap();
    let session = &first.routes[0].hosts[0].session;
    assert_eq!((session.status, first.attempts, first.may_change()), (SmtpStatus::Deferred, 1, true));

    // Another target of the same pass finds it in memory.
    assert!(gather(&prober, domain("more.org")).await.may_change());
    assert_eq!(taken.load(Ordering::Relaxed), 1);

    let errand = errand.again(now_ms());
    let second = prober.gather(&errand).await.unwrap();
    let host = &second.routes[0].hosts[0];
    assert_eq!((host.session.status, second.attempts, second.may_change()), (SmtpStatus::Ok, 2, false));
    let [earlier] = &host.earlier[..] else { panic!("{:?}", host.earlier) };
    assert_eq!((earlier.status, earlier.reply.as_deref()), (SmtpStatus::Deferred, Some("450 4.7.1 greylisted")));
    assert!(earlier.scanned_at <= host.scanned_at);

    // What is settled stays so, for every target and pass.
    prober.gather(&errand.again(now_ms() + 1)).await.unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_is_never_called_more_often_than_there_are_passes() {
    let (endpoint, taken) = first_says(&["450 no\r\n"; 20]).await;
    let again = Again { times: 2, after: Duration::from_secs(60) };
    let prober = Prober::new(Zone::parse(WORLD).unwrap(), Settings { again, ..settings(endpoint) });
    for name in ["many.org", "more.org", "both.org"] {
        let mut errand = Errand::first(domain(name));
        for _ in 0..3 {
            prober.gather(&errand).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            errand = errand.again(now_ms());
        }
    }
    assert_eq!(taken.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_failed_question_is_asked_again_in_a_later_pass() {
    let (endpoint, _) = server().await;
    let world = Turning {
        before: Zone::parse("many.org MX 10 mx.host.org\nmx.host.org A !servfail").unwrap(),
        after: Zone::parse(WORLD).unwrap(),
        turned: false.into(),
    };
    let again = Again { times: 1, after: Duration::from_millis(20) };
    let prober = Prober::new(world, Settings { again, ..settings(endpoint) });
    let errand = Errand::first(domain("many.org"));
    let first = prober.gather(&errand).await.unwrap();
    assert!(first.may_change() && first.routes[0].hosts.is_empty());
    prober.answers.lookup().turned.store(true, Ordering::Relaxed);
    let ended = now_ms();
    tokio::time::sleep(again.after).await;
    let second = prober.gather(&errand.again(ended)).await.unwrap();
    assert_eq!(second.routes[0].hosts[0].session.status, SmtpStatus::Ok);
}

#[tokio::test]
async fn who_is_turned_away_leaves_the_group_alone_and_says_so() {
    let (endpoint, taken) = first_says(&["421 4.7.0 too many connections\r\n"]).await;
    let again = Again { times: 1, after: Duration::from_millis(50) };
    let settings = Settings { per_network: 1_000.0, again, ..settings(endpoint) };
    let prober = Prober::new(Zone::parse(WORLD).unwrap(), settings);
    let address = |last: u8| target(Subject::Address([192, 0, 2, last].into()));
    assert_eq!(gather(&prober, address(1)).await.routes[0].hosts[0].session.cause, Some(Cause::Deferred));
    let errand = Errand::first(address(2));
    let left = prober.gather(&errand).await.unwrap();
    let session = &left.routes[0].hosts[0].session;
    assert_eq!((session.connect, session.cause), (ConnectStatus::NotAsked, Some(Cause::TurnedAway)));
    assert!(left.may_change());
    assert_eq!(taken.load(Ordering::Relaxed), 1);
    let ended = now_ms();
    tokio::time::sleep(again.after + Duration::from_millis(10)).await;
    let taken_again = prober.gather(&errand.again(ended)).await.unwrap();
    let host = &taken_again.routes[0].hosts[0];
    assert_eq!((host.session.status, host.earlier.len()), (SmtpStatus::Ok, 0), "not contacted is no session");
}

#[tokio::test]
async fn nobody_waits_long_for_anothers_session_or_a_groups_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { per_network: 1.0, ..settings(listener.local_addr().unwrap()) };
    let prober = Arc::new(Prober::new(Zone::parse(WORLD).unwrap(), settings));
    let slow = {
        let prober = Arc::clone(&prober);
        tokio::spawn(async move { prober.gather(&Errand::first(domain("many.org"))).await.is_ok() })
    };
    let (mut stream, _) = listener.accept().await.unwrap();
    let began = Instant::now();
    let server = "192.0.2.25".parse().unwrap();
    let other = prober.gather(&Errand::first(domain("more.org"))).await.unwrap_err();
    assert_eq!(other, Obstacle::Session(server));
    let neighbour = prober.gather(&Errand::first(domain("own.org"))).await.unwrap_err();
    assert_eq!(neighbour, Obstacle::Network("192.0.2.0/24".parse().unwrap()));
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(prober.again(&other).is_some() && prober.again(&neighbour).is_some());
    stream.write_all(b"554 no\r\n").await.unwrap();
    drop(stream);
    assert!(slow.await.unwrap());
    assert!(prober.again(&other).is_none());
    assert!(prober.gather(&Errand::first(domain("more.org"))).await.is_ok());
}

#[tokio::test]
async fn a_session_that_went_well_is_not_held_again_for_the_sake_of_dns() {
    let (endpoint, taken) = server().await;
    let names = "25.2.0.192.in-addr.arpa PTR mx.host.org\nmx.host.org A 192.0.2.25";
    let world = Turning {
        before: Zone::parse("25.2.0.192.in-addr.arpa * !servfail\nmx.host.org A 192.0.2.25").unwrap(),
        after: Zone::parse(names).unwrap(),
        turned: false.into(),
    };
    let again = Again { times: 2, after: Duration::from_millis(20) };
    let prober = Prober::new(world, Settings { again, ..settings(endpoint) });
    let errand = Errand::first(target(Subject::Address([192, 0, 2, 25].into())));
    let first = prober.gather(&errand).await.unwrap();
    let host = &first.routes[0].hosts[0];
    assert!(first.may_change() && host.ptr.unknown().is_some() && !host.session.may_change());
    prober.answers.lookup().turned.store(true, Ordering::Relaxed);
    let ended = now_ms();
    tokio::time::sleep(again.after).await;
    let second = prober.gather(&errand.again(ended)).await.unwrap();
    let later = &second.routes[0].hosts[0];
    assert!(!second.may_change() && later.ptr.seen().is_some());
    assert_eq!((&later.session, later.scanned_at), (&host.session, host.scanned_at));
    assert!(later.earlier.is_empty() && later.introduction == host.introduction);
    assert_eq!(taken.load(Ordering::Relaxed), 1);
}
