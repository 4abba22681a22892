//! Why a verdict is what it is, in the order a person asks: what is wrong, where it is seen, who sees it differently, who
//! cannot tell, how it is recorded, and by what rule. What a target said (the detail of a failure) stays with the ticks
//! and the evidence: it differs with every look, and its author may be hostile.

use super::vote::{Vote, is_on_trial, vote};
use crate::model::{Class, Failure, Outcome, RegionId, RegionState, UtcMs, Website, WebsiteState, cause};

/// What is stored of a reason, in bytes; whole sentences are left out where it would be longer.
pub const REASON_BYTES: usize = 512;

/// Of a website that was just added.
pub const NOT_CHECKED: &str = "It has not been checked yet.";
/// Of one its owner paused.
pub const PAUSED: &str = "It was paused by its owner.";
/// Of one its owner resumed.
pub const RESUMED: &str = "It was resumed by its owner, and has not been checked since.";
/// Of one whose settings its owner changed.
pub const EDITED: &str = "It was changed by its owner, and has not been checked since.";
/// Nobody has looked since it was added, edited or resumed.
pub(super) const UNLOOKED: &str = "No region reports on it. See that a probe runs.";
/// Everybody who looked has fallen silent.
pub(super) const SILENT: &str = "No region has reported lately, so nobody can tell. See that a probe runs.";

/// Whether a change of verdict was its owner's doing, which no tick tells. Versions up to 0.1 wrote other words.
#[must_use]
pub fn is_owners_doing(reason: &str) -> bool {
    [PAUSED, RESUMED, EDITED].contains(&reason)
        || ["paused by its owner", "resumed; not checked since", "changed by its owner; not checked since"]
            .contains(&reason)
}

/// The first sentence of a reason, for where there is room for one.
#[must_use]
pub fn first_sentence(reason: &str) -> &str {
    reason.find(". ").map_or(reason, |end| &reason[..=end])
}

/// A reason for people: without the codes it is recorded by, which stand in the database, in the API and with the ticks.
#[must_use]
pub fn without_codes(reason: &str) -> String {
    let Some((before, coded)) = reason.split_once(RECORDED) else { return reason.to_owned() };
    let after = coded.split_once(". ").map_or("", |(_, after)| after);
    format!("{before}{after}").trim_end().to_owned()
}

/// How the sentence of codes begins.
const RECORDED: &str = "Recorded as ";

/// By which rule a verdict was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nobody reports.
    Silence,
    /// One region alone reports, and says that it fails.
    Lone,
    /// Enough regions fail, or too few.
    Majority,
    /// As many fail as do not, and an outage goes on.
    Half,
    /// More find it degraded than well.
    Degraded,
    /// Nothing is wrong.
    AllGood,
}

impl Rule {
    fn words(self) -> &'static str {
        match self {
            Self::Silence | Self::AllGood => "",
            Self::Lone => {
                "Rule: with a single vantage point, three failing looks in a row make it down, and two good ones up."
            }
            Self::Majority => "Rule: down when more than half of the reporting regions, and at least two, say so.",
            Self::Half => "Rule: down for as long as half of the reporting regions, and at least two, say so.",
            Self::Degraded => {
                "Rule: degraded when more regions say so than say up; slow when 3 of the last 10 looks were."
            }
        }
    }
}

pub(super) type Voter<'a> = (&'a RegionState, Vote);

