//! What may be saved as a channel, field by field.

use uuid::Uuid;

use super::*;
use crate::model::{AccountId, MailSecurity, UtcMs};

const NOW: UtcMs = 1_000;

fn secret(text: &str) -> SecretText {
    SecretText::new(text)
}

fn channel(settings: ChannelSettings) -> Channel {
    Channel {
        channel_id: ChannelId(Uuid::from_u128(1)),
        account_id: AccountId(Uuid::from_u128(2)),
        name: "Ops".to_owned(),
        settings,
        unreadable: None,
        is_on: true,
        tells_regional: false,
        tells_operator: true,
        waits_ms: 0,
        reminds_ms: None,
        cap_per_hour: 60,
        second_channel_id: None,
        created_at: NOW,
        revision: 1,
        failing_since_at: None,
        broken: None,
    }
}

fn parse(input: &ChannelInput, stored: Option<&Channel>, is_shared: bool) -> Result<ChannelDraft, FieldErrors> {
    let rules = TargetRules { is_shared, own_names: Vec::new() };
    let channels: Vec<Channel> = stored.into_iter().cloned().collect();
    input.parse(&ChannelContext { stored, channels: &channels, rules: &rules, random: [7; 32] })
}

fn of_kind(kind: &str) -> ChannelInput {
    ChannelInput { name: "Ops".to_owned(), kind: kind.to_owned(), ..ChannelInput::default() }
}

fn mail() -> ChannelInput {
    ChannelInput {
        server: "smtp.example.com".to_owned(),
        from: "BetterUptime <alerts@example.com>".to_owned(),
        to: "ops@example.com".to_owned(),
        ..of_kind("email")
    }
}

/// Fields that are refused.
fn wrong(result: Result<ChannelDraft, FieldErrors>) -> Vec<&'static str> {
    match result {
        Ok(draft) => panic!("accepted: {draft:?}"),
        Err(errors) => errors.0.iter().map(|error| error.field).collect(),
    }
}

#[test]
fn mail_has_its_usual_ports_and_addresses_in_normal_form() {
    let to = "ops@Example.com, night@example.com;ops@Example.com\nops@Example.com";
    let draft = parse(&ChannelInput { to: to.to_owned(), ..mail() }, None, true).unwrap();
    let ChannelSettings::Email { server, port, security, from, to, .. } = draft.settings else { panic!() };
    assert_eq!((server.as_str(), port, security), ("smtp.example.com", 587, MailSecurity::Starttls));
    assert_eq!(from, "BetterUptime <alerts@example.com>");
    assert_eq!(to.len(), 2, "{to:?}");
    assert_eq!((draft.waits_ms, draft.reminds_ms, draft.cap_per_hour), (0, None, 60));
}

#[test]
fn a_port_that_nobody_touched_follows_the_protection() {
    let draft = parse(&mail(), None, false).unwrap();
    let port = |stored: &ChannelSettings, security: &str, port: &str| {
        let mut input = ChannelInput { security: security.to_owned(), port: port.to_owned(), ..mail() };
        input.follow_protection(stored);
        match parse(&input, Some(&channel(stored.clone())), false).unwrap().settings {
            ChannelSettings::Email { port, .. } => port,
            other => panic!("{other:?}"),
        }
    };
    // As a form sends it, with the port as it is stored.
    assert_eq!(port(&draft.settings, "tls", "587"), 465);
    assert_eq!(port(&draft.settings, "none", "587"), 25);
    assert_eq!(port(&draft.settings, "starttls", "587"), 587);
    assert_eq!(port(&draft.settings, "tls", "8465"), 8465, "somebody typed it");
    assert_eq!(port(&draft.settings, "tls", ""), 465);
    let ChannelSettings::Email { server, security, username, password, from, to, .. } = draft.settings else {
        panic!()
    };
    let own = ChannelSettings::Email { server, port: 2525, security, username, password, from, to };
    assert_eq!(port(&own, "tls", "2525"), 2525, "it was no usual one");
}

