//! Chance that is the same each time.

/// What all of it follows from.
const SEED: u64 = 0x6c61_6e74_6572_6e21;

/// A number that follows from these alone (SplitMix64, one step a part).
pub(super) fn dice(of: &[i64]) -> u64 {
    of.iter().fold(SEED, |state, part| mixed(state ^ part.cast_unsigned()))
}

fn mixed(state: u64) -> u64 {
    let a = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

/// From 0 to below `most`, which is at least 1.
pub(super) fn below(most: i64, of: &[i64]) -> i64 {
    let most = u64::try_from(most.max(1)).unwrap_or(1);
    i64::try_from(dice(of) % most).unwrap_or(0)
}

/// A share of `whole`, most often near none of it, now and then all: what waits in a queue is like that.
pub(super) fn tail(whole: i64, of: &[i64]) -> i64 {
    let per_mille = below(1_000, of);
    whole * per_mille * per_mille / 1_000 * per_mille / 1_000 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_each_time_and_within_its_bounds() {
        assert_eq!(dice(&[1, 2]), dice(&[1, 2]));
        assert_ne!(dice(&[1, 2]), dice(&[2, 1]));
        let drawn: Vec<i64> = (0..1_000).map(|n| below(10, &[n])).collect();
        assert!((0..10).all(|n| drawn.iter().filter(|d| **d == n).count() > 60), "{drawn:?}");
        assert!((0..1_000).map(|n| tail(500, &[n])).all(|n| (0..500).contains(&n)));
        assert_eq!(below(0, &[1]), 0);
    }
}
