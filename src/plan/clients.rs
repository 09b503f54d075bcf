//! Which clients of a list go by many names.
//! Comes in: recorded introductions, in the order of the input. Goes out: whether this one's client is unstable by now.
//! Memory is bounded: of very many clients those not met for longest are forgotten.
//! A recorded list has no dates: it stands for the week or so that one set of logs covers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use crate::model::introduction::Naming;
use crate::model::name::Name;

/// Names, and organisations among them, from which on a client is unstable.
const NAMES: usize = 3;
const ORGANISATIONS: usize = 2;
/// Clients remembered in each of two generations, at some 100 bytes each.
const CLIENTS: usize = 200_000;

/// The clients met so far.
#[derive(Debug, Default)]
pub(super) struct Clients {
    young: HashMap<IpAddr, Client>,
    old: HashMap<IpAddr, Client>,
    hasher: RandomState,
}

/// What one client has called itself, as hashes: no more than settles the question.
#[derive(Debug, Clone, Copy, Default)]
struct Client {
    names: Few<NAMES>,
    organisations: Few<ORGANISATIONS>,
}

/// The first few different hashes; 0 is a free place.
#[derive(Debug, Clone, Copy)]
struct Few<const N: usize>([u64; N]);

impl<const N: usize> Default for Few<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Few<N> {
    fn add(&mut self, hash: u64) {
        let hash = hash.max(1);
        if let Some(place) = self.0.iter_mut().find(|place| **place == hash || **place == 0) {
            *place = hash;
        }
    }

    fn is_full(&self) -> bool {
        !self.0.contains(&0)
    }
}

impl Clients {
    /// Takes note of an introduction. True once the client has used three names of two organisations.
    pub(super) fn is_unstable(&mut self, address: IpAddr, helo: &str, naming: Naming) -> bool {
        let mut client = self.young.get(&address).or_else(|| self.old.get(&address)).copied().unwrap_or_default();
        let name = helo.strip_suffix('.').unwrap_or(helo).to_ascii_lowercase();
        client.names.add(self.hasher.hash_one(&name));
        if let Some(organisation) = Name::parse(&name).ok().as_ref().and_then(|name| naming.registrable(name)) {
            client.organisations.add(self.hasher.hash_one(organisation));
        }
        if self.young.len() >= CLIENTS && !self.young.contains_key(&address) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(address, client);
        client.names.is_full() && client.organisations.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn three_names_of_two_organisations_make_a_client_unstable_from_the_third_on() {
        let mut clients = Clients::default();
        let mut say = |helo: &str| clients.is_unstable(client(1), helo, Naming::default());
        assert!(!say("mail.example.org") && !say("MAIL.example.org.") && !say("mx.example.com"), "two names");
        assert!(say("host3") && say("mail.example.org"));
    }

    #[test]
    fn names_of_one_organisation_are_a_pool_and_other_clients_are_others() {
        let mut clients = Clients::default();
        for number in 0..9 {
            assert!(!clients.is_unstable(client(1), &format!("mx{number}.example.org"), Naming::default()));
            assert!(!clients.is_unstable(
                client(number + 10),
                &format!("mx{number}.example{number}.org"),
                Naming::default()
            ));
        }
    }

    #[test]
    fn of_very_many_clients_those_not_met_for_longest_are_forgotten() {
        let mut clients = Clients::default();
        let crowd = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        for number in 0..CLIENTS * 2 + 2 {
            clients.is_unstable(crowd(number), "a.example.org", Naming::default());
            clients.is_unstable(
                client(1),
                if number % 2 == 0 { "a.example.org" } else { "b.example.com" },
                Naming::default(),
            );
        }
        assert!(clients.young.len() <= CLIENTS && clients.old.len() <= CLIENTS);
        assert!(clients.is_unstable(client(1), "c.example.com", Naming::default()), "met all the time");
        assert!(!clients.old.contains_key(&crowd(0)) && !clients.young.contains_key(&crowd(0)));
    }
}
