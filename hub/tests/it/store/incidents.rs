//! Incidents and the alerts about them: written with the verdicts, once, whatever the order.

mod alone;
mod certificates;
mod desk;
mod grouped;
mod histories;
mod muted;

use hub::model::{
    AccountId, ClosedAs, Incident, IncidentEventKind, IncidentFilter, IncidentId, IncidentKind, IncidentLine, Outcome,
    StoredTick, UtcMs, Website, WebsiteSettings,
};

use super::{Fixture, MINUTE, region_tick, round};

/// A row of the outbox: event, number, state, channel's name.
pub(super) type Row = (String, i64, String, String);

impl Fixture {
    /// A channel of each account, past the store: `(name, is_on, tells_regional, waits_ms)`.
    pub(super) async fn channel(&self, name: &str, is_on: bool, tells_regional: bool, waits_ms: i64) {
        let id = if self.url.is_some() { "gen_random_uuid()" } else { "randomblob(16)" };
        let sql = format!(
            "insert into channel (channel_id, account_id, name, kind, settings, is_on, tells_regional, waits_ms, \
             created_at) select {id}, account_id, '{name}', 'webhook', '{{}}', {is_on}, {tells_regional}, {waits_ms}, 1 \
             from account"
        );
        self.execute(sql.leak()).await;
    }

    async fn website_at(&self, account: AccountId, url: &str) -> Website {
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new(url.into()) };
        self.store.add_website(account, &settings, self.now - 60 * MINUTE).await.expect("a website")
    }

    /// Newest first.
    pub(super) async fn incidents(&self, account: AccountId) -> Vec<IncidentLine> {
        self.store.incidents(account, IncidentFilter::default(), None, 1_000).await.expect("incidents")
    }

    async fn only(&self, account: AccountId) -> IncidentLine {
        let mut all = self.incidents(account).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    async fn kinds(&self, account: AccountId, id: IncidentId) -> Vec<IncidentEventKind> {
        let events = self.store.incident_events(account, id, 1_000).await.expect("events");
        events.iter().map(|event| event.kind).collect()
    }

    /// All rows of the outbox, in the order in which they may leave.
    pub(super) async fn outbox(&self) -> Vec<Row> {
        const SQL: &str = "select event, number, state, channel_name from alert order by channel_name, created_at, \
            case event when 'opened' then 0 when 'resolved' then 2 else 1 end, number";
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query_as(SQL).fetch_all(&pool).await.expect("alerts")
            }
            None => {
                let pool = super::sqlite(self.directory.path()).await;
                sqlx::query_as(SQL).fetch_all(&pool).await.expect("alerts")
            }
        }
    }

    /// `event state channel`, as of [`Fixture::outbox`].
    async fn told(&self) -> Vec<String> {
        self.outbox().await.into_iter().map(|(event, _, state, name)| format!("{event} {state} {name}")).collect()
    }

    /// All that waits is delivered.
    async fn deliver(&self) {
        self.execute("update alert set state = 'delivered', tries = 1, ended_at = due_at where state = 'waiting'")
            .await;
    }
}

/// Rounds of three regions of which all say `outcome`, one a minute from `slot_at` on.
fn rounds(website: &Website, slot_at: UtcMs, outcome: Outcome, n: i64) -> Vec<StoredTick> {
    let one = |n| round(website, slot_at + n * MINUTE, [("a", outcome), ("b", outcome), ("c", outcome)]);
    (0..n).flat_map(one).collect()
}

/// What an incident is, without its names and the instants at which it was decided.
fn essence(line: &IncidentLine) -> (IncidentKind, String, String, UtcMs, Option<UtcMs>, Option<ClosedAs>, i64, i64) {
    let Incident { kind, cause_key, cause, began_at, ended_at, closed_as, .. } = line.incident.clone();
    (kind, cause_key, cause, began_at, ended_at, closed_as, line.websites, line.failing)
}
