//! The people of the demo, and what they did.

use anyhow::{Context as _, bail};

use super::made::{Made, PAUSED_BEFORE_MS};
use super::past::{Act, Acts};
use super::story::{DAY, HOUR, MINUTE};
use crate::http::login::invitation_key;
use crate::http::password;
use crate::model::api_key::{ApiKeyId, Expiry, NewKey, written};
use crate::model::audit::{Deed, FieldChange, what};
use crate::model::report::Rhythm;
use crate::model::{Account, ChannelKind, MadeBy, Role, Scope, UtcMs};
use crate::new_id;
use crate::store::{Joined, Store};

/// Who signs in to the demo, and how. Everybody may know: it is a demo.
pub const USER: &str = "demo";
/// His password, and that of the others.
pub const PASSWORD: &str = "lantern-demo";

/// Something a person does to the account.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deeds {
    /// Somebody takes the open incident of a website on.
    Acknowledge(&'static str, &'static str),
    /// Somebody writes something down about it.
    Note(&'static str, &'static str, &'static str),
    /// A website is not watched any more.
    Pause(&'static str),
}

/// A key: its name, what it may do, until when, made so many days ago, last used so long ago.
type Key = (&'static str, &'static [&'static str], Expiry, i64, Option<i64>);

/// Who is there: the one who signs in owns the installation.
#[derive(Debug)]
pub(super) struct People {
    pub owner: Account,
    lena: Account,
}

impl People {
    pub(super) async fn come(store: &Store, begin: UtcMs) -> anyhow::Result<Self> {
        let hash = tokio::task::spawn_blocking(|| password::hash_blocking(PASSWORD)).await??;
        let owner = store.create_account(USER, &hash, MadeBy::Owner, begin).await?;
        let join = async |name: &str, role: Role, at: UtcMs| -> anyhow::Result<Account> {
            let key = invitation_key(&format!("demo {name}"));
            store.invite(owner.account_id, owner.account_id, key, role, at).await?.context("no invitation")?;
            match store.join_as_new(key, name, &hash, true, at + 25 * MINUTE).await? {
                Joined::Yes(account, _) => Ok(account),
                Joined::Full | Joined::Nothing => bail!("{name} could not join"),
            }
        };
        let lena = join("lena", Role::Editor, begin + 2 * DAY).await?;
        join("omar", Role::Viewer, begin + 40 * DAY).await?;
        Ok(Self { owner, lena })
    }

    /// What else they have: another team, an invitation, keys, a report by mail.
    pub(super) async fn settle(&self, store: &Store, end: UtcMs) -> anyhow::Result<()> {
        let owner = self.owner.account_id;
        store.create_team(owner, "Lantern wholesale", end - 50 * DAY).await?;
        store.invite(owner, owner, invitation_key("demo nobody yet"), Role::Viewer, end - 2 * DAY).await?;
        let keys: [Key; 3] = [
            ("Wall screen", &["websites:read", "incidents:read"], Expiry::Never, 61, Some(4 * MINUTE)),
            ("Deploy pipeline", &["maintenance:write"], Expiry::Days(90), 33, Some(28 * HOUR)),
            ("Trial of a report", &["reports:read"], Expiry::Days(30), 44, None),
        ];
        for (n, (name, scopes, expiry, days, used_before)) in keys.into_iter().enumerate() {
            let at = end - days * DAY;
            let new = NewKey::of(name, scopes, expiry, at)?;
            let id = ApiKeyId(new_id::ordered());
            let secret = super::dice::dice(&[n as i64, 77]).to_be_bytes();
            let (_, hash) = written(id, [secret, secret, secret, secret].concat().try_into().unwrap_or([0; 32]));
            store.add_api_key(owner, owner, id, &new, hash, at).await?;
            if let Some(before) = used_before {
                store.touch_api_key(id, end - before).await?;
            }
        }
        let channels = store.channels(owner).await?;
        let mail = channels.iter().find(|channel| channel.settings.kind() == ChannelKind::Email);
        if let Some(mail) = mail {
            store.add_report_schedule(owner, mail.channel_id, &Scope::All, Rhythm::Monthly, end - 20 * DAY).await?;
        }
        Ok(())
    }

    /// What they did to incidents and websites, in its place among all else.
    pub(super) fn deeds(&self, acts: &mut Acts, end: UtcMs) {
        let deeds = [
            (PAUSED_BEFORE_MS, Deeds::Pause("legacy")),
            (118 * MINUTE, Deeds::Acknowledge("checkout", "lena")),
            (
                111 * MINUTE,
                Deeds::Note(
                    "checkout",
                    "lena",
                    "The payment supplier changed the name of its button. A new version of the cart is being tested; \
                     customers can pay by invoice meanwhile.",
                ),
            ),
            (
                38 * MINUTE,
                Deeds::Note("tiles", USER, "Cartolane says one of their networks in Asia is congested. Ticket 48211."),
            ),
            (5 * HOUR, Deeds::Acknowledge("invoice-export", "lena")),
            (3 * DAY + 2 * HOUR, Deeds::Note("northpay", "lena", "Asked Northpay to renew it. They say: this week.")),
        ];
        for (before, deed) in deeds {
            acts.add(end - before, Act::Deed(deed));
        }
    }

    /// Lines of the log of who did what.
    pub(super) async fn log(&self, store: &Store, made: &Made) -> anyhow::Result<()> {
        let line = |who: &Account, route: &str, key: &str, object: &str| {
            let (action, kind) = what("POST", route);
            Deed {
                account: Some(self.owner.account_id),
                person_id: Some(who.account_id),
                person: who.username.clone(),
                address: if who.username == USER { "192.0.2.14" } else { "198.51.100.7" }.to_owned(),
                route: format!("POST {route}"),
                action,
                kind,
                object_id: made.id(key).map(|id| id.to_string()).unwrap_or_default(),
                object: object.to_owned(),
                ..Deed::default()
            }
        };
        let change = |field: &str, old: &str, new: &str| vec![FieldChange::new(field, old, new)];
        let site = |parts: &str| format!("https://{}/", made.host.host(parts));
        let (demo, lena) = (&self.owner, &self.lena);
        let (edit, keys) = ("/websites/:id/edit", "/settings/keys");
        let deeds = [
            (61 * DAY, line(demo, keys, "", "Wall screen"), Vec::new()),
            (58 * DAY, line(lena, edit, "images", &site("images")), change("slow_ms", "1500", "900")),
            (50 * DAY, line(demo, "/team/new", "", "Lantern wholesale"), Vec::new()),
            (44 * DAY, line(demo, edit, "shop", &site("shop")), change("uptime_goal_percent", "99.5", "99.9")),
            (33 * DAY, line(demo, keys, "", "Deploy pipeline"), Vec::new()),
            (20 * DAY, line(demo, "/maintenance", "", "Database upgrade"), Vec::new()),
            (
                PAUSED_BEFORE_MS,
                line(lena, "/websites/:id/pause", "legacy", &site("legacy")),
                change("paused", "false", "true"),
            ),
            (3 * DAY, line(demo, "/channels/:id/edit", "", "On call"), vec![FieldChange::hidden("url")]),
            (118 * MINUTE, line(lena, "/incidents/:id/acknowledge", "", &site("checkout")), Vec::new()),
            (45 * MINUTE, line(lena, "/maintenance", "", "Roaster firmware"), Vec::new()),
        ];
        for (before, deed, changes) in deeds {
            store.write_audit(Deed { changes, ..deed }, made.end - before).await?;
        }
        store.write_audit(Deed::of_command("user create", "demo", "added", "account", USER), made.begin).await?;
        Ok(())
    }

    /// Messages that were given up, of each kind one.
    pub(super) async fn letters(&self, store: &Store, made: &Made) -> anyhow::Result<()> {
        let api = made.id("api")?;
        let expired = format!(
            "{{\"entry_id\":\"{}-0\",\"reason\":\"expired\",\"detail\":\"It waited 75 s and may wait 60 s.\",\"website_id\":\"{api}\"}}",
            made.end - 26 * HOUR
        );
        let letters = [
            (
                26 * HOUR,
                "betteruptime:tick:SINGAPORE:sin-1",
                "expired: It waited 75 s and may wait 60 s.",
                expired.as_str(),
            ),
            (
                9 * DAY,
                "betteruptime:tick:VIRGINIA:iad-2",
                "schema version 9 is not understood; this program speaks 1",
                "v=9\nkind=tick\nbody={}\n",
            ),
        ];
        for (before, stream, reason, raw) in letters {
            store.dead_letter(stream, reason, raw.as_bytes(), made.end - before).await?;
        }
        Ok(())
    }
}

/// Does one of their deeds.
pub(super) async fn do_one(store: &Store, made: &Made, deed: Deeds, at: UtcMs) -> anyhow::Result<()> {
    let account = made.account.account_id;
    let open = async |key: &str| -> anyhow::Result<crate::model::IncidentId> {
        let (open, _) = store.incidents_of_website(account, made.id(key)?, 1).await?;
        Ok(open.with_context(|| format!("{key} is in no incident"))?.incident_id)
    };
    match deed {
        Deeds::Acknowledge(key, by) => drop(store.acknowledge_incident(account, open(key).await?, by, at).await?),
        Deeds::Note(key, by, text) => drop(store.note_incident(account, open(key).await?, by, text, at).await?),
        Deeds::Pause(key) => drop(store.set_paused(account, made.id(key)?, true, at).await?),
    }
    Ok(())
}
