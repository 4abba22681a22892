//! The forms to add and to edit a channel: a kind is chosen first, then its fields.

use askama::Template;
use uuid::Uuid;

use super::channel::{load, readable};
use super::channel_fields::{Control, Field, fields, sent};
use super::{Choice, Frame, Viewer, channel_words, kept_in, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::manifest::{Managed, Space};
use crate::model::{
    Account, Channel, ChannelContext, ChannelDraft, ChannelId, ChannelInput, ChannelKind, ChannelSettings, FieldErrors,
    MAX_CHANNELS,
};
use crate::store::ChannelEdited;

/// Which kinds there are.
#[derive(Template, Debug)]
#[template(path = "channel_kinds.html", whitespace = "minimize")]
pub struct KindsPage {
    frame: Frame,
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    value: &'static str,
    words: &'static str,
    about: &'static str,
}

impl KindsPage {
    /// All of them.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>) -> Self {
        let kind = |kind: &ChannelKind| Kind {
            value: kind.as_str(),
            words: channel_words::kind(*kind),
            about: channel_words::about(*kind),
        };
        Self {
            frame: Frame::wide("Add a channel", viewer).at("/channels"),
            kinds: ChannelKind::ALL.iter().map(kind).collect(),
        }
    }
}

/// The form.
#[derive(Template, Debug)]
#[template(path = "channel_form.html", whitespace = "minimize")]
pub struct FormPage {
    frame: Frame,
    is_new: bool,
    /// Makes one channel of a form that is sent twice.
    once: Uuid,
    kind: &'static str,
    kind_words: &'static str,
    about: &'static str,
    back: String,
    /// What the fields are about: a save of it changes nothing that was saved since.
    revision: Option<i64>,
    is_outdated: bool,
    trouble: Option<String>,
    wrong_fields: Vec<Choice>,
    /// A secret was typed, and is not given back.
    retype: bool,
    fields: Vec<Field>,
    when_fields: Vec<Field>,
}

/// The secret of a webhook: shown once.
#[derive(Template, Debug)]
#[template(path = "channel_secret.html", whitespace = "minimize")]
pub struct SecretPage {
    frame: Frame,
    id: ChannelId,
    said: String,
    secret: String,
    has_old: bool,
}

impl FormPage {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// `before`: the channel that is edited; `others`: those that could be told when it gives up. What is a secret in
    /// `input` is not shown.
    #[must_use]
    pub fn new(
        viewer: impl Into<Viewer>,
        kind: ChannelKind,
        before: Option<&Channel>,
        others: &[(ChannelId, String)],
        input: &ChannelInput,
        errors: &FieldErrors,
    ) -> Self {
        let (input, has_secrets) = input.without_secrets();
        let viewer: Viewer = viewer.into();
        let (fields, mut when_fields) = fields(kind, before, others, &input, errors);
        when_fields.retain(|field| viewer.desk.is_some() || field.name != "tells_operator");
        let is_wrong = |field: &&Field| field.wrong.is_some();
        let label =
            |field: &Field| Choice { value: field.name.to_owned(), words: field.label.to_owned(), chosen: false };
        let words = channel_words::kind(kind);
        let title = match before {
            None => format!("Add a channel: {words}"),
            Some(channel) => format!("Edit {}", channel.name),
        };
        Self {
            frame: Frame::narrow(title, Some(viewer)).at("/channels"),
            is_new: before.is_none(),
            once: Uuid::new_v4(),
            kind: kind.as_str(),
            kind_words: words,
            about: channel_words::about(kind),
            back: before.map_or_else(|| "/channels".to_owned(), |channel| format!("/channels/{}", channel.channel_id)),
            revision: before.map(|channel| channel.revision),
            is_outdated: false,
            trouble: None,
            wrong_fields: fields.iter().chain(&when_fields).filter(is_wrong).map(label).collect(),
            retype: has_secrets,
            fields,
            when_fields,
        }
    }

    /// Says that somebody else saved first; the next save replaces that.
    #[must_use]
    pub fn outdated(self) -> Self {
        Self { is_outdated: true, ..self }
    }

    /// With a sentence about the whole form.
    #[must_use]
    pub fn trouble(self, trouble: String) -> Self {
        Self { trouble: Some(trouble), ..self }
    }
}

impl SecretPage {
    /// Of a webhook whose secret was made now; `None`: it has none to show.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, channel: &Channel, said: &str) -> Option<Self> {
        let ChannelSettings::Webhook { secret, old_secret, .. } = &channel.settings else { return None };
        Some(Self {
            frame: Frame::narrow(channel.name.clone(), Some(viewer.into())).at("/channels"),
            id: channel.channel_id,
            said: said.to_owned(),
            secret: secret.expose().to_owned(),
            has_old: old_secret.is_some(),
        })
    }
}

/// Checks what was typed, with all that decides about it.
///
/// # Errors
/// The database is away; inside, every field that cannot be accepted.
pub(in crate::http) fn parse(
    app: &App,
    account: &Account,
    input: &ChannelInput,
    stored: Option<&Channel>,
) -> Result<Result<ChannelDraft, FieldErrors>, HttpError> {
    let channels = app.wait(app.store.channels(account.account_id)).map_err(login::store)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| HttpError::Internal(anyhow::anyhow!("random bytes: {error}")))?;
    let rules = &app.settings.target_rules;
    let mut parsed = input.parse(&ChannelContext { stored, channels: &channels, rules, random });
    if let Ok(draft) = &mut parsed
        && !account.is_operator()
    {
        // The form does not ask them. An operator may have let them into his own account: what is wrong with the installation is
        // told where he says.
        draft.tells_operator = stored.is_some_and(|stored| stored.tells_operator);
    }
    Ok(parsed)
}

