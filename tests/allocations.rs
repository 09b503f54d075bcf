//! What meets every name of a run asks the allocator for nothing.

use std::hint::black_box;
use std::net::IpAddr;

use allocation_counter::measure;
use mxcensus::judge::generic;
use mxcensus::model::introduction::Naming;
use mxcensus::model::name::Name;

const NAMING: Naming = Naming::built_in();

/// One of each class that is decided without IDNA.
const TEXTS: &[&[u8]] = &[
    b"mail-out2.dept.example-isp.co.uk",
    b"MAIL.IETF.ORG",
    b"a.b.ec2-1-2-3-4.eu-west-1.compute.amazonaws.com",
    b"mail.ietf.org.",
    b"mail..ietf.org",
    b"",
    b"WIN-7Q2KD8FA1",
    b"LOCALHOST.localdomain",
    b"mail_out.ietf.org",
    b"mail.-ietf.org",
    b"ab--cd.ietf.org",
    b"%HOSTNAME%.ietf.org",
    b"<user@ietf.org>",
    b"http://mail.ietf.org",
    b"mail.ietf.org:25",
    b"IPv6:2001:4860:4860::8888",
    b"8.8.4.400",
    b"[8.8.4.4]",
    b"[IPv6:fe80::1]",
    b"[mail.ietf.org]",
    b"mail.corp.local",
    b"EXCH01.ad.corp",
    b"mail.yourdomain.com",
    b"mail.example.com",
    b"mx.acme.nosuchtld",
    b"co.uk",
    b"github.io",
    b"4.4.8.8.in-addr.arpa",
    b"m\xFCller.de",
    b"XXXXXXXX",
];

fn allocations<T>(run: impl Fn() -> T) -> u64 {
    // What is made once per process is made before.
    black_box(run());
    measure(|| {
        black_box(run());
    })
    .count_total
}

#[test]
fn a_name_is_classed_without_an_allocation() {
    for text in TEXTS {
        assert_eq!(allocations(|| NAMING.classify(text)), 0, "{}", text.escape_ascii());
    }
    let longest = [b'x'; 10_000];
    assert_eq!(allocations(|| NAMING.classify(&longest)), 0);
    assert_ne!(allocations(|| NAMING.classify(b"mx.xn--p1ai")), 0, "IDNA allocates, and the counter counts");
}

#[test]
fn a_name_is_parted_without_an_allocation_and_its_organisation_costs_one() {
    let name = Name::parse("mail-out2.dept.example-isp.co.uk").expect("a name");
    let other = Name::parse("mx.example-isp.co.uk").expect("a name");
    assert_eq!(allocations(|| NAMING.same_organisation(&name, &other)), 0);
    assert_eq!(allocations(|| NAMING.host_part(&name).len()), 0);
    assert_eq!(allocations(|| NAMING.organisation(&name)), 1);
    let own = NAMING.organisation(&name).expect("registered");
    assert_eq!(allocations(|| NAMING.organisation(&own)), 0, "a name that is its own organisation is shared");
}

#[test]
fn a_reverse_name_is_scored_without_an_allocation() {
    for (text, address) in [
        ("lns-vlq-11-203-0-113-45.adsl.isp.net", "203.0.113.45"),
        ("2001-db8-1-2-3-4-5-6.dyn.isp.net", "2001:db8:1:2:3:4:5:6"),
        ("mail.ietf.org", "203.0.113.45"),
    ] {
        let name = Name::parse(text).expect("a name");
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(allocations(|| generic::classify(&name, address, NAMING)), 0, "{text}");
    }
}
