//! Alerts over real connections, from a real outbox on both databases: tries, order, caps, broken channels, crashes. Time
//! is an argument of each step; nothing waits for it.

mod certificates;
mod channels;
mod faults;
mod fold;
mod installation;
mod killed;
pub mod mail;
mod operator;
mod programs;
mod reports;
mod tries;

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hub::alert::{AlertSettings, Alerts, Sender};
use hub::model::{
    AccountId, Alert, AlertEvent, AlertId, AlertState, Channel, ChannelDraft, ChannelId, ChannelSettings, IncidentId,
    MadeBy, SecretText, UtcMs,
};
use hub::secret::{Secret, SigningKeys};
use hub::store::Store;
use probe::engine::AddressPolicy;
use testbed::server::Server;
use uuid::Uuid;

use crate::services;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// `whsec_` and base64 of 32 bytes of 7.
const HOOK_SECRET: &str = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const KEY: &str = "a signing key of thirty-two bytes or more";

/// The database past the store.
enum Raw {
    Postgres(sqlx::PgPool),
    Sqlite(sqlx::SqlitePool),
}

macro_rules! raw {
    ($world:expr, $pool:ident => $body:expr) => {
        match &$world.raw {
            $crate::alerts::Raw::Postgres($pool) => $body,
            $crate::alerts::Raw::Sqlite($pool) => $body,
        }
    };
}

/// A hub's store with one account; the directory must outlive it.
struct World {
    store: Store,
    raw: Raw,
    account: AccountId,
    now: UtcMs,
    directory: Option<tempfile::TempDir>,
    /// Where another hub finds it.
    url: Option<String>,
}

impl World {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let world = Self::on_sqlite(directory.path()).await;
        Self { directory: Some(directory), ..world }
    }

    async fn postgres() -> Self {
        let url = services::database().await;
        Self { url: Some(url.clone()), ..Self::on_postgres(&url).await }
    }

    /// In a state directory that outlives it. While it is open, no hub can be.
    async fn on_sqlite(directory: &Path) -> Self {
        let store = Store::open_sqlite(directory).await.expect("a SQLite store");
        store.migrate(false).await.expect("migrations");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("betteruptime.sqlite"));
        let options = options.busy_timeout(Duration::from_secs(20));
        let raw = Raw::Sqlite(sqlx::SqlitePool::connect_with(options).await.expect("SQLite"));
        Self::with(store, raw).await
    }

    async fn on_postgres(url: &str) -> Self {
        let store = Store::open_postgres(url).await.expect("a Postgres store");
        store.migrate(false).await.expect("migrations");
        let raw = Raw::Postgres(sqlx::PgPool::connect(url).await.expect("Postgres"));
        Self::with(store, raw).await
    }

    async fn with(store: Store, raw: Raw) -> Self {
        let now = hub::clock::now();
        let account = match store.credentials("anna").await.expect("the store") {
            Some((account, _)) => account.account_id,
            None => store.create_account("anna", "hash", MadeBy::Owner, now).await.expect("an account").account_id,
        };
        Self { store, raw, account, now, directory: None, url: None }
    }

    async fn channel(&self, name: &str, settings: ChannelSettings) -> Channel {
        self.channel_with(ChannelDraft { name: name.to_owned(), ..draft(settings) }).await
    }

    async fn channel_with(&self, draft: ChannelDraft) -> Channel {
        self.store.add_channel(self.account, &draft, self.now).await.expect("a channel").expect("room for it")
    }

    async fn again(&self, channel: &Channel) -> Channel {
        self.store.channel(self.account, channel.channel_id).await.expect("the store").expect("the channel")
    }

    /// An open incident of one website.
    async fn incident(&self, n: u128) -> IncidentId {
        let (id, url) = (IncidentId(Uuid::from_u128(1_000 + n)), format!("https://host{n}.example/"));
        raw!(self, pool => {
            sqlx::query("insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, \
                         websites) values ($1, $2, 'outage', $3, 'The server refused the connection', $4, $4, 1)")
                .bind(id.0).bind(self.account.0).bind(format!("website:{n}")).bind(self.now)
                .execute(pool).await.expect("an incident");
            sqlx::query("insert into incident_website (incident_id, website_id, url, began_at) values ($1, $2, $3, $4)")
                .bind(id.0).bind(Uuid::from_u128(n)).bind(url).bind(self.now)
                .execute(pool).await.expect("its website");
        });
        id
    }

    async fn close(&self, incident: IncidentId, at: UtcMs) {
        raw!(self, pool => {
            sqlx::query("update incident set ended_at = $2, closed_at = $2, closed_as = 'recovered' where incident_id = $1")
                .bind(incident.0).bind(at).execute(pool).await.expect("the incident");
        });
    }

    /// A row of the outbox, due when it is written.
    async fn alert(&self, incident: IncidentId, event: AlertEvent, channel: &Channel, at: UtcMs) -> AlertId {
        let id = AlertId::of(incident, event, 0, channel.channel_id);
        raw!(self, pool => {
            sqlx::query("insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, \
                         state, created_at, due_at) values ($1, $2, $3, $4, $5, $6, 0, 'waiting', $7, $7)")
                .bind(id.0).bind(self.account.0).bind(channel.channel_id.0).bind(&channel.name).bind(incident.0)
                .bind(event.as_str()).bind(at).execute(pool).await.expect("an alert");
        });
        id
    }

    /// One incident, one alert that it began.
    async fn opened(&self, n: u128, channel: &Channel) -> AlertId {
        let incident = self.incident(n).await;
        self.alert(incident, AlertEvent::Opened, channel, self.now).await
    }

    async fn state(&self, id: AlertId) -> Alert {
        self.store.alert(self.account, id).await.expect("the store").expect("the alert")
    }

    async fn alerts(&self, channel: &Channel) -> Vec<Alert> {
        self.store.alerts_of_channel(self.account, channel.channel_id, None, 1_000).await.expect("the store")
    }

    async fn count(&self, channel: &Channel, state: AlertState) -> usize {
        self.alerts(channel).await.iter().filter(|alert| alert.state == state).count()
    }

    fn sender(&self) -> Sender {
        Sender::new(self.store.clone(), alerts(Duration::from_secs(5)))
    }
}