/// Why no further channel can be added.
pub(in crate::http) fn too_many() -> String {
    format!("An account has {MAX_CHANNELS} channels at most. Delete one that is not needed.")
}

/// The channel that a form makes: the same one however often it is sent, as it is by two clicks. What was changed in a form
/// (after going back, for another channel of the kind) makes another. Of the id nobody can tell the form.
fn id_of(who: &Caller, form: &Form) -> ChannelId {
    if form.get("once").is_empty() {
        return ChannelId(Uuid::now_v7());
    }
    let whole = form.0.iter().fold(Vec::new(), |mut whole, (name, value)| {
        for text in [name, value] {
            whole.extend(text.len().to_be_bytes());
            whole.extend(text.as_bytes());
        }
        whole
    });
    ChannelId(Uuid::new_v5(&who.account.account_id.0, &whole))
}

/// Whether the hub makes the secret, so that its owner has to be shown it.
pub(in crate::http) fn makes_secret(input: &ChannelInput, draft: &ChannelDraft, stored: Option<&Channel>) -> bool {
    let is_webhook = draft.settings.kind() == ChannelKind::Webhook;
    is_webhook && input.secret.expose().is_empty() && (stored.is_none() || input.new_secret)
}

fn form(
    app: &App,
    who: &Caller,
    kind: ChannelKind,
    before: Option<&Channel>,
    input: &ChannelInput,
    errors: &FieldErrors,
) -> Result<FormPage, HttpError> {
    let channels = app.wait(app.store.channels(who.account.account_id)).map_err(login::store)?;
    let others = channels.into_iter().filter(|other| before.is_none_or(|own| own.channel_id != other.channel_id));
    let others: Vec<_> = others.map(|channel| (channel.channel_id, channel.name)).collect();
    let kept = match before {
        Some(channel) => kept_in(app, who.account.account_id, Space::Channels, channel.channel_id.0)?,
        None => None,
    };
    Ok(FormPage::new(Viewer::of(app, who), kind, before, &others, input, errors).kept_in(kept))
}

/// `GET /channels/new`: the kinds; with `kind=` its form.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    match request.query("kind").unwrap_or_default().parse::<ChannelKind>() {
        Ok(kind) => {
            let (input, errors) = (ChannelInput::fresh(), FieldErrors::default());
            page(200, &form(app, &who, kind, None, &input, &errors)?)
        }
        Err(_) => page(200, &KindsPage::new(Viewer::of(app, &who))),
    }
}

/// `POST /channels/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let fields = request.form();
    let input = sent(&fields);
    let Ok(kind) = input.kind.parse::<ChannelKind>() else { return Ok(Response::see_other("/channels/new")) };
    let draft = match parse(app, &who.account, &input, None)? {
        Ok(draft) => draft,
        Err(errors) => return page(422, &form(app, &who, kind, None, &input, &errors)?),
    };
    let id = id_of(&who, &fields);
    let added = app.wait(app.store.add_channel_as(id, who.account.account_id, &draft, clock::now()));
    let Some(channel) = added.map_err(login::store)? else {
        let view = form(app, &who, kind, None, &input, &FieldErrors::default())?;
        return page(409, &view.trouble(too_many()));
    };
    if makes_secret(&input, &draft, None)
        && let Some(view) = SecretPage::new(Viewer::of(app, &who), &channel, "The channel was added, and is on.")
    {
        return page(200, &view);
    }
    Ok(Response::see_other(&format!("/channels/{}?said=added", channel.channel_id)))
}

/// `GET /channels/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let channel = load(app, &who.account, params.channel_id()?)?;
    readable(&channel)?;
    let (input, errors) = (ChannelInput::of(&channel), FieldErrors::default());
    page(200, &form(app, &who, channel.settings.kind(), Some(&channel), &input, &errors)?)
}

/// `POST /channels/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let before = load(app, &who.account, params.channel_id()?)?;
    readable(&before)?;
    let (id, kind) = (before.channel_id, before.settings.kind());
    let fields = request.form();
    let mut input = sent(&fields);
    input.follow_protection(&before.settings);
    let outdated = |channel: &Channel, errors: &FieldErrors| {
        page(409, &form(app, &who, kind, Some(channel), &input, errors)?.outdated())
    };
    let is_outdated = fields.get("revision").parse() != Ok(before.revision);
    let draft = match parse(app, &who.account, &input, Some(&before))? {
        Ok(_) if is_outdated => return outdated(&before, &FieldErrors::default()),
        Ok(draft) => draft,
        Err(errors) if is_outdated => return outdated(&before, &errors),
        Err(errors) => return page(422, &form(app, &who, kind, Some(&before), &input, &errors)?),
    };
    let saved = app.wait(app.store.edit_channel(who.account.account_id, id, before.revision, &draft));
    match saved.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        ChannelEdited::Saved(channel) => {
            let said = "Saved. Messages are signed with the new secret from now on.";
            match SecretPage::new(Viewer::of(app, &who), &channel, said) {
                Some(view) if makes_secret(&input, &draft, Some(&before)) => page(200, &view),
                Some(_) | None => Ok(Response::see_other(&format!("/channels/{id}?said=saved"))),
            }
        }
        ChannelEdited::Meanwhile(channel) => outdated(&channel, &FieldErrors::default()),
    }
}
