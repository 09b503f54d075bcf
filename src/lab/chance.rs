//! Chance that is no chance: every draw follows from a seed.
//! Comes in: a seed, what is drawn for, and an index. Goes out: a number, the same in every run.
//! Nothing is kept between draws.

/// One of many independent numbers of a seed (splitmix64, Steele, Lea and Flood 2014).
pub(super) const fn draw(seed: u64, purpose: u64, index: u64) -> u64 {
    mix(mix(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93)) ^ index)
}

/// The same for bytes instead of an index.
pub(super) fn draw_bytes(seed: u64, purpose: u64, bytes: &[u8]) -> u64 {
    // FNV-1a: short inputs, and `draw` mixes what it leaves unmixed.
    let hash = bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3));
    draw(seed, purpose, hash)
}

/// A draw as a fraction of one.
#[expect(clippy::cast_precision_loss, reason = "the upper 53 bits fit a double exactly")]
pub(super) const fn fraction(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_spread() {
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
        assert_ne!(draw_bytes(1, 2, b"a"), draw_bytes(1, 2, b"b"));
        let below = (0..10_000).filter(|&index| fraction(draw(7, 1, index)) < 0.25).count();
        assert!((2_300..2_700).contains(&below), "{below} of 10,000");
    }
}
