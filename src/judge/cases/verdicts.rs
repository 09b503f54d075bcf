//! The table of verdicts, cell by cell: when a rule passes, fails, is unknown, does not apply.
//! Comes in: worlds in the vocabulary of cases, each the good one but for what it says. Goes out: nothing but proof.
//! Where a cell is unknown or does not apply, its cause is part of the cell.
//! Long because it is data: one cell of the table after another.

use super::file::File;
use crate::model::assessment::Assessment;
use crate::model::words::Rule::{Exists, Fqdn, Introduces, Matches, Mx, Reverse, Unlisted};
use crate::model::words::Verdict::{Fail, Na, Pass, Unknown};
use crate::model::words::{Cause, Overall, Rule, Verdict};

/// The first row of a world.
fn row(world: &str) -> Assessment {
    let file: File = toml::from_str(world).unwrap_or_else(|error| panic!("{world}: {error}"));
    let scene = file.scene().unwrap_or_else(|error| panic!("{world}: {error}"));
    scene.judged().rows.into_iter().next().unwrap()
}

fn is(rule: Rule, verdict: Verdict, worlds: &[&str]) {
    for world in worlds {
        let row = row(world);
        assert_eq!(row.verdict(rule), verdict, "{world}: {:?} {:?}", row.findings, row.unknown_why);
    }
}

/// The rule has this verdict in each world, for the cause beside it.
fn because(rule: Rule, verdict: Verdict, worlds: &[(&str, Cause)]) {
    for (world, cause) in worlds {
        let row = row(world);
        assert_eq!(row.verdict(rule), verdict, "{world}: {:?}", row.findings);
        let why = if verdict == Unknown { &row.unknown_why } else { &row.na_why };
        assert!(why.contains(&(rule, *cause)), "{world}: {why:?}");
    }
}

#[test]
fn r1_passes_when_a_name_was_offered_in_greeting_or_ehlo_reply_or_heard_from_a_client() {
    let worlds = ["", "server.greeting = '220 ESMTP'", "server.ehlo = '250-Hello there'", "client.helo = 'a.lab.test'"];
    is(Introduces, Pass, &worlds);
    is(Introduces, Pass, &["server.says = 'MAILSRV'", "server.says = '[198.51.100.1]'", "client.helo = 'MAILSRV'"]);
    is(Introduces, Pass, &["server.ehlo = '421 too busy'", "server.ehlo = '(closes)'"]);
}

#[test]
fn r1_fails_on_a_whole_conversation_without_a_name_and_on_what_is_no_smtp() {
    is(
        Introduces,
        Fail,
        &[
            "server.greeting = '220 ESMTP'\nserver.ehlo = '250 Hello there'",
            "server.greeting = '220'\nserver.ehlo = ['250-PIPELINING', '250 STARTTLS']",
            "server.greeting = '* OK IMAP4rev1'",
            "server.greeting = 'HTTP/1.1 400 Bad Request'",
            "server.greeting = 'Permission denied'",
            "profile = 'patient'\nserver.greeting = '(says no more)'",
            "client.helo = ' '",
        ],
    );
}

#[test]
fn r1_is_unknown_while_we_were_not_let_in_or_not_answered() {
    because(
        Introduces,
        Unknown,
        &[
            ("server.connect = 'refused'", Cause::ConnectRefused),
            ("server.connect = 'timeout'", Cause::ConnectTimeout),
            ("server.connect = 'reset'", Cause::ConnectReset),
            ("server.connect = 'self-fault'", Cause::SelfFault),
            ("server.greeting = '450 4.7.1 greylisted'", Cause::Deferred),
            ("server.greeting = '421 try later'", Cause::Deferred),
            ("server.greeting = '554 5.7.1 your reverse DNS is missing'", Cause::ScannerBlocked),
            ("server.greeting = '(says no more)'", Cause::GreetingTimeout),
            ("server.greeting = '(closes)'", Cause::GreetingNone),
            ("server.ehlo = '550 no'\nserver.helo = '550 no'", Cause::EhloRejected),
        ],
    );
}

