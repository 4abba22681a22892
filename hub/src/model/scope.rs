//! What a key may do: nothing, but for what its scopes name.

use std::fmt;

/// What a team has, as far as rights to it are given apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What is watched, jobs and tags among it, and its history.
    Websites,
    /// Incidents, their notes.
    Incidents,
    /// Channels and the alerts that went there.
    Channels,
    /// Maintenance windows.
    Maintenance,
    /// Reports and when they are mailed.
    Reports,
    /// Status pages, and what is published there.
    StatusPages,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 6] =
        [Self::Websites, Self::Incidents, Self::Channels, Self::Maintenance, Self::Reports, Self::StatusPages];

    /// As it is written in scopes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Websites => "websites",
            Self::Incidents => "incidents",
            Self::Channels => "channels",
            Self::Maintenance => "maintenance",
            Self::Reports => "reports",
            Self::StatusPages => "status-pages",
        }
    }

    fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// Scopes of a key: of subjects to read and to write, or of all there are and will be. What may be written may be read, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes {
    reads: u32,
    writes: u32,
}

/// All subjects, also those that a later version has.
const ALL: u32 = 1 << 31;

impl Scopes {
    /// Those that words name.
    ///
    /// # Errors
    /// The first word that is no scope.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        words.into_iter().try_fold(Self::default(), |so_far, word| so_far.and(word).ok_or(word))
    }

    /// From what is stored. What is not understood opens nothing: a newer version wrote it, or somebody edited it.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        text.split(',').fold(Self::default(), |so_far, word| so_far.and(word).unwrap_or(so_far))
    }

    fn and(self, word: &str) -> Option<Self> {
        let (bit, way) = match word.split_once(':') {
            None => (ALL, word),
            Some((name, way)) => (Subject::ALL.into_iter().find(|one| one.as_str() == name)?.bit(), way),
        };
        match way {
            "read" => Some(Self { reads: self.reads | bit, ..self }),
            "write" => Some(Self { writes: self.writes | bit, ..self }),
            _ => None,
        }
    }

    /// Every word there is.
    #[must_use]
    pub fn words() -> Vec<String> {
        let each = Subject::ALL
            .into_iter()
            .flat_map(|subject| ["read", "write"].map(|way| format!("{}:{way}", subject.as_str())));
        ["read".to_owned(), "write".to_owned()].into_iter().chain(each).collect()
    }

    /// Whether a subject may be read.
    #[must_use]
    pub fn reads(self, subject: Subject) -> bool {
        (self.reads | self.writes) & (ALL | subject.bit()) != 0
    }

    /// Whether a subject may be changed.
    #[must_use]
    pub fn writes(self, subject: Subject) -> bool {
        self.writes & (ALL | subject.bit()) != 0
    }

    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Joined by commas, as stored.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_named = |word: &&String| self.and(word) == Some(*self);
        f.write_str(&Self::words().iter().filter(is_named).map(String::as_str).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_that_is_not_named() {
        for subject in Subject::ALL {
            assert!(!Scopes::default().reads(subject) && !Scopes::default().writes(subject));
            let one = Scopes::of([format!("{}:read", subject.as_str()).as_str()]).unwrap();
            assert!(one.reads(subject) && !one.writes(subject));
            assert!(Subject::ALL.into_iter().all(|other| other == subject || !one.reads(other)));
        }
        let (read, write) = (Scopes::of(["read"]).unwrap(), Scopes::of(["channels:write"]).unwrap());
        assert!(Subject::ALL.into_iter().all(|subject| read.reads(subject) && !read.writes(subject)));
        assert!(write.writes(Subject::Channels) && write.reads(Subject::Channels) && !write.reads(Subject::Websites));
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        for word in Scopes::words() {
            assert_eq!(Scopes::of([word.as_str()]).unwrap().to_string(), word);
        }
        let mixed = Scopes::of(["websites:write", "read", "read"]).unwrap();
        assert_eq!((mixed.to_string().as_str(), Scopes::stored("read,websites:write")), ("read,websites:write", mixed));
    }

    #[test]
    fn what_is_no_scope_is_refused_and_what_was_stored_opens_nothing() {
        for bad in
            ["", "*", "admin", "websites", "websites:", "websites:delete", ":read", "Read", "sessions:read", "read "]
        {
            assert_eq!(Scopes::of(["read", bad]), Err(bad), "{bad}");
            assert!(Scopes::stored(bad).is_empty(), "{bad}");
        }
        assert_eq!(Scopes::stored("pages:read,incidents:read"), Scopes::of(["incidents:read"]).unwrap());
    }
}
