//! The fields of a channel's form: which there are for a kind, what stands in them, what is wrong with them. Secrets are
//! never filled in again: an empty field keeps the stored one.

use super::Choice;
use super::channel_words::security;
use super::words::span;
use crate::http::Form;
use crate::model::{
    Channel, ChannelId, ChannelInput, ChannelKind, ChannelSettings, FieldErrors, MailSecurity, SecretText,
};

/// How a field is filled in.
#[derive(Debug)]
pub(super) enum Control {
    /// A line.
    Text,
    /// A whole number.
    Number,
    /// Several lines.
    Lines,
    /// One of a list.
    Choice(Vec<Choice>),
    /// Yes or no.
    Check,
    /// A password: not seen while it is typed.
    Secret,
    /// A secret that is pasted, as an address is: seen until it is sent.
    SecretText,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) control: Control,
    pub(super) value: String,
    pub(super) placeholder: &'static str,
    pub(super) hint: String,
    pub(super) is_required: bool,
    /// A stored secret stays unless another is typed.
    pub(super) is_kept: bool,
    pub(super) wrong: Option<String>,
}

impl Field {
    fn new(name: &'static str, label: &'static str, control: Control) -> Self {
        Self {
            name,
            label,
            control,
            value: String::new(),
            placeholder: "",
            hint: String::new(),
            is_required: true,
            is_kept: false,
            wrong: None,
        }
    }

    fn hint(self, hint: &str) -> Self {
        Self { hint: hint.to_owned(), ..self }
    }

