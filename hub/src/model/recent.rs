//! The last ticks of a website and region in 16 bytes each, newest first: little-endian slot (8), total in
//! microseconds (4), status (2, 0 for none), outcome (1), attempt (1, at most 255).

use super::{Outcome, RecentTick};

const SIZE: usize = 16;

/// Packs ticks, in the order given.
#[must_use]
pub fn pack(ticks: &[RecentTick]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ticks.len() * SIZE);
    for tick in ticks {
        bytes.extend_from_slice(&tick.slot_at.to_le_bytes());
        bytes.extend_from_slice(&tick.total_us.to_le_bytes());
        bytes.extend_from_slice(&tick.status.unwrap_or(0).to_le_bytes());
        bytes.push(match tick.outcome {
            Outcome::Up => 0,
            Outcome::Degraded => 1,
            Outcome::Down => 2,
            Outcome::Unknown => 3,
        });
        bytes.push(u8::try_from(tick.attempt).unwrap_or(u8::MAX));
    }
    bytes
}

/// Unpacks what [`pack`] made; bytes that are no whole tick are left out, an outcome not known is `Unknown`.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Vec<RecentTick> {
    let one = |b: &[u8; SIZE]| {
        let [s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, c0, c1, outcome, attempt] = *b;
        let status = u16::from_le_bytes([c0, c1]);
        RecentTick {
            slot_at: i64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            total_us: u32::from_le_bytes([t0, t1, t2, t3]),
            status: (status != 0).then_some(status),
            outcome: match outcome {
                0 => Outcome::Up,
                1 => Outcome::Degraded,
                2 => Outcome::Down,
                _ => Outcome::Unknown,
            },
            attempt: u16::from(attempt),
        }
    };
    bytes.as_chunks::<SIZE>().0.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_survive_packing() {
        let ticks: Vec<_> = [Outcome::Up, Outcome::Degraded, Outcome::Down, Outcome::Unknown]
            .into_iter()
            .enumerate()
            .map(|(n, outcome)| RecentTick {
                slot_at: 1_764_000_000_000 - n as i64,
                attempt: n as u16,
                outcome,
                status: (n % 2 == 0).then_some(503),
                total_us: u32::MAX - n as u32,
            })
            .collect();
        let bytes = pack(&ticks);
        assert_eq!(bytes.len(), 64);
        assert_eq!(unpack(&bytes), ticks);
        assert_eq!(unpack(&bytes[..40]), ticks[..2]);
    }
}
