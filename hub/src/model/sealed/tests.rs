use std::sync::Arc;

use super::tick::NUMBERS;
use super::*;

/// Numbers that look random and are the same in every run (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.roll() % most
    }

    /// Of a normal distribution, by the sum of twelve even ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll() as f64 / u64::MAX as f64).sum::<f64>() - 6.0
    }

    /// As waits on a network are: most near `usual`, some far above.
    fn wait_us(&mut self, usual: f64, spread: f64) -> i64 {
        let tail = if self.below(50) == 0 { 1.0 + self.below(400) as f64 / 100.0 } else { 1.0 };
        (usual * (self.normal() * spread).exp() * tail) as i64
    }
}

fn region() -> RegionId {
    "INDIA".parse().unwrap()
}

fn place(region: &RegionId) -> Place<'_> {
    Place { website_id: WebsiteId(uuid::Uuid::from_u128(7)), region_id: region }
}

fn text(text: &str) -> Option<Arc<str>> {
    Some(text.into())
}

/// A day of a website that is asked every `interval_ms` over TLS, with a noise in each phase as between two continents, and an
/// outage of a quarter of an hour.
fn usual_day(dice: &mut Dice, interval_ms: i64) -> Vec<RawTick> {
    let begins_at = 1_790_000_000_000 / DAY_MS * DAY_MS + 17_321;
    let day = |n: i64| {
        let slot_at = begins_at + n * interval_ms;
        let mut tick = RawTick::new(slot_at, 0);
        let is_down = (600_000_000..600_900_000).contains(&(slot_at % DAY_MS * 10));
        let phases = [
            (Number::Dns, 1_800.0, 0.12),
            (Number::Connect, 42_000.0, 0.015),
            (Number::Tls, 46_000.0, 0.02),
            (Number::Send, 38.0, 0.15),
            (Number::Wait, 61_000.0, 0.06),
            (Number::Receive, 420.0, 0.25),
        ];
        let mut total = 0;
        for (column, usual, spread) in phases {
            if is_down && column != Number::Dns && column != Number::Connect {
                continue;
            }
            let us = dice.wait_us(usual, spread);
            total += us;
            tick.set_number(column, Some(us));
        }
        let (publish, queue) = (dice.below(4) as i64, dice.below(3) as i64);
        let (thread, report) = (dice.wait_us(90.0, 0.3), dice.wait_us(150.0, 0.3));
        let started_at = slot_at + publish + queue + dice.below(2) as i64;
        for (column, value) in [
            (Number::Total, total),
            (Number::Publish, publish),
            (Number::Queue, queue),
            (Number::Thread, thread),
            (Number::Report, report),
            (Number::StartedAt, started_at),
            (Number::ReceivedAt, started_at + (total + report) / 1_000 + dice.below(2) as i64),
            (Number::BodyBytes, if is_down { 0 } else { 23_456 + dice.below(8) as i64 }),
            (Number::Truncated, 0),
            (Number::Late, 0),
            (Number::Clamped, 0),
        ] {
            tick.set_number(column, Some(value));
        }
        tick.set_text(Text::Worker, text(if dice.below(2) == 0 { "frankfurt-1" } else { "frankfurt-2" }));
        tick.set_text(Text::Kind, text("scheduled"));
        tick.set_text(Text::Notes, text(""));
        if is_down {
            tick.set_text(Text::Outcome, text("down"));
            for (column, word) in [
                (Text::Class, "connect_refused"),
                (Text::Phase, "connect"),
                (Text::Blame, "target"),
                (Text::Detail, "The connection was refused."),
            ] {
                tick.set_text(column, text(word));
            }
        } else {
            tick.set_text(Text::Outcome, text("up"));
            tick.set_number(Number::Status, Some(200));
            tick.set_number(Number::NotAfter, Some(1_795_000_000_000));
            tick.set_text(Text::Remote, text(if dice.below(2) == 0 { "203.0.113.7:443" } else { "203.0.113.8:443" }));
            tick.set_text(Text::Issuer, text("R11"));
            tick.set_text(Text::Subject, text("www.example.com"));
            tick.set_text(Text::TlsVersion, text("TLSv1.3"));
        }
        tick
    };
    (0..DAY_MS / interval_ms).map(day).collect()
}

