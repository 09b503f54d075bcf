//! The odd cases of DNS, once per set: the same cases under other names, so that none of them is a single sample.
//! Comes in: the number of the set. Goes out: its records and its questions, in a `World`.
//! What the answers should be is not said here: two implementations have to agree on them.
//! Longer than most: every case stands beside the others, so that a missing one is seen.

use mxcensus::model::dns::RecordType::{A, Aaaa, Mx, Ns, Ptr, Soa, Txt};

use super::world::{Octets, TTL, World, quoted};

const ODD: &str = "odd.example";
const OTHER: &str = "other.example";

/// Adds one set of cases, all below a name of its own.
pub(crate) fn add(world: &mut World, number: usize) {
    let mut set = Set { world, number, base: Octets::of(&format!("s{number}.{ODD}")) };
    set.host();
    set.empty_non_terminals();
    set.wildcards();
    set.wildcard_aliases();
    set.aliases();
    set.long_chains();
    set.loops();
    set.subtrees();
    set.crowds();
    set.long_names();
    set.odd_octets();
    set.underscores();
    set.exchanges();
    set.texts();
    set.lifetimes();
    set.unserved();
    set.other_types();
}

struct Set<'a> {
    world: &'a mut World,
    number: usize,
    base: Octets,
}

impl Set<'_> {
    /// A name of this set.
    fn at(&self, text: &str) -> Octets {
        self.base.below(text)
    }

    fn record(&mut self, owner: &Octets, data: &str) {
        self.world.record(ODD, owner, TTL, data);
    }

    fn alias(&mut self, owner: &Octets, target: &Octets) {
        self.record(owner, &format!("CNAME {}", target.text()));
    }

    /// What aliases lead to: one record of every type that a name inside a zone may have.
    fn host(&mut self) {
        let host = self.at("host");
        self.furnish(&host);
        self.world.ask("every type", &host);
    }

    fn furnish(&mut self, owner: &Octets) {
        let mail = self.at("mail").text();
        for data in
            ["A 192.0.2.1", "AAAA 2001:db8::1", &format!("MX 10 {mail}"), &format!("PTR {mail}"), "TXT \"text\""]
        {
            self.record(owner, data);
        }
    }

    fn empty_non_terminals(&mut self) {
        let leaf = self.at("a.b.c");
        self.record(&leaf, "TXT \"leaf\"");
        for name in ["a.b.c", "b.c", "c"] {
            let name = self.at(name);
            self.world.ask("empty non-terminal", &name);
        }
        let base = self.base.clone();
        self.world.ask("empty non-terminal", &base);
        let missing = self.at("no.b.c");
        self.world.ask("empty non-terminal", &missing);
    }

    fn wildcards(&mut self) {
        let host = self.at("host").text();
        let star = self.at("*.w");
        for data in ["A 192.0.2.2", "AAAA 2001:db8::2", &format!("MX 5 {host}"), "TXT \"any\"", &format!("PTR {host}")]
        {
            self.record(&star, data);
        }
        let here = self.at("here.w");
        self.record(&here, "TXT \"here\"");
        // The next closer name of an empty non-terminal is no longer covered (RFC 4592 §2.2.2).
        let below = self.at("deep.void.w");
        self.record(&below, "A 192.0.2.3");
        let lone = self.at("*.e.v");
        self.record(&lone, "A 192.0.2.4");
        for name in ["x.w", "y.z.w", "*.w", "w", "here.w", "below.here.w", "void.w", "x.void.w", "x.e.v", "e.v", "v"] {
            let name = self.at(name);
            self.world.ask("wildcard", &name);
        }
        let (middle, inside) = (self.at("in.*.mid"), self.at("a*b"));
        self.record(&middle, "A 192.0.2.5");
        self.record(&inside, "A 192.0.2.6");
        for name in ["in.*.mid", "*.mid", "in.x.mid", "a*b", "axb"] {
            let name = self.at(name);
            self.world.ask("literal asterisk", &name);
        }
    }

    fn wildcard_aliases(&mut self) {
        let (host, no) = (self.at("host"), self.at("no-such-host"));
        for (owner, target) in [("*.wc", &host), ("*.wn", &no)] {
            let owner = self.at(owner);
            self.alias(&owner, target);
        }
        let loops = (self.at("*.wl"), self.at("again.wl"));
        self.alias(&loops.0, &loops.1);
        let (owner, text) = (self.at("*.wm"), host.text());
        self.record(&owner, &format!("MX 10 {text}"));
        for name in ["x.wc", "y.x.wc", "*.wc", "wc", "x.wn", "x.wl", "again.wl"] {
            let name = self.at(name);
            self.world.ask("wildcard alias", &name);
        }
        for name in ["x.wm", "wm"] {
            let name = self.at(name);
            self.world.ask("wildcard exchange", &name);
        }
    }

    fn aliases(&mut self) {
        let (host, number) = (self.at("host"), self.number);
        let bare = self.at("bare");
        self.record(&bare, "HINFO \"none\" \"none\"");
        let far = Octets::of(&format!("far{number}.{OTHER}"));
        self.world.record(OTHER, &far, 1800, "A 192.0.2.7");
        self.world.record(OTHER, &far, 1800, &format!("MX 1 {}", host.text()));
        let back = Octets::of(&format!("back{number}.{OTHER}"));
        self.world.record(OTHER, &back, 1800, &format!("CNAME {}", host.text()));
        let apex = Octets::of(OTHER);
        let cases = [
            ("alias to data", "alias", host),
            ("alias to nodata", "dull", bare),
            ("alias to nodata", "emptiness", self.at("b.c")),
            ("alias to nxdomain", "dangling", self.at("no-such-host")),
            ("alias across zones", "abroad", far),
            ("alias across zones", "return", back),
            ("alias across zones", "astray", Octets::of(&format!("none{number}.{OTHER}"))),
            ("alias to an apex", "apex", apex),
            ("alias to nothing served", "dead", Octets::of(&format!("a{number}.dead.example"))),
        ];
        for (case, owner, target) in cases {
            let owner = self.at(owner);
            self.alias(&owner, &target);
            self.world.ask(case, &owner);
        }
    }

    /// Chains around the longest that is followed, which has eight links.
    fn long_chains(&mut self) {
        for (case, links) in
            [("chain of 2", 2), ("chain of 7", 7), ("chain of 8", 8), ("chain of 9", 9), ("chain of 10", 10)]
        {
            for (letter, end) in [("d", "host"), ("n", "no-such-host")] {
                for link in 0..links {
                    let owner = self.at(&format!("l{link}.{letter}{links}"));
                    let target = if link + 1 == links { end.into() } else { format!("l{}.{letter}{links}", link + 1) };
                    let target = self.at(&target);
                    self.alias(&owner, &target);
                }
                let first = self.at(&format!("l0.{letter}{links}"));
                self.world.ask(case, &first);
            }
        }
    }

    fn loops(&mut self) {
        for links in [1, 2, 3] {
            for link in 0..links {
                let owner = self.at(&format!("l{link}.o{links}"));
                let target = self.at(&format!("l{}.o{links}", (link + 1) % links));
                self.alias(&owner, &target);
            }
            let first = self.at(&format!("l0.o{links}"));
            self.world.ask("alias loop", &first);
        }
        let (tail, head) = (self.at("tail"), self.at("l0.o3"));
        self.alias(&tail, &head);
        self.world.ask("alias loop", &tail);
    }

    /// DNAME: the names below are synthesised (RFC 6672).
    fn subtrees(&mut self) {
        let (old, new, inside) = (self.at("old"), self.at("new"), self.at("x.new"));
        self.record(&old, &format!("DNAME {}", new.text()));
        self.record(&old, "TXT \"beside\"");
        self.furnish(&inside);
        for name in ["x.old", "y.old", "old", "new"] {
            let name = self.at(name);
            self.world.ask("dname", &name);
        }
        let (short, long) = (self.at("d"), self.at("e").filled(b'e'));
        // Whatever stands below it would be too long: YXDOMAIN.
        self.record(&short, &format!("DNAME {}", long.text()));
        let name = self.at("over.d");
        self.world.ask("dname too long", &name);
    }

    /// Answers that do not fit a datagram.
    fn crowds(&mut self) {
        let crowd = self.at("crowd");
        for at in 0..60 {
            self.record(&crowd, &format!("AAAA 2001:db8::{at:x}"));
        }
        for at in 0..90 {
            self.record(&crowd, &format!("A 198.51.100.{at}"));
        }
        for at in 0..45 {
            let exchange = self.at(&format!("a-rather-long-name-of-an-exchange-{at}.far-away-{}", at * 7)).text();
            self.record(&crowd, &format!("MX {} {exchange}", at / 3));
            self.record(&crowd, &format!("PTR {exchange}"));
        }
        for at in 0..8_usize {
            let strings = vec![quoted(&[b'a' + u8::try_from(at).unwrap(); 255]); 1 + at % 4];
            self.record(&crowd, &format!("TXT {}", strings.join(" ")));
        }
        self.world.ask("over tcp", &crowd);
        // 600 records: more than are kept; 40 KB of text.
        if self.number.is_multiple_of(8) {
            let legion = self.at("legion");
            for at in 0..600 {
                self.record(&legion, &format!("A 198.18.{}.{}", at / 256, at % 256));
            }
            for at in 0..20 {
                let strings = vec![quoted(format!("{at:0255}").as_bytes()); 8];
                self.record(&legion, &format!("TXT {}", strings.join(" ")));
            }
            self.world.ask("over any cap", &legion);
        }
    }

    fn long_names(&mut self) {
        let (label, longest) = (self.base.under([b'l'; 63]), self.at("n").filled(b'n'));
        let (longest_mail, longest_upper) = (self.at("m").filled(b'm'), self.at("u").filled(b'U'));
        for owner in [&label, &longest] {
            self.furnish(owner);
            self.record(owner, &format!("MX 20 {}", longest_mail.text()));
            self.record(owner, &format!("PTR {}", longest_upper.text()));
            self.world.ask("long name", owner);
        }
        self.alias(&longest_mail, &longest_upper);
        self.furnish(&longest_upper);
        self.world.ask("long name", &longest_mail);
        // One label more than a name may have.
        let (over, wide) = (longest.under("x"), self.base.under([b'l'; 64]));
        for name in [&over, &wide] {
            self.world.ask_for("no name for a question", name, Mx);
        }
    }

    fn odd_octets(&mut self) {
        let labels: [&[u8]; 13] = [
            b"a.b",
            b"a\\b",
            b"a b",
            b"\0",
            b"nul\0nul",
            b"\xff",
            b"\xc3\xa9",
            b"\"q\"",
            b";$@()",
            b"UPPER",
            b"a\nb",
            b"\x7f~",
            b"'=/",
        ];
        for (at, label) in labels.into_iter().enumerate() {
            let owner = self.at("odd").under(label);
            self.furnish(&owner);
            self.record(&owner, &format!("MX 7 {}", owner.under(label).text()));
            self.record(&owner, &format!("PTR {}", owner.text()));
            self.world.ask("odd octets", &owner);
            let alias = self.at(&format!("to{at}.odd"));
            self.alias(&alias, &owner);
            self.world.ask("alias to odd octets", &alias);
            let missing = self.at("gone").under(label);
            self.world.ask_for("odd octets", &missing, A);
        }
    }

    fn underscores(&mut self) {
        let policy = self.at("_dmarc");
        self.record(&policy, "TXT \"v=DMARC1; p=none\"");
        let host = self.at("under_score");
        self.furnish(&host);
        let (service, leaf) = (self.at("_tcp"), self.at("_25._tcp"));
        self.record(&leaf, &format!("MX 1 {}", host.text()));
        for name in [&policy, &host, &service, &leaf] {
            self.world.ask("underscore", name);
        }
    }

    fn exchanges(&mut self) {
        let null = self.at("null");
        self.record(&null, "MX 0 .");
        self.world.ask("null mx", &null);
        let own = self.at("own");
        self.record(&own, &format!("MX 10 {}", own.text()));
        let digits = self.at("digits");
        self.record(&digits, "MX 10 192.0.2.1.");
        let literal = self.at("literal");
        self.record(&literal, &format!("MX 10 {}", Octets::of("").under("[192.0.2.1]").text()));
        let many = self.at("many");
        for (preference, exchange) in [(65535, "z"), (0, "y"), (10, "b"), (10, "a"), (9, "B")] {
            let exchange = self.at(exchange).text();
            self.record(&many, &format!("MX {preference} {exchange}"));
        }
        self.record(&many, "MX 3 .");
        for name in [&own, &digits, &literal, &many] {
            self.world.ask("odd exchange", name);
        }
    }

    fn texts(&mut self) {
        let number = self.number;
        let mut binary: Vec<u8> = (0..255).collect();
        binary.rotate_left(number % 255);
        let cases = [
            ("several", vec![quoted(b"v=spf1 "), quoted(b"-all"), quoted(b"")]),
            ("empty", vec![quoted(b"")]),
            ("quotes", vec![quoted(b"say \"yes\"; or \\ not")]),
            ("binary", vec![quoted(&binary)]),
            ("full", vec![quoted(&[b'f'; 255]); 2]),
            // Around the number of characters that are kept, with an escape on the border in some of the sets.
            (
                "border",
                vec![
                    quoted(&[b'b'; 255]),
                    quoted(&[b'b'; 255]),
                    quoted(&[b'b'; 255]),
                    quoted(&[b'b'; 240]),
                    quoted(&vec![b'b'; number % 20]),
                    quoted(b"\xff\"\\end"),
                ],
            ),
        ];
        for (owner, strings) in cases {
            let owner = self.at(owner);
            self.record(&owner, &format!("TXT {}", strings.join(" ")));
            self.world.ask("odd text", &owner);
        }
        let several = self.at("spf");
        for text in ["\"v=spf1 -all\"", "\"v=spf1 +all\"", "\"\"", "\"V=SPF1 -ALL\""] {
            self.record(&several, &format!("TXT {text}"));
        }
        self.world.ask_for("odd text", &several, Txt);
    }

    fn lifetimes(&mut self) {
        const LONGEST: u32 = 0x7FFF_FFFF;
        for (owner, ttl) in [("zero", 0), ("longest", LONGEST)] {
            let owner = self.at(owner);
            self.world.record(ODD, &owner, ttl, "A 192.0.2.8");
            self.world.record(ODD, &owner, ttl, "TXT \"lives\"");
            self.world.ask("ttl", &owner);
        }
        for (owner, ttl, target) in [
            ("zero-link", 0, "longest"),
            ("short-link", 1200, "longest"),
            ("long-link", LONGEST, "zero"),
            ("links", LONGEST, "short-link"),
        ] {
            let (owner, target) = (self.at(owner), self.at(target).text());
            self.world.record(ODD, &owner, ttl, &format!("CNAME {target}"));
            self.world.ask("ttl of a chain", &owner);
        }
    }

    fn unserved(&mut self) {
        let number = self.number;
        for (case, zone) in
            [("dead server", "dead.example"), ("orphan", "orphan.odd.example"), ("refused", "refused.example")]
        {
            let name = Octets::of(&format!("a{number}.{zone}"));
            for kind in [A, Mx] {
                self.world.ask_for(case, &name, kind);
            }
        }
    }

    fn other_types(&mut self) {
        let owner = self.at("others");
        let host = self.at("host").text();
        for data in [
            "CAA 0 issue \"example.com\"",
            &format!("SRV 0 0 25 {host}"),
            "TYPE65280 \\# 3 010203",
            "HINFO \"a\" \"b\"",
        ] {
            self.record(&owner, data);
        }
        self.world.ask("other types only", &owner);
    }
}

