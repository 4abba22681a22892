//! A channel in a file.

use uuid::Uuid;

use super::export::Vars;
use super::fields::Fields;
use super::read::Reading;
use super::secret::given;
use super::spec::{ChannelSpec, Facts, Known, Names, Space, Spec};
use super::write::Out;
use super::yaml::Node;
use crate::model::{AccountId, Channel, ChannelContext, ChannelId, ChannelInput, ChannelKind, ChannelSettings};

const COMMON: [&str; 10] = [
    "key",
    "name",
    "kind",
    "is_on",
    "tells_regional",
    "tells_operator",
    "waits_minutes",
    "reminds_minutes",
    "cap_per_hour",
    "second_channel",
];

fn own_fields(kind: ChannelKind) -> &'static [&'static str] {
    match kind {
        ChannelKind::Email => &["server", "port", "security", "username", "password", "from", "to"],
        ChannelKind::Webhook => &["url", "secret"],
        ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Alertmanager => &["url"],
        ChannelKind::Telegram => &["token", "chat", "server"],
        ChannelKind::Ntfy => &["server", "topic", "token"],
        ChannelKind::Pagerduty => &["routing_key", "server"],
    }
}

/// What a channel of its kind may say.
pub(super) fn known_fields(node: &Node) -> Vec<&'static str> {
    let kind = node.get("kind").and_then(Node::text).and_then(|kind| kind.parse().ok());
    let own: Vec<&str> = match kind {
        Some(kind) => own_fields(kind).to_vec(),
        // What is wrong is the kind.
        None => ALL.iter().flat_map(|kind| own_fields(*kind)).copied().collect(),
    };
    COMMON.iter().copied().chain(own).collect()
}

const ALL: [ChannelKind; 5] =
    [ChannelKind::Email, ChannelKind::Webhook, ChannelKind::Telegram, ChannelKind::Ntfy, ChannelKind::Pagerduty];

/// A channel of a file, which is to have this id. `stored`: the one that it is, where there is one.
pub(super) fn read(
    fields: &Fields<'_>,
    id: Uuid,
    stored: Option<&Known>,
    reading: &mut Reading<'_, '_>,
) -> Option<Spec> {
    let second = reading.reference(fields, "second_channel", Space::Channels);
    let (problems, look) = (&mut reading.problems, &mut reading.look);
    if second == Some(id) {
        let place = fields.place("second_channel");
        problems.add(fields.line("second_channel"), place, "", "Name another channel, or leave it out.");
    }
    let before = stored.and_then(as_channel);
    let mut input = ChannelInput {
        name: fields.text("name", problems),
        kind: fields.text("kind", problems),
        server: fields.text("server", problems),
        port: fields.text("port", problems),
        security: fields.text("security", problems),
        username: fields.text("username", problems),
        password: given(fields, "password", look, problems).input(),
        from: fields.text("from", problems),
        to: fields.texts("to", problems).join("\n"),
        url: given(fields, "url", look, problems).input(),
        secret: given(fields, "secret", look, problems).input(),
        token: given(fields, "token", look, problems).input(),
        chat: fields.text("chat", problems),
        topic: given(fields, "topic", look, problems).input(),
        routing_key: given(fields, "routing_key", look, problems).input(),
        tells_regional: fields.flag("tells_regional", problems).unwrap_or_default(),
        tells_operator: fields.flag("tells_operator", problems).unwrap_or(ChannelInput::fresh().tells_operator),
        waits_minutes: fields.text("waits_minutes", problems),
        reminds_minutes: fields.text("reminds_minutes", problems),
        cap_per_hour: fields.text("cap_per_hour", problems),
        ..ChannelInput::default()
    };
    // What the file does not name any more.
    input.drop_token = fields.node("token").is_none();
    let context = ChannelContext {
        stored: before.as_ref(),
        channels: &[],
        rules: reading.context.rules,
        random: (reading.context.random)(),
    };
    let is_on = fields.flag("is_on", problems).unwrap_or(true);
    let at = |field: &str| (fields.line(field), fields.place(field));
    let mut draft = input.parse(&context).map_err(|errors| problems.take(errors, at)).ok()?;
    draft.second_channel_id = second.map(ChannelId);
    Some(Spec::Channel(Box::new(ChannelSpec { draft, is_on })))
}

/// As it is stored, for what is kept of it.
fn as_channel(known: &Known) -> Option<Channel> {
    let Spec::Channel(channel) = &known.spec else { return None };
    let draft = channel.draft.clone();
    Some(Channel {
        channel_id: ChannelId(known.id),
        account_id: AccountId(Uuid::nil()),
        name: draft.name,
        settings: draft.settings,
        unreadable: None,
        is_on: channel.is_on,
        tells_regional: draft.tells_regional,
        tells_operator: draft.tells_operator,
        waits_ms: draft.waits_ms,
        reminds_ms: draft.reminds_ms,
        cap_per_hour: draft.cap_per_hour,
        second_channel_id: draft.second_channel_id,
        created_at: 0,
        revision: known.revision,
        failing_since_at: None,
        broken: None,
    })
}