/// The reason of a verdict; `voters` are in order of name.
pub(super) fn explain(verdict: Outcome, rule: Rule, voters: &[Voter<'_>]) -> String {
    let with = |wanted: Vote| voters.iter().filter(|(_, v)| *v == wanted).map(|(r, _)| *r).collect::<Vec<_>>();
    let (down, degraded, up) = (with(Vote::Down), with(Vote::Degraded), with(Vote::Up));
    let reporting = down.len() + degraded.len() + up.len();
    let (failing, on_trial): (Vec<_>, Vec<_>) = down.iter().partition(|r| r.outcome == Outcome::Down);
    let causes = match verdict {
        Outcome::Down => causes_of(&failing),
        Outcome::Up | Outcome::Degraded | Outcome::Unknown if !failing.is_empty() => causes_of(&failing),
        Outcome::Up | Outcome::Degraded | Outcome::Unknown => causes_of(&degraded),
    };
    let is_lone = reporting == 1;
    let of_those = |n: usize| format!("{n} of {reporting} regions that report");
    let mut said = Vec::new();
    match (verdict, causes.as_slice(), failing.as_slice()) {
        (_, [], [..]) if reporting == 0 => said.push(if with(Vote::Abstains).is_empty() {
            SILENT.to_owned()
        } else {
            "No region can tell whether it is up.".to_owned()
        }),
        (_, [only], [region]) if is_lone => said.push(format!(
            "{}, seen from {}, the only region that reports, {}.",
            only.sentence(),
            region.region_id,
            looks(region.failing_streak)
        )),
        (Outcome::Down, [only], _) => {
            said.push(format!("{} ({}).", only.seen(), of_those(only.regions.len())));
        }
        (Outcome::Down, [_, ..], _) => {
            said.push(format!("It fails for different reasons, seen from {}.", of_those(failing.len())));
            said.extend(causes.iter().map(|c| c.seen() + "."));
        }
        (Outcome::Down, [], _) => said.push("It fails no longer, and has to be good twice in a row.".to_owned()),
        (Outcome::Degraded, [only], []) => {
            said.push(format!("{} ({}).", only.seen(), of_those(only.regions.len())));
        }
        (Outcome::Up | Outcome::Degraded | Outcome::Unknown, _, _) => {
            said.extend(who_answers(&up, &degraded, reporting));
            said.extend(causes.iter().map(|c| c.seen() + "."));
        }
    }
    if !failing.is_empty() {
        let good: Vec<_> =
            voters.iter().filter(|(_, v)| matches!(v, Vote::Up | Vote::Degraded)).map(|(r, _)| *r).collect();
        said.extend(sentence_of(&good, "gets an answer", "get an answer"));
    }
    let trial: Vec<&RegionState> = on_trial.into_iter().filter(|r| is_on_trial(r)).collect();
    said.extend(sentence_of(
        &trial,
        "answers again, and has to do so once more",
        "answer again, and have to do so once more",
    ));
    said.extend(who_cannot_tell(&with(Vote::Abstains)));
    said.extend(sentence_of(&with(Vote::Silent), "has not reported lately", "have not reported lately"));
    bounded(said, &recorded(&causes), rule.words())
}

/// `None`: only some that are on trial, who are told of beside.
fn who_answers(up: &[&RegionState], degraded: &[&RegionState], reporting: usize) -> Option<String> {
    let good = up.len() + degraded.len();
    Some(match (up, degraded) {
        ([], []) => return None,
        ([one], []) | ([], [one]) if reporting == 1 => {
            format!("It answers, seen from {}, the only region that reports.", one.region_id)
        }
        _ if good == reporting => format!("It answers, seen from all {reporting} regions that report."),
        _ => format!("It answers, seen from {good} of {reporting} regions that report."),
    })
}

/// Why the regions that fail alone are these now.
pub(in crate::model) fn explain_regional(
    failing: &[&RegionState],
    gone: &[(&RegionId, Option<&RegionState>)],
    website: &Website,
    state: &WebsiteState,
    now: UtcMs,
) -> String {
    let causes = causes_of(&failing.iter().copied().filter(|r| r.outcome == Outcome::Down).collect::<Vec<_>>());
    let mut said: Vec<String> = causes.iter().map(|c| c.seen() + ".").collect();
    if causes.is_empty() && !failing.is_empty() {
        said.extend(sentence_of(failing, "still gets no answer", "still get no answer"));
    }
    let left = |wanted: &[Vote]| -> Vec<&RegionState> {
        let of = gone.iter().filter_map(|(_, region)| *region);
        of.filter(|r| wanted.contains(&vote(r, website, state, now))).collect()
    };
    said.extend(sentence_of(&left(&[Vote::Up, Vote::Degraded]), "gets an answer again", "get an answer again"));
    said.extend(sentence_of(&left(&[Vote::Abstains]), "cannot tell any more", "cannot tell any more"));
    said.extend(sentence_of(&left(&[Vote::Silent]), "has not reported lately", "have not reported lately"));
    if said.is_empty() {
        said.push("The regions that failed are not watched from any more.".to_owned());
    }
    let rule = if failing.is_empty() { "" } else { "Other regions get an answer, so it is not called down." };
    bounded(said, &recorded(&causes), rule)
}

/// Regions that see the same.
struct Cause<'a> {
    class: Class,
    failure: Option<&'a Failure>,
    regions: Vec<&'a RegionState>,
}