/// Adds what is there once: zone cuts, the root, and what stands between.
pub(crate) fn add_cuts(world: &mut World) {
    for at in 0..12 {
        let origin = format!("cut{at}.{ODD}");
        world.zone(&origin);
        let apex = Octets::of(&origin);
        let parent = Octets::of(ODD);
        world.record(ODD, &apex, TTL, &format!("NS {}", apex.under("ns").text()));
        // Glue, and what the cut hides.
        world.record(ODD, &apex.under("ns"), TTL, "A 192.0.2.53");
        world.record(ODD, &apex.under("hidden"), TTL, "A 192.0.2.66");
        world.record(&origin, &apex, TTL, "NS ns.other.example.");
        world.record(&origin, &apex, 300, &format!("MX 10 {}", apex.text()));
        world.record(&origin, &apex, 300, "A 192.0.2.9");
        world.record(&origin, &apex.under("www"), TTL, &format!("CNAME {}", apex.text()));
        world.record(&origin, &apex.under("up"), TTL, &format!("CNAME {}", parent.under("ns").text()));
        for name in [
            apex.clone(),
            apex.under("ns"),
            apex.under("hidden"),
            apex.under("www"),
            apex.under("up"),
            apex.under("no"),
        ] {
            world.ask("zone cut", &name);
        }
    }
    // Delegated to a server whose name does not exist.
    world.record(ODD, &Octets::of("orphan.odd.example"), TTL, "NS no-such-server.other.example.");
    for name in ["", "example", ODD, OTHER, "arpa", "in-addr.arpa", "18.198.in-addr.arpa"] {
        world.ask("apex or above", &Octets::of(name));
    }
    for kind in [Ns, Soa, Ptr, Aaaa] {
        world.ask_for("apex or above", &Octets::of("no-such-tld"), kind);
    }
}