pub(super) fn facts(channel: &ChannelSpec, names: &Names<'_>, facts: &mut Facts) {
    let draft = &channel.draft;
    facts.plain("name", &draft.name);
    facts.plain("kind", draft.settings.kind());
    match &draft.settings {
        ChannelSettings::Email { server, port, security, username, password, from, to } => {
            facts.plain("server", server);
            facts.plain("port", port);
            facts.plain("security", security);
            facts.some("username", Some(username).filter(|name| !name.is_empty()));
            facts.secret("password", password);
            facts.plain("from", from);
            facts.plain("to", to.join(", "));
        }
        ChannelSettings::Webhook { url, secret, .. } => {
            facts.secret("url", url);
            facts.secret("secret", secret);
        }
        ChannelSettings::Slack { url } | ChannelSettings::Discord { url } | ChannelSettings::Alertmanager { url } => {
            facts.secret("url", url);
        }
        ChannelSettings::Telegram { token, chat, server } => {
            facts.secret("token", token);
            facts.plain("chat", chat);
            facts.some("server", server.as_ref());
        }
        ChannelSettings::Ntfy { server, topic, token } => {
            facts.plain("server", server);
            facts.secret("topic", topic);
            if let Some(token) = token {
                facts.secret("token", token);
            }
        }
        ChannelSettings::Pagerduty { routing_key, server } => {
            facts.secret("routing_key", routing_key);
            facts.some("server", server.as_ref());
        }
    }
    facts.plain("is_on", channel.is_on);
    facts.plain("tells_regional", draft.tells_regional);
    facts.plain("tells_operator", draft.tells_operator);
    facts.plain("waits_minutes", draft.waits_ms / 60_000);
    facts.some("reminds_minutes", draft.reminds_ms.map(|ms| ms / 60_000));
    facts.plain("cap_per_hour", draft.cap_per_hour);
    facts.some("second_channel", draft.second_channel_id.map(|id| names(Space::Channels, id.0)));
}

/// As it is written.
pub(super) fn out(channel: &ChannelSpec, names: &Names<'_>, vars: &mut Vars<'_>, entries: &mut Vec<(String, Out)>) {
    let draft = &channel.draft;
    let mut add = |name: &str, value: Out| entries.push((name.to_owned(), value));
    add("name", Out::text(&draft.name));
    add("kind", Out::text(draft.settings.kind().as_str()));
    match &draft.settings {
        ChannelSettings::Email { server, port, security, username, from, to, .. } => {
            add("server", Out::text(server));
            add("port", Out::raw(port));
            add("security", Out::text(security.as_str()));
            if !username.is_empty() {
                add("username", Out::text(username));
                add("password", vars.secret("PASSWORD"));
            }
            add("from", Out::text(from));
            add("to", Out::List(to.iter().map(Out::text).collect()));
        }
        ChannelSettings::Webhook { .. } => {
            add("url", vars.secret("URL"));
            add("secret", vars.secret("SECRET"));
        }
        ChannelSettings::Slack { .. } | ChannelSettings::Discord { .. } | ChannelSettings::Alertmanager { .. } => {
            add("url", vars.secret("URL"));
        }
        ChannelSettings::Telegram { chat, server, .. } => {
            add("token", vars.secret("TOKEN"));
            add("chat", Out::text(chat));
            if let Some(server) = server {
                add("server", Out::text(server));
            }
        }
        ChannelSettings::Ntfy { server, token, .. } => {
            add("server", Out::text(server));
            add("topic", vars.secret("TOPIC"));
            if token.is_some() {
                add("token", vars.secret("TOKEN"));
            }
        }
        ChannelSettings::Pagerduty { server, .. } => {
            add("routing_key", vars.secret("ROUTING_KEY"));
            if let Some(server) = server {
                add("server", Out::text(server));
            }
        }
    }
    if !channel.is_on {
        add("is_on", Out::raw(false));
    }
    if draft.tells_regional {
        add("tells_regional", Out::raw(true));
    }
    if !draft.tells_operator {
        add("tells_operator", Out::raw(false));
    }
    if draft.waits_ms > 0 {
        add("waits_minutes", Out::raw(draft.waits_ms / 60_000));
    }
    if let Some(ms) = draft.reminds_ms {
        add("reminds_minutes", Out::raw(ms / 60_000));
    }
    add("cap_per_hour", Out::raw(draft.cap_per_hour));
    if let Some(second) = draft.second_channel_id {
        add("second_channel", Out::text(names(Space::Channels, second.0)));
    }
}