#[test]
fn r1_does_not_apply_where_there_is_no_mail_service() {
    because(
        Introduces,
        Na,
        &[
            ("server.greeting = '521 no'", Cause::NoMailService),
            ("server.greeting = '554 this host does not accept mail'", Cause::NoMailService),
            ("mx = '0 .'", Cause::NullMx),
            ("mx = 'nodata'\nexchange.a = 'nodata'", Cause::NoMailDomain),
            ("mx = 'nxdomain'", Cause::NoServer),
            ("exchange.a = '10.0.0.1'", Cause::SpecialAddress),
            ("server.connect = 'excluded'", Cause::Excluded),
        ],
    );
}

#[test]
fn r2_passes_for_an_fqdn_and_for_the_three_classes_that_break_nothing() {
    let worlds = ["", "server.says = 'mail.s01.lab.test.'", "server.says = 'ab--cd.s01.lab.test'"];
    is(Fqdn, Pass, &worlds);
    is(Fqdn, Pass, &["server.says = 'mail.yourdomain.test'", "server.says = 'lab.test'", "server.says = 'github.io'"]);
}

#[test]
fn r2_follows_r1_where_there_is_no_name() {
    because(Fqdn, Unknown, &[("server.connect = 'timeout'", Cause::NoIntroduction)]);
    let nameless = "server.greeting = '220 ESMTP'\nserver.ehlo = '250 Hello there'";
    because(Fqdn, Na, &[(nameless, Cause::NoName), ("server.greeting = '521 no'", Cause::NoMailService)]);
}

#[test]
fn r3_passes_when_the_name_or_what_it_is_an_alias_of_has_an_address_or_an_mx() {
    is(
        Exists,
        Pass,
        &[
            "",
            "server.name = { a = 'nodata', aaaa = '2001:db8:25::1' }",
            "server.name = { a = 'nodata', mx = '10 mail.s01.lab.test' }",
            "server.name.a = 'alias real.lab.test -> 198.51.100.1'",
            "server.name = { a = 'timeout', aaaa = '2001:db8:25::1' }",
        ],
    );
}

#[test]
fn r3_fails_when_the_name_is_denied_bogus_or_in_no_public_tree() {
    is(
        Exists,
        Fail,
        &[
            "server.name.a = 'nxdomain'",
            "server.name = { a = 'nodata', aaaa = 'nodata', mx = 'nodata' }",
            "server.name.a = 'bogus'",
            "server.name.a = 'alias gone.lab.test -> nxdomain'",
            "server.name.a = 'alias a.lab.test -> alias-loop'",
            "server.says = 'exch01.corp.local'",
            "server.says = 'mail.lan'",
        ],
    );
    is(Exists, Fail, &["server.name = { a = 'nxdomain', aaaa = 'servfail' }"]);
}

#[test]
fn r3_is_unknown_when_the_servers_fail_or_one_type_does_and_the_others_are_empty() {
    let failures = [
        ("servfail", Cause::Servfail),
        ("timeout", Cause::Timeout),
        ("refused", Cause::Refused),
        ("lame", Cause::Lame),
        ("truncated", Cause::Truncated),
    ];
    for (word, cause) in failures {
        because(Exists, Unknown, &[(&format!("server.name.a = '{word}'"), cause)]);
        because(Exists, Unknown, &[(&format!("server.name = {{ a = 'nodata', aaaa = '{word}' }}"), cause)]);
        because(Exists, Unknown, &[(&format!("server.name = {{ a = '{word}', aaaa = 'nodata' }}"), cause)]);
        because(Exists, Unknown, &[(&format!("server.name = {{ a = 'nodata', mx = '{word}' }}"), cause)]);
    }
    because(Exists, Unknown, &[("server.name.a = 'not-asked'", Cause::NotAsked)]);
    because(Exists, Unknown, &[("server.connect = 'refused'", Cause::NoIntroduction)]);
}

