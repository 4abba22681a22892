//! Ticks of days that have passed, packed into blocks: one website, one region, one day (UTC) or a part of it. Lossless, column
//! by column, whatever words a newer version stored; a block that is not what was written is told from one that is.
//!
//! A block is two pieces. `keys` has slots and attempts, a few dozen bytes, so that whoever asks whether a tick is known need not
//! read the rest. `columns` has all else. Each begins with its version and ends with its checksum: the first eight bytes of the
//! SHA-256 of what it is about (website, region, first slot; of `columns` also `keys`) and what it holds.

mod column;
mod join;
mod number;
mod order;
mod range;
mod text;
mod tick;

#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};

use self::column::{Hint, NoSuchWay};
use self::number::Numbers;
use self::order::{ORDER, expected};
use self::range::{Decoder, Encoder};
use self::text::Letters;
use self::tick::TEXTS;
use super::{RegionId, UtcMs, WebsiteId};

pub use self::join::{Group, Known, NewOfRegion, groups, join, joins_now, regions_at_once};
pub use self::tick::{Number, RawTick, Text};

/// Ticks in one block, at most: as many as one slot can have, which is not divided.
pub const MAX_TICKS: usize = 65_536;
/// Bytes of one text, at most; what is stored of a target is shorter.
pub const MAX_TEXT: usize = 4_096;
/// Bytes of all texts of a block that differ, at most.
pub const MAX_TEXTS: usize = 8 << 20;
/// Blocks are of one day (UTC) each.
pub const DAY_MS: i64 = 86_400_000;
/// A day is packed so long after its end: by then nearly all that was on its way has come, also from a worker that was cut off
/// for hours, and need not be put in afterwards.
pub const SETTLES_MS: i64 = 6 * 3_600_000;

/// What comes after its day was packed joins it when the first of it has waited so long: what drains slowly, from a worker that was
/// cut off, would otherwise have the same day packed again each minute. It is read as it is meanwhile.
pub const JOINS_AFTER_MS: i64 = 12 * 60_000;

const VERSION: u8 = 1;
const CHECKSUM: usize = 8;

/// The day (UTC) of an instant: when it begins.
#[must_use]
pub fn day_of(at: UtcMs) -> UtcMs {
    at.div_euclid(DAY_MS).saturating_mul(DAY_MS)
}

/// The last instant of a day that begins then.
#[must_use]
pub fn end_of(day: UtcMs) -> UtcMs {
    day.saturating_add(DAY_MS - 1)
}

/// Slots before this may be packed.
#[must_use]
pub fn settled_before(now: UtcMs) -> UtcMs {
    day_of(now.saturating_sub(SETTLES_MS))
}

/// What a block is about.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Which website.
    pub website_id: WebsiteId,
    /// From where.
    pub region_id: &'a RegionId,
}

/// A packed block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// First slot; part of the block's name.
    pub from_at: UtcMs,
    /// Last slot.
    pub to_at: UtcMs,
    /// How many ticks.
    pub ticks: usize,
    /// Slots and attempts.
    pub keys: Vec<u8>,
    /// All else.
    pub columns: Vec<u8>,
}

/// Why ticks are not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// There are none, or more than [`MAX_TICKS`].
    #[error("a block has 1 to {MAX_TICKS} ticks")]
    Count,
    /// They are not in order, or one is there twice.
    #[error("the ticks are not in order of slot and attempt")]
    Order,
    /// More than [`MAX_TEXT`] or [`MAX_TEXTS`].
    #[error("there is too much text in them")]
    Text,
}

/// Why a block is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A newer version of the hub wrote it.
    #[error("it is of version {0}, which only a newer hub knows")]
    Newer(u8),
    /// It is not what was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// Its checksum is right and what it says cannot be: our bug.
    #[error("it is not understood: {0}")]
    Malformed(&'static str),
}

impl From<NoSuchWay> for Damage {
    fn from(_: NoSuchWay) -> Self {
        Self::Malformed("there is no such way to tell a column")
    }
}

