//! The outbox: which channels are told of what, written with what they are told of (D15). Sending is for others.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::rows::{read_rows, write_rows};
use crate::model::{AlertEvent, AlertId, AlertState, ChannelId, Course, Incident, IncidentId, IncidentKind, UtcMs};
use crate::store::StoreError;
use crate::store::ingest::Transaction;

#[derive(Debug, FromRow)]
struct ChannelRow {
    account_id: Uuid,
    channel_id: Uuid,
    name: String,
    tells_regional: bool,
    tells_operator: bool,
    waits_ms: i64,
}

/// A channel that was told, or is to be told, that an incident began.
#[derive(Debug, FromRow)]
struct ToldRow {
    incident_id: Uuid,
    channel_id: Uuid,
    name: String,
    last_at: i64,
    /// Of the updates it was told.
    last_number: i64,
    is_untried: bool,
}

/// An alert to be written.
struct Row<'a> {
    incident: &'a Incident,
    channel_id: Uuid,
    channel_name: String,
    event: AlertEvent,
    number: i64,
    created_at: UtcMs,
    due_at: UtcMs,
}

/// A row `$of` that nobody has tried to send.
macro_rules! untried {
    ($of:literal) => {
        concat!($of, ".state = 'waiting' and ", $of, ".tries = 0 and ", $of, ".claimed_until is null")
    };
}