fn back(block: &Block) -> Result<Vec<RawTick>, Damage> {
    let region = region();
    open(place(&region), block.from_at, &block.keys, &block.columns, |_| true)
}

#[test]
fn a_usual_day_is_small_and_comes_back_as_it_was() {
    let (region, mut dice) = (region(), Dice(1));
    for (interval_ms, most) in [(60_000, 11.5), (10_000, 11.0), (300_000, 14.0)] {
        let ticks = usual_day(&mut dice, interval_ms);
        let block = seal(place(&region), &ticks).unwrap();
        assert_eq!(back(&block).unwrap(), ticks);
        let of_keys: Vec<_> = ticks.iter().map(RawTick::key).collect();
        assert_eq!(keys(place(&region), block.from_at, &block.keys).unwrap(), of_keys);
        let each = (block.keys.len() + block.columns.len()) as f64 / ticks.len() as f64;
        println!("{interval_ms} ms: {each:.2} B per tick, {} B of keys", block.keys.len());
        assert!(each <= most, "{each}");
    }
}

/// Ticks of any shape: columns that are missing, constant, wild, at the ends of what an integer holds.
fn any_ticks(dice: &mut Dice) -> Vec<RawTick> {
    let count = 1 + dice.below(60) as usize;
    let mut key = (dice.roll() as i64 / 4, 0);
    let shapes: Vec<u64> = (0..NUMBERS + TEXTS).map(|_| dice.below(7)).collect();
    let number = |dice: &mut Dice, shape: u64| match shape {
        0 => None,
        1 => Some(5),
        2 => Some(dice.below(3) as i64),
        3 => Some(dice.roll() as i64),
        4 => (dice.below(2) == 0).then(|| 1_000 + dice.below(50) as i64),
        5 => Some([i64::MIN, i64::MAX, 0, -1, 1][dice.below(5) as usize]),
        _ => Some(dice.wait_us(20_000.0, 0.2)),
    };
    let word = |dice: &mut Dice, shape: u64| match shape {
        0 => None,
        1 => text("up"),
        2 => text(["a", "b", ""][dice.below(3) as usize]),
        3 => Some(format!("Timeout after {} ms", dice.below(90_000)).into()),
        4 => (dice.below(2) == 0).then(|| "ünïcödé ⏱ \0 \"'".into()),
        5 => Some("x".repeat(dice.below(600) as usize).into()),
        _ => Some(format!("w{}", dice.below(4)).into()),
    };
    (0..count)
        .map(|_| {
            key = if dice.below(4) == 0 {
                (key.0, key.1 + 1)
            } else {
                (key.0 + 1 + (dice.roll() >> dice.below(60) >> 8) as i64, 0)
            };
            let mut tick = RawTick::new(key.0, key.1);
            for (n, column) in Number::ALL.iter().enumerate() {
                tick.set_number(*column, number(dice, shapes[n]));
            }
            for (n, column) in Text::ALL.iter().enumerate() {
                tick.set_text(*column, word(dice, shapes[NUMBERS + n]));
            }
            tick
        })
        .collect()
}

#[test]
fn whatever_ticks_hold_comes_back() {
    let (region, mut dice) = (region(), Dice(2));
    for n in 0..400 {
        let ticks = any_ticks(&mut dice);
        let block = seal(place(&region), &ticks).unwrap();
        assert_eq!(back(&block).as_ref(), Ok(&ticks), "{n}");
        assert_eq!(
            (block.from_at, block.to_at, block.ticks),
            (ticks[0].slot_at, ticks[ticks.len() - 1].slot_at, ticks.len())
        );
    }
}

#[test]
fn ticks_that_do_not_make_a_block_are_refused() {
    let region = region();
    let seal = |ticks: &[RawTick]| seal(place(&region), ticks).map(|_| ());
    assert_eq!(seal(&[]), Err(Unsealable::Count));
    let two = [RawTick::new(5, 0), RawTick::new(5, 0)];
    assert_eq!(seal(&two), Err(Unsealable::Order));
    assert_eq!(seal(&[RawTick::new(i64::MIN, 0), RawTick::new(i64::MAX, 0)]), Err(Unsealable::Order));
    let mut long = RawTick::new(5, 0);
    long.set_text(Text::Detail, Some("x".repeat(MAX_TEXT + 1).into()));
    assert_eq!(seal(&[long]), Err(Unsealable::Text));
    let many: Vec<_> = (0..=MAX_TICKS as i64).map(|n| RawTick::new(5, n)).collect();
    assert_eq!(seal(&many), Err(Unsealable::Count));
    assert_eq!(seal(&many[1..]), Ok(()));
}

