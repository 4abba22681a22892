//! What is wrong with a file, all of it at once.

use std::fmt;

use crate::model::{FieldError, FieldErrors};

/// Problems that are told of one file.
const MOST: usize = 200;

/// One thing that cannot be accepted. All texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1; 0: of no line.
    pub line: usize,
    /// Of what: `websites "shop", interval_s`.
    pub place: String,
    /// What was found, shortened; empty when nothing was. Never a secret.
    pub found: String,
    /// What would work: a full sentence.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match (self.place.is_empty(), self.found.is_empty()) {
            (true, true) => f.write_str(&self.remedy),
            (true, false) => write!(f, "\"{}\": {}", self.found, self.remedy),
            (false, true) => write!(f, "{}: {}", self.place, self.remedy),
            (false, false) => write!(f, "{} is \"{}\": {}", self.place, self.found, self.remedy),
        }
    }
}

/// Problems in the order of their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    all: Vec<Problem>,
}

impl Problems {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// In the order of their lines; of very many only the first are kept.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Problem> {
        self.all.sort_by_key(|problem| problem.line);
        self.all
    }

    /// Adds one. What was found is cut as of [`FieldError::new`].
    pub fn add(&mut self, line: usize, place: impl Into<String>, found: &str, remedy: impl Into<String>) {
        if self.all.len() < MOST {
            let FieldError { found, remedy, .. } = FieldError::new("", found, remedy);
            // Names of a file stand in places.
            let place: String = place.into();
            let place = place.replace(char::is_control, "\u{fffd}");
            self.all.push(Problem { line, place, found, remedy });
        }
    }

    /// Adds what a form would say, each with the line and the name that its field has here.
    pub(super) fn take(&mut self, errors: FieldErrors, at: impl Fn(&str) -> (usize, String)) {
        for error in errors.0 {
            let (line, place) = at(error.field);
            self.add(line, place, &error.found, error.remedy);
        }
    }
}
