//! What is wrong with an input: which field, what was found, what would work.

use std::fmt;

/// One field that cannot be accepted. All three texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Name of the field, flag or variable, as the sender spells it.
    pub field: &'static str,
    /// What was found, shortened; empty when nothing was. Never a secret.
    pub found: String,
    /// What would work: a full sentence.
    pub remedy: String,
}

impl FieldError {
    /// An error on `field`; `found` is cut to 80 characters, control characters are replaced.
    pub fn new(field: &'static str, found: &str, remedy: impl Into<String>) -> Self {
        let mut shown: String = found.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        if found.chars().nth(80).is_some() {
            shown.push('…');
        }
        Self { field, found: shown, remedy: remedy.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.is_empty() {
            return write!(f, "{}: {}", self.field, self.remedy);
        }
        write!(f, "{} is \"{}\": {}", self.field, self.found, self.remedy)
    }
}

/// Everything wrong with an input, reported at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// The remedy for `field`, when it is wrong.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|e| e.field == field).map(|e| e.remedy.as_str())
    }

    /// Every remedy for `field`: one with several lines may be wrong in several ways.
    pub fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |e| e.field == field).map(|e| e.remedy.as_str())
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; of one field at most 20 are said: a thousand wrong lines do not make a page of a thousand messages.
    pub fn push(&mut self, error: FieldError) {
        const OF_ONE_FIELD: usize = 20;
        if self.0.iter().filter(|e| e.field == error.field).count() < OF_ONE_FIELD {
            self.0.push(error);
        }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldErrors {}
