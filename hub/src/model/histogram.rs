//! How long things took, as counts in buckets that grow with what is in them: histograms of many hours and regions are
//! added up to that of all, and any quantile is read from the sum. Quantiles themselves cannot be added.
//!
//! What is below 128 µs has a bucket per microsecond; above, each power of two has 64 of equal width, as in HdrHistogram
//! (G. Tene, hdrhistogram.org). A quantile is told as the middle of its bucket, so that it is off by 1/128 of itself at
//! most: within the 1 % of [`Histogram::ERROR`]. A bound relative to the value, whatever is merged, is what DDSketch (C.
//! Masson, J. E. Rim, H. K. Lee, VLDB 2019) promises; these buckets come without logarithms, so that every machine puts a
//! value into the same one, and a recount equals what was counted before to the byte.

/// Bits of a value that tell its bucket within its power of two.
const BITS: u32 = 6;
/// Below this, a bucket holds one value.
const EXACT: u32 = 1 << (BITS + 1);
/// The bucket of the largest value.
const LAST: u16 = bucket(u32::MAX);
/// The form of [`Histogram::to_bytes`].
const VERSION: u8 = 1;

/// Durations in microseconds, counted. Only buckets that hold something take room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By bucket, none of them twice, no count zero.
    counts: Vec<(u16, u64)>,
}

/// Why bytes are no histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHistogram {
    /// There are none.
    #[error("there is nothing")]
    Empty,
    /// A newer hub wrote it.
    #[error("its form {0} is not known")]
    Version(u8),
    /// It ends where more was to come.
    #[error("it is cut off")]
    CutOff,
    /// Something follows its end.
    #[error("something follows its end")]
    TooLong,
    /// A number is written in more bytes than it needs, or is larger than any.
    #[error("a number in it is none")]
    Number,
    /// There is no such bucket, or it is there twice.
    #[error("a bucket in it is none")]
    Bucket,
    /// A count is zero, or all together are more than can be counted.
    #[error("a count in it is none")]
    Count,
}

impl Histogram {
    /// What a quantile may be off by, as a share of itself.
    pub const ERROR: f64 = 0.01;

    /// Counts one duration.
    pub fn record(&mut self, us: u32) {
        let bucket = bucket(us);
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => {
                if let Some((_, count)) = self.counts.get_mut(place) {
                    *count = count.saturating_add(1);
                }
            }
            Err(place) => self.counts.insert(place, (bucket, 1)),
        }
    }

    /// Adds what another has counted. The order in which histograms are added makes no difference.
    pub fn merge(&mut self, other: &Self) {
        let mut merged = Vec::with_capacity(self.counts.len().max(other.counts.len()));
        let (mut ours, mut theirs) = (self.counts.iter().peekable(), other.counts.iter().peekable());
        while let (Some(&&(a, count_a)), Some(&&(b, count_b))) = (ours.peek(), theirs.peek()) {
            merged.push((
                a.min(b),
                match a.cmp(&b) {
                    std::cmp::Ordering::Less => count_a,
                    std::cmp::Ordering::Greater => count_b,
                    std::cmp::Ordering::Equal => count_a.saturating_add(count_b),
                },
            ));
            if a <= b {
                ours.next();
            }
            if b <= a {
                theirs.next();
            }
        }
        merged.extend(ours.chain(theirs));
        self.counts = merged;
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// What `per_mille` of 1,000 are not longer than, in microseconds: the value of nearest rank, within
    /// [`Histogram::ERROR`] of itself. `None`: nothing was counted. More than 1,000 is the longest.
    #[must_use]
    pub fn quantile_us(&self, per_mille: u32) -> Option<u32> {
        let all = u128::from(self.count());
        let rank = (all * u128::from(per_mille.min(1_000))).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        for (bucket, count) in &self.counts {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(middle(*bucket));
            }
        }
        None
    }

    /// Few bytes: the form's version, the number of buckets, then of each what it is further on than the one before, and its
    /// count; numbers in LEB128, low seven bits first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + 2 * self.counts.len());
        bytes.push(VERSION);
        put(&mut bytes, self.counts.len() as u64);
        let mut next = 0;
        for (bucket, count) in &self.counts {
            put(&mut bytes, u64::from(bucket.saturating_sub(next)));
            put(&mut bytes, *count);
            next = bucket.saturating_add(1);
        }
        bytes
    }

    /// What [`Histogram::to_bytes`] made. No bytes, whoever made them, take more room than they are long, a few times over.
    ///
    /// # Errors
    /// They are not of that form, to the last bit: each histogram has one form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoHistogram> {
        let (version, mut rest) = bytes.split_first().ok_or(NoHistogram::Empty)?;
        if *version != VERSION {
            return Err(NoHistogram::Version(*version));
        }
        let buckets = take(&mut rest)?;
        if buckets > u64::from(LAST) + 1 {
            return Err(NoHistogram::Bucket);
        }
        let mut counts = Vec::new();
        let (mut next, mut all) = (0_u64, 0_u64);
        for _ in 0..buckets {
            let bucket = next.checked_add(take(&mut rest)?).ok_or(NoHistogram::Bucket)?;
            let narrow = u16::try_from(bucket).ok().filter(|bucket| *bucket <= LAST).ok_or(NoHistogram::Bucket)?;
            let count = take(&mut rest)?;
            all = all.checked_add(count).filter(|_| count > 0).ok_or(NoHistogram::Count)?;
            counts.push((narrow, count));
            next = bucket + 1;
        }
        if rest.is_empty() { Ok(Self { counts }) } else { Err(NoHistogram::TooLong) }
    }
}

/// Where a value is counted.
const fn bucket(us: u32) -> u16 {
    if us < EXACT {
        return us as u16;
    }
    // Of 128 and more the seven highest bits: 64 to 127.
    let shift = u32::BITS - us.leading_zeros() - (BITS + 1);
    ((shift << BITS) + (us >> shift)) as u16
}

/// The value that stands for all of a bucket.
fn middle(bucket: u16) -> u32 {
    let bucket = u32::from(bucket);
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket >> BITS) - 1;
    let lowest = (bucket - (shift << BITS)) << shift;
    lowest + (1 << shift) / 2
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, NoHistogram> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(NoHistogram::CutOff)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(NoHistogram::Number);
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            // A last byte of zero could be left out.
            return if part == 0 && shift > 0 { Err(NoHistogram::Number) } else { Ok(number) };
        }
    }
    Err(NoHistogram::Number)
}

#[cfg(test)]
mod tests;
