//! What a gateway does with those who ask it, and when its silence means something. Pure: instants in, a word out.

use std::time::{Duration, Instant};

/// For so long a gateway that used to answer is missed. A neighbour that is gone is told by the kernel within seconds of
/// silence; what is silent for longer and there does not answer any more.
const LAPSE: Duration = Duration::from_secs(600);

/// Of one gateway. One that never answered is not missed: many drop what they do not know.
#[derive(Debug, Default)]
pub(super) struct Habit {
    answers: bool,
    /// When it was asked first and last without an answer, since it answered.
    silent_since: Option<Instant>,
    silent_at: Option<Instant>,
    /// A website behind it has answered after that last time.
    contradicted: bool,
}

impl Habit {
    /// It has answered.
    pub(super) fn answered(&mut self) {
        *self = Self { answers: true, ..Self::default() };
    }

    /// It did not answer when it was asked at `asked_at`. Whether that means something.
    pub(super) fn silent(&mut self, asked_at: Instant) -> bool {
        let since = *self.silent_since.get_or_insert(asked_at);
        if !self.answers || self.contradicted || asked_at.saturating_duration_since(since) >= LAPSE {
            *self = Self::default();
            return false;
        }
        self.silent_at = Some(asked_at);
        true
    }

    /// The kernel said that nobody is there: the silence around it was no habit.
    pub(super) fn gone(&mut self) {
        self.silent_since = None;
    }

    /// Its silence meant something when it was asked last.
    pub(super) fn is_missed(&self) -> bool {
        self.silent_at.is_some()
    }

    /// A website behind it has answered at `at`. Whether it is to be asked again: it may have come back with its network,
    /// and if not, it does not answer any more.
    pub(super) fn contradict(&mut self, at: Instant) -> bool {
        let later = self.silent_at.is_some_and(|silent| at >= silent);
        self.contradicted |= later;
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Event {
        Answer,
        /// Whether it is missed.
        Silence(bool),
        Gone,
        /// Whether that has it asked again.
        Website(bool),
    }

    #[test]
    fn silence_is_missed_of_a_gateway_that_answers_until_it_lapses_or_is_contradicted() {
        use Event::{Answer, Gone, Silence, Website};
        let zero = Instant::now();
        let table: &[(&str, &[(u64, Event)])] = &[
            ("one that never answered", &[(1, Silence(false)), (2, Website(false)), (700, Silence(false))]),
            ("one that answers", &[(1, Answer), (9_000, Silence(true)), (9_001, Answer), (9_990, Silence(true))]),
            (
                "one that stops to answer",
                &[(1, Answer), (1_000, Silence(true)), (1_599, Silence(true)), (1_600, Silence(false))],
            ),
            (
                "one that stopped, and answers again",
                &[(1, Answer), (10, Silence(true)), (610, Silence(false)), (620, Answer), (630, Silence(true))],
            ),
            (
                "a website behind it answers while it does not",
                &[(1, Answer), (10, Silence(true)), (15, Website(true)), (16, Silence(false)), (20, Silence(false))],
            ),
            (
                "the answer is of before it was asked",
                &[(1, Answer), (10, Silence(true)), (9, Website(false)), (16, Silence(true))],
            ),
            (
                "its network was away, and came back with it",
                &[(1, Answer), (10, Silence(true)), (15, Website(true)), (16, Answer), (20, Silence(true))],
            ),
            (
                "its network was away for long, as the kernel says",
                &[(1, Answer), (10, Silence(true)), (400, Gone), (620, Silence(true)), (1_230, Silence(false))],
            ),
        ];
        for (what, events) in table {
            let mut habit = Habit::default();
            for (at_s, event) in *events {
                let at = zero + Duration::from_secs(*at_s);
                match event {
                    Answer => habit.answered(),
                    Gone => habit.gone(),
                    Silence(missed) => {
                        assert_eq!(habit.silent(at), *missed, "{what}: {at_s}");
                        assert_eq!(habit.is_missed(), *missed, "{what}: {at_s}");
                    }
                    Website(again) => assert_eq!(habit.contradict(at), *again, "{what}: {at_s}"),
                }
            }
        }
    }
}