impl Cause<'_> {
    fn sentence(&self) -> &'static str {
        self.failure.map_or_else(|| cause::of(self.class), cause::sentence)
    }

    /// Without a full stop.
    fn seen(&self) -> String {
        let fewest = self.regions.iter().map(|r| r.failing_streak).min().unwrap_or(0);
        let (sentence, names) = (self.sentence(), names(&self.regions));
        match fewest {
            0 => format!("{sentence}, seen from {names}"),
            fewest => format!("{sentence}, seen from {names} {}", looks(fewest)),
        }
    }
}

/// No more than three are told apart by number: a reason that changed with every tick would be written with every tick.
fn looks(streak: u16) -> &'static str {
    match streak {
        0 | 1 => "once",
        2 => "twice in a row",
        3.. => "three times in a row or more",
    }
}

/// What the regions see, what most see first. The causes of a degraded region that is slow now and then are its slow looks.
fn causes_of<'a>(regions: &[&'a RegionState]) -> Vec<Cause<'a>> {
    let mut causes: Vec<Cause<'a>> = Vec::new();
    for region in regions {
        let failure = region.failure.as_ref();
        let class = failure.map_or(Class::Slow, |f| f.class);
        let phase = failure.map(|f| f.phase);
        match causes.iter_mut().find(|c| (c.class, c.failure.map(|f| f.phase)) == (class, phase)) {
            Some(cause) => cause.regions.push(region),
            None => causes.push(Cause { class, failure, regions: vec![region] }),
        }
    }
    causes.sort_by_key(|c| std::cmp::Reverse(c.regions.len()));
    causes
}

/// For those who search: class and phase, as ticks are stored with them.
fn recorded(causes: &[Cause<'_>]) -> String {
    let of = |cause: &Cause<'_>| match cause.failure {
        Some(failure) => format!("{} in {}", failure.class, failure.phase),
        None => cause.class.to_string(),
    };
    match causes {
        [] => String::new(),
        [one] => format!("{RECORDED}{}.", of(one)),
        [one, two] => format!("{RECORDED}{} and {}.", of(one), of(two)),
        [one, two, more @ ..] => format!("{RECORDED}{}, {} and {} more.", of(one), of(two), more.len()),
    }
}

fn who_cannot_tell(regions: &[&RegionState]) -> Option<String> {
    let why = |r: &&RegionState| r.failure.as_ref().map(cause::sentence);
    let first = regions.first().and_then(why);
    match first {
        Some(same) if regions.iter().all(|r| why(r) == first) => {
            Some(format!("{} cannot tell: {}.", names(regions), uncapitalised(same)))
        }
        _ => sentence_of(regions, "cannot tell", "cannot tell"),
    }
}

fn sentence_of(regions: &[&RegionState], one: &str, several: &str) -> Option<String> {
    match regions {
        [] => None,
        [_] => Some(format!("{} {one}.", names(regions))),
        [..] => Some(format!("{} {several}.", names(regions))),
    }
}

/// Three names at most.
fn names(regions: &[&RegionState]) -> String {
    let name = |r: &&RegionState| r.region_id.to_string();
    match regions {
        [] => String::new(),
        [one] => name(one),
        [one, two] => format!("{} and {}", name(one), name(two)),
        [one, two, three] => format!("{}, {} and {}", name(one), name(two), name(three)),
        [one, two, rest @ ..] => format!("{}, {} and {} more", name(one), name(two), rest.len()),
    }
}

fn uncapitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The sentences in their order, then those that have to be there; what does not fit is left out whole. The first one and
/// the last two always fit: three names of regions are 96 bytes.
fn bounded(said: Vec<String>, recorded: &str, rule: &str) -> String {
    let last: Vec<&str> = [recorded, rule].into_iter().filter(|text| !text.is_empty()).collect();
    let kept: usize = last.iter().map(|text| text.len() + 1).sum();
    let mut text = String::new();
    for sentence in said {
        if text.is_empty() || text.len() + 1 + sentence.len() + kept <= REASON_BYTES {
            push(&mut text, &sentence);
        }
    }
    for sentence in last {
        push(&mut text, sentence);
    }
    text
}

fn push(text: &mut String, sentence: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(sentence);
}

#[cfg(test)]
mod tests;
