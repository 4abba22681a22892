//! A maintenance window from what a form or a program sent, as text.

use jiff::civil::DateTime;

use super::maintenance::{MonthDay, Repeats, WEEKDAYS, Weekdays};
use super::{FieldError, FieldErrors, MaintenancePlan, Rule, Scope, Tag, UtcMs, WebsiteId};

/// Characters of a name.
const NAME_CHARACTERS: usize = 64;

/// A window as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaintenanceInput {
    /// For people.
    pub name: String,
    /// `all`, `tag` or `website`.
    pub scope: String,
    /// With scope `tag`.
    pub tag: String,
    /// With scope `website`.
    pub website_id: String,
    /// IANA name.
    pub time_zone: String,
    /// Wall time, `2026-11-27T02:30`.
    pub starts: String,
    /// `once`, `daily`, `weekly`, `monthly`; or with its days, as it is stored.
    pub repeats: String,
    /// With `weekly`: `mon` to `sun`.
    pub weekdays: Vec<String>,
    /// With `monthly`: 1 to 31, or `last`.
    pub month_day: String,
    /// Of the duration.
    pub hours: String,
    /// Of the duration, beside the hours.
    pub minutes: String,
}

impl MaintenanceInput {
    /// The texts of a window there is.
    #[must_use]
    pub fn of(plan: &MaintenancePlan) -> Self {
        let rule = &plan.rule;
        let (scope, tag, website_id) = match &plan.scope {
            Scope::All => ("all", String::new(), String::new()),
            Scope::Tag(tag) => ("tag", tag.to_string(), String::new()),
            Scope::Website(id) => ("website", String::new(), id.to_string()),
        };
        let repeats = rule.repeats.to_string();
        let (kind, days) = repeats.split_once(':').unwrap_or((&repeats, ""));
        let minutes = rule.duration_ms / 60_000;
        Self {
            name: plan.name.clone(),
            scope: scope.to_owned(),
            tag,
            website_id,
            time_zone: rule.time_zone().to_owned(),
            starts: rule.starts.strftime("%Y-%m-%dT%H:%M").to_string(),
            weekdays: if kind == "weekly" { days.split(',').map(str::to_owned).collect() } else { Vec::new() },
            month_day: if kind == "monthly" { days.to_owned() } else { String::new() },
            repeats: kind.to_owned(),
            hours: (minutes / 60).to_string(),
            minutes: (minutes % 60).to_string(),
        }
    }

