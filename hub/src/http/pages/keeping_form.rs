//! The part of the forms of websites and jobs about their history: how long it is kept, the goal, who sees the badges.

use crate::http::{App, Form, HttpError, login};
use crate::model::retention::Retention;
use crate::model::{Account, FieldErrors, Keeping, KeepingInput, WebsiteId};

/// The fields as sent; `None`: the form knew nothing of them, and they are to stay as they are.
pub(super) fn sent(form: &Form) -> Option<KeepingInput> {
    let knows = form.0.iter().any(|(name, _)| name == "retention_days" || name == "uptime_goal");
    knows.then(|| KeepingInput {
        retention_days: form.get("retention_days").trim().to_owned(),
        uptime_goal: form.get("uptime_goal").trim().to_owned(),
        is_badge_public: !form.get("is_badge_public").is_empty(),
        shown: form.get("keeping_shown").to_owned(),
    })
}

/// What is decided: what was typed, or what was before.
///
/// # Errors
/// Every field that cannot be accepted.
pub(super) fn parse(typed: Option<&KeepingInput>, before: &Keeping, of_all: Retention) -> Result<Keeping, FieldErrors> {
    match typed {
        // What is not touched is not asked for again where the installation keeps less by now.
        Some(typed) if typed.is_touched() && typed.text() != KeepingInput::of(before).text() => typed.parse(of_all),
        Some(_) | None => Ok(*before),
    }
}

/// What is decided about one of the account's websites.
pub(super) fn keeping_of(app: &App, account: &Account, id: WebsiteId) -> Result<Keeping, HttpError> {
    app.wait(app.store.keeping(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// Saves it where it is another than before. It changes nothing that is checked, and nothing else waits for it.
pub(super) fn save(
    app: &App,
    account: &Account,
    id: WebsiteId,
    before: &Keeping,
    keeping: &Keeping,
) -> Result<(), HttpError> {
    if before == keeping || app.wait(app.store.set_keeping(account.account_id, id, keeping)).map_err(login::store)? {
        return Ok(());
    }
    Err(HttpError::NotFound)
}

/// What the template needs beside the texts.
#[derive(Debug)]
pub(super) struct KeepingPart {
    pub(super) typed: KeepingInput,
    pub(super) is_open: bool,
    /// What the installation keeps.
    pub(super) most_days: u16,
}

impl KeepingPart {
    pub(super) fn new(typed: Option<&KeepingInput>, errors: &FieldErrors, of_all: Retention) -> Self {
        let none = KeepingInput::of(&Keeping::default());
        let typed = typed.unwrap_or(&none).clone();
        let is_wrong = errors.0.iter().any(|error| label(error.field).is_some());
        Self { is_open: is_wrong || typed.text() != none.text(), typed, most_days: of_all.days }
    }
}

/// A field's element and name on the page.
pub(super) fn label(field: &str) -> Option<(&'static str, &'static str)> {
    match field {
        "retention_days" => Some(("retention_days", "Days of history")),
        "uptime_goal" => Some(("uptime_goal", "Uptime goal")),
        _ => None,
    }
}