/// Of incidents that begin to be told: one row for each channel that is on and fits. Returns how many are due at once.
pub(super) async fn opened(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<usize, StoreError> {
    let accounts: BTreeSet<Uuid> = courses.iter().filter(|c| c.tells_opened).map(|c| c.incident.account_id.0).collect();
    let accounts: Vec<Uuid> = accounts.into_iter().collect();
    let channels = read_rows!(
        tx,
        ChannelRow,
        accounts,
        "select account_id, channel_id, name, tells_regional, tells_operator, waits_ms \
        from channel where is_on and account_id",
        "order by account_id, created_at, channel_id"
    );
    let mut rows = Vec::new();
    for course in courses.iter().filter(|c| c.tells_opened) {
        let incident = &course.incident;
        for channel in channels.iter().filter(|channel| channel.account_id == incident.account_id.0) {
            let fits = match incident.kind {
                IncidentKind::Outage | IncidentKind::Flapping | IncidentKind::Certificate => true,
                IncidentKind::Regional => channel.tells_regional,
                IncidentKind::Operator => channel.tells_operator,
            };
            // Somebody took it on while it was muted: whoever waits to see that is told nothing.
            let is_taken = channel.waits_ms > 0 && incident.acknowledged_at.is_some();
            if fits && !is_taken {
                rows.push(Row {
                    incident,
                    channel_id: channel.channel_id,
                    channel_name: channel.name.clone(),
                    event: AlertEvent::Opened,
                    number: 0,
                    created_at: now,
                    due_at: now.saturating_add(channel.waits_ms.max(0)),
                });
            }
        }
    }
    insert(tx, rows, now).await
}

/// Of incidents that are over: whoever waits is told nothing, whoever was told hears the end.
pub(super) async fn resolved(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<usize, StoreError> {
    let ended: Vec<(&Incident, i64)> = courses.iter().filter(|c| c.tells_resolved).map(|c| (&c.incident, 0)).collect();
    cancel(tx, &ended, "It was over before this was to be told.", now).await?;
    tell(tx, &ended, AlertEvent::Resolved, now).await
}

/// Of incidents that somebody took on.
pub(super) async fn acknowledged(tx: &mut Transaction, incident: &Incident, now: UtcMs) -> Result<usize, StoreError> {
    let taken = [(incident, 0)];
    cancel(tx, &taken, "Somebody took it on before this was to be told.", now).await?;
    tell(tx, &taken, AlertEvent::Acknowledged, now).await
}

/// Of incidents that have grown: the number of websites tells one row from the next.
pub(super) async fn updated(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<usize, StoreError> {
    let grown: Vec<(&Incident, i64)> = courses.iter().map(|c| (&c.incident, c.websites)).collect();
    tell(tx, &grown, AlertEvent::Updated, now).await
}

/// Of incidents that are muted after they were told: nothing that nobody has tried to send yet.
pub(super) async fn withdraw(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = courses.iter().map(|course| course.incident.incident_id.0).collect();
    let update = format!(
        "update alert set state = '{}', ended_at = $2, said = $3 where {} \
         and event in ('opened', 'updated', 'reminder') and incident_id",
        AlertState::Cancelled,
        untried!("alert")
    );
    let why = "What it depends on is down as well, which is told.";
    read_rows!(tx, (Uuid,), ids, update, "returning alert_id", now, why);
    Ok(())
}

/// Of certificates that have come nearer to their end. The step is stored with the incident, under its account's lock, so
/// that each is told once, whatever hubs see it.
pub(super) async fn nearer(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<usize, StoreError> {
    let is_told = |c: &&Course| c.tells_nearer && !c.tells_opened && c.is_open();
    let nearer: Vec<(&Incident, i64)> = courses.iter().filter(is_told).map(|c| (&c.incident, 1)).collect();
    tell(tx, &nearer, AlertEvent::Updated, now).await
}

/// What nobody has tried to send and nobody needs any more: of channels that wait before they tell, that it began; and that
/// it has grown or goes on.
async fn cancel(tx: &mut Transaction, incidents: &[(&Incident, i64)], why: &str, now: UtcMs) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = incidents.iter().map(|(incident, _)| incident.incident_id.0).collect();
    let update = format!(
        "update alert set state = '{}', ended_at = $2, said = $3 where {} and (event in ('updated', 'reminder') \
         or (event = 'opened' and due_at > created_at and exists (select 1 from channel \
         where channel.channel_id = alert.channel_id and waits_ms > 0))) and incident_id",
        AlertState::Cancelled,
        untried!("alert")
    );
    read_rows!(tx, (Uuid,), ids, update, "returning alert_id", now, why);
    Ok(())
}

/// One row for each channel that is on and was told, or will be told whatever happens, that it began.
async fn tell(
    tx: &mut Transaction,
    incidents: &[(&Incident, i64)],
    event: AlertEvent,
    now: UtcMs,
) -> Result<usize, StoreError> {
    let of: BTreeMap<IncidentId, (&Incident, i64)> =
        incidents.iter().map(|(incident, number)| (incident.incident_id, (*incident, *number))).collect();
    let ids: Vec<Uuid> = of.keys().map(|id| id.0).collect();
    let select = format!(
        "select a.incident_id, a.channel_id, c.name, max(b.created_at) as last_at, \
         max(case when b.event = 'updated' then b.number else 0 end) as last_number, \
         max(case when a.event = 'opened' and {} then 1 else 0 end) = 1 as is_untried \
         from alert a join channel c on c.channel_id = a.channel_id \
         join alert b on b.incident_id = a.incident_id and b.channel_id = a.channel_id \
         where a.event = 'opened' and a.state <> 'cancelled' and c.is_on and a.incident_id",
        untried!("a")
    );
    let told = read_rows!(
        tx,
        ToldRow,
        ids,
        select,
        "group by a.incident_id, a.channel_id, c.name \
        order by a.incident_id, a.channel_id"
    );
    let mut rows = Vec::new();
    for channel in told {
        let Some((incident, number)) = of.get(&IncidentId(channel.incident_id)).copied() else { continue };
        // What is not composed yet will tell of all there is.
        if event == AlertEvent::Updated && channel.is_untried {
            continue;
        }
        rows.push(Row {
            incident,
            channel_id: channel.channel_id,
            channel_name: channel.name,
            event,
            // One that failed again does not make them more.
            number: if event == AlertEvent::Updated { number.max(channel.last_number + 1) } else { number },
            // After what the channel was told before, also by a hub whose clock is ahead: they leave in this order.
            created_at: now.max(channel.last_at.saturating_add(1)),
            due_at: now,
        });
    }
    insert(tx, rows, now).await
}

/// What was withdrawn before anybody tried to send it is sent after all.
async fn insert(tx: &mut Transaction, rows: Vec<Row<'_>>, now: UtcMs) -> Result<usize, StoreError> {
    write_rows!(tx, rows, "alert", r {
        alert_id => AlertId::of(r.incident.incident_id, r.event, r.number, ChannelId(r.channel_id)).0,
        account_id => r.incident.account_id.0,
        channel_id => r.channel_id,
        channel_name => r.channel_name.as_str(),
        incident_id => r.incident.incident_id.0,
        event => r.event.as_str(),
        number => r.number,
        state => AlertState::Waiting.as_str(),
        created_at => r.created_at,
        due_at => r.due_at,
    }, "on conflict (alert_id) do update set state = 'waiting', created_at = excluded.created_at, \
        due_at = excluded.due_at, ended_at = null, said = '' \
        where alert.event = 'opened' and alert.state = 'cancelled' and alert.tries = 0");
    Ok(rows.iter().filter(|row| row.due_at <= now).count())
}
