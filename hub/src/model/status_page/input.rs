//! A status page from what a form, a program or a file sent, as text.

use url::Host;

use super::super::{ChannelId, FieldError, FieldErrors, WebsiteId};
use super::{Accent, Access, Component, MOST_COMPONENTS, Section, StatusPagePlan};

const NAME: usize = 80;
const COMPONENT: usize = 80;
const ABOUT: usize = 500;
const URL_BYTES: usize = 500;

/// A page as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusPageInput {
    /// For people.
    pub name: String,
    /// Its name in paths.
    pub slug: String,
    /// A host of its own; empty: none.
    pub domain: String,
    /// `public`, `password` or `link`; empty: `public`.
    pub access: String,
    /// A few words.
    pub about: String,
    /// Where its title leads.
    pub home_url: String,
    /// `#rrggbb`; empty: ours.
    pub accent: String,
    /// See [`StatusPagePlan::shows_uptime`].
    pub shows_uptime: bool,
    /// See [`StatusPagePlan::tells_outages`].
    pub tells_outages: bool,
    /// The id of a mail channel; empty: none.
    pub mail_channel_id: String,
    /// What is on it.
    pub sections: Vec<SectionInput>,
}

/// A section as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SectionInput {
    /// The heading; may be empty.
    pub name: String,
    /// In order.
    pub components: Vec<ComponentInput>,
}

/// A component as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentInput {
    /// An id.
    pub website_id: String,
    /// What it is called in public.
    pub name: String,
}

impl StatusPageInput {
    /// The texts of a page there is.
    #[must_use]
    pub fn of(plan: &StatusPagePlan) -> Self {
        let component =
            |one: &Component| ComponentInput { website_id: one.website_id.to_string(), name: one.name.clone() };
        let section = |one: &Section| SectionInput {
            name: one.name.clone(),
            components: one.components.iter().map(component).collect(),
        };
        Self {
            name: plan.name.clone(),
            slug: plan.slug.clone(),
            domain: plan.domain.clone().unwrap_or_default(),
            access: plan.access.to_string(),
            about: plan.about.clone(),
            home_url: plan.home_url.clone(),
            accent: plan.accent.map(|accent| accent.to_string()).unwrap_or_default(),
            shows_uptime: plan.shows_uptime,
            tells_outages: plan.tells_outages,
            mail_channel_id: plan.channel_id.map(|id| id.to_string()).unwrap_or_default(),
            sections: plan.sections.iter().map(section).collect(),
        }
    }

    /// The page. `own_names`: hosts that are the installation's own. That websites and channel are the account's is not known
    /// here.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self, own_names: &[String]) -> Result<StatusPagePlan, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = line("name", &self.name, 1, NAME, &mut errors);
        let slug = self.slug(&mut errors);
        let access = match self.access.trim() {
            "" => Some(Access::Public),
            word => word.parse().ok(),
        };
        if access.is_none() {
            errors.push(FieldError::new("access", &self.access, "Use public, password or link."));
        }
        let domain = match self.domain.trim() {
            "" => None,
            text => domain_of(text, own_names).map_err(|error| errors.push(error)).ok(),
        };
        if domain.is_some() && access == Some(Access::Link) {
            let remedy = "A page that is opened by a private link has no domain of its own; leave this empty.";
            errors.push(FieldError::new("domain", &self.domain, remedy));
        }
        let about = self.about.replace("\r\n", "\n").trim().to_owned();
        if about.chars().count() > ABOUT || about.chars().any(|c| c != '\n' && c.is_control()) {
            errors.push(FieldError::new("about", "", format!("Give at most {ABOUT} characters.")));
        }
        let home_url = self.home_url(&mut errors);
        let accent = match self.accent.trim() {
            "" => None,
            text => {
                let accent = text.parse::<Accent>().ok();
                if accent.is_none() {
                    errors.push(FieldError::new("accent", text, "Give a colour as #1a7f5a, or none."));
                }
                accent
            }
        };
        let channel_id = match self.mail_channel_id.trim() {
            "" => None,
            text => {
                let id = text.parse::<ChannelId>().ok();
                if id.is_none() {
                    errors.push(FieldError::new("mail_channel_id", text, "Choose one of your mail channels, or none."));
                }
                id
            }
        };
        let sections = self.sections(&mut errors);
        match access {
            Some(access) if errors.is_empty() => Ok(StatusPagePlan {
                name,
                slug,
                domain,
                access,
                about,
                home_url,
                accent,
                shows_uptime: self.shows_uptime,
                tells_outages: self.tells_outages,
                channel_id,
                sections,
            }),
            Some(_) | None => Err(errors),
        }
    }

    fn slug(&self, errors: &mut FieldErrors) -> String {
        let slug = self.slug.trim().to_ascii_lowercase();
        let is_in = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (2..=48).contains(&slug.len()) && slug.chars().all(is_in);
        if !fits || slug.starts_with('-') || slug.ends_with('-') {
            let remedy = "Give 2 to 48 of a-z, 0-9 and -, for example acme.";
            errors.push(FieldError::new("slug", &self.slug, remedy));
        }
        slug
    }

    fn home_url(&self, errors: &mut FieldErrors) -> String {
        let text = self.home_url.trim();
        if text.is_empty() {
            return String::new();
        }
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none()).map(String::from);
        match url.filter(|url| url.len() <= URL_BYTES) {
            Some(url) => url,
            None => {
                errors.push(FieldError::new("home_url", text, "Give an address as https://example.com/, or none."));
                String::new()
            }
        }
    }

    fn sections(&self, errors: &mut FieldErrors) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        let mut seen: Vec<WebsiteId> = Vec::new();
        for given in &self.sections {
            let name = line("sections", &given.name, 0, NAME, errors);
            let mut components = Vec::new();
            for one in &given.components {
                let called = line("sections", &one.name, 1, COMPONENT, errors);
                match one.website_id.trim().parse::<WebsiteId>() {
                    Ok(id) if seen.contains(&id) => {
                        errors.push(FieldError::new(
                            "sections",
                            &called,
                            "A website is on a page once; leave one out.",
                        ));
                    }
                    Ok(id) => {
                        seen.push(id);
                        components.push(Component { website_id: id, name: called });
                    }
                    Err(_) => {
                        errors.push(FieldError::new("sections", &one.website_id, "Choose one of your websites."));
                    }
                }
            }
            // Neighbours of one name are one; what is stored knows no empty ones.
            match sections.last_mut() {
                _ if components.is_empty() => {}
                Some(last) if last.name == name => last.components.append(&mut components),
                Some(_) | None => sections.push(Section { name, components }),
            }
        }
        if seen.len() > MOST_COMPONENTS {
            let remedy = format!("A page has at most {MOST_COMPONENTS} websites; make another page.");
            errors.push(FieldError::new("sections", &seen.len().to_string(), remedy));
        }
        sections
    }
}

