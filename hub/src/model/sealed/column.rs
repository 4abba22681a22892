//! One column of integers that may be missing. The writer tries a few ways to foretell each value from those before it, and takes
//! the one that costs least; which it was is stored before the column.

use super::number::Numbers;
use super::range::{Chance, Coder, Cost, Encoder};

/// What is foretold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foretold {
    /// Nothing: values are as likely as they have been.
    Zero,
    /// The value before.
    Last,
    /// The running mean of those before, to which the newest adds a sixteenth.
    Mean,
}

/// How the values of a column are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All are the same.
    Same,
    /// Each by what is foretold, and (`true`) by how far the one before was off.
    Each(Foretold, bool),
}

const WAYS: [Way; 7] = [
    Way::Same,
    Way::Each(Foretold::Zero, false),
    Way::Each(Foretold::Zero, true),
    Way::Each(Foretold::Last, false),
    Way::Each(Foretold::Last, true),
    Way::Each(Foretold::Mean, false),
    Way::Each(Foretold::Mean, true),
];

/// Which values are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    None,
    All,
    Some,
}

const THERE: [There; 3] = [There::None, There::All, There::Some];

/// Which values of the last column that lacked some were there: others often lack the same.
pub(super) type Hint = Vec<bool>;

/// Whatever stands where a way should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoSuchWay;

/// Writes a column. Each value is told as its difference from `expected`.
pub(super) fn write(encoder: &mut Encoder, hint: &mut Hint, values: &[Option<i64>], expected: &[i64]) {
    let there = match values.iter().filter(|value| value.is_some()).count() {
        0 => There::None,
        all if all == values.len() => There::All,
        _ => There::Some,
    };
    encoder.plain(2, THERE.iter().position(|one| *one == there).unwrap_or_default() as u64);
    let mut values = values.to_vec();
    presence(encoder, hint, there, &mut values);
    if there == There::None {
        return;
    }
    let mut off =
        values.iter().zip(expected).filter_map(|(value, expected)| Some(value.as_ref()?.wrapping_sub(*expected)));
    let first = off.next();
    let way = if off.all(|one| Some(one) == first) {
        0
    } else {
        let cost = |way: &usize| {
            let mut cost = Cost::default();
            told(&mut cost, WAYS[*way], &mut values.clone(), expected);
            cost.cost
        };
        (1..WAYS.len()).min_by_key(cost).unwrap_or(1)
    };
    encoder.plain(3, way as u64);
    told(encoder, WAYS[way], &mut values, expected);
}

/// Reads a column of as many values as are `expected`.
pub(super) fn read<C: Coder>(coder: &mut C, hint: &mut Hint, expected: &[i64]) -> Result<Vec<Option<i64>>, NoSuchWay> {
    let there = *THERE.get(coder.plain(2, 0) as usize).ok_or(NoSuchWay)?;
    let mut values = vec![None; expected.len()];
    presence(coder, hint, there, &mut values);
    if there == There::None {
        return Ok(values);
    }
    let way = *WAYS.get(coder.plain(3, 0) as usize).ok_or(NoSuchWay)?;
    told(coder, way, &mut values, expected);
    Ok(values)
}

/// Which are there; a value that is not told yet stands as zero.
fn presence<C: Coder>(coder: &mut C, hint: &mut Hint, there: There, values: &mut [Option<i64>]) {
    match there {
        There::None => {}
        There::All => values.iter_mut().for_each(|value| *value = Some(value.unwrap_or(0))),
        There::Some => {
            let mut chances = [Chance::EVEN; 4];
            let mut last = false;
            hint.resize(values.len(), false);
            for (value, hint) in values.iter_mut().zip(hint) {
                let context = usize::from(last) | usize::from(*hint) << 1;
                last = coder.bit(&mut chances[context], value.is_some());
                *value = last.then(|| value.unwrap_or(0));
                *hint = last;
            }
        }
    }
}

fn told<C: Coder>(coder: &mut C, way: Way, values: &mut [Option<i64>], expected: &[i64]) {
    let there = values.iter_mut().zip(expected).filter_map(|(value, expected)| Some((value.as_mut()?, *expected)));
    match way {
        Way::Same => {
            let mut numbers = Numbers::new(false);
            let mut off = None;
            for (value, expected) in there {
                let off = *off.get_or_insert_with(|| numbers.code(coder, value.wrapping_sub(expected)));
                *value = off.wrapping_add(expected);
            }
        }
        Way::Each(foretold, looks_back) => {
            let mut numbers = Numbers::new(looks_back);
            // Sixteen times the mean. Whatever runs over does so alike for writer and reader.
            let (mut last, mut mean, mut is_first) = (0_i64, 0_i64, true);
            for (value, expected) in there {
                let guess = match foretold {
                    Foretold::Zero => 0,
                    Foretold::Last => last,
                    Foretold::Mean => mean.wrapping_add(8) >> 4,
                };
                let off = value.wrapping_sub(expected).wrapping_sub(guess);
                let told = numbers.code(coder, off).wrapping_add(guess);
                *value = told.wrapping_add(expected);
                last = told;
                let whole = told.wrapping_mul(16);
                mean = if is_first { whole } else { mean.wrapping_add(whole.wrapping_sub(mean) >> 4) };
                is_first = false;
            }
        }
    }
}
