//! The many plain names, and the reverse zones.
//! Comes in: nothing. Goes out: their records and their questions, in a `World`.
//! Plain is relative: what a name has and to whom it leads is drawn, the same in every run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mxcensus::model::dns::RecordType::{A, Mx, Ns, Ptr, Txt};

use super::world::{Dice, Octets, TTL, World};

const BULK: &str = "bulk.example";
const REVERSE: &str = "18.198.in-addr.arpa";
const NIBBLES: &str = "8.b.d.0.1.0.0.2.ip6.arpa";

/// Adds this many names with any mixture of records, and asks for every type of each.
pub(crate) fn add_names(world: &mut World, names: usize) {
    let mut dice = Dice::of(2008);
    world.zone(BULK);
    for number in 0..names {
        let owner = Octets::of(&format!("h{number}.{BULK}"));
        let ttl = *[300, 900, 3600, 86_400].get(dice.below(4)).unwrap();
        let mut other = || format!("h{}.{BULK}.", dice.below(names));
        let data = [
            format!("MX 10 {}", other()),
            format!("MX 20 {}", other()),
            format!("PTR {}", other()),
            format!("TXT \"v=spf1 mx:{} -all\"", other()),
        ];
        for at in 0..dice.below(4) {
            world.record(BULK, &owner, ttl, &format!("A 203.0.{}.{at}", number % 256));
        }
        for at in 0..dice.below(3) {
            world.record(BULK, &owner, ttl, &format!("AAAA 2001:db8:{number:x}::{at:x}"));
        }
        for data in data.iter().filter(|_| dice.below(2) == 0) {
            world.record(BULK, &owner, ttl, data);
        }
        world.ask("plain", &owner);
    }
}

/// Asks for names that do not exist, until there are this many questions.
pub(crate) fn add_missing(world: &mut World, questions: usize) {
    for (number, kind) in [A, Mx, Txt, Ns, Ptr].into_iter().cycle().enumerate() {
        if world.asks.len() >= questions {
            return;
        }
        world.ask_for("missing", &Octets::of(&format!("missing{number}.{BULK}")), kind);
    }
}

/// Adds the reverse zones of both families.
pub(crate) fn add_reverse(world: &mut World) {
    world.zone(REVERSE);
    world.zone(NIBBLES);
    for number in 0..4000_u16 {
        let [high, low] = number.to_be_bytes();
        let owner = reverse(IpAddr::V4(Ipv4Addr::new(198, 18, high, low)));
        // Most have one name, some none, a few many.
        let names = match number % 10 {
            0 => 0,
            1 => 2 + number / 10 % 30,
            _ => 1,
        };
        for name in 0..names {
            world.record(REVERSE, &owner, TTL, &format!("PTR host-{number}-{name}.{BULK}."));
        }
        world.ask_for("reverse", &owner, Ptr);
        let [first, second] = [number / 50, number % 50];
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, first, 0, 0, 0, second);
        let owner = reverse(IpAddr::V6(address));
        if number % 10 != 0 {
            world.record(NIBBLES, &owner, TTL, &format!("PTR host-{number}.{BULK}."));
        }
        world.ask_for("nibbles", &owner, Ptr);
        // What stands half-way up the tree is an empty non-terminal.
        if second == 1 {
            let text = (0..16).map(|_| "0.").collect::<String>();
            let rest = owner.text();
            world.ask_for("nibbles half-way", &Octets::of(rest.get(text.len()..).unwrap()), Ptr);
        }
    }
    add_classless(world);
}

/// RFC 2317: the owner of less than a /24 has a zone for it, and the addresses lead there.
fn add_classless(world: &mut World) {
    let delegated = format!("0/25.200.{REVERSE}");
    world.zone(&delegated);
    let apex = Octets::of(&delegated);
    world.record(REVERSE, &apex, TTL, &format!("NS {}", apex.under("ns").text()));
    world.record(REVERSE, &apex.under("ns"), TTL, "A 192.0.2.53");
    for number in 0..128_u8 {
        let owner = reverse(IpAddr::V4(Ipv4Addr::new(198, 18, 200, number)));
        let target = apex.under(number.to_string());
        world.record(REVERSE, &owner, TTL, &format!("CNAME {}", target.text()));
        if number % 4 != 0 {
            world.record(&delegated, &target, 900, &format!("PTR customer-{number}.{BULK}."));
        }
        world.ask("classless reverse", &owner);
    }
    // The same inside one zone, without a slash.
    for number in 0..128_u8 {
        let owner = reverse(IpAddr::V4(Ipv4Addr::new(198, 18, 201, number)));
        let target = Octets::of(&format!("{number}.0-127.201.{REVERSE}"));
        world.record(REVERSE, &owner, TTL, &format!("CNAME {}", target.text()));
        world.record(REVERSE, &target, TTL, &format!("PTR inner-{number}.{BULK}."));
        world.ask("classless reverse", &owner);
    }
}

fn reverse(address: IpAddr) -> Octets {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            Octets::of(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let nibbles: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            Octets::of(&format!("{}.ip6.arpa", nibbles.join(".")))
        }
    }
}