/// An owner's hub, with this time for a try.
fn alerts(timeout: Duration) -> Alerts {
    let url = Some("https://up.example.org".to_owned());
    let settings = AlertSettings { timeout, ..AlertSettings::new(url, AddressPolicy::owner(), Vec::new()) };
    Alerts::new(settings, &SigningKeys { current: Secret::new(KEY), accepted: None }).expect("a sender")
}

/// Sends all that is due at `now`, to the end. Returns how many were claimed.
async fn turn(sender: &mut Sender, now: UtcMs) -> usize {
    let mut all = 0;
    loop {
        let claimed = sender.step(now).await.expect("a step");
        sender.finish().await;
        if claimed == 0 {
            return all;
        }
        all += claimed;
        assert!(all < 10_000, "it never ends");
    }
}

fn draft(settings: ChannelSettings) -> ChannelDraft {
    ChannelDraft {
        name: "hook".to_owned(),
        settings,
        tells_regional: false,
        tells_operator: true,
        waits_ms: 0,
        reminds_ms: None,
        cap_per_hour: 60,
        second_channel_id: None,
    }
}

fn webhook(receiver: &Receiver) -> ChannelSettings {
    ChannelSettings::Webhook {
        url: SecretText::new(receiver.server.url("/hook?key=abc")),
        secret: SecretText::new(HOOK_SECRET),
        old_secret: None,
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Got {
    head: String,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// Takes messages, and answers the n-th as it is told; the last answer holds for all after it. An empty answer: none.
struct Receiver {
    server: Server,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    fn answering(answers: &[&str]) -> Self {
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (seen, answers) = (got.clone(), answers.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        let server = Server::start(move |_, mut stream| {
            let head = stream.head();
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if head.is_empty() || stream.read_exact(&mut body).is_err() {
                return;
            }
            let number = {
                let mut seen = seen.lock().expect("the messages");
                seen.push(Got { head, body: String::from_utf8(body).expect("text") });
                seen.len() - 1
            };
            let answer = answers.get(number).or(answers.last()).map(String::as_str).unwrap_or_default();
            if answer.is_empty() {
                stream.hold();
                return;
            }
            stream.say(format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\nok"));
            stream.close();
        });
        Self { server, got }
    }

    fn taking() -> Self {
        Self::answering(&["200 OK"])
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("the messages").clone()
    }
}

/// Each test on SQLite and on Postgres.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::alerts::World::sqlite().await).await; })+ }
        mod on_postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::alerts::World::postgres().await).await; })+ }
    };
}
use {on_both, raw};

fn channel_id(n: u128) -> ChannelId {
    ChannelId(Uuid::from_u128(n))
}