/// Packs ticks of one place, which are in order.
///
/// # Errors
/// They are too many, not in order, or hold too much text.
pub fn seal(place: Place<'_>, ticks: &[RawTick]) -> Result<Block, Unsealable> {
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Err(Unsealable::Count) };
    if ticks.len() > MAX_TICKS {
        return Err(Unsealable::Count);
    }
    let is_rising = |pair: &[RawTick]| {
        let [one, next] = pair else { return false };
        one.key() < next.key() && next.slot_at.checked_sub(one.slot_at).is_some()
    };
    if !ticks.windows(2).all(is_rising) {
        return Err(Unsealable::Order);
    }
    let lengths = || ticks.iter().flat_map(|tick| tick.texts.iter().flatten()).map(|text| text.len());
    if lengths().any(|length| length > MAX_TEXT) || lengths_of_different(ticks) > MAX_TEXTS {
        return Err(Unsealable::Text);
    }
    let keys = write_keys(place, ticks);
    let columns = write_columns(place, first.slot_at, &keys, ticks);
    Ok(Block { from_at: first.slot_at, to_at: last.slot_at, ticks: ticks.len(), keys, columns })
}

fn lengths_of_different(ticks: &[RawTick]) -> usize {
    (0..TEXTS)
        .map(|n| {
            let different: std::collections::HashSet<&str> =
                ticks.iter().filter_map(|tick| tick.texts[n].as_deref()).collect();
            different.iter().map(|text| text.len()).sum::<usize>()
        })
        .sum()
}

fn write_keys(place: Place<'_>, ticks: &[RawTick]) -> Vec<u8> {
    let from_at = ticks.first().map_or(0, |tick| tick.slot_at);
    let steps: Vec<_> = ticks.windows(2).map(|two| Some(two[1].slot_at.wrapping_sub(two[0].slot_at))).collect();
    let attempts: Vec<_> = ticks.iter().map(|tick| Some(tick.attempt)).collect();
    let mut encoder = Encoder::new();
    Numbers::new(false).code(&mut encoder, ticks.len() as i64);
    column::write(&mut encoder, &mut Hint::new(), &steps, &vec![0; steps.len()]);
    column::write(&mut encoder, &mut Hint::new(), &attempts, &vec![0; attempts.len()]);
    let mut bytes = vec![VERSION];
    bytes.extend(encoder.finish());
    close(bytes, checksum(place, from_at, &[]))
}

/// Slots and attempts of a block that begins at `from_at`, in order.
///
/// # Errors
/// It is damaged, or of a newer version.
pub fn keys(place: Place<'_>, from_at: UtcMs, keys: &[u8]) -> Result<Vec<(UtcMs, i64)>, Damage> {
    let body = opened(keys, checksum(place, from_at, &[]))?;
    let mut decoder = Decoder::new(body);
    let count = usize::try_from(Numbers::new(false).code(&mut decoder, 0)).ok();
    let count = count.filter(|count| (1..=MAX_TICKS).contains(count)).ok_or(Damage::Malformed("its count"))?;
    let steps = column::read(&mut decoder, &mut Hint::new(), &vec![0; count - 1])?;
    let attempts = column::read(&mut decoder, &mut Hint::new(), &vec![0; count])?;
    if !decoder.is_at_end() {
        return Err(Damage::Malformed("its length"));
    }
    let mut slot_at = from_at;
    let mut found: Vec<(UtcMs, i64)> = Vec::with_capacity(count);
    for (step, attempt) in std::iter::once(Some(0)).chain(steps).zip(attempts) {
        let (Some(step), Some(attempt)) = (step, attempt) else { return Err(Damage::Malformed("a key is missing")) };
        slot_at = slot_at.checked_add(step).ok_or(Damage::Malformed("a slot"))?;
        if found.last().is_some_and(|last| *last >= (slot_at, attempt)) {
            return Err(Damage::Malformed("keys are not in order"));
        }
        found.push((slot_at, attempt));
    }
    Ok(found)
}

fn write_columns(place: Place<'_>, from_at: UtcMs, keys: &[u8], ticks: &[RawTick]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut hint = Hint::new();
    for column in ORDER {
        let values: Vec<_> = ticks.iter().map(|tick| tick.number(column)).collect();
        let expected: Vec<_> = ticks.iter().map(|tick| expected(column, tick)).collect();
        column::write(&mut encoder, &mut hint, &values, &expected);
    }
    let mut letters = Letters::new();
    for column in Text::ALL {
        let texts: Vec<_> = ticks.iter().map(|tick| tick.text(*column)).collect();
        text::write(&mut encoder, &mut letters, &mut hint, &texts);
    }
    let mut bytes = vec![VERSION];
    bytes.extend(encoder.finish());
    close(bytes, checksum(place, from_at, keys))
}

