//! Processor time of processes, from /proc.

use std::ops::Sub;
use std::time::Duration;

/// A hundredth of a second: `getconf CLK_TCK` on every Linux we know.
const TICK_US: u64 = 10_000;

/// Processor time used, user and system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu(pub Duration);

impl Cpu {
    /// This process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// A process and its children that have ended.
    pub fn of(pid: u32) -> Self {
        let fields = stat(pid).unwrap_or_default();
        let sum: u64 = fields.iter().skip(11).take(4).filter_map(|f| f.parse::<u64>().ok()).sum();
        Self(Duration::from_micros(sum * TICK_US))
    }

    /// A process and all its children, running or ended.
    pub fn of_family(parent: u32) -> Self {
        let children = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            (stat(pid)?.get(1)?.parse::<u32>().ok()? == parent).then_some(pid)
        });
        Self(children.map(Self::of).map(|c| c.0).sum::<Duration>() + Self::of(parent).0)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self(self.0.saturating_sub(before.0))
    }
}

/// The fields after the name, which may hold blanks: state, parent, ...
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