    /// The window. That a website or tag is the account's own is not known here.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self, now: UtcMs) -> Result<MaintenancePlan, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self.name(&mut errors);
        let scope = self.scope(&mut errors);
        let starts = self.starts(&mut errors);
        let repeats = self.repeats(&mut errors);
        let duration_ms = self.duration_ms(repeats, &mut errors);
        let rule = starts.zip(repeats).zip(duration_ms).map(|((starts, repeats), duration_ms)| {
            let rule = Rule::new(self.time_zone.trim(), starts, repeats, duration_ms);
            if let Some(over_at) = rule.as_ref().and_then(Rule::over_at)
                && over_at <= now
            {
                errors.push(FieldError::new("starts", &self.starts, "This would be over already; give a later start."));
            }
            rule
        });
        // The zone is judged whatever else is wrong.
        let is_zone = jiff::tz::TimeZone::get(self.time_zone.trim()).is_ok();
        if !is_zone {
            let remedy = "Give the name of a time zone, for example Europe/Berlin or UTC.";
            errors.push(FieldError::new("time_zone", &self.time_zone, remedy));
        }
        match (scope, rule.flatten()) {
            (Some(scope), Some(rule)) if errors.is_empty() => Ok(MaintenancePlan { name, scope, rule }),
            _ => Err(errors),
        }
    }

    fn name(&self, errors: &mut FieldErrors) -> String {
        let name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = name.chars().count();
        if length == 0 || length > NAME_CHARACTERS || name.chars().any(char::is_control) {
            let remedy = format!("Give a name of 1 to {NAME_CHARACTERS} characters, for example \"Database update\".");
            errors.push(FieldError::new("name", &name, remedy));
        }
        name
    }

    fn scope(&self, errors: &mut FieldErrors) -> Option<Scope> {
        match self.scope.trim() {
            "all" => Some(Scope::All),
            "tag" => match self.tag.parse::<Tag>() {
                Ok(tag) => Some(Scope::Tag(tag)),
                Err(why) => {
                    errors.push(FieldError::new("tag", &self.tag, format!("Give one tag; {why}.")));
                    None
                }
            },
            "website" => {
                let id = self.website_id.trim().parse::<WebsiteId>().ok();
                if id.is_none() {
                    errors.push(FieldError::new("website_id", &self.website_id, "Choose one of your websites."));
                }
                id.map(Scope::Website)
            }
            _ => {
                let remedy = "Choose all websites, those with a tag, or one website.";
                errors.push(FieldError::new("scope", &self.scope, remedy));
                None
            }
        }
    }

    fn starts(&self, errors: &mut FieldErrors) -> Option<DateTime> {
        let text = self.starts.trim();
        let parsed = text.parse::<DateTime>().ok().filter(|at| (2000..=2100).contains(&at.year()));
        // A browser may send seconds.
        let whole = parsed.and_then(|at| at.with().second(0).subsec_nanosecond(0).build().ok());
        // What has an offset or a zone is not meant by the wall clock.
        let is_wall = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_digit() || b"-:T .".contains(&b));
        if whole.is_none() || !is_wall {
            let remedy =
                "Give date and time of the first window as clocks there show it, for example 2026-11-27T02:30.";
            errors.push(FieldError::new("starts", text, remedy));
            return None;
        }
        whole
    }

    fn repeats(&self, errors: &mut FieldErrors) -> Option<Repeats> {
        let text = self.repeats.trim();
        match text {
            "weekly" => {
                let day = |name: &String| WEEKDAYS.iter().find(|(_, known)| known == name).map(|(day, _)| *day);
                let days: Option<Vec<_>> = self.weekdays.iter().take(100).map(day).collect();
                let days = days.and_then(Weekdays::new);
                if days.is_none() {
                    errors.push(FieldError::new("weekdays", "", "Choose at least one day of the week."));
                }
                days.map(Repeats::Weekly)
            }
            "monthly" => match self.month_day.trim() {
                "last" => Some(Repeats::Monthly(MonthDay::Last)),
                day => match day.parse() {
                    Ok(day @ 1..=31) => Some(Repeats::Monthly(MonthDay::Day(day))),
                    Ok(_) | Err(_) => {
                        errors.push(FieldError::new("month_day", day, "Give a day from 1 to 31, or the last day."));
                        None
                    }
                },
            },
            _ => match text.parse() {
                Ok(repeats) => Some(repeats),
                Err(_) => {
                    let remedy = "Choose once, daily, weekly or monthly; a program gives the days with it, as in weekly:mon,thu or monthly:last.";
                    errors.push(FieldError::new("repeats", text, remedy));
                    None
                }
            },
        }
    }

    fn duration_ms(&self, repeats: Option<Repeats>, errors: &mut FieldErrors) -> Option<i64> {
        let number = |text: &str| match text.trim() {
            "" => Some(0),
            text => text.parse::<i64>().ok().filter(|n| (0..=100_000).contains(n)),
        };
        let minutes = number(&self.hours).zip(number(&self.minutes)).map(|(hours, minutes)| hours * 60 + minutes);
        let duration_ms = minutes.map(|m| m * 60_000).filter(|ms| (Rule::LEAST_MS..=Rule::MOST_MS).contains(ms));
        let found = format!("{} h {} min", self.hours.trim(), self.minutes.trim());
        let Some(duration_ms) = duration_ms else {
            errors.push(FieldError::new("duration", &found, "Give 1 minute to 7 days (168 hours)."));
            return None;
        };
        // It would never end. Clocks are put back by up to an hour.
        let gap = repeats.and_then(Repeats::least_gap_days);
        if let Some(most_h) = gap.map(|days| days * 24 - 1)
            && duration_ms > most_h * 3_600_000
        {
            let remedy = format!("The next one would begin before it ends: give {most_h} hours at most.");
            errors.push(FieldError::new("duration", &found, remedy));
            return None;
        }
        Some(duration_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> MaintenanceInput {
        MaintenanceInput {
            name: " Database   update ".into(),
            scope: "tag".into(),
            tag: "Shop".into(),
            time_zone: "Europe/Berlin".into(),
            starts: "2026-11-27T02:30".into(),
            repeats: "weekly".into(),
            weekdays: vec!["mon".into(), "thu".into()],
            hours: "1".into(),
            minutes: "30".into(),
            ..MaintenanceInput::default()
        }
    }

    #[test]
    fn what_was_saved_comes_back_to_the_form() {
        let plan = fine().parse(0).expect("a window");
        assert_eq!((plan.name.as_str(), plan.rule.duration_ms), ("Database update", 5_400_000));
        assert_eq!(plan.scope, Scope::Tag("shop".parse().expect("a tag")));
        assert_eq!(MaintenanceInput::of(&plan).parse(0), Ok(plan.clone()));
        let typed = MaintenanceInput { repeats: "monthly:last".into(), starts: "2026-11-27 02:30:59".into(), ..fine() };
        let plan = typed.parse(0).expect("as a program sends it");
        assert_eq!(plan.rule.starts.to_string(), "2026-11-27T02:30:00");
        assert_eq!(MaintenanceInput::of(&plan).parse(0), Ok(plan));
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        let named = |input: MaintenanceInput| {
            let errors = input.parse(1_795_487_400_000).err().unwrap_or_default();
            errors.0.into_iter().map(|e| e.field).collect::<Vec<_>>()
        };
        let all = named(MaintenanceInput::default());
        assert_eq!(all, ["name", "scope", "starts", "repeats", "duration", "time_zone"]);
        assert_eq!(named(fine()), Vec::<&str>::new());
        for (field, input) in [
            ("name", MaintenanceInput { name: "x".repeat(65), ..fine() }),
            ("tag", MaintenanceInput { tag: "a,b".into(), ..fine() }),
            ("website_id", MaintenanceInput { scope: "website".into(), website_id: "7".into(), ..fine() }),
            ("starts", MaintenanceInput { starts: "2026-11-27".into(), ..fine() }),
            ("starts", MaintenanceInput { starts: "2026-11-27T02:30Z".into(), ..fine() }),
            ("starts", MaintenanceInput { starts: "2026-11-27T02:30+01:00".into(), ..fine() }),
            ("starts", MaintenanceInput { starts: "9999-11-27T02:30".into(), ..fine() }),
            ("starts", MaintenanceInput { repeats: "once".into(), starts: "2026-11-01T02:30".into(), ..fine() }),
            ("weekdays", MaintenanceInput { weekdays: Vec::new(), ..fine() }),
            ("month_day", MaintenanceInput { repeats: "monthly".into(), month_day: "32".into(), ..fine() }),
            ("repeats", MaintenanceInput { repeats: "yearly".into(), ..fine() }),
            ("duration", MaintenanceInput { hours: "168".into(), minutes: "1".into(), ..fine() }),
            ("duration", MaintenanceInput { hours: "0".into(), minutes: "0".into(), ..fine() }),
            ("duration", MaintenanceInput { hours: "-1".into(), ..fine() }),
            ("duration", MaintenanceInput { repeats: "daily".into(), hours: "24".into(), ..fine() }),
            ("duration", MaintenanceInput { hours: "72".into(), minutes: "0".into(), ..fine() }),
            ("time_zone", MaintenanceInput { time_zone: "../../etc/passwd".into(), ..fine() }),
        ] {
            assert_eq!(named(input), [field]);
        }
    }
}