/// The ticks of a block that begins at `from_at`, in order; those alone whose slot and attempt are `wanted`.
///
/// # Errors
/// It is damaged, or of a newer version.
pub fn open(
    place: Place<'_>,
    from_at: UtcMs,
    keys: &[u8],
    columns: &[u8],
    wanted: impl Fn((UtcMs, i64)) -> bool,
) -> Result<Vec<RawTick>, Damage> {
    let body = opened(columns, checksum(place, from_at, keys))?;
    let of_keys = self::keys(place, from_at, keys)?;
    let mut ticks: Vec<_> = of_keys.into_iter().map(|(slot_at, attempt)| RawTick::new(slot_at, attempt)).collect();
    let mut decoder = Decoder::new(body);
    let mut hint = Hint::new();
    let is_short = Err(Damage::Malformed("it ends too early"));
    for column in ORDER {
        let expected: Vec<_> = ticks.iter().map(|tick| expected(column, tick)).collect();
        let values = column::read(&mut decoder, &mut hint, &expected)?;
        if decoder.is_spent() {
            return is_short;
        }
        ticks.iter_mut().zip(values).for_each(|(tick, value)| tick.set_number(column, value));
    }
    let mut letters = Letters::new();
    for column in Text::ALL {
        let texts = text::read(&mut decoder, &mut letters, &mut hint, ticks.len())?;
        if decoder.is_spent() {
            return is_short;
        }
        ticks.iter_mut().zip(texts).for_each(|(tick, text)| tick.set_text(*column, text));
    }
    if !decoder.is_at_end() {
        return Err(Damage::Malformed("its length"));
    }
    ticks.retain(|tick| wanted(tick.key()));
    Ok(ticks)
}

/// Whether a block is what was written, and has the last slot and as many ticks as is said of it: by those it is found, and they
/// are in no checksum. What else it holds is not looked at.
///
/// # Errors
/// It is damaged, or of a newer version.
pub fn check(
    place: Place<'_>,
    (from_at, to_at): (UtcMs, UtcMs),
    ticks: i64,
    keys: &[u8],
    columns: &[u8],
) -> Result<(), Damage> {
    opened(columns, checksum(place, from_at, keys))?;
    let of_keys = self::keys(place, from_at, keys)?;
    let is_so = of_keys.last().is_some_and(|(slot_at, _)| *slot_at == to_at) && of_keys.len() as i64 == ticks;
    if is_so { Ok(()) } else { Err(Damage::Malformed("its last slot or number of ticks is another")) }
}

/// Of what a piece is about; what it holds is added by whoever writes or reads it.
fn checksum(place: Place<'_>, from_at: UtcMs, keys: &[u8]) -> Sha256 {
    let region = place.region_id.as_str().as_bytes();
    Sha256::new()
        .chain_update(place.website_id.0.as_bytes())
        .chain_update(from_at.to_le_bytes())
        .chain_update((region.len() as u64).to_le_bytes())
        .chain_update(region)
        .chain_update((keys.len() as u64).to_le_bytes())
        .chain_update(keys)
}

fn close(mut bytes: Vec<u8>, checksum: Sha256) -> Vec<u8> {
    let sum = checksum.chain_update(&bytes).finalize();
    bytes.extend(sum.iter().take(CHECKSUM));
    bytes
}

/// What is between version and checksum. The latter comes first: a wrong version may be damage.
fn opened(bytes: &[u8], checksum: Sha256) -> Result<&[u8], Damage> {
    let (held, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Damage::Checksum)?;
    let right = checksum.chain_update(held).finalize();
    if !right.iter().take(CHECKSUM).eq(sum.iter()) {
        return Err(Damage::Checksum);
    }
    match held.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((version, _)) => Err(Damage::Newer(*version)),
        None => Err(Damage::Malformed("it is empty")),
    }
}