#[test]
fn r3_and_r4_do_not_apply_to_what_dns_cannot_be_asked_for() {
    let texts = [
        "[198.51.100.1]",
        "198.51.100.1",
        "MAILSRV",
        "localhost",
        "a@lab.test",
        "http://a.lab.test",
        "a.lab.test:25",
        "müller.lab.test",
        "a..lab.test",
        "[2001:db8::1]",
    ];
    for says in texts {
        let world = format!("server.says = '{says}'");
        because(Exists, Na, &[(&world, Cause::NotAName)]);
        because(Matches, Na, &[(&world, Cause::NotAName)]);
    }
    because(Exists, Na, &[("client.helo = '$myhostname'", Cause::NotAName), ("client.helo = ' '", Cause::NoName)]);
}

#[test]
fn classes_that_dns_can_be_asked_for_are_looked_up_though_they_break_r2() {
    let names = ["a_b.lab.test", "-a.lab.test", "a.42", "mail.example.com", "xn--mail.lab.test", "co.uk"];
    for says in names {
        let world = format!("server.says = '{says}'");
        is(Fqdn, Fail, &[&world]);
        is(Exists, Pass, &[&world]);
        is(Matches, Pass, &[&world]);
        is(Exists, Fail, &[&format!("{world}\nserver.name.a = 'nxdomain'")]);
    }
}

#[test]
fn r4_passes_when_the_peers_family_has_the_peer_whatever_the_other_holds() {
    is(
        Matches,
        Pass,
        &[
            "",
            "server.name = { a = '203.0.113.5, 198.51.100.1', aaaa = 'timeout' }",
            "server.name = { a = '198.51.100.1', aaaa = '2001:db8:25::9' }",
            "exchange = { a = 'nodata', aaaa = '2001:db8:25::1' }\nserver.name = { a = 'servfail', aaaa = '2001:db8:25::1' }",
            "server.name.a = '203.0.113.5'\nserver.ptr = 'n1.s01.lab.test'",
        ],
    );
}

#[test]
fn r4_fails_when_the_set_is_complete_and_lacks_the_peer() {
    is(
        Matches,
        Fail,
        &[
            "server.name.a = '203.0.113.5'\nserver.ptr = 'h1.other.test'",
            "server.name.a = '203.0.113.5'\nserver.ptr = 'nxdomain'",
            "server.name = { a = 'nodata', aaaa = '2001:db8:25::9' }",
            "server.name = { a = 'nodata', mx = '10 mail.s01.lab.test' }",
            "server.says = '[198.51.100.9]'",
            "client.helo = '[198.51.100.9]'",
            "client.helo = 'mx.s01.lab.test'\nserver.name.a = '203.0.113.5'\nserver.ptr = 'n1.s01.lab.test'",
            "client.helo = 'mx.s01.lab.test'\nserver.name.a = '203.0.113.5'\nserver.ptr = 'servfail'",
        ],
    );
}

#[test]
fn r4_is_unknown_with_the_peers_family_and_with_r3() {
    because(
        Matches,
        Unknown,
        &[
            ("server.name = { a = 'timeout', aaaa = '2001:db8:25::9' }", Cause::Timeout),
            ("server.name = { a = 'not-asked', aaaa = '2001:db8:25::9' }", Cause::NotAsked),
            ("server.name.a = 'servfail'", Cause::Servfail),
            ("server.name.a = '203.0.113.5'\nserver.ptr = 'lame'", Cause::Lame),
            ("server.connect = 'timeout'", Cause::NoIntroduction),
        ],
    );
}

#[test]
fn r4_does_not_apply_to_a_name_that_is_not_there() {
    because(
        Matches,
        Na,
        &[("server.name.a = 'nxdomain'", Cause::NameAbsent), ("server.says = 'mail.lan'", Cause::NameAbsent)],
    );
}