/// A text on one line.
fn line(field: &'static str, text: &str, least: usize, most: usize, errors: &mut FieldErrors) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = text.chars().count();
    if length < least || length > most || text.chars().any(char::is_control) {
        let remedy = match least {
            0 => format!("Give at most {most} characters."),
            _ => format!("Give a name of 1 to {most} characters."),
        };
        errors.push(FieldError::new(field, &text, remedy));
    }
    text
}

/// A host that is to be a page's own: a name with a dot, no address, and none of the installation's.
///
/// # Errors
/// What would work.
pub fn domain_of(text: &str, own_names: &[String]) -> Result<String, FieldError> {
    let wrong = |remedy: &str| Err(FieldError::new("domain", text, remedy));
    let name = text.trim().trim_end_matches('.');
    let Ok(Host::Domain(host)) = Host::parse(name) else {
        return wrong("Give a name such as status.example.com, without https:// and path.");
    };
    let host = host.to_ascii_lowercase();
    let is_plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if !is_plain || !host.contains('.') || host.len() > 253 || host.ends_with(".localhost") {
        return wrong("Give a name such as status.example.com, without https:// and path.");
    }
    if own_names.iter().any(|own| own.trim_end_matches('.').eq_ignore_ascii_case(&host)) {
        return wrong("This is the address of the hub itself; give another name.");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> StatusPageInput {
        let id = uuid::Uuid::from_u128(1).to_string();
        let component = |name: &str| ComponentInput { website_id: id.clone(), name: name.to_owned() };
        StatusPageInput {
            name: " Acme  status ".into(),
            slug: "Acme".into(),
            sections: vec![
                SectionInput { name: "Web".into(), components: vec![component("Shop")] },
                SectionInput::default(),
            ],
            ..StatusPageInput::default()
        }
    }

    #[test]
    fn a_page_is_read_and_said_again() {
        let plan = input().parse(&[]).unwrap();
        assert_eq!((plan.name.as_str(), plan.slug.as_str(), plan.access), ("Acme status", "acme", Access::Public));
        assert_eq!(plan.sections.len(), 1, "one without websites is none");
        assert_eq!(StatusPageInput::of(&plan).parse(&[]), Ok(plan));
    }

    #[test]
    fn what_is_wrong_is_told_at_once() {
        let mut wrong = input();
        wrong.name.clear();
        wrong.slug = "k_1".into();
        wrong.access = "some".into();
        wrong.home_url = "javascript:alert(1)".into();
        wrong.accent = "red".into();
        wrong.domain = "https://x.example/".into();
        let twice = wrong.sections[0].components[0].clone();
        wrong.sections[0].components.push(twice);
        let errors = wrong.parse(&[]).unwrap_err();
        for field in ["name", "slug", "access", "home_url", "accent", "domain", "sections"] {
            assert!(errors.of(field).is_some(), "{field}: {errors}");
        }
    }

    #[test]
    fn a_domain_is_a_name_that_is_not_ours() {
        let own = ["hub.example.org".to_owned()];
        assert_eq!(domain_of("Status.Example.com.", &own), Ok("status.example.com".to_owned()));
        for bad in [
            "hub.example.org",
            "HUB.example.org.",
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "[::1]",
            "hub",
            "a b.c",
            "x_y.z",
            "1.2",
            "0x7f.1",
            "",
        ] {
            assert!(domain_of(bad, &own).is_err(), "{bad}");
        }
        let link = StatusPageInput { access: "link".into(), domain: "status.example.com".into(), ..input() };
        assert!(link.parse(&[]).unwrap_err().of("domain").is_some());
    }
}
