//! What an owner decides about the history of a website, beside what is checked: for how long it is kept, how much of the
//! time it is to be up, and whether strangers may see its badges. The schedule knows nothing of it.

use super::retention::Retention;
use super::{FieldError, FieldErrors};

/// What was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// For how long ticks are kept, in days: 1 to what the installation keeps; `None`: as long as that.
    pub retention_days: Option<u16>,
    /// What uptime is measured against, in parts per million: 500,000 to 999,999; `None`: nothing.
    pub uptime_goal_ppm: Option<u32>,
    /// Badges are shown to whoever asks.
    pub is_badge_public: bool,
}

impl Keeping {
    /// The lowest goal, in parts per million.
    pub const LEAST_GOAL_PPM: u32 = 500_000;
    /// The highest: with all of the time one failure would miss it for good.
    pub const MOST_GOAL_PPM: u32 = 999_999;

    /// How long its ticks are kept in an installation that keeps them so long.
    #[must_use]
    pub fn retention(&self, of_all: Retention) -> Retention {
        Retention { days: self.retention_days.map_or(of_all.days, |days| days.min(of_all.days)) }
    }
}

/// The same as numbers that somebody sent; a field that was not sent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepingChange {
    /// Days; inside, `None`: as long as the installation keeps it.
    pub retention_days: Option<Option<i64>>,
    /// Parts per million; inside, `None`: no goal.
    pub uptime_goal_ppm: Option<Option<i64>>,
    /// Badges are shown to whoever asks.
    pub is_badge_public: Option<bool>,
}

impl KeepingChange {
    /// What holds with it. `of_all`: for how long the installation keeps ticks.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn over(&self, before: &Keeping, of_all: Retention) -> Result<Keeping, FieldErrors> {
        let (mut keeping, mut errors) = (*before, FieldErrors::default());
        if let Some(given) = self.retention_days {
            keeping.retention_days = given.and_then(|days| {
                let allowed = u16::try_from(days).ok().filter(|days| (1..=of_all.days).contains(days));
                if allowed.is_none() {
                    errors.push(FieldError::new("retention_days", &days.to_string(), days_remedy(of_all)));
                }
                allowed
            });
        }
        if let Some(given) = self.uptime_goal_ppm {
            keeping.uptime_goal_ppm = given.and_then(|ppm| {
                let goals = Keeping::LEAST_GOAL_PPM..=Keeping::MOST_GOAL_PPM;
                let allowed = u32::try_from(ppm).ok().filter(|ppm| goals.contains(ppm));
                if allowed.is_none() {
                    let remedy =
                        "Give parts per million from 500000 to 999999, for example 999500 for 99.95 %, or null.";
                    errors.push(FieldError::new("uptime_goal_ppm", &ppm.to_string(), remedy));
                }
                allowed
            });
        }
        keeping.is_badge_public = self.is_badge_public.unwrap_or(keeping.is_badge_public);
        if errors.is_empty() { Ok(keeping) } else { Err(errors) }
    }
}

/// The same as a form has it: an empty text means none of one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepingInput {
    /// Days.
    pub retention_days: String,
    /// Per cent, with 4 decimals at most.
    pub uptime_goal: String,
    /// Badges are shown to whoever asks.
    pub is_badge_public: bool,
    /// [`Self::text`] of what the form showed before anything was typed; empty: not said. An edit of them is no new revision, so
    /// that a form that was open for long would undo, unseen, what was decided meanwhile: history that is deleted for it is gone.
    pub shown: String,
}

impl KeepingInput {
    /// The three fields as one text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {} {}", self.retention_days, self.uptime_goal, u8::from(self.is_badge_public))
    }

    /// Whether something else stands there than the form showed.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.shown != self.text()
    }

    /// The texts for what there is.
    #[must_use]
    pub fn of(keeping: &Keeping) -> Self {
        let mut input = Self {
            retention_days: keeping.retention_days.map(|days| days.to_string()).unwrap_or_default(),
            uptime_goal: keeping.uptime_goal_ppm.map(per_cent).unwrap_or_default(),
            is_badge_public: keeping.is_badge_public,
            shown: String::new(),
        };
        input.shown = input.text();
        input
    }

    /// What was typed. `of_all`: for how long the installation keeps ticks.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self, of_all: Retention) -> Result<Keeping, FieldErrors> {
        let mut errors = FieldErrors::default();
        let retention_days = match self.retention_days.trim() {
            "" => None,
            typed => {
                let days = typed.parse().ok().filter(|days| (1..=of_all.days).contains(days));
                if days.is_none() {
                    errors.push(FieldError::new("retention_days", typed, days_remedy(of_all)));
                }
                days
            }
        };
        let uptime_goal_ppm = match self.uptime_goal.trim() {
            "" => None,
            typed => {
                let goals = Keeping::LEAST_GOAL_PPM..=Keeping::MOST_GOAL_PPM;
                let ppm = ppm_of(typed).filter(|ppm| goals.contains(ppm));
                if ppm.is_none() {
                    let remedy = "Give per cent from 50 to 99.9999, for example 99.95, or nothing.";
                    errors.push(FieldError::new("uptime_goal", typed, remedy));
                }
                ppm
            }
        };
        let keeping = Keeping { retention_days, uptime_goal_ppm, is_badge_public: self.is_badge_public };
        if errors.is_empty() { Ok(keeping) } else { Err(errors) }
    }
}