#[test]
fn t271_nothing_in_an_address_becomes_a_header() {
    for evil in [
        "ops@example.com\r\nBcc: all@example.com",
        "\"a\r\nBcc: b@example.com\" <ops@example.com>",
        "ops@example.com\0",
        "no address",
        "ops@",
        "@example.com",
        "ops@exa mple.com",
        "ops@example.com\u{2028}x",
    ] {
        let from = parse(&ChannelInput { from: evil.to_owned(), ..mail() }, None, false);
        // Line breaks at the ends are cut off; within, they are refused.
        assert_eq!(wrong(from), ["from"], "{evil:?}");
    }
    for evil in ["ops@example.com\0x", "ops@example.com Bcc:all@example.com", "<script>@example.com", "ops"] {
        assert_eq!(wrong(parse(&ChannelInput { to: evil.to_owned(), ..mail() }, None, false)), ["to"], "{evil:?}");
    }
    // A line for each address: the second is one more address that is none.
    let lines = "ops@example.com\r\nBcc: all@example.com";
    assert_eq!(wrong(parse(&ChannelInput { to: lines.to_owned(), ..mail() }, None, false)), ["to"]);
    let name = "Ops\r\nBcc: all@example.com".to_owned();
    assert_eq!(wrong(parse(&ChannelInput { name, ..mail() }, None, false)), ["name"]);
    let many = (0..21).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>().join(",");
    assert_eq!(wrong(parse(&ChannelInput { to: many, ..mail() }, None, false)), ["to"]);
}

#[test]
fn t095_strangers_name_public_mail_servers_on_mail_ports() {
    for inside in ["localhost", "127.0.0.1", "10.0.0.7", "[::1]", "169.254.169.254", "metadata.google.internal"] {
        let input = ChannelInput { server: inside.to_owned(), ..mail() };
        assert_eq!(wrong(parse(&input, None, true)), ["server"], "{inside}");
        let is_metadata = inside.starts_with("169.254");
        assert_eq!(parse(&input, None, false).is_ok(), !is_metadata, "{inside}: an owner's own network");
    }
    let port = ChannelInput { port: "6379".to_owned(), ..mail() };
    assert_eq!(wrong(parse(&port, None, true)), ["port"]);
    assert!(parse(&port, None, false).is_ok());
    for server in
        ["", "smtp.example.com:25", "smtp://smtp.example.com", "a b", "smtp.example.com/x", "u@smtp.example.com"]
    {
        let input = ChannelInput { server: server.to_owned(), ..mail() };
        assert_eq!(wrong(parse(&input, None, false)), ["server"], "{server}");
    }
    for port in ["0", "65536", "-1", "25x"] {
        assert_eq!(wrong(parse(&ChannelInput { port: port.to_owned(), ..mail() }, None, false)), ["port"], "{port}");
    }
}

