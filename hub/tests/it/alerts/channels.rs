//! Channels that a newer version wrote, that are gone, and that are switched off while a try is recorded.

use std::time::Duration;

use hub::model::{AfterTry, AlertEvent, AlertReplay, AlertState, TryResult};
use hub::store::TryRecord;

use super::{HOUR, Receiver, SECOND, World, channel_id, on_both, raw, turn, webhook};
use crate::services;

on_both! {
    what_a_newer_version_wrote_is_shown_and_waits_and_the_others_are_told
    what_was_given_up_goes_through_another_channel_when_its_own_is_gone
    what_is_over_is_told_with_its_end_through_another_channel
}

async fn what_a_newer_version_wrote_is_shown_and_waits_and_the_others_are_told(world: World) {
    let (receiver, other) = (Receiver::taking(), Receiver::taking());
    let (newer, known) =
        (world.channel("newer", webhook(&receiver)).await, world.channel("known", webhook(&other)).await);
    let write = async |kind: &str, settings: &str| {
        raw!(world, pool => {
            sqlx::query("update channel set kind = $2, settings = $3 where channel_id = $1")
                .bind(newer.channel_id.0).bind(kind).bind(settings).execute(pool).await.expect("the channel");
        });
    };
    write("pigeon", r#"{"kind": "pigeon", "loft": "hunter2"}"#).await;
    let incident = world.incident(1).await;
    let (waits, told) = (
        world.alert(incident, AlertEvent::Opened, &newer, world.now).await,
        world.alert(incident, AlertEvent::Opened, &known, world.now).await,
    );
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    assert_eq!(world.state(told).await.state, AlertState::Delivered);
    let alert = world.state(waits).await;
    assert_eq!((alert.state, alert.tries), (AlertState::Waiting, 1), "{alert:?}");
    assert!(alert.said.starts_with("A newer version of BetterUptime wrote the settings"), "{alert:?}");
    let channels = world.store.channels(world.account).await.unwrap();
    let shown = channels.iter().find(|channel| channel.channel_id == newer.channel_id).expect("it is shown");
    assert_eq!((shown.kind_name(), shown.takes_messages(), shown.is_on), ("pigeon", false, true));
    assert!(!format!("{shown:?}").contains("hunter2"));
    // The newer version is back.
    write("webhook", &serde_json::to_string(&newer.settings).unwrap()).await;
    turn(&mut sender, alert.due_at).await;
    assert_eq!((world.state(waits).await.state, receiver.got().len()), (AlertState::Delivered, 1));
    // It is not, for a day: what waits is given up, with the reason.
    write("pigeon", "{}").await;
    let lost = world.opened(2, &newer).await;
    for hour in 0..30 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    let alert = world.state(lost).await;
    assert!(alert.state == AlertState::Dead && alert.said.contains("newer version"), "{alert:?}");
    assert_eq!(receiver.got().len(), 1);
    let off = world.store.switch_channel(world.account, newer.channel_id, false, world.now).await.unwrap();
    assert!(!off.unwrap().is_on, "it can be switched off, and deleted");
    assert!(world.store.delete_channel(world.account, newer.channel_id, world.now).await.unwrap());
}

async fn what_was_given_up_goes_through_another_channel_when_its_own_is_gone(world: World) {
    let (refusing, taking) = (Receiver::answering(&["404 Not Found"]), Receiver::taking());
    let (gone, other) =
        (world.channel("gone", webhook(&refusing)).await, world.channel("other", webhook(&taking)).await);
    let id = world.opened(1, &gone).await;
    let mut sender = world.sender();
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    assert_eq!(world.state(id).await.state, AlertState::Dead);
    assert!(world.store.delete_channel(world.account, gone.channel_id, world.now).await.unwrap());
    let now = world.now + 5 * HOUR;
    assert_eq!(world.store.replay_alert(world.account, id, now).await.unwrap(), AlertReplay::ChannelOff);
    let through = |account, channel| world.store.send_through(account, id, channel, now);
    let stranger = hub::model::AccountId(uuid::Uuid::from_u128(9));
    for refused in [through(stranger, other.channel_id), through(world.account, channel_id(9))] {
        assert_eq!(refused.await.unwrap(), AlertReplay::ChannelOff);
    }
    assert_eq!(through(world.account, other.channel_id).await.unwrap(), AlertReplay::Asked);
    assert_eq!(through(world.account, other.channel_id).await.unwrap(), AlertReplay::NotDead, "two clicks send one");
    let alert = world.state(id).await;
    assert_eq!(
        (alert.state, alert.said.as_str()),
        (AlertState::Cancelled, "It was sent through the channel \"other\" instead.")
    );
    turn(&mut sender, now).await;
    let got = taking.got();
    assert_eq!((got.len(), got[0].kind().as_str()), (1, "incident.opened"));
    assert_eq!(world.store.count_dead_alerts(world.account, 10).await.unwrap(), 0);
    // Who has been told of it is not told again.
    raw!(world, pool => {
        sqlx::query("update alert set state = 'dead' where alert_id = $1").bind(id.0).execute(pool).await.expect("it");
    });
    assert_eq!(through(world.account, other.channel_id).await.unwrap(), AlertReplay::HasIt);
    assert_eq!(world.state(id).await.state, AlertState::Dead, "it stays to be seen");
}

async fn what_is_over_is_told_with_its_end_through_another_channel(world: World) {
    let (refusing, taking) = (Receiver::answering(&["404 Not Found"]), Receiver::taking());
    let gone = world.channel("gone", webhook(&refusing)).await;
    let id = world.opened(1, &gone).await;
    let mut sender = world.sender();
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    assert_eq!(world.state(id).await.state, AlertState::Dead);
    let now = world.now + 5 * HOUR;
    raw!(world, pool => {
        sqlx::query("update incident set closed_at = $1, ended_at = $1, closed_as = 'recovered'")
            .bind(now).execute(pool).await.expect("the end");
    });
    let later = world.channel("later", webhook(&taking)).await;
    assert_eq!(world.store.send_through(world.account, id, later.channel_id, now).await.unwrap(), AlertReplay::Asked);
    turn(&mut sender, now).await;
    turn(&mut sender, now + SECOND).await;
    let kinds: Vec<String> = taking.got().iter().map(|got| got.kind()).collect();
    assert_eq!(kinds, ["incident.opened", "incident.resolved"]);
}

/// Whoever switches a channel off locks it, then its alerts; a try that is recorded meanwhile must wait for the channel, and
/// hold no alert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_is_recorded_in_the_order_in_which_channels_are_switched_off() {
    let url = services::database().await;
    let world = World::on_postgres(&url).await;
    let receiver = Receiver::taking();
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let claimed = world.store.claim_alerts(world.now, 10).await.unwrap().remove(0);
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut switch = pool.begin().await.unwrap();
    sqlx::query("update channel set is_on = false where channel_id = $1")
        .bind(channel.channel_id.0)
        .execute(&mut *switch)
        .await
        .unwrap();
    let store = world.store.clone();
    let at = world.now;
    let recorded = tokio::spawn(async move {
        let after = AfterTry::At(at + SECOND);
        store.record_try(&claimed, TryRecord { at, took_ms: 1, result: TryResult::Again, said: "No.", after }).await
    });
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for n in 0.. {
        let count: i64 = sqlx::query_scalar(waits).fetch_one(&pool).await.unwrap();
        if count > 0 {
            break;
        }
        assert!(n < 200, "the try does not wait for the channel");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sqlx::query("set local lock_timeout = '500ms'").execute(&mut *switch).await.unwrap();
    sqlx::query("update alert set state = 'cancelled' where channel_id = $1 and state = 'waiting'")
        .bind(channel.channel_id.0)
        .execute(&mut *switch)
        .await
        .expect("the alert is free");
    switch.commit().await.unwrap();
    assert!(!recorded.await.unwrap().unwrap(), "it is not ours any more");
    assert_eq!(world.state(id).await.state, AlertState::Cancelled);
}
