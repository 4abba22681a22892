//! How maintenance windows are said on pages.

use std::collections::BTreeMap;

use super::words::{self, Instant};
use crate::model::maintenance::{MonthDay, Repeats};
use crate::model::{Rule, Scope, Span, Ties, UtcMs, WebsiteId, WebsiteName};

/// To the minute, which is what windows are planned in.
pub(super) fn minute(at: UtcMs) -> Instant {
    let whole = words::instant(at);
    let words = whole.words.get(..16).unwrap_or(&whole.words).to_owned();
    Instant { machine: whole.machine, words }
}

/// "every Monday and Thursday at 02:30, Europe/Berlin, for 1 h 30 min".
pub(super) fn rule(rule: &Rule) -> String {
    let time = rule.starts.strftime("%H:%M");
    let days = match rule.repeats {
        Repeats::Once => format!("once, {}", rule.starts.strftime("%a %Y-%m-%d")),
        Repeats::Daily => "every day".to_owned(),
        Repeats::Weekly(days) => {
            let names: Vec<String> = days.iter().map(|day| format!("{day:?}")).collect();
            match names.split_last() {
                Some((last, [])) => format!("every {last}"),
                Some((last, rest)) => format!("every {} and {last}", rest.join(", ")),
                None => String::new(),
            }
        }
        Repeats::Monthly(MonthDay::Day(day)) => format!("on day {day} of each month"),
        Repeats::Monthly(MonthDay::Last) => "on the last day of each month".to_owned(),
    };
    format!("{days} at {time}, {}, for {}", rule.time_zone(), words::lasted(rule.duration_ms))
}

/// What clocks of UTC are ahead of it.
const UTC: &str = "+00:00";

/// One window, by the clocks of its zone and in UTC.
#[derive(Debug)]
pub(super) struct Turn {
    /// Begin and end by its clocks; empty where they show UTC.
    pub(super) local: String,
    pub(super) from: Instant,
    pub(super) to: Instant,
    /// Clocks change while it lasts, or the wall shows another time than was asked for.
    pub(super) note: &'static str,
}

pub(super) fn turn(rule: &Rule, span: Span) -> Turn {
    let note = if rule.local(span.from_at).time() != rule.starts.time() {
        "clocks are put forward: that time does not exist on this day"
    } else if rule.offset(span.from_at) != rule.offset(span.to_at) {
        "clocks change meanwhile"
    } else {
        ""
    };
    let (from, to) = (rule.local(span.from_at), rule.local(span.to_at));
    let is_utc = [span.from_at, span.to_at].iter().all(|at| rule.offset(*at) == UTC);
    let end = if from.date() == to.date() { "%H:%M" } else { "%a %Y-%m-%d %H:%M" };
    let local = match is_utc {
        true => String::new(),
        false => format!(
            "{} to {} by the clocks of {}",
            from.strftime("%a %Y-%m-%d %H:%M"),
            to.strftime(end),
            rule.time_zone()
        ),
    };
    Turn { local, from: minute(span.from_at), to: minute(span.to_at), note }
}

/// Names of an account's websites, and which of them bear a tag.
pub(super) struct Covered<'a> {
    pub(super) websites: &'a [WebsiteName],
    pub(super) ties: &'a BTreeMap<WebsiteId, Ties>,
}

impl Covered<'_> {
    /// "all websites", "1 website tagged shop", "example.com".
    pub(super) fn words(&self, scope: &Scope) -> String {
        match scope {
            Scope::All => "all websites".to_owned(),
            Scope::Tag(tag) => match self.ties.values().filter(|ties| ties.tags.contains(tag)).count() {
                0 => format!("no website yet: none is tagged {tag}"),
                1 => format!("1 website tagged {tag}"),
                n => format!("{n} websites tagged {tag}"),
            },
            Scope::Website(id) => {
                let website = self.websites.iter().find(|website| website.website_id == *id);
                website.map_or_else(|| "a website that was deleted".to_owned(), |w| words::name(&w.url))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(starts: &str, repeats: &str, minutes: i64) -> Rule {
        let (starts, repeats) = (starts.parse().expect("a wall time"), repeats.parse().expect("a rhythm"));
        Rule::new("Europe/Berlin", starts, repeats, minutes * 60_000).expect("a zone")
    }

    #[test]
    fn a_rule_is_a_sentence() {
        let said = |repeats| rule(&of("2026-11-27T02:30", repeats, 90));
        assert_eq!(said("once"), "once, Fri 2026-11-27 at 02:30, Europe/Berlin, for 1 h 30 min");
        assert_eq!(said("daily"), "every day at 02:30, Europe/Berlin, for 1 h 30 min");
        assert_eq!(said("weekly:mon"), "every Monday at 02:30, Europe/Berlin, for 1 h 30 min");
        assert!(said("weekly:mon,tue,sun").starts_with("every Monday, Tuesday and Sunday at"));
        assert!(said("monthly:15").starts_with("on day 15 of each month at"));
        assert!(said("monthly:last").starts_with("on the last day of each month at"));
    }

    #[test]
    fn a_night_with_a_change_of_clocks_is_seen() {
        let rule = of("2026-03-28T01:30", "daily", 60);
        let turns: Vec<Turn> = rule.next(1_774_656_000_000, 3).into_iter().map(|span| turn(&rule, span)).collect();
        assert_eq!(turns[0].local, "Sat 2026-03-28 01:30 to 02:30 by the clocks of Europe/Berlin");
        assert_eq!((turns[0].from.words.as_str(), turns[0].note), ("2026-03-28 00:30", ""));
        assert_eq!(turns[1].local, "Sun 2026-03-29 01:30 to 03:30 by the clocks of Europe/Berlin");
        assert_eq!(turns[1].note, "clocks change meanwhile");
        assert_eq!((turns[2].from.words.as_str(), turns[2].note), ("2026-03-29 23:30", ""));
    }
}
