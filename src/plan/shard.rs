//! One run's share of a list.
//! Comes in: a target. Goes out: whether this shard works it, the same on every machine and in every version.

use std::net::IpAddr;
use std::num::ParseIntError;
use std::str::FromStr;

use crate::model::target::Subject;

/// Share `k` of `n`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    k: u32,
    n: u32,
}

/// Why a text names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// No slash.
    #[error("a shard is written K/N, such as 1/4")]
    Form,
    /// Not a number.
    #[error("a shard is written K/N in whole numbers")]
    Number(#[from] ParseIntError),
    /// K is not from 1 to N.
    #[error("the shard's number must be from 1 to {0}")]
    Range(u32),
    /// N is 0.
    #[error("there must be at least one shard")]
    None,
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (k, n) = text.split_once('/').ok_or(ShardError::Form)?;
        let (k, n) = (k.trim().parse()?, n.trim().parse()?);
        match n {
            0 => Err(ShardError::None),
            _ if k == 0 || k > n => Err(ShardError::Range(n)),
            _ => Ok(Self { k, n }),
        }
    }
}

impl Shard {
    /// Whether this shard works the subject. Of N shards exactly one does.
    pub fn holds(self, subject: &Subject) -> bool {
        hash(subject) % u64::from(self.n) == u64::from(self.k - 1)
    }
}

/// FNV-1a with 64 bits over the normal form, then the finalizer of `MurmurHash3` so that every bit counts for the remainder.
///
/// The normal form is the text of a domain (lower case, A-labels, no final dot), the octets of an address, and for an
/// observed introduction the octets of the address and the bytes of the introduction. A promise: changing it would make
/// shards of two versions overlap and leave gaps.
fn hash(subject: &Subject) -> u64 {
    let basis = 0xCBF2_9CE4_8422_2325;
    let mut hash = match subject {
        Subject::Domain(name) => fnv(basis, name.as_str().as_bytes()),
        Subject::Address(address) => fnv_address(basis, *address),
        Subject::Observed { address, helo } => fnv(fnv_address(basis, *address), helo.as_bytes()),
    };
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

fn fnv_address(hash: u64, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => fnv(hash, &v4.octets()),
        IpAddr::V6(v6) => fnv(hash, &v6.octets()),
    }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::Name;

    fn domain(text: &str) -> Subject {
        Subject::Domain(Name::parse(text).unwrap())
    }

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn a_shard_is_written_k_of_n() {
        assert_eq!(shard("2/4"), Shard { k: 2, n: 4 });
        for bad in ["", "3", "0/4", "5/4", "1/0", "0/0", "-1/4", "1/4/2", "a/b", "1/99999999999"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fnv_agrees_with_its_published_vectors() {
        let basis = 0xCBF2_9CE4_8422_2325;
        assert_eq!(fnv(basis, b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv(basis, b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn every_target_is_in_exactly_one_shard_and_the_shares_are_even() {
        let mut shares = [0_u32; 7];
        for n in 0..7000 {
            let subject = if n % 2 == 0 {
                domain(&format!("h{n}.example.org"))
            } else {
                Subject::Address(IpAddr::V4((0xC000_0200 + n).into()))
            };
            let holders: Vec<usize> = (0..7).filter(|k| shard(&format!("{}/7", k + 1)).holds(&subject)).collect();
            assert_eq!(holders.len(), 1);
            shares[holders[0]] += 1;
        }
        assert!(shares.iter().all(|share| (850..1150).contains(share)), "{shares:?}");
    }

    /// From another implementation, written down once: a change of these is a change of the promise.
    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(&domain("example.org")), 0xCD3B_846C_B925_6CCF);
        assert_eq!(hash(&Subject::Address("192.0.2.1".parse().unwrap())), 0x8039_3182_6A22_88EA);
        assert_eq!(
            hash(&Subject::Observed { address: "2001:db8::1".parse().unwrap(), helo: "mail.example.org".into() }),
            0x9A59_5A9F_38D9_980B
        );
    }

    /// From another implementation too. Whoever has scanned one share of a list must find the others with any later version.
    #[test]
    fn the_shares_of_these_targets_never_change() {
        let address = |text: &str| Subject::Address(text.parse().unwrap());
        let observed = |text: &str, helo: &str| Subject::Observed { address: text.parse().unwrap(), helo: helo.into() };
        for (subject, of_2, of_3, of_7, of_1000) in [
            (domain("example.org"), 2, 1, 3, 632),
            (domain("EXAMPLE.Com."), 2, 1, 2, 594),
            (domain("gmail.com"), 2, 3, 7, 446),
            (domain("xn--mnchen-3ya.de"), 1, 1, 6, 249),
            (domain("m\u{fc}nchen.de"), 1, 1, 6, 249),
            (domain("a.b.c.example.net"), 1, 2, 5, 751),
            (address("192.0.2.1"), 1, 2, 5, 875),
            (address("198.51.100.255"), 2, 1, 3, 866),
            (address("2001:db8::1"), 2, 1, 4, 624),
            (address("2001:DB8:25:0::ffff"), 2, 3, 7, 662),
            (observed("192.0.2.1", "[192.0.2.1]"), 1, 1, 5, 579),
            (observed("192.0.2.1", "localhost"), 1, 2, 2, 401),
        ] {
            for (k, n) in [(of_2, 2), (of_3, 3), (of_7, 7), (of_1000, 1000)] {
                assert!(Shard { k, n }.holds(&subject), "{subject:?} is not in {k}/{n}");
            }
        }
    }
}