#[test]
fn a_password_goes_only_over_a_protected_connection_and_only_where_it_was_given_for() {
    let typed = ChannelInput { username: "ops".to_owned(), password: secret("hunter2"), ..mail() };
    let open = ChannelInput { security: "none".to_owned(), ..typed.clone() };
    assert_eq!(wrong(parse(&open, None, false)), ["security"]);
    let stored = channel(parse(&typed, None, false).unwrap().settings);
    let form = ChannelInput::of(&stored);
    assert!(form.password.expose().is_empty());
    let password = |draft: ChannelDraft| match draft.settings {
        ChannelSettings::Email { password, .. } => password.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(password(parse(&form, Some(&stored), false).unwrap()), "hunter2", "left empty, it stays");
    for other in [
        ChannelInput { server: "evil.example".to_owned(), ..form.clone() },
        ChannelInput { port: "2525".to_owned(), ..form.clone() },
        ChannelInput { username: "else".to_owned(), ..form.clone() },
    ] {
        assert_eq!(wrong(parse(&other, Some(&stored), false)), ["password"]);
    }
    let (shown, retype) = typed.without_secrets();
    assert!(retype && shown.password.expose().is_empty() && shown.username == "ops");
}

#[test]
fn webhook_secrets_are_made_kept_and_changed() {
    let url = secret("https://Alerts.example.com/hook?key=abc");
    let draft = parse(&ChannelInput { url: url.clone(), ..of_kind("webhook") }, None, true).unwrap();
    let parts = |draft: &ChannelDraft| match &draft.settings {
        ChannelSettings::Webhook { url, secret, old_secret } => (
            url.expose().to_owned(),
            secret.expose().to_owned(),
            old_secret.as_ref().map(|old| old.expose().to_owned()),
        ),
        other => panic!("{other:?}"),
    };
    let (kept_url, made, old) = parts(&draft);
    assert_eq!(kept_url, "https://alerts.example.com/hook?key=abc");
    assert_eq!((made.as_str(), old), ("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", None));
    let stored = channel(draft.settings);
    let form = ChannelInput::of(&stored);
    assert_eq!(parts(&parse(&form, Some(&stored), true).unwrap()), (kept_url.clone(), made.clone(), None));
    // Another one, typed: the old one signs too, until it is dropped.
    let typed = format!("whsec_{}", BASE64.encode([9; 24]));
    let changed = ChannelInput { secret: secret(&typed), ..form.clone() };
    let changed = parse(&changed, Some(&stored), true).unwrap();
    assert_eq!(parts(&changed), (kept_url.clone(), typed.clone(), Some(made)));
    let stored = channel(changed.settings);
    let form = ChannelInput { drop_old_secret: true, ..ChannelInput::of(&stored) };
    assert_eq!(parts(&parse(&form, Some(&stored), true).unwrap()), (kept_url, typed.clone(), None));
    let fresh = ChannelInput { new_secret: true, ..ChannelInput::of(&stored) };
    assert_eq!(parts(&parse(&fresh, Some(&stored), true).unwrap()).2, Some(typed));
    for bad in ["whsec_", "whsec_abc", "hunter2", &format!("whsec_{}", BASE64.encode([1; 65]))] {
        let input = ChannelInput { url: url.clone(), secret: secret(bad), ..of_kind("webhook") };
        let errors = parse(&input, None, true).unwrap_err();
        assert_eq!(errors.0[0].field, "secret");
        assert!(!errors.to_string().contains(bad) || bad == "whsec_", "{errors}");
    }
}

#[test]
fn t092_t096_receivers_are_where_they_have_to_be() {
    let with =
        |kind: &str, url: &str, is_shared| parse(&ChannelInput { url: secret(url), ..of_kind(kind) }, None, is_shared);
    assert!(with("slack", "https://hooks.slack.com/services/T0/B0/x", true).is_ok());
    for not_slack in [
        "https://hooks.slack.com.evil.example/services/x",
        "https://hooks.slack.com@evil.example/services/x",
        "http://hooks.slack.com/services/x",
        "https://hooks.slack.com:8443/services/x",
        "https://evil.example/hooks.slack.com",
        "",
    ] {
        assert_eq!(wrong(with("slack", not_slack, true)), ["url"], "{not_slack}");
    }
    assert!(with("discord", "https://discord.com/api/webhooks/1/abc", true).is_ok());
    assert_eq!(wrong(with("discord", "https://discord.com/login", true)), ["url"]);
    for inside in [
        "http://localhost/",
        "http://127.0.0.1:9093",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.1.2.3/",
    ] {
        assert_eq!(wrong(with("webhook", inside, true)), ["url"], "{inside}");
        assert!(with("webhook", inside, false).is_ok(), "{inside}: an owner's own network");
    }
    for nobodys in ["http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/"] {
        assert_eq!(wrong(with("webhook", nobodys, false)), ["url"], "{nobodys}");
    }
    let secretive = with("webhook", "https://user:hunter2@example.com/", true).unwrap_err();
    assert!(!secretive.to_string().contains("hunter2"), "{secretive}");
    let copied = with("alertmanager", "http://am.example.com:9093/api/v2/alerts/", true).unwrap();
    let ChannelSettings::Alertmanager { url } = copied.settings else { panic!() };
    assert_eq!(url.expose(), "http://am.example.com:9093");
}

#[test]
fn services_have_their_forms() {
    let token = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    let telegram = |token: &str, chat: &str| {
        parse(&ChannelInput { token: secret(token), chat: chat.to_owned(), ..of_kind("telegram") }, None, true)
    };
    for chat in ["-1001234567890", "42", "@status_of_ops"] {
        assert!(telegram(token, chat).is_ok(), "{chat}");
    }
    for chat in ["", "ops", "@a b", "4x", "-"] {
        assert_eq!(wrong(telegram(token, chat)), ["chat"], "{chat}");
    }
    assert_eq!(wrong(telegram("123456:short/../../x", "42")), ["token"]);
    let ntfy = |topic: &str| parse(&ChannelInput { topic: secret(topic), ..of_kind("ntfy") }, None, true);
    assert!(ntfy("ops_alerts-1").is_ok());
    for topic in ["", "a/b", "a b", &"x".repeat(65)] {
        assert_eq!(wrong(ntfy(topic)), ["topic"], "{topic}");
    }
    let pagerduty = |key: &str, server: &str| {
        let input = ChannelInput { routing_key: secret(key), server: server.to_owned(), ..of_kind("pagerduty") };
        parse(&input, None, true)
    };
    let key = "0123456789abcdef0123456789abcdef";
    assert!(pagerduty(key, "").is_ok());
    let draft = pagerduty(key, "events.eu.pagerduty.com").unwrap();
    let ChannelSettings::Pagerduty { server, .. } = draft.settings else { panic!() };
    assert_eq!(server.as_deref(), Some("https://events.eu.pagerduty.com"));
    assert_eq!(wrong(pagerduty("hunter2", "")), ["routing_key"]);
    assert_eq!(wrong(parse(&of_kind("pigeon"), None, true)), ["kind"]);
}

#[test]
fn numbers_and_the_second_channel_are_checked() {
    let hook = ChannelInput { url: secret("https://example.com/"), ..of_kind("webhook") };
    for (waits, reminds, cap, field) in [
        ("-1", "", "", "waits_minutes"),
        ("10081", "", "", "waits_minutes"),
        ("", "4", "", "reminds_minutes"),
        ("", "x", "", "reminds_minutes"),
        ("", "", "0", "cap_per_hour"),
        ("", "", "1001", "cap_per_hour"),
    ] {
        let input = ChannelInput {
            waits_minutes: waits.to_owned(),
            reminds_minutes: reminds.to_owned(),
            cap_per_hour: cap.to_owned(),
            ..hook.clone()
        };
        assert_eq!(wrong(parse(&input, None, true)), [field]);
    }
    let stored = channel(parse(&hook, None, true).unwrap().settings);
    let itself = stored.channel_id.to_string();
    for second in [itself, Uuid::from_u128(99).to_string(), "x".to_owned()] {
        let input = ChannelInput { second_channel_id: second, ..ChannelInput::of(&stored) };
        assert_eq!(wrong(parse(&input, Some(&stored), true)), ["second_channel_id"]);
    }
    let other = ChannelInput { kind: "slack".to_owned(), ..ChannelInput::of(&stored) };
    assert_eq!(wrong(parse(&other, Some(&stored), true)), ["kind"], "a channel stays of its kind");
}

#[test]
fn i11_settings_that_are_printed_tell_no_secret() {
    let settings = [
        ChannelSettings::Webhook {
            url: secret("hunter2"),
            secret: secret("hunter2"),
            old_secret: Some(secret("hunter2")),
        },
        ChannelSettings::Ntfy { server: String::new(), topic: secret("hunter2"), token: Some(secret("hunter2")) },
        ChannelSettings::Pagerduty { routing_key: secret("hunter2"), server: None },
    ];
    for settings in settings {
        let text = format!("{:?} {}", channel(settings.clone()), settings.place());
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_token_of_ntfy_is_not_lost_in_silence_when_the_server_changes() {
    let settings = |server: &str| ChannelSettings::Ntfy {
        server: server.to_owned(),
        topic: secret("ops_alerts-1"),
        token: Some(secret("tk_hunter2")),
    };
    let stored = channel(settings("https://ntfy.sh"));
    let moved = ChannelInput {
        server: "https://ntfy.example.com".to_owned(),
        topic: secret("ops_alerts-1"),
        ..ChannelInput::of(&stored)
    };
    assert_eq!(wrong(parse(&moved, Some(&stored), true)), ["token"]);
    let dropped = ChannelInput { drop_token: true, ..moved.clone() };
    assert!(parse(&dropped, Some(&stored), true).is_ok());
    let typed = ChannelInput { token: secret("tk_hunter2"), ..moved };
    assert_eq!(
        parse(&typed, Some(&stored), true).map(|draft| draft.settings),
        Ok(settings("https://ntfy.example.com"))
    );
}
