//! The part of a website's form that ties it to others: tags, and what it depends on.

use super::website_form::Typed;
use crate::http::{App, Form, HttpError, login};
use crate::model::{Account, FieldError, FieldErrors, Ties, WebsiteId, tags_of};

impl Typed {
    /// With the tags and the parent there are.
    #[must_use]
    pub fn tied(self, ties: &Ties) -> Self {
        let tags = ties.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let parent = ties.parent_id.map(|id| id.to_string()).unwrap_or_default();
        Self { tags: Some(tags), parent: Some(parent), ..self }
    }

    /// Tags and parent; what was not sent stays as it was `before`.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn ties(&self, before: &Ties) -> Result<Ties, FieldErrors> {
        let tags = self.tags.as_ref().map_or_else(|| Ok(before.tags.clone()), |tags| tags_of(tags));
        let parent = match self.parent.as_deref().map(str::trim) {
            None => Ok(before.parent_id),
            Some("") => Ok(None),
            Some(id) => id.parse().map(Some).map_err(|_| FieldError::new("parent", id, "Choose one of your websites.")),
        };
        match (tags, parent) {
            (Ok(tags), Ok(parent_id)) => Ok(Ties { tags, parent_id }),
            (Ok(_), Err(error)) => Err(FieldErrors(vec![error])),
            (Err(errors), Ok(_)) => Err(errors),
            (Err(mut errors), Err(error)) => {
                errors.push(error);
                Err(errors)
            }
        }
    }
}

/// A field that may be missing, since programs know other versions of the form.
pub(super) fn sent_field(form: &Form, name: &str) -> Option<String> {
    form.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim().to_owned())
}

/// Tags and parent of one of the account's websites.
pub(super) fn ties_of(app: &App, account: &Account, id: WebsiteId) -> Result<Ties, HttpError> {
    app.wait(app.store.ties_of_website(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// What is wrong with the parent of a website that is not there yet.
pub(in crate::http) fn parent_exists(
    app: &App,
    account: &Account,
    ties: &Ties,
) -> Result<Option<FieldErrors>, HttpError> {
    let Some(parent) = ties.parent_id else { return Ok(None) };
    let found = app.wait(app.store.website(account.account_id, parent)).map_err(login::store)?;
    let wrong = FieldError::new("parent", "", "There is no such website of yours; choose another.");
    Ok(found.is_none().then(|| FieldErrors(vec![wrong])))
}
