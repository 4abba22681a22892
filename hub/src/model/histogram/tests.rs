//! Random durations of many shapes: what holds of histograms holds for all of them. More with `HISTORIES=100000`.

use super::*;

/// Xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    /// Of any order of magnitude, mostly near each other, some far off.
    fn durations(&mut self) -> Vec<u32> {
        let (length, usual) = (self.below(400), 1 << self.below(30));
        let mut one = || match self.below(20) {
            0 => (self.next() >> (32 + self.below(32))) as u32,
            1 => 0,
            _ => (usual + self.below(usual)) as u32,
        };
        (0..length).map(|_| one()).collect()
    }
}

fn worlds() -> impl Iterator<Item = Random> {
    let many = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(300_u64);
    (1..=many).map(|seed| Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn of(durations: &[u32]) -> Histogram {
    let mut histogram = Histogram::default();
    durations.iter().for_each(|us| histogram.record(*us));
    histogram
}

fn merged(a: &Histogram, b: &Histogram) -> Histogram {
    let mut sum = a.clone();
    sum.merge(b);
    sum
}

/// By nearest rank.
fn exact(sorted: &[u32], per_mille: usize) -> Option<u32> {
    sorted.get((sorted.len() * per_mille).div_ceil(1_000).max(1) - 1).copied()
}

#[test]
fn merging_is_the_histogram_of_all_in_any_order() {
    for mut random in worlds() {
        let [a, b, c] = [(); 3].map(|()| random.durations());
        let all = of(&[a.clone(), b.clone(), c.clone()].concat());
        let (a, b, c) = (of(&a), of(&b), of(&c));
        assert_eq!(merged(&a, &b), merged(&b, &a));
        assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        assert_eq!(merged(&merged(&a, &b), &c), all);
        assert_eq!(merged(&all, &Histogram::default()), all);
        assert_eq!(merged(&Histogram::default(), &all), all);
    }
}

#[test]
fn a_quantile_is_within_one_percent_of_the_exact_one() {
    for mut random in worlds() {
        let parts = [(); 3].map(|()| random.durations());
        let mut histogram = Histogram::default();
        parts.iter().for_each(|part| histogram.merge(&of(part)));
        let mut sorted = parts.concat();
        sorted.sort_unstable();
        assert_eq!(histogram.count(), sorted.len() as u64);
        for per_mille in [0, 1, 10, 250, 500, 900, 950, 990, 999, 1_000] {
            let (told, exact) = (histogram.quantile_us(per_mille as u32), exact(&sorted, per_mille));
            assert_eq!(told.is_some(), exact.is_some());
            let (told, exact) = (f64::from(told.unwrap_or(0)), f64::from(exact.unwrap_or(0)));
            assert!((told - exact).abs() <= Histogram::ERROR * exact, "{per_mille}: {told} for {exact}");
        }
    }
}

#[test]
fn every_value_is_near_the_middle_of_its_bucket_and_buckets_are_in_order() {
    let near_powers = (0..32).flat_map(|n| (-3..=3).map(move |d| (1_i64 << n) + d));
    let all = (0..300_000).chain(near_powers).chain([i64::from(u32::MAX)]);
    for value in all.filter_map(|value| u32::try_from(value).ok()) {
        let off = f64::from(middle(bucket(value))) - f64::from(value);
        assert!(off.abs() * 128.0 <= f64::from(value), "{value}: {off}");
        assert!(value == 0 || bucket(value) - bucket(value - 1) <= 1, "{value}");
        assert_eq!(bucket(middle(bucket(value))), bucket(value));
    }
    assert_eq!((bucket(0), bucket(127), bucket(128), LAST), (0, 127, 128, 1_727));
}

#[test]
fn bytes_are_few_and_come_back_as_they_were() {
    for mut random in worlds() {
        let histogram = of(&random.durations());
        let bytes = histogram.to_bytes();
        assert_eq!(Histogram::from_bytes(&bytes), Ok(histogram.clone()));
        assert!(bytes.len() <= 4 + 4 * histogram.counts.len());
    }
    // An hour of a check a minute, 80 ms give or take a tenth.
    let mut random = Random(7);
    let hour: Vec<u32> = (0..60).map(|_| 72_000 + random.below(16_000) as u32).collect();
    assert!(of(&hour).to_bytes().len() < 60);
    assert_eq!(Histogram::default().to_bytes(), [1, 0]);
    let full = Histogram { counts: (0..=LAST).map(|bucket| (bucket, u64::from(u32::MAX))).collect() };
    assert_eq!(Histogram::from_bytes(&full.to_bytes()), Ok(full));
}

#[test]
fn hostile_bytes_are_refused_in_words() {
    let refused = |bytes: &[u8]| Histogram::from_bytes(bytes).expect_err("no histogram");
    assert_eq!(refused(&[]), NoHistogram::Empty);
    assert_eq!(refused(&[2, 0]), NoHistogram::Version(2));
    assert_eq!(refused(&[1]), NoHistogram::CutOff);
    assert_eq!(refused(&[1, 1, 5]), NoHistogram::CutOff);
    assert_eq!(refused(&[1, 0, 0]), NoHistogram::TooLong);
    assert_eq!(refused(&[1, 1, 5, 0]), NoHistogram::Count);
    assert_eq!(refused(&[1, 0x80, 0]), NoHistogram::Number, "a number in two bytes that needs one");
    assert_eq!(refused(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), NoHistogram::Number);
    assert_eq!(refused(&[1, 0xff, 0xff, 0xff, 0x7f]), NoHistogram::Bucket, "no room is made for what cannot be");
    let mut beyond = vec![1, 1];
    put(&mut beyond, u64::from(LAST) + 1);
    beyond.push(1);
    assert_eq!(refused(&beyond), NoHistogram::Bucket);
    let mut overflow = vec![1, 2, 0];
    put(&mut overflow, u64::MAX);
    overflow.extend([0, 1]);
    assert_eq!(refused(&overflow), NoHistogram::Count);
    // Whatever else: an answer, and only of bytes that are written so.
    for mut random in worlds() {
        let mut bytes = of(&random.durations()).to_bytes();
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, random.next() as u8),
                _ => bytes[place] = random.next() as u8,
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Ok(histogram) = Histogram::from_bytes(&bytes) {
            assert_eq!(histogram.to_bytes(), bytes);
            let _ = (histogram.count(), histogram.quantile_us(500));
        }
    }
}

#[test]
fn nothing_has_no_quantile_and_one_is_all_of_them() {
    assert_eq!(Histogram::default().quantile_us(500), None);
    let one = of(&[100]);
    assert_eq!([0, 500, 1_000, u32::MAX].map(|q| one.quantile_us(q)), [Some(100); 4]);
}