    fn example(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    fn optional(self) -> Self {
        Self { is_required: false, ..self }
    }

    fn is_secret(&self) -> bool {
        matches!(self.control, Control::Secret | Control::SecretText)
    }

    /// Attributes that tie it to its error and hint; ours alone, nothing typed.
    pub(super) fn aria(&self) -> String {
        let has_hint = !self.hint.is_empty() || self.is_kept;
        let name = self.name;
        match (self.wrong.is_some(), has_hint) {
            (true, true) => format!(" aria-invalid=\"true\" aria-describedby=\"{name}-error {name}-hint\""),
            (true, false) => format!(" aria-invalid=\"true\" aria-describedby=\"{name}-error\""),
            (false, true) => format!(" aria-describedby=\"{name}-hint\""),
            (false, false) => String::new(),
        }
    }
}

/// What was sent.
pub(super) fn sent(form: &Form) -> ChannelInput {
    let text = |name| form.get(name).trim().to_owned();
    let secret = |name| SecretText::new(form.get(name).trim());
    let is_checked = |name| !form.get(name).is_empty();
    ChannelInput {
        name: text("name"),
        kind: text("kind"),
        server: text("server"),
        port: text("port"),
        security: text("security"),
        username: text("username"),
        // Not trimmed: a password may begin with a space.
        password: SecretText::new(form.get("password")),
        from: text("from"),
        to: text("to"),
        url: secret("url"),
        secret: secret("secret"),
        new_secret: is_checked("new_secret"),
        drop_old_secret: is_checked("drop_old_secret"),
        token: secret("token"),
        drop_token: is_checked("drop_token"),
        chat: text("chat"),
        topic: secret("topic"),
        routing_key: secret("routing_key"),
        tells_regional: is_checked("tells_regional"),
        tells_operator: is_checked("tells_operator"),
        waits_minutes: text("waits_minutes"),
        reminds_minutes: text("reminds_minutes"),
        cap_per_hour: text("cap_per_hour"),
        second_channel_id: text("second_channel_id"),
    }
}

/// What stands in a field that is no secret.
fn value(input: &ChannelInput, name: &str) -> String {
    let checked = |is_checked: bool| if is_checked { "on" } else { "" }.to_owned();
    match name {
        "name" => input.name.clone(),
        "server" => input.server.clone(),
        "port" => input.port.clone(),
        "security" if input.security.is_empty() => MailSecurity::Starttls.to_string(),
        "security" => input.security.clone(),
        "username" => input.username.clone(),
        "from" => input.from.clone(),
        "to" => input.to.clone(),
        "new_secret" => checked(input.new_secret),
        "drop_old_secret" => checked(input.drop_old_secret),
        "drop_token" => checked(input.drop_token),
        "chat" => input.chat.clone(),
        "tells_regional" => checked(input.tells_regional),
        "tells_operator" => checked(input.tells_operator),
        "waits_minutes" if input.waits_minutes == "0" => String::new(),
        "waits_minutes" => input.waits_minutes.clone(),
        "reminds_minutes" => input.reminds_minutes.clone(),
        "cap_per_hour" => input.cap_per_hour.clone(),
        "second_channel_id" => input.second_channel_id.clone(),
        _ => String::new(),
    }
}

/// The fields that say where to.
fn places(kind: ChannelKind, stored: Option<&ChannelSettings>) -> Vec<Field> {
    use Control::{Check, Choice as OneOf, Lines, Number, Secret, SecretText, Text};
    let text = |name, label| Field::new(name, label, Text);
    match kind {
        ChannelKind::Email => vec![
            Field::new("to", "To", Lines).hint("Addresses, one a line, 20 at most."),
            text("from", "From").example("alerts@example.com").hint("An address the mail server lets you send from."),
            text("server", "Mail server").example("smtp.example.com"),
            Field::new("security", "Protection", OneOf(securities()))
                .hint("Without any is for a server on the hub's own machine."),
            Field::new("port", "Port", Number).optional().hint(match stored {
                None => "Left empty: 587 for STARTTLS, 465 for TLS from the start, 25 without.",
                Some(_) => {
                    "A usual port follows the protection: 587 for STARTTLS, 465 for TLS from the start, 25 without."
                }
            }),
            text("username", "User name").optional().hint("Left empty, nobody signs in."),
            Field::new("password", "Password", Secret).optional(),
        ],
        ChannelKind::Webhook => {
            let mut fields = vec![
                Field::new("url", "Address", SecretText)
                    .example("https://alerts.example.com/hook")
                    .hint("It gets a POST with JSON, signed after Standard Webhooks."),
                Field::new("secret", "Secret", Secret).optional().hint(match stored {
                    None => "Messages are signed with it. Left empty, one is made and shown once.",
                    Some(_) => "Another one is used from then on, and the one before beside it.",
                }),
            ];
            if let Some(ChannelSettings::Webhook { old_secret, .. }) = stored {
                let words = "Make a new secret; the one before stays valid beside it while receivers change over";
                fields.push(Field::new("new_secret", words, Check).optional());
                if old_secret.is_some() {
                    fields
                        .push(Field::new("drop_old_secret", "Sign no longer with the secret before", Check).optional());
                }
            }
            fields
        }
        ChannelKind::Slack => vec![
            Field::new("url", "Incoming webhook", SecretText)
                .example("https://hooks.slack.com/services/…")
                .hint("In Slack: Apps, Incoming Webhooks, Add to Slack, then choose where messages go."),
        ],
        ChannelKind::Discord => vec![
            Field::new("url", "Webhook", SecretText)
                .example("https://discord.com/api/webhooks/…")
                .hint("In Discord: the channel's settings, Integrations, Webhooks."),
        ],
        ChannelKind::Telegram => vec![
            Field::new("token", "The bot's token", Secret).hint("From @BotFather. Add the bot to the chat as well."),
            text("chat", "Chat").example("-1001234567890").hint("Its number, or @name of a public channel."),
            text("server", "Server").optional().example("https://api.telegram.org"),
        ],
        ChannelKind::Ntfy => {
            let mut fields = vec![
                text("server", "Server").optional().example("https://ntfy.sh"),
                Field::new("topic", "Topic", SecretText)
                    .hint("Whoever knows it can read along: take one that is hard to guess."),
                Field::new("token", "Access token", Secret).optional().hint("Where the server asks for one."),
            ];
            if let Some(ChannelSettings::Ntfy { token: Some(_), .. }) = stored {
                fields.push(Field::new("drop_token", "Without the token from now on", Check).optional());
            }
            fields
        }
        ChannelKind::Pagerduty => vec![
            Field::new("routing_key", "Integration key", Secret)
                .hint("In PagerDuty: the service, Integrations, Events API v2. It has 32 characters."),
            text("server", "Server")
                .optional()
                .example("https://events.pagerduty.com")
                .hint("For Europe: https://events.eu.pagerduty.com"),
        ],
        ChannelKind::Alertmanager => vec![
            Field::new("url", "Address", SecretText)
                .example("http://alertmanager.example.org:9093")
                .hint("Up to and without /api/v2/alerts."),
        ],
    }
}

fn securities() -> Vec<Choice> {
    let words = MailSecurity::ALL.iter();
    words
        .map(|how| Choice { value: how.as_str().to_owned(), words: security(*how).to_owned(), chosen: false })
        .collect()
}

/// Spans in minutes; the empty one is the default.
fn spans(none: &str, minutes: &[i64], before: &str) -> Vec<Choice> {
    let first = Choice { value: String::new(), words: none.to_owned(), chosen: false };
    let of = |m: &i64| Choice { value: m.to_string(), words: spelled(before, *m), chosen: false };
    std::iter::once(first).chain(minutes.iter().map(of)).collect()
}

/// "after 1 hour", "every hour".
fn spelled(before: &str, minutes: i64) -> String {
    let span = span(minutes.saturating_mul(60_000));
    let is_counted = span.starts_with(|first: char| first.is_ascii_digit());
    format!("{before}{}{span}", if is_counted || before != AFTER { "" } else { "1 " })
}

const AFTER: &str = "after ";
const EVERY: &str = "every ";

/// The fields of all kinds that say when it is told.
fn whens(others: &[(ChannelId, String)]) -> Vec<Field> {
    let mut second = vec![Choice { value: String::new(), words: "nobody else".to_owned(), chosen: false }];
    second.extend(others.iter().map(|(id, name)| Choice { value: id.to_string(), words: name.clone(), chosen: false }));
    vec![
        Field::new("waits_minutes", "Is told", Control::Choice(spans("at once", &[5, 10, 15, 30, 60], AFTER)))
            .hint("With a delay: only of what nobody has taken on by then."),
        Field::new(
            "reminds_minutes",
            "Is reminded, while nobody is on it",
            Control::Choice(spans("never", &[30, 60, 180, 360, 1_440], EVERY)),
        ),
        Field::new("tells_regional", "Also of trouble that only a few regions see", Control::Check).optional(),
        Field::new("tells_operator", "Also of trouble of this installation", Control::Check)
            .optional()
            .hint("Workers and regions that are silent, dead letters, a full disk. For operators alone."),
        Field::new("cap_per_hour", "Messages an hour, at most", Control::Number)
            .optional()
            .hint("Left empty: 60. What is more comes folded into one message."),
        Field::new("second_channel_id", "When it gives up, tell", Control::Choice(second)),
    ]
}

/// All fields of a kind, filled in: where to, and when.
pub(super) fn fields(
    kind: ChannelKind,
    before: Option<&Channel>,
    others: &[(ChannelId, String)],
    input: &ChannelInput,
    errors: &FieldErrors,
) -> (Vec<Field>, Vec<Field>) {
    let stored = before.map(|channel| &channel.settings);
    let mut places = places(kind, stored);
    places.insert(0, Field::new("name", "Name", Control::Text).hint("What you call it: who or what it reaches."));
    let mut whens = whens(others);
    for field in places.iter_mut().chain(&mut whens) {
        let wrong: Vec<&str> = errors.all(field.name).collect();
        field.wrong = (!wrong.is_empty()).then(|| wrong.join(" "));
        if field.is_secret() {
            field.is_kept = stored.is_some_and(|settings| has(settings, field.name));
            continue;
        }
        field.value = value(input, field.name);
        if let Control::Choice(choices) = &mut field.control {
            // The API takes other spans too; editing such a channel keeps its own.
            let is_offered = choices.iter().any(|choice| choice.value == field.value);
            if let Some(minutes) = field.value.parse::<i64>().ok().filter(|_| !is_offered) {
                let before = if field.name == "waits_minutes" { AFTER } else { EVERY };
                let words = spelled(before, minutes);
                choices.push(Choice { value: field.value.clone(), words, chosen: false });
            }
            choices.iter_mut().for_each(|choice| choice.chosen = choice.value == field.value);
        }
    }
    (places, whens)
}

/// Whether a secret of that name is stored.
fn has(settings: &ChannelSettings, name: &str) -> bool {
    match settings {
        ChannelSettings::Email { password, .. } => name == "password" && !password.expose().is_empty(),
        ChannelSettings::Webhook { .. } => matches!(name, "url" | "secret"),
        ChannelSettings::Slack { .. } | ChannelSettings::Discord { .. } | ChannelSettings::Alertmanager { .. } => {
            name == "url"
        }
        ChannelSettings::Telegram { .. } => name == "token",
        ChannelSettings::Ntfy { token, .. } => name == "topic" || (name == "token" && token.is_some()),
        ChannelSettings::Pagerduty { .. } => name == "routing_key",
    }
}
