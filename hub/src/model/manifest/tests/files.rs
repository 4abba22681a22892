use super::*;

const ALL: &str = r#"
version: 1
channels:
  - {name: Ops mail, kind: email, server: smtp.example.com, security: tls, username: ops, password: {env: MAIL}, from: Ops <ops@example.com>, to: [a@example.com, b@example.com], reminds_minutes: 30, second_channel: hook}
  - {key: hook, name: Hook, kind: webhook, url: {env: HOOK}, is_on: false, tells_regional: true, waits_minutes: 5, cap_per_hour: 10}
  - {name: Chat, kind: slack, url: {env: SLACK}}
  - {name: Disc, kind: discord, url: {env: DISCORD}, tells_operator: false}
  - {name: Tele, kind: telegram, token: {env: TELE}, chat: "-100123", server: https://bot.example}
  - {name: Push, kind: ntfy, server: https://ntfy.example, topic: {env: TOPIC}, token: {env: NTFY}}
  - {name: Pager, kind: pagerduty, routing_key: {env: PAGER}}
  - {name: Am, kind: alertmanager, url: {env: AM}}
websites:
  - url: HTTPS://Shop.Example/health?key=hunter2
    interval_s: 30
    timeout_s: 5
    regions: [USA, EU]
    tags: [Shop, "two  words"]
    parent: router
    retention_days: 30
    uptime_goal_percent: 99.95
    is_badge_public: true
    paused: true
    request:
      method: POST
      headers: {Accept: text/html, X-Key: {env: X_KEY}}
      body: {env: BODY}
      sign_in: {username: ann, password: {env: PASS}}
      user_agent: us/1.0
      max_redirects: 0
      ip_family: v4
      insecure_tls: true
    expect:
      accept: [200-299, 404]
      slow_ms: 900
      certificate_days: 0
      require_https: true
      content:
        - contains: "yes: \"it\" is\n"
        - lacks: error
        - matches: ^a.*b$
        - {json: /status, equals: {a: [1, "1", null]}}
        - {json: /n, equals: "12"}
        - {json: "", equals: true}
        - {header: Server, equals: us}
  - key: token
    url: https://api.example
    request:
      sign_in: {token: {env: BEARER}}
      headers: [{name: X-Key, value: {env: X_KEY}}, {name: x-key, value: {env: X_OTHER}}, {name: Accept, value: "a: b"}]
  - url: https://api.example
  - {key: router, url: "http://192.168.0.1/"}
jobs:
  - {name: Nightly backup, cron: "0 3 * * *", time_zone: Europe/Berlin, grace_s: 600, tags: [shop], parent: token}
  - {name: Hourly, period_s: 3600, paused: true}
maintenance:
  - {name: Update, tag: shop, time_zone: Europe/Berlin, starts: "2026-11-27T02:30", repeats: weekly:mon, duration_minutes: 90}
  - {name: All, scope: all, time_zone: UTC, starts: "2026-12-27T02:30", repeats: once, duration_minutes: 5}
  - {name: One, website: nightly-backup, time_zone: UTC, starts: "2026-12-27T02:30", repeats: monthly:last, duration_minutes: 5}
  - {name: Past, scope: all, time_zone: UTC, starts: "2020-12-27T02:30", repeats: once, duration_minutes: 5}
"#;

const SECRETS: [(&str, &str); 14] = [
    ("MAIL", "hunter2-mail"),
    ("HOOK", "https://hook.example/hunter2"),
    ("SLACK", "https://hooks.slack.com/services/hunter2"),
    ("DISCORD", "https://discord.com/api/webhooks/1/hunter2"),
    ("TELE", "12345:hunter2hunter2hunter2hunter2"),
    ("TOPIC", "hunter2topic"),
    ("NTFY", "hunter2token"),
    ("PAGER", "hunter2hunter2hunter2hunter2hunt"),
    ("AM", "https://am.example/hunter2"),
    ("X_KEY", "hunter2x"),
    ("BODY", "hunter2 body\nof two lines"),
    ("PASS", "hunter2pass"),
    ("BEARER", "hunter2bearer"),
    ("X_OTHER", "hunter2other"),
];

#[test]
fn what_is_exported_says_the_same() {
    let (plan, state) = applied(ALL, &State::default(), &SECRETS);
    assert_eq!((plan.count(Action::Add), state.objects.len()), (17, 17), "{}", as_text(&plan, false));
    assert_eq!(plan.notes, ["maintenance \"past\" is over, and is not added"]);
    for (state, what) in [(&state, "kept in it"), (&unmanaged(&state), "kept in none")] {
        let (text, left_out) = export(state, "default", NOW);
        assert_eq!(left_out, Vec::<String>::new());
        // Nothing is set.
        let (plan, after) = applied(&text, state, &[]);
        assert!(!plan.is_drift() && plan.unset.len() == 16, "{what}: {text}{}", as_text(&plan, false));
        assert_eq!(after.objects.len(), state.objects.len());
        let (plan, _) = applied(&text, &after, &[]);
        assert_eq!((plan.writes.len(), plan.count(Action::Keep)), (0, 17), "{what}");
        assert_eq!(export(&after, "default", NOW).0, text, "{what}");
    }
}

fn unmanaged(state: &State) -> State {
    State { objects: state.objects.iter().map(|known| Known { managed: None, ..known.clone() }).collect() }
}

#[test]
fn t279_i11_no_secret_is_in_what_is_shown() {
    let (plan, state) = applied(ALL, &State::default(), &SECRETS);
    let (text, _) = export(&state, "default", NOW);
    let other: Vec<(&str, String)> =
        SECRETS.iter().map(|(name, value)| (*name, value.replace("hunter2", "hunter3"))).collect();
    let other: Vec<(&str, &str)> = other.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (changed, _) = applied(ALL, &state, &other);
    assert_eq!(changed.count(Action::Change), 10, "{}", as_text(&changed, false));
    for text in [
        // The query of an address is not a secret by itself: it is in the file, and not in what is said of it.
        text.replace("https://shop.example/health?key=hunter2", ""),
        as_text(&plan, false),
        as_json(&plan, "ann").to_string(),
        as_text(&changed, true),
        as_json(&changed, "ann").to_string(),
    ] {
        assert!(!text.contains("hunter"), "{text}");
    }
    assert!(as_text(&changed, false).contains("another secret"));
    for text in [
        "channels: [{name: a, kind: slack, url: https://hooks.slack.com/services/hunter2}]",
        "websites: [{url: https://a.example, request: {headers: {X-Key: hunter2}}}]",
        "websites: [{url: https://a.example, request: {sign_in: {token: hunter2}}}]",
        "websites: [{url: https://a.example, request: {sign_in: {username: a, password: {value: hunter2}}}}]",
        "websites: [{url: \"https://a:hunter2@a.example\"}]",
    ] {
        let told = wrong(text);
        assert!(!told.is_empty() && told.iter().all(|told| !told.contains("hunter2")), "{told:?}");
    }
}

#[test]
fn everything_wrong_is_told_at_once_with_its_line() {
    let text = r#"
version: 2
name: Not A Name
colour: red
websites:
  - url: javascript:alert(1)
    interval_s: 5
    regions: [MOON]
    request: {method: BREW, headers: [a]}
    expect: {accept: x, content: [{contains: a, lacks: b}]}
    parent: nobody
    paused: maybe
  - {key: Bad Key, url: https://a.example}
  - {url: https://b.example}
  - {url: https://b.example/}
jobs:
  - {name: x, period_s: 1}
  - 5
channels:
  - {name: y, kind: slack, chat: 5}
  - {name: z, kind: pigeon}
maintenance:
  - {name: w, tag: a, website: b, time_zone: Mars, starts: now, repeats: never, duration_minutes: 0}
"#;
    let told = wrong(text);
    for expected in [
        "line 2: version is \"2\": ",
        "line 3: name is \"Not A Name\": Give 1 to 64",
        "line 4: colour: There is no such field; there are: version, name",
        "line 6: websites \"javascript-alert-1\", url is \"javascript:alert(1)\": This address needs http:// or https:// in front.",
        "line 7: websites \"javascript-alert-1\", interval_s is \"5\": Give whole seconds from 10",
        "line 9: websites \"javascript-alert-1\", request.method is \"BREW\"",
        "line 9: websites \"javascript-alert-1\", request.headers: Give name and value.",
        "line 10: websites \"javascript-alert-1\", expect.accept is \"x\"",
        "line 10: websites \"javascript-alert-1\", expect.content: Give one of",
        "line 11: websites \"javascript-alert-1\", parent is \"nobody\"",
        "line 12: websites \"javascript-alert-1\", paused is \"maybe\": Write true or false.",
        "line 13: websites 2, key is \"Bad Key\"",
        "line 15: websites \"b-example\" is \"b-example\": Another entry has this key, which was made of its address",
        "line 17: jobs \"x\", period_s is \"1\"",
        "line 18: jobs \"job\": A map is expected",
        "line 20: channels \"y\", chat: There is no such field",
        "line 20: channels \"y\", url: Give the webhook's address",
        "line 21: channels \"z\", kind is \"pigeon\"",
        "line 23: maintenance \"w\", website is \"b\"",
        "line 23: maintenance \"w\", website: This belongs to another scope",
        "line 23: maintenance \"w\", time_zone is \"Mars\"",
        "line 23: maintenance \"w\", starts is \"now\"",
        "line 23: maintenance \"w\", duration_minutes is \"0 h 0 min\"",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}\n{told:#?}");
    }
    let pages = wrong(
        "status_pages:\n- {name: Ours, slug: a b, mail_channel: nobody, sections: [{components: [{website: nowhere, name: A}]}]}\n- {name: Ours}",
    );
    for expected in
        ["mail_channel is \"nobody\"", "website is \"nowhere\"", "slug is \"a b\"", "Another entry has this key"]
    {
        assert!(pages.iter().any(|told| told.contains(expected)), "{expected}\n{pages:#?}");
    }
    assert!(wrong("websites: [{url: https://a.example, regions: [MOON]}]")[0].contains("there are: EU, USA"));
}

#[test]
fn t153_no_address_of_another_scheme_comes_in() {
    for url in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example", "//a.example"] {
        let told = wrong(&format!("websites: [{{url: {url:?}}}]"));
        assert!(told.iter().any(|told| told.contains("http:// or https://")), "{url} {told:?}");
    }
}

#[test]
fn what_depends_on_itself_is_refused_and_two_may_change_places() {
    let circle =
        "websites:\n- {key: a, url: https://a.example, parent: b}\n- {key: b, url: https://b.example, parent: a}";
    assert_eq!(wrong(circle).len(), 2, "{:?}", wrong(circle));
    let before = "websites:\n- {key: a, url: https://a.example, parent: b}\n- {key: b, url: https://b.example}";
    let (_, state) = applied(before, &State::default(), &[]);
    let after = "websites:\n- {key: a, url: https://a.example}\n- {key: b, url: https://b.example, parent: a}";
    let (plan, _) = applied(after, &state, &[]);
    assert_eq!(plan.count(Action::Change), 2);
    assert_eq!(wrong("channels: [{name: a, kind: slack, url: {env: A}, second_channel: a}]").len(), 2);
}

#[test]
fn an_object_is_known_by_its_key_and_else_by_what_it_is() {
    let (_, state) = applied("websites: [{key: shop, url: https://a.example}]", &State::default(), &[]);
    let (plan, after) = applied("websites: [{key: shop, url: https://b.example, interval_s: 60}]", &state, &[]);
    assert_eq!((plan.count(Action::Change), plan.items.len()), (1, 1));
    let shown = as_text(&plan, false);
    assert!(shown.contains("~ website  shop  https://b.example/\n"), "{shown}");
    assert!(
        shown.contains("    url         https://a.example/ -> https://b.example/\n    interval_s  180 -> 60\n"),
        "{shown}"
    );
    // Another key, the same address.
    let (plan, after) = applied("websites: [{key: store, url: https://b.example, interval_s: 60}]", &after, &[]);
    assert_eq!((plan.count(Action::TakeOver), plan.items.len()), (1, 1), "{}", as_text(&plan, false));
    // Another file takes nothing of this one, neither by key nor by address.
    let other = "name: other\nwebsites: [{key: new, url: https://b.example}]";
    let (plan, after) = applied(other, &after, &[]);
    assert_eq!((plan.count(Action::Add), plan.unmanaged.len(), after.objects.len()), (1, 1, 2));
    let taken = read("name: other\nwebsites: [{key: store, url: https://c.example}]", &after, &[]).unwrap_err();
    assert!(taken[0].remedy.contains("The file that calls itself \"default\""), "{taken:?}");
    // Removed only by the file that kept it, and only when asked.
    let manifest = read("version: 1", &after, &[]).unwrap();
    let plan = Plan::new(&manifest, &after, false, NOW);
    assert_eq!((plan.count(Action::Leave), plan.writes.len(), plan.is_drift()), (1, 0, true));
    let plan = Plan::new(&manifest, &after, true, NOW);
    assert_eq!((plan.count(Action::Remove), plan.writes.len(), done(&after, &plan).objects.len()), (1, 1, 1));
}

#[test]
fn what_the_file_has_no_more_is_nothing_to_refer_to() {
    let (a, b) = ("- {key: a, url: https://a.example}\n", "- {key: b, url: https://b.example, parent: a}\n");
    let (_, state) = applied(&format!("websites:\n{a}{b}"), &State::default(), &[]);
    let told = read(&format!("websites:\n{b}"), &state, &[]).unwrap_err();
    assert!(told.len() == 1 && told[0].remedy.contains("no website or job with this key"), "{told:?}");
    let other = "name: other\nwebsites: [{key: c, url: https://c.example, parent: a}]";
    assert!(read(other, &state, &[]).is_ok(), "another file has it");
}

#[test]
fn a_secret_that_is_not_set_stays_as_it_is_stored() {
    let text = "websites: [{key: a, url: https://a.example, request: {sign_in: {token: {env: T}}}}]";
    assert!(
        wrong(text)[0].starts_with("line 1: websites \"a\", request.sign_in: Give the token."),
        "{:?}",
        wrong(text)
    );
    let (_, state) = applied(text, &State::default(), &[("T", "hunter2")]);
    let (plan, _) = applied(text, &state, &[]);
    assert_eq!((plan.writes.len(), plan.unset.as_slice()), (0, ["T".to_owned()].as_slice()));
    assert!(as_text(&plan, false).contains("Not set here, so what is stored stays: T."));
    // It is not sent to another place because somebody changed the address.
    let moved = text.replace("a.example", "b.example");
    let told = read(&moved, &state, &[]).unwrap_err();
    assert!(told[0].remedy.contains("The address leads elsewhere now"), "{told:?}");
    assert!(read(&moved, &state, &[("T", "hunter2")]).is_ok());
}

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.of(all.len())]
    }
}

const TEXTS: [&str; 24] = [
    "plain",
    "two words",
    "true",
    "No",
    "null",
    "~",
    "12",
    "0x1f",
    "- a",
    "a: b",
    "a #b",
    "'",
    "\"",
    "\\",
    "é ß 漢",
    "{a}",
    "[a]",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "a, b",
    "200-299",
];

/// An account made by dice: as a file, with values that YAML could take for something else.
fn thrown(dice: &mut Dice) -> String {
    use super::super::write::{Out, to_yaml};
    let field = |name: &str, out: Out| (name.to_owned(), out);
    let mut websites = Vec::new();
    let count = dice.of(4) + 1;
    for n in 0..count {
        let mut one = vec![
            field("key", Out::text(format!("w{n}"))),
            field(
                "url",
                Out::text(format!("https://a{}.example/{}", dice.of(2), dice.one(&["", "x?y=1&z=%20", "a b", "é"]))),
            ),
            field("interval_s", Out::raw(60 + dice.of(1_000))),
        ];
        if n > 0 && dice.of(2) == 0 {
            one.push(field("parent", Out::text(format!("w{}", dice.of(n)))));
        }
        if dice.of(2) == 0 {
            one.push(field("tags", Out::List(vec![Out::text(dice.one(&TEXTS)), Out::text("x")])));
        }
        if dice.of(3) == 0 {
            one.push(field("paused", Out::raw(true)));
        }
        let header = (dice.one(&["Accept", "Origin", "If-Match"]).to_owned(), Out::text(dice.one(&TEXTS)));
        let request = vec![
            field("headers", Out::Map(vec![header])),
            field("user_agent", Out::text(dice.one(&["us/1", "a: b", "true"]))),
            field("max_redirects", Out::raw(dice.of(11))),
        ];
        let content = |dice: &mut Dice| {
            let text = dice.one(&TEXTS);
            Out::Map(match dice.of(4) {
                0 => vec![field("contains", Out::text(text))],
                1 => vec![field("lacks", Out::text(text))],
                2 => vec![
                    field("json", Out::Text("/a".to_owned())),
                    field("equals", Out::json(&serde_json::json!({"x": [text, 1, null]}))),
                ],
                _ => vec![field("header", Out::text("Server")), field("equals", Out::text(text))],
            })
        };
        let expect = vec![field("content", Out::List(vec![content(dice), content(dice)]))];
        one.extend([field("request", Out::Map(request)), field("expect", Out::Map(expect))]);
        websites.push(Out::Map(one));
    }
    let job = vec![
        field("name", Out::text(dice.one(&TEXTS))),
        field("key", Out::text("job")),
        field("period_s", Out::raw(60 + dice.of(1_000))),
        field("parent", Out::text("w0")),
    ];
    let channel = vec![
        field("name", Out::text(dice.one(&TEXTS))),
        field("key", Out::text("chat")),
        field("kind", Out::text("slack")),
        field("url", Out::Map(vec![field("env", Out::text("SLACK"))])),
        field("is_on", Out::raw(dice.of(2) == 0)),
        field("waits_minutes", Out::raw(dice.of(3))),
    ];
    let window = vec![
        field("name", Out::text(dice.one(&TEXTS))),
        field("key", Out::text("window")),
        field("website", Out::text("job")),
        field("time_zone", Out::text(dice.one(&["UTC", "Europe/Berlin", "Asia/Kolkata"]))),
        field("starts", Out::text("2031-01-31T02:30")),
        field("repeats", Out::text(dice.one(&["once", "daily", "weekly:mon,sun", "monthly:last", "monthly:31"]))),
        field("duration_minutes", Out::raw(1 + dice.of(600))),
    ];
    to_yaml(&Out::Map(vec![
        field("websites", Out::List(websites)),
        field("jobs", Out::List(vec![Out::Map(job)])),
        field("channels", Out::List(vec![Out::Map(channel)])),
        field("maintenance", Out::List(vec![Out::Map(window)])),
    ]))
}

#[test]
fn whatever_is_thrown_is_exported_and_found_the_same() {
    let mut accepted = 0;
    for seed in 0..400 {
        let text = thrown(&mut Dice(seed));
        let Ok(manifest) = read(&text, &State::default(), &SECRETS) else { continue };
        accepted += 1;
        let state = done(&State::default(), &Plan::new(&manifest, &State::default(), true, NOW));
        for state in [&state, &unmanaged(&state)] {
            let (exported, _) = export(state, "default", NOW);
            let (plan, _) = applied(&exported, state, &[]);
            assert!(!plan.is_drift(), "seed {seed}: {exported}{}", as_text(&plan, false));
        }
        assert_eq!(applied(&text, &state, &SECRETS).0.writes, [], "seed {seed}: {text}");
    }
    assert!(accepted > 150, "{accepted}");
}
