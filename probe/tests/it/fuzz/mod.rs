//! Hostile input without end, for a bounded time: whatever comes in, nothing panics, hangs or is taken for good.
//!
//! Each test runs for two seconds from a seed that it prints when it fails:
//!
//! ```text
//! cargo nextest run -p probe fuzz                      as in every test run
//! FUZZ_SECONDS=600 cargo nextest run -p probe fuzz     ten minutes each
//! FUZZ_SEED=17 cargo nextest run -p probe fuzz         from this seed on, to see a failure again
//! ```
//!
//! Inputs are valid ones, changed: bytes flipped, cut, doubled, put together with others, words of the format put in.

mod address;
mod answer;
mod generate;
mod url;
mod wire;

use std::time::{Duration, Instant};

/// xorshift64*: the same numbers from the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(super) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Changes an input in one to four places.
    pub(super) fn mutate(&mut self, input: &[u8], words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(..at)),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                4 => {
                    let end = (at + self.below(32)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, part);
                }
                5 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                6 => bytes.splice(at..at, self.bytes(8)).for_each(drop),
                _ => bytes.splice(at..at, self.pick(words).to_vec()).for_each(drop),
            }
        }
        bytes
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs `case` for the time there is, each time from the next seed; a seed that fails is printed.
pub(super) fn fuzz(case: impl Fn(&mut Random)) {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failed with FUZZ_SEED={}", self.0);
            }
        }
    }
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 2));
    let mut seed = Seed(number("FUZZ_SEED", 1));
    let mut cases = 0u64;
    while Instant::now() < until {
        case(&mut Random::new(seed.0));
        seed.0 += 1;
        cases += 1;
    }
    println!("{cases} cases");
    assert!(cases > 0);
}