#[test]
fn r5_passes_with_a_quorum_below_the_threshold_and_fails_from_it_on() {
    is(
        Unlisted,
        Pass,
        &["", "server.lists.bl3 = 'timeout'", "server.lists = { bl2 = '127.0.0.2', bl3 = '127.0.0.4' }"],
    );
    is(Unlisted, Pass, &["server.lists = { pbl = '127.0.0.2', net = '127.0.0.2', att = '127.0.0.2' }"]);
    is(Unlisted, Fail, &["server.lists.bl1 = '127.0.0.2'", "server.lists = { all = 'timeout', bl1 = '127.0.0.2' }"]);
    // The highest weight of a list counts once, whatever else it answers.
    is(Unlisted, Pass, &["server.lists.bl2 = '127.0.0.2, 127.0.0.4, 127.0.0.10'"]);
}

#[test]
fn r5_is_unknown_without_a_quorum_and_does_not_apply_to_special_addresses() {
    because(
        Unlisted,
        Unknown,
        &[
            ("server.lists.all = 'timeout'", Cause::QuorumMissed),
            ("server.lists.bl1 = '127.255.255.254'", Cause::QuorumMissed),
            ("server.lists.bl1 = '203.0.113.80'", Cause::QuorumMissed),
            ("health.bl1 = 'silent timeout'", Cause::QuorumMissed),
            // An IPv6 address has a quorum of the lists that know IPv6 alone.
            ("exchange = { a = 'nodata', aaaa = '2001:db8:25::1' }\nserver.lists.bl2 = 'timeout'", Cause::QuorumMissed),
            ("server.lists.all = 'not-asked'", Cause::NotAsked),
        ],
    );
    because(Unlisted, Na, &[("exchange.a = '10.0.0.1'", Cause::SpecialAddress)]);
}

#[test]
fn rv_passes_as_soon_as_one_ptr_name_confirms() {
    is(Reverse, Pass, &["", "server.ptr = 'a.lab.test, b.lab.test'\nserver.forward.'a.lab.test' = 'timeout'"]);
    is(Reverse, Pass, &["server.ptr = 'localhost, b.lab.test'\nserver.forward.'localhost' = 'nxdomain'"]);
}

#[test]
fn rv_fails_when_ptr_or_zone_is_missing_or_none_of_ten_names_confirms() {
    let eleven: Vec<String> = (1..=11).map(|n| format!("h{n}.lab.test")).collect();
    let forward: Vec<String> =
        eleven.iter().take(10).map(|name| format!("server.forward.'{name}' = '203.0.113.9'")).collect();
    let beyond = format!("server.ptr = '{}'\n{}", eleven.join(", "), forward.join("\n"));
    is(
        Reverse,
        Fail,
        &[
            "server.ptr = 'nxdomain by 100.51.198.in-addr.arpa'",
            "server.ptr = 'nodata by 100.51.198.in-addr.arpa'",
            "server.ptr = 'nxdomain by 198.in-addr.arpa'",
            "server.ptr = 'a.lab.test'\nserver.forward.'a.lab.test' = 'nxdomain'",
            "server.ptr = 'a.lab.test'\nserver.forward.'a.lab.test' = '203.0.113.9'",
            &beyond,
        ],
    );
}

#[test]
fn rv_is_unknown_when_the_ptr_or_what_could_confirm_it_failed_and_is_waived_by_rfc5321() {
    because(
        Reverse,
        Unknown,
        &[
            ("server.ptr = 'servfail'", Cause::Servfail),
            ("server.ptr = 'lame'", Cause::Lame),
            ("server.ptr = 'timeout'", Cause::Timeout),
            ("server.ptr = 'a.lab.test'\nserver.forward.'a.lab.test' = 'timeout'", Cause::Timeout),
            ("server.ptr = 'not-asked'", Cause::NotAsked),
        ],
    );
    let worlds = ["server.ptr = 'nxdomain'", "server.ptr = 'timeout'", ""];
    for world in worlds {
        because(Reverse, Na, &[(&format!("profile = 'rfc5321'\n{world}"), Cause::Profile)]);
    }
}

#[test]
fn r5_and_rv_never_depend_on_a_name() {
    for world in ["server.connect = 'timeout'", "server.says = 'MAILSRV'", "server.greeting = '521 no'"] {
        is(Unlisted, Pass, &[world]);
        is(Reverse, Pass, &[world]);
        is(Unlisted, Fail, &[&format!("{world}\nserver.lists.bl1 = '127.0.0.2'")]);
        is(Reverse, Fail, &[&format!("{world}\nserver.ptr = 'nxdomain by 100.51.198.in-addr.arpa'")]);
    }
}