#[test]
fn only_what_is_wanted_is_given() {
    let region = region();
    let ticks: Vec<_> = (0..100).map(|n| RawTick::new(n, 0)).collect();
    let block = seal(place(&region), &ticks).unwrap();
    let some = open(place(&region), block.from_at, &block.keys, &block.columns, |(slot_at, _)| slot_at >= 90).unwrap();
    assert_eq!(some, ticks[90..]);
}

#[test]
fn a_block_that_was_changed_anywhere_or_put_elsewhere_is_told() {
    let (region, mut dice) = (region(), Dice(3));
    let block = seal(place(&region), &usual_day(&mut dice, 600_000)).unwrap();
    for n in 0..block.columns.len() + block.keys.len() {
        let mut changed = block.clone();
        let bit = 1 << dice.below(8);
        match n.checked_sub(block.columns.len()) {
            None => changed.columns[n] ^= bit,
            Some(n) => changed.keys[n] ^= bit,
        }
        assert_eq!(back(&changed), Err(Damage::Checksum), "byte {n}");
    }
    for short in 0..block.columns.len() {
        assert!(back(&Block { columns: block.columns[..short].to_vec(), ..block.clone() }).is_err());
    }
    let elsewhere: RegionId = "USA".parse().unwrap();
    let moved = open(place(&elsewhere), block.from_at, &block.keys, &block.columns, |_| true);
    assert_eq!(moved, Err(Damage::Checksum));
    assert_eq!(back(&Block { from_at: block.from_at + 1, ..block }), Err(Damage::Checksum));
}

/// With a checksum that is right, as whoever writes to the database could make it.
fn sealed_by_others(region: &RegionId, from_at: UtcMs, keys: &[u8], columns: &[u8]) -> Block {
    let whole = |body: &[u8], of: &[u8]| {
        let bytes = [&[VERSION], body].concat();
        close(bytes, checksum(place(region), from_at, of))
    };
    let keys = whole(keys, &[]);
    let columns = whole(columns, &keys);
    Block { from_at, to_at: from_at, ticks: 1, keys, columns }
}

