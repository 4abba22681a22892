//! Bits of unequal chance in as many bytes as they are worth: an adaptive binary range coder (G. N. N. Martin, 1979), with the
//! carry handling that LZMA made common. One text both writes and reads: whoever codes a value asks for its bits one by one, and
//! goes by what comes back, which is the same bit when writing and the stored one when reading.

use std::sync::LazyLock;

/// Chances are told in so many parts, as 22 bits.
const CERTAIN: u32 = 1 << 22;
/// What a chance is worth to the coder, of 65,536: never nothing, or the other bit could not be told.
const LEAST: u32 = 24;
/// Bits after which a chance no longer settles: it goes on following what it describes.
const SETTLED: u8 = 250;
/// A range below this is widened by a byte.
const NARROW: u32 = 1 << 24;
/// Zeros that a writer leaves out at the end, at most.
const LEFT_OUT: usize = 4;

/// How likely a bit is set, learned from those seen so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    set: u32,
    seen: u8,
}

impl Chance {
    pub(super) const EVEN: Self = Self { set: CERTAIN / 2, seen: 0 };

    fn of_65536(self) -> u32 {
        (self.set >> 6).clamp(LEAST, 65_536 - LEAST)
    }

    fn learn(&mut self, bit: bool) {
        let step = u32::from(self.seen) + 2;
        if bit {
            self.set += (CERTAIN - self.set) / step;
        } else {
            self.set -= self.set / step;
        }
        self.seen = (self.seen + 1).min(SETTLED);
    }
}

/// Whoever takes bits, or gives them.
pub(super) trait Coder {
    /// One bit. What is given counts when writing; what comes back holds.
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool;
    /// `bits` bits, 16 at most, of which nothing is known.
    fn plain(&mut self, bits: u32, value: u64) -> u64;
}

/// Writes.
#[derive(Debug)]
pub(super) struct Encoder {
    low: u64,
    range: u32,
    /// The last byte but those that a carry would still run through.
    held: u8,
    waiting: usize,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { low: 0, range: u32::MAX, held: 0, waiting: 1, bytes: Vec::new() }
    }

    fn shift(&mut self) {
        let carry = self.low >> 32;
        if self.low < 0xFF00_0000 || carry > 0 {
            let carry = u8::from(carry > 0);
            self.bytes.push(self.held.wrapping_add(carry));
            for _ in 1..self.waiting {
                self.bytes.push(0xFF_u8.wrapping_add(carry));
            }
            self.waiting = 0;
            self.held = (self.low >> 24) as u8;
        }
        self.waiting += 1;
        self.low = (self.low & 0x00FF_FFFF) << 8;
    }

    fn widen(&mut self) {
        while self.range < NARROW {
            self.range <<= 8;
            self.shift();
        }
    }

    /// What was written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        // Of the numbers that would do, the one that ends in most zeros: those are not written.
        let last = self.low + u64::from(self.range - 1);
        let rounded = (0..32).rev().map(|bits| {
            let below = (1_u64 << bits) - 1;
            (self.low + below) & !below
        });
        if let Some(low) = rounded.into_iter().find(|low| *low <= last) {
            self.low = low;
        }
        for _ in 0..5 {
            self.shift();
        }
        let zeros = self.bytes.iter().rev().take(LEFT_OUT).take_while(|byte| **byte == 0).count();
        self.bytes.truncate(self.bytes.len() - zeros);
        // The first is always zero: nothing stands before it that could carry.
        self.bytes.split_off(1.min(self.bytes.len()))
    }
}

impl Coder for Encoder {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bound = (self.range >> 16) * chance.of_65536();
        if bit {
            self.range = bound;
        } else {
            self.low += u64::from(bound);
            self.range -= bound;
        }
        chance.learn(bit);
        self.widen();
        bit
    }

    fn plain(&mut self, bits: u32, value: u64) -> u64 {
        self.range >>= bits;
        self.low += u64::from(self.range) * value;
        self.widen();
        value
    }
}

/// Reads. Beyond its end there are zeros, of which none but a few may be asked for.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    code: u32,
    range: u32,
    bytes: std::slice::Iter<'a, u8>,
    beyond: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { code: 0, range: u32::MAX, bytes: bytes.iter(), beyond: 0 };
        for _ in 0..4 {
            decoder.read();
        }
        decoder
    }

    fn read(&mut self) {
        let byte = self.bytes.next().copied();
        self.beyond += usize::from(byte.is_none());
        self.code = self.code << 8 | u32::from(byte.unwrap_or(0));
    }

    fn widen(&mut self) {
        while self.range < NARROW {
            self.range <<= 8;
            self.read();
        }
    }

    /// Whether more was asked for than a writer can have left out: these bytes are no whole of his.
    pub(super) fn is_spent(&self) -> bool {
        self.beyond > LEFT_OUT
    }

    /// Whether all that was written was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.as_slice().is_empty() && !self.is_spent()
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, chance: &mut Chance, _: bool) -> bool {
        let bound = (self.range >> 16) * chance.of_65536();
        let bit = self.code < bound;
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        chance.learn(bit);
        self.widen();
        bit
    }

    fn plain(&mut self, bits: u32, _: u64) -> u64 {
        self.range >>= bits;
        let value = (self.code / self.range).min((1 << bits) - 1);
        self.code = self.code.wrapping_sub(value * self.range);
        self.widen();
        u64::from(value)
    }
}

/// Writes nothing, and tells how long it would have been.
#[derive(Debug, Default)]
pub(super) struct Cost {
    /// In 256ths of a bit.
    pub(super) cost: u64,
}

/// What a bit costs whose chance is so many 256ths.
static COST: LazyLock<[u64; 257]> = LazyLock::new(|| {
    let mut table = [0; 257];
    for (n, cost) in (0_u32..).zip(&mut table) {
        let chance = f64::from(n).max(0.1) / 256.0;
        *cost = (-chance.log2() * 256.0).round() as u64;
    }
    table
});

impl Coder for Cost {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let set = chance.of_65536();
        let part = if bit { set } else { 65_536 - set };
        self.cost += COST[((part + 128) >> 8) as usize & 0x1FF];
        chance.learn(bit);
        bit
    }

    fn plain(&mut self, bits: u32, value: u64) -> u64 {
        self.cost += u64::from(bits) * 256;
        value
    }
}
