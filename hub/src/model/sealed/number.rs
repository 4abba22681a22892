//! Integers of which small ones are likelier: whether it is zero, its sign, its size (the place of its highest bit), the bits
//! below that. All but the lowest are learned, so that a noise of any shape costs little more than it holds.

use super::range::{Chance, Coder};

/// By the size of the number before it.
const CONTEXTS: usize = 16;
/// Bits below the highest that are learned; those below them are noise.
const LEARNED: u32 = 4;
const SIZES: usize = 64;

/// What is known of the integers of one column.
#[derive(Debug)]
pub(super) struct Numbers {
    zero: [Chance; CONTEXTS],
    minus: [Chance; CONTEXTS],
    /// By sign and context.
    size: Vec<[Chance; SIZES]>,
    /// By sign and size.
    below: Vec<[Chance; 1 << LEARNED]>,
    looks_back: bool,
    context: usize,
}

impl Numbers {
    /// Of numbers that tell something of the next one, or of such as do not.
    pub(super) fn new(looks_back: bool) -> Self {
        let contexts = if looks_back { CONTEXTS } else { 1 };
        Self {
            zero: [Chance::EVEN; CONTEXTS],
            minus: [Chance::EVEN; CONTEXTS],
            size: vec![[Chance::EVEN; SIZES]; 2 * contexts],
            below: vec![[Chance::EVEN; 1 << LEARNED]; 2 * SIZES],
            looks_back,
            context: 0,
        }
    }

    /// Any integer.
    pub(super) fn code<C: Coder>(&mut self, coder: &mut C, value: i64) -> i64 {
        let context = self.context;
        if coder.bit(&mut self.zero[context], value == 0) {
            self.context = 0;
            return 0;
        }
        let is_minus = coder.bit(&mut self.minus[context], value < 0);
        let magnitude = value.unsigned_abs();
        let size =
            bits(coder, &mut self.size[2 * context + usize::from(is_minus)], 6, u64::from(magnitude.max(1).ilog2()));
        let learned = LEARNED.min(size as u32);
        let noise = size as u32 - learned;
        let chances = &mut self.below[SIZES * usize::from(is_minus) + size as usize];
        let top = bits(coder, chances, learned, (magnitude >> noise) & ((1 << learned) - 1));
        let mut read = 1 << learned | top;
        let mut left = noise;
        while left > 0 {
            let at_once = left.min(16);
            left -= at_once;
            read = read << at_once | coder.plain(at_once, (magnitude >> left) & ((1 << at_once) - 1));
        }
        if self.looks_back {
            self.context = (1 + size as usize / 2).min(CONTEXTS - 1);
        }
        // The least of all is its own negative.
        let read = read as i64;
        if is_minus { read.wrapping_neg() } else { read }
    }
}

/// `count` bits, the highest first, each by those before it.
pub(super) fn bits<C: Coder>(coder: &mut C, chances: &mut [Chance], count: u32, value: u64) -> u64 {
    let mut node = 1;
    for place in (0..count).rev() {
        let bit = coder.bit(&mut chances[node], value >> place & 1 == 1);
        node = node << 1 | usize::from(bit);
    }
    (node - (1 << count)) as u64
}