#[test]
fn hostile_bytes_are_an_error_or_ticks_and_nothing_else() {
    let (region, mut dice) = (region(), Dice(4));
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = |most: u64| (0..dice.below(most)).map(|_| dice.roll() as u8).collect::<Vec<u8>>();
        let (keys, columns) = (bytes(40), bytes(400));
        match back(&sealed_by_others(&region, 1_790_000_000_000, &keys, &columns)) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    for n in 0..600 {
        let ticks = if n % 20 == 0 { usual_day(&mut dice, 900_000) } else { any_ticks(&mut dice) };
        let block = seal(place(&region), &ticks).unwrap();
        let body = |bytes: &[u8]| bytes[1..bytes.len() - CHECKSUM].to_vec();
        let (mut keys, mut columns) = (body(&block.keys), body(&block.columns));
        for _ in 0..=dice.below(3) {
            let place = dice.below((keys.len() + columns.len()) as u64 * 4) as usize;
            if place < keys.len() {
                keys[place] = dice.roll() as u8;
            } else {
                let place = place % columns.len();
                columns[place] = dice.roll() as u8;
            }
        }
        if dice.below(4) == 0 {
            columns.truncate(dice.below(columns.len() as u64) as usize);
        }
        match back(&sealed_by_others(&region, block.from_at, &keys, &columns)) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    println!("{read} read, {refused} refused");
    assert!(refused > 3_000);
}

#[test]
fn a_block_of_a_newer_version_is_left_to_that() {
    let region = region();
    let block = seal(place(&region), &[RawTick::new(5, 0)]).unwrap();
    let mut newer = block.columns[..block.columns.len() - CHECKSUM].to_vec();
    newer[0] = 9;
    let columns = close(newer, checksum(place(&region), 5, &block.keys));
    assert_eq!(back(&Block { columns, ..block }), Err(Damage::Newer(9)));
}

/// Blocks outlive versions of the hub. Where this fails, the format needs a new version, and the old one still to be read.
#[test]
fn a_block_of_the_first_version_is_still_read() {
    let ticks: Vec<_> = (0..40)
        .map(|n| {
            let mut tick = RawTick::new(1_790_000_000_000 + n * 60_000, n % 7 / 6);
            tick.set_number(Number::Wait, (n % 9 != 0).then_some(60_000 + n * n * 31 % 977));
            tick.set_number(Number::Total, Some(60_000 + n * n * 31 % 977));
            tick.set_number(Number::Late, Some(0));
            tick.set_text(Text::Outcome, text(if n % 9 == 0 { "down" } else { "up" }));
            tick.set_text(Text::Detail, (n % 9 == 0).then(|| format!("Status {} instead of 200.", 500 + n % 4).into()));
            tick
        })
        .collect();
    let (keys, columns) = (GOLDEN_KEYS, GOLDEN_COLUMNS);
    let bytes =
        |hex: &str| (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let block = seal(place(&region()), &ticks).unwrap();
    println!("{} {}", hex(&block.keys), hex(&block.columns));
    assert_eq!(back(&Block { keys: bytes(keys), columns: bytes(columns), ..block.clone() }).as_ref(), Ok(&ticks));
    assert_eq!(
        (hex(&block.keys).as_str(), hex(&block.columns).as_str()),
        (keys, columns),
        "what is written is the same"
    );
}

const GOLDEN_KEYS: &str = "01fab1bc093024e61725aa20983f39be4c5728dd";
const GOLDEN_COLUMNS: &str = "0100a19576f11b21fcc9cb03cc6a29970083f4b776a997b3839ecb4579d43edb97196c03656c095fea06d34896674bd80ffd\
    0d885c277842b60ebbfb41f980290f177e8e0e3122e0510247449db9c2e3e63b999939df7b5d9e26b45e64673bda003bb1d6\
    3ce6936cd2202ca8a676f43199208c16b637e981dc0e68c0aece00c1130d8fa8118f5bd2571a3a548008cdd2888f92806e";

#[test]
fn what_is_packed_in_one_step_is_bounded_with_what_it_joins() {
    let block = |from_at: UtcMs, to_at: UtcMs, ticks: usize| Known { from_at, to_at, ticks };
    let new = |first_at: UtcMs, last_at: UtcMs, ticks: usize| NewOfRegion { first_at, last_at, ticks };
    let blocks = [block(100, 199, 1_000), block(200, 299, 2_000)];
    let count = |regions: &[(NewOfRegion, &[Known])], most| regions_at_once(regions.iter().copied(), most);
    // One late tick of each of five regions joins five blocks of a thousand.
    let late = [(new(150, 150, 1), &blocks[..]); 5];
    assert_eq!(count(&late, 2_002), 2);
    assert_eq!(count(&late, 2_001), 1);
    assert_eq!(count(&late, 5), 1, "one at least");
    assert_eq!(count(&late, usize::MAX), 5);
    assert_eq!(count(&[], 5), 0);
    // What joins which.
    for (new, most) in [
        (new(250, 250, 1), 2_001),
        (new(50, 60, 1), 1_001),
        (new(150, 250, 2), 3_002),
        (new(300, 300, 499), 2_499), // few join the block before
        (new(300, 400, 500), 500),   // many make one of their own
    ] {
        assert_eq!(count(&[(new, &blocks[..]); 2], most), 1, "{new:?}");
        assert_eq!(count(&[(new, &blocks[..]); 2], 2 * most), 2, "{new:?}");
        assert_eq!(count(&[(new, &blocks[..]); 2], 2 * most - 1), 1, "{new:?}");
    }
}

#[test]
fn what_comes_late_waits_for_more_of_it_but_not_for_ever() {
    let now = 1_795_000_000_000;
    assert!(!joins_now(now, now) && !joins_now(now - JOINS_AFTER_MS + 1, now) && !joins_now(now + 60_000, now));
    assert!(joins_now(now - JOINS_AFTER_MS, now) && joins_now(0, now) && joins_now(UtcMs::MAX, now));
}
