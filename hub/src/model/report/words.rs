//! Figures as people read them: the same words on pages and in mails.

use super::number::decimal;
use super::{Budget, Figures};
use crate::model::Scope;
use crate::model::message::words::lasting;

/// What is said where there is nothing to say.
pub const NONE: &str = "–";

/// The figures of a window, each in words; "–" where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// "97.826 %", rounded down.
    pub uptime: String,
    /// Coverage, alike.
    pub known: String,
    /// How long it was down.
    pub down: String,
    /// "2", or "2, 1 goes on".
    pub outages: String,
    /// The longest of them.
    pub longest: String,
    /// Mean time to repair.
    pub mttr: String,
    /// Mean time to detect.
    pub mttd: String,
    /// Half of the answers took no longer.
    pub p50: String,
    /// 95 of 100.
    pub p95: String,
    /// 99 of 100.
    pub p99: String,
    /// How much of the budget is left of how much, or that it is used up; `None`: there is no goal.
    pub budget: Option<String>,
    /// "burn rate 0.4".
    pub burn: Option<String>,
}

impl Said {
    /// Of these figures.
    #[must_use]
    pub fn of(figures: &Figures) -> Self {
        let (outages, all) = (&figures.outages, figures.latency_of_all());
        let quantile = |per_mille| all.quantile_us(per_mille).map_or_else(|| NONE.to_owned(), took);
        let time = |ms: Option<i64>| ms.map_or_else(|| NONE.to_owned(), lasting);
        let is_known = figures.uptime.window_ms() > 0;
        Self {
            uptime: share(figures.uptime_share()),
            known: share(figures.coverage_share()),
            down: time(is_known.then_some(figures.uptime.down_ms)),
            outages: match outages.open {
                0 => outages.count.to_string(),
                1 => format!("{}, 1 goes on", outages.count),
                open => format!("{}, {open} go on", outages.count),
            },
            longest: time((outages.count > 0).then_some(outages.longest_ms)),
            mttr: time(outages.mttr_ms()),
            mttd: time(outages.mttd_ms()),
            p50: quantile(500),
            p95: quantile(950),
            p99: quantile(990),
            budget: figures.budget.as_ref().map(budget),
            burn: figures
                .budget
                .as_ref()
                .and_then(Budget::burn_rate)
                .map(|rate| format!("burn rate {}", decimal(rate))),
        }
    }
}

/// "97.826 %".
#[must_use]
pub fn share(thousandths: Option<i64>) -> String {
    thousandths.map_or_else(|| NONE.to_owned(), |share| format!("{} %", decimal(share)))
}

/// A measured duration: "0.4 ms", "123 ms", "12.3 s".
#[must_use]
pub fn took(us: u32) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        10_000..10_000_000 => format!("{} ms", (us + 500) / 1_000),
        10_000_000.. => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

fn budget(budget: &Budget) -> String {
    let (allowed, left) = (lasting(budget.allowed_ms), budget.left_ms());
    let used = budget.used_share().map(|share| format!(" ({} used)", percent(share))).unwrap_or_default();
    if left < 0 {
        return format!("{} over {allowed}{used}", lasting(-left));
    }
    format!("{} of {allowed} left{used}", lasting(left))
}

/// To be read, not to be reckoned with: whole per cents, rounded up as the share is; a part of one is "1 %".
fn percent(thousandths: i64) -> String {
    format!("{} %", thousandths.div_euclid(1_000) + i64::from(thousandths.rem_euclid(1_000) > 0))
}

/// "All websites", "Websites tagged shop"; of one website nothing, for it has a name.
#[must_use]
pub fn group(scope: &Scope) -> String {
    match scope {
        Scope::All => "All websites".to_owned(),
        Scope::Tag(tag) => format!("Websites tagged {tag}"),
        Scope::Website(_) => String::new(),
    }
}