#[test]
fn mx_is_na_for_null_and_none_unknown_on_a_dns_failure_and_else_what_its_data_is() {
    is(Mx, Pass, &["", "mx = 'nodata'", "mx = 'alias x.lab.test -> 10 mail.s01.lab.test'"]);
    is(Mx, Fail, &["mx = 'nxdomain'", "mx = '0 ., 10 mail.s01.lab.test'", "mx = '10 198.51.100.1'"]);
    is(Mx, Fail, &["exchange.a = 'nxdomain'", "exchange.a = '127.0.0.1'", "mx = '10 mail_in.lab.test'"]);
    because(Mx, Na, &[("mx = '0 .'", Cause::NullMx), ("mx = 'nodata'\nexchange.a = 'nodata'", Cause::NoMailDomain)]);
    because(
        Mx,
        Na,
        &[("client.helo = 'a.lab.test'", Cause::NotADomain), ("address = '198.51.100.1'", Cause::NotADomain)],
    );
    because(
        Mx,
        Unknown,
        &[
            ("mx = 'servfail'", Cause::Servfail),
            ("mx = 'nodata'\nexchange.a = 'timeout'", Cause::Timeout),
            ("mx = 'nodata'\nexchange.a = 'not-asked'", Cause::NotAsked),
            ("exchange.a = 'refused'", Cause::Refused),
        ],
    );
    // A fault in one exchange is the domain's, whatever is unknown of another.
    is(
        Mx,
        Fail,
        &["mx = '10 mail.s01.lab.test, 20 b.lab.test'\nexchange.a = 'nxdomain'\nexchanges.'b.lab.test'.a = 'timeout'"],
    );
}

#[test]
fn the_chain_passes_unknown_on_as_unknown_and_fail_and_na_as_na() {
    let name_rules = [Fqdn, Exists, Matches];
    for rule in name_rules {
        because(rule, Unknown, &[("server.greeting = '421 later'", Cause::NoIntroduction)]);
        because(rule, Na, &[("server.greeting = 'SSH-2.0-x'", Cause::NoName)]);
        because(rule, Na, &[("server.greeting = '521 no'", Cause::NoMailService)]);
        because(rule, Na, &[("mx = '0 .'", Cause::NullMx)]);
    }
}

#[test]
fn a_profile_changes_effects_and_never_evidence() {
    let literal = |profile: &str| row(&format!("profile = '{profile}'\nserver.says = '[198.51.100.1]'"));
    assert_eq!(literal("census").verdict(Fqdn), Fail);
    assert_eq!(literal("patient").verdict(Fqdn), Fail);
    assert_eq!(literal("rfc5321").verdict(Fqdn), Pass);
    let codes = |row: Assessment| row.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(codes(literal("census")), codes(literal("rfc5321")));
    // A client's duty to give its primary name stays (RFC 5321 §4.1.4).
    is(Matches, Fail, &["profile = 'rfc5321'\nserver.name.a = '203.0.113.5'\nserver.ptr = 'h1.other.test'"]);
}

#[test]
fn the_five_rules_make_the_verdict_and_neither_rv_nor_mx_does() {
    assert_eq!(row("").overall, Overall::Conformant);
    assert_eq!(row("server.ptr = 'nxdomain'").overall, Overall::Conformant);
    assert_eq!(row("mx = '10 mail_in.s01.lab.test'").overall, Overall::Conformant);
    assert_eq!(row("server.says = 'MAILSRV'").overall, Overall::Misconfigured);
    assert_eq!(row("server.connect = 'timeout'").overall, Overall::Undetermined);
    assert_eq!(row("server.connect = 'timeout'\nserver.lists.bl1 = '127.0.0.2'").overall, Overall::Misconfigured);
    assert_eq!(row("mx = '0 .'").overall, Overall::Na);
}
