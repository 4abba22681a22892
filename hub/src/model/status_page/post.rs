//! What an owner says in public: an incident or a notice, and its updates.

use super::super::{FieldError, FieldErrors, IncidentId, UtcMs, WebsiteId};
use super::{MOST_COMPONENTS, StatusPageId, StatusPostId};

/// Characters of a title, and of what is said.
const TITLE: usize = 120;
const SAID: usize = 2_000;

probe::named! {
    /// What is published.
    PostKind {
        /// Something does not work.
        Incident = "incident",
        /// Something else that people are to know.
        Notice = "notice",
    }
}

probe::named! {
    /// What it is to its components while it goes on.
    Impact {
        /// Nothing.
        None = "none",
        /// They are slow.
        Degraded = "degraded",
        /// They work in part.
        Partial = "partial",
        /// They do not work.
        Major = "major",
        /// Work is going on there.
        Maintenance = "maintenance",
    }
}

impl Impact {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "No effect",
            Self::Degraded => "Degraded performance",
            Self::Partial => "Partial outage",
            Self::Major => "Major outage",
            Self::Maintenance => "Under maintenance",
        }
    }
}

probe::named! {
    /// How far one is with it.
    UpdateState {
        /// Looking for the cause.
        Investigating = "investigating",
        /// The cause is known.
        Identified = "identified",
        /// It was mended, and is watched.
        Monitoring = "monitoring",
        /// It is over.
        Resolved = "resolved",
        /// A word without a state.
        Notice = "notice",
    }
}

impl UpdateState {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Investigating => "Investigating",
            Self::Identified => "Identified",
            Self::Monitoring => "Monitoring",
            Self::Resolved => "Resolved",
            Self::Notice => "Notice",
        }
    }
}

/// An update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostUpdate {
    /// Its name, in feeds.
    pub id: uuid::Uuid,
    /// When it was published.
    pub at: UtcMs,
    /// How far one was.
    pub state: UpdateState,
    /// What was said.
    pub said: String,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Which.
    pub status_post_id: StatusPostId,
    /// On which page.
    pub status_page_id: StatusPageId,
    /// Which incident it is about, for its owner.
    pub incident_id: Option<IncidentId>,
    /// What it is.
    pub kind: PostKind,
    /// Its title.
    pub title: String,
    /// What it is to its components.
    pub impact: Impact,
    /// Since when.
    pub began_at: UtcMs,
    /// Until when; `None`: it goes on.
    pub ended_at: Option<UtcMs>,
    /// Grows with every update.
    pub revision: i64,
    /// Which components; none: the page as a whole.
    pub components: Vec<WebsiteId>,
    /// Newest first.
    pub updates: Vec<PostUpdate>,
}

/// One to be published, with its first update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostDraft {
    /// Which incident it is about.
    pub incident_id: Option<IncidentId>,
    /// What it is.
    pub kind: PostKind,
    /// Its title.
    pub title: String,
    /// What it is to its components.
    pub impact: Impact,
    /// Which.
    pub components: Vec<WebsiteId>,
    /// How far one is.
    pub state: UpdateState,
    /// What is said.
    pub said: String,
}

/// One as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostInput {
    /// `incident` or `notice`.
    pub kind: String,
    /// On one line.
    pub title: String,
    /// A word of [`Impact`]; empty: none.
    pub impact: String,
    /// Ids of websites.
    pub components: Vec<String>,
    /// An id; empty: of none.
    pub incident_id: String,
    /// Its first update.
    pub update: UpdateInput,
}

/// An update as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateInput {
    /// A word of [`UpdateState`].
    pub state: String,
    /// What is said.
    pub said: String,
}

impl UpdateInput {
    /// The update.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self) -> Result<(UpdateState, String), FieldErrors> {
        let mut errors = FieldErrors::default();
        let state = self.state.parse::<UpdateState>();
        if state.is_err() {
            let words: Vec<&str> = UpdateState::ALL.iter().map(|state| state.as_str()).collect();
            errors.push(FieldError::new("state", &self.state, format!("Use one of {}.", words.join(", "))));
        }
        let said = self.said.replace("\r\n", "\n").trim().to_owned();
        let is_plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
        if said.is_empty() || said.chars().count() > SAID || !said.chars().all(is_plain) {
            let found: String = said.chars().take(40).collect();
            errors.push(FieldError::new("said", &found, format!("Say something, in at most {SAID} characters.")));
        }
        match state {
            Ok(state) if errors.is_empty() => Ok((state, said)),
            Ok(_) | Err(_) => Err(errors),
        }
    }
}

impl PostInput {
    /// What is to be published. That components are on the page is not known here.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self) -> Result<PostDraft, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = self.kind.parse::<PostKind>();
        if kind.is_err() {
            errors.push(FieldError::new("kind", &self.kind, "Use incident or notice."));
        }
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = title.chars().count();
        if length == 0 || length > TITLE || title.chars().any(char::is_control) {
            errors.push(FieldError::new("title", &title, format!("Give a title of 1 to {TITLE} characters.")));
        }
        let impact = match self.impact.as_str() {
            "" => Some(Impact::None),
            word => word.parse().ok(),
        };
        if impact.is_none() {
            let words: Vec<&str> = Impact::ALL.iter().map(|impact| impact.as_str()).collect();
            errors.push(FieldError::new("impact", &self.impact, format!("Use one of {}.", words.join(", "))));
        }
        let mut components: Vec<WebsiteId> = Vec::new();
        for text in &self.components {
            match text.parse::<WebsiteId>() {
                Ok(id) if components.contains(&id) => {}
                Ok(id) if components.len() < MOST_COMPONENTS => components.push(id),
                Ok(_) | Err(_) => errors.push(FieldError::new("components", text, "Choose what is on the page.")),
            }
        }
        let incident_id = match self.incident_id.as_str() {
            "" => None,
            text => {
                let id = text.parse().ok();
                if id.is_none() {
                    errors.push(FieldError::new("incident_id", text, "Give the id of one of your incidents, or none."));
                }
                id
            }
        };
        let update = self.update.parse().map_err(|more| errors.0.extend(more.0));
        match (kind, impact, update) {
            (Ok(kind), Some(impact), Ok((state, said))) if errors.is_empty() => {
                Ok(PostDraft { incident_id, kind, title, impact, components, state, said })
            }
            _ => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_has_a_title_a_state_and_words() {
        let wrong = PostInput { kind: "x".into(), impact: "y".into(), ..PostInput::default() }.parse().unwrap_err();
        for field in ["kind", "title", "impact", "state", "said"] {
            assert!(wrong.of(field).is_some(), "{field}: {wrong}");
        }
        let input = PostInput {
            kind: "incident".into(),
            title: "  Slow\n logins ".into(),
            update: UpdateInput { state: "investigating".into(), said: " We look.\r\nSoon more. ".into() },
            ..PostInput::default()
        };
        let draft = input.parse().unwrap();
        assert_eq!((draft.title.as_str(), draft.said.as_str()), ("Slow logins", "We look.\nSoon more."));
        assert_eq!((draft.impact, draft.state), (Impact::None, UpdateState::Investigating));
    }
}