fn days_remedy(of_all: Retention) -> String {
    format!("Give whole days from 1 to {}, which is what this installation keeps, or nothing.", of_all.days)
}

/// Parts per million as per cent, without zeros that say nothing: `99.95`.
#[must_use]
pub fn per_cent(ppm: u32) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    let text = format!("{whole}.{rest:04}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Per cent as people type it, exactly: `99.95`, `99,95`, `99.95 %`. `None`: none, or finer than a part per million.
pub(in crate::model) fn ppm_of(text: &str) -> Option<u32> {
    let text = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (whole, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || rest.len() > 4 || !is_number(whole) || !is_number(rest) {
        return None;
    }
    format!("{whole}{rest:0<4}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ALL: Retention = Retention { days: 400 };

    fn typed(retention_days: &str, uptime_goal: &str) -> Result<Keeping, FieldErrors> {
        let input = KeepingInput {
            retention_days: retention_days.to_owned(),
            uptime_goal: uptime_goal.to_owned(),
            ..KeepingInput::default()
        };
        input.parse(OF_ALL)
    }

    #[test]
    fn nothing_typed_is_nothing_of_ones_own() {
        assert_eq!(typed("", " "), Ok(Keeping::default()));
        let none = KeepingInput::of(&Keeping::default());
        assert_eq!(none.text(), KeepingInput::default().text());
        assert!(!none.is_touched() && KeepingInput { uptime_goal: "99".to_owned(), ..none }.is_touched());
        assert!(KeepingInput::default().is_touched(), "a program does not say what it was shown");
        assert_eq!(Keeping::default().retention(OF_ALL), OF_ALL);
    }

    #[test]
    fn a_goal_is_exact_and_comes_back_as_it_was_typed() {
        for (text, ppm) in [
            ("50", 500_000),
            ("99.95", 999_500),
            ("99,95", 999_500),
            ("99.9 %", 999_000),
            ("99.9999", 999_999),
            ("99.0001%", 990_001),
            ("99.", 990_000),
        ] {
            let keeping = typed("", text).expect(text);
            assert_eq!(keeping.uptime_goal_ppm, Some(ppm), "{text}");
            let again = KeepingInput::of(&keeping);
            assert_eq!(again.parse(OF_ALL), Ok(keeping), "{text}");
        }
        assert_eq!(per_cent(999_500), "99.95");
        assert_eq!(per_cent(990_001), "99.0001");
        assert_eq!(per_cent(900_000), "90");
        assert_eq!(per_cent(1_000_000), "100");
    }

    #[test]
    fn what_cannot_be_is_named_found_and_put_right() {
        for text in ["49.9999", "100", "99.99999", "ninety", "-99", "9e1", "99.9.9", "٩٩", ".5", "%", "99 9", "0099.5"]
        {
            let errors = typed("", text).expect_err(text);
            let remedy = "Give per cent from 50 to 99.9999, for example 99.95, or nothing.";
            assert_eq!(errors.0, [FieldError::new("uptime_goal", text, remedy)]);
        }
        for text in ["0", "401", "-1", "1.5", "a week", "99999999999"] {
            let errors = typed(text, "").expect_err(text);
            let remedy = "Give whole days from 1 to 400, which is what this installation keeps, or nothing.";
            assert_eq!(errors.0, [FieldError::new("retention_days", text, remedy)]);
        }
        assert_eq!(typed("0", "1").expect_err("both").0.len(), 2);
    }

    #[test]
    fn what_is_not_sent_stays() {
        let before = Keeping { retention_days: Some(300), uptime_goal_ppm: Some(999_000), is_badge_public: true };
        let less = Retention { days: 100 };
        assert_eq!(KeepingChange::default().over(&before, less), Ok(before), "the installation keeps less meanwhile");
        assert_eq!(before.retention(less), less);
        let change =
            KeepingChange { retention_days: Some(None), uptime_goal_ppm: Some(Some(500_000)), ..Default::default() };
        let after = Keeping { retention_days: None, uptime_goal_ppm: Some(500_000), is_badge_public: true };
        assert_eq!(change.over(&before, less), Ok(after));
        let wrong = KeepingChange {
            retention_days: Some(Some(101)),
            uptime_goal_ppm: Some(Some(1_000_000)),
            is_badge_public: Some(false),
        };
        let errors = wrong.over(&before, less).expect_err("two");
        assert!(errors.of("retention_days").is_some_and(|remedy| remedy.contains("1 to 100")), "{errors}");
        assert!(errors.of("uptime_goal_ppm").is_some_and(|remedy| remedy.contains("500000 to 999999")), "{errors}");
        for days in [0, -1, i64::MAX] {
            let change = KeepingChange { retention_days: Some(Some(days)), ..Default::default() };
            assert!(change.over(&before, OF_ALL).is_err(), "{days}");
        }
    }
}
