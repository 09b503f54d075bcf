//! The order in which a network's addresses are worked.
//! Comes in: a network and a seed. Goes out: each of its addresses once, neighbours far apart, none of them held in memory.
//! A burst into one provider's /24 looks like an attack and makes the rate of that /24 the rate of the scan.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A permutation of a network's addresses.
///
/// A counter runs through an odd multiple of itself and its bits are reversed: of any 2^n consecutive addresses each has
/// other values in the n topmost host bits, so 64 consecutive ones of a /16 lie in 64 different /24s. The seed chooses the
/// multiple, the beginning, and a mask.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    network: IpNet,
    bits: u32,
    step: u64,
    offset: u64,
    mask: u64,
}

impl Spread {
    /// The network has at most 2^63 addresses; the reader refuses those over 2^32.
    pub(super) fn new(network: IpNet, seed: u64) -> Self {
        let bits = u32::from(network.max_prefix_len() - network.prefix_len());
        debug_assert!(bits < 64, "{network} is too large to be worked");
        let mut state = seed;
        let mut draw = || split_mix(&mut state);
        Self { network: network.trunc(), bits, step: draw() | 1, offset: draw(), mask: draw() }
    }

    /// The address at this place of the order; None behind the last.
    pub(super) fn get(&self, at: u64) -> Option<IpAddr> {
        if u128::from(at) >= 1_u128 << self.bits {
            return None;
        }
        let reversed = at.wrapping_mul(self.step).wrapping_add(self.offset).reverse_bits();
        // Reversed, the low bits are the topmost ones; a shift by all 64 bits would overflow.
        let host = (reversed ^ self.mask).checked_shr(64 - self.bits).unwrap_or(0);
        Some(match self.network.network() {
            IpAddr::V4(base) => {
                let host = u32::try_from(host).expect("an IPv4 network has at most 32 host bits");
                Ipv4Addr::from(u32::from(base) | host).into()
            }
            IpAddr::V6(base) => Ipv6Addr::from(u128::from(base) | u128::from(host)).into(),
        })
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): spreads a small seed over all bits, alike on every machine.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn order(network: &str, seed: u64) -> Vec<IpAddr> {
        let spread = Spread::new(network.parse().unwrap(), seed);
        (0..).map_while(|at| spread.get(at)).collect()
    }

    fn slash_24(address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(v4) => u32::from(v4) >> 8,
            IpAddr::V6(_) => panic!("an IPv4 address is wanted"),
        }
    }

    #[test]
    fn sixty_four_consecutive_addresses_of_a_16_are_in_different_24s() {
        for seed in [0, 1, 42, u64::MAX] {
            let order = order("10.20.0.0/16", seed);
            assert_eq!(order.len(), 65_536);
            let mut last = HashMap::new();
            for (at, address) in order.into_iter().enumerate() {
                let before = last.insert(slash_24(address), at);
                assert!(before.is_none_or(|before| at - before >= 64), "{address} with seed {seed}");
            }
        }
    }

    #[test]
    fn a_smaller_network_is_spread_as_far_as_it_goes() {
        for window in order("10.20.0.0/20", 7).windows(16) {
            let networks: HashSet<u32> = window.iter().map(|address| slash_24(*address)).collect();
            assert_eq!(networks.len(), 16);
        }
    }

    #[test]
    fn the_largest_networks_cost_nothing_and_end() {
        for (network, bits) in [("0.0.0.0/0", 32), ("10.0.0.0/8", 24), ("2001:db8::/96", 32)] {
            let spread = Spread::new(network.parse().unwrap(), 3);
            assert!(spread.get((1 << bits) - 1).is_some(), "{network}");
            assert_eq!(spread.get(1 << bits), None, "{network}");
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(order("192.0.2.0/24", 5), order("192.0.2.0/24", 5));
        assert_ne!(order("192.0.2.0/24", 5), order("192.0.2.0/24", 6));
        assert_eq!(order("192.0.2.1/32", 5), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    }

    proptest! {
        #[test]
        fn every_address_comes_exactly_once(seed in any::<u64>(), base in any::<u32>(), bits in 0..=12_u8, v6 in any::<bool>()) {
            let network = if v6 {
                IpNet::new(IpAddr::V6((u128::from(base) << 64).into()), 128 - bits)
            } else {
                IpNet::new(IpAddr::V4(base.into()), 32 - bits)
            };
            let network = network.unwrap();
            let spread = Spread::new(network, seed);
            let seen: Vec<IpAddr> = (0..).map_while(|at| spread.get(at)).collect();
            prop_assert!(seen.iter().all(|address| network.contains(address)));
            prop_assert_eq!(seen.len(), 1 << bits);
            prop_assert_eq!(seen.into_iter().collect::<HashSet<_>>().len(), 1 << bits);
        }
    }
}
