//! Tries, what answers mean, order, reminders, and what owners do with channels and alerts.

use std::time::Duration;

use hub::model::{AlertEvent, AlertReplay, AlertState, ChannelDraft, MadeBy, TryResult};
use hub::store::ChannelEdited;

use super::{HOUR, MINUTE, Receiver, SECOND, World, alerts, channel_id, draft, on_both, turn, webhook};

on_both! {
    t265_a_receiver_in_trouble_is_tried_again_with_the_same_message
    t266_a_receiver_that_is_gone_breaks_its_channel_and_another_is_told
    t266_a_receiver_that_asks_for_time_gets_it
    t266_what_is_refused_is_tried_three_times_and_can_be_sent_again
    t092_a_redirect_is_not_followed
    t269_messages_of_one_incident_leave_in_order
    a_channel_that_reached_nobody_for_a_day_is_given_up
    what_failed_long_ago_is_no_part_of_today
    the_last_channel_that_is_on_is_not_given_up
    reminders_come_while_nobody_has_acknowledged
    reminders_go_on_after_a_channel_was_off_for_a_while
    t274_what_waits_for_a_channel_that_is_deleted_or_off_is_cancelled
    i10_channels_and_alerts_are_seen_by_their_owner_only
    a_test_is_sent_at_once_and_kept
    an_alert_leaves_soon_after_it_was_committed
}

async fn t265_a_receiver_in_trouble_is_tried_again_with_the_same_message(world: World) {
    let trouble = "500 Internal Server Error";
    let receiver = Receiver::answering(&[trouble, trouble, trouble, "204 No Content"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let (mut sender, mut now) = (world.sender(), world.now);
    let mut gaps = Vec::new();
    for _ in 0..4 {
        assert_eq!(turn(&mut sender, now).await, 1);
        let alert = world.state(id).await;
        if alert.state == AlertState::Waiting {
            assert_eq!(turn(&mut sender, alert.due_at - 1).await, 0, "not before its time");
            assert!(world.again(&channel).await.failing_since_at.is_some());
            gaps.push(alert.due_at - now);
            now = alert.due_at;
        }
    }
    let alert = world.state(id).await;
    assert_eq!((alert.state, alert.tries), (AlertState::Delivered, 4));
    assert_eq!(world.again(&channel).await.failing_since_at, None);
    // A fifth more or less, and the time the try itself took.
    for (gap, wait) in gaps.iter().zip([5, 30, 120]) {
        let (low, high) = (wait * SECOND * 8 / 10, wait * SECOND * 12 / 10 + 5 * SECOND);
        assert!((low..=high).contains(gap), "{gaps:?}");
    }
    let got = receiver.got();
    assert_eq!(got.len(), 4);
    for one in &got {
        assert_eq!(one.header("webhook-id"), id.to_string());
        assert_eq!(one.body, got[0].body, "I4");
        assert!(one.header("webhook-signature").starts_with("v1,"));
        assert_eq!(one.header("content-type"), "application/json");
    }
    assert_eq!(got[0].json()["data"]["title"], "host1.example is down");
    let tries = world.store.alert_tries(world.account, id).await.unwrap();
    let results: Vec<TryResult> = tries.iter().map(|one| one.result).collect();
    assert_eq!(results, [TryResult::Again, TryResult::Again, TryResult::Again, TryResult::Delivered]);
    assert_eq!(tries[0].said, "It answered 500 Internal Server Error.");
}

async fn t266_a_receiver_that_is_gone_breaks_its_channel_and_another_is_told(world: World) {
    let (gone, other, second) = (Receiver::answering(&["410 Gone"]), Receiver::taking(), Receiver::taking());
    let second_channel = world.channel("second", webhook(&second)).await;
    let channel = world
        .channel_with(ChannelDraft { second_channel_id: Some(second_channel.channel_id), ..draft(webhook(&gone)) })
        .await;
    world.channel("other", webhook(&other)).await;
    let id = world.opened(1, &channel).await;
    let waiting = world.opened(2, &channel).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    turn(&mut sender, world.now + SECOND).await;
    let broken = world.again(&channel).await;
    assert!(!broken.is_on && broken.broken.is_some(), "{broken:?}");
    assert_eq!(gone.got().len(), 1, "it is not asked again");
    for id in [id, waiting] {
        assert_eq!(world.state(id).await.state, AlertState::Dead);
    }
    let mut kinds: Vec<String> = second.got().iter().map(super::Got::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["channel.broken", "incident.opened", "incident.opened"]);
    assert!(other.got().is_empty(), "the second one is there for it");
    assert_eq!(world.store.count_dead_alerts(world.account, 100).await.unwrap(), 2);
    // Mended and switched on again, what died is sent.
    let replay = |id| world.store.replay_alert(world.account, id, world.now);
    assert_eq!(replay(id).await.unwrap(), AlertReplay::ChannelOff);
    let on = world.store.switch_channel(world.account, channel.channel_id, true, world.now).await.unwrap().unwrap();
    assert!(on.is_on && on.broken.is_none() && on.failing_since_at.is_none());
    assert_eq!(replay(id).await.unwrap(), AlertReplay::Asked);
    assert_eq!(replay(id).await.unwrap(), AlertReplay::NotDead);
}

async fn t266_a_receiver_that_asks_for_time_gets_it(world: World) {
    let receiver = Receiver::answering(&["429 Too Many Requests\r\nretry-after: 600", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    let alert = world.state(id).await;
    assert!(alert.due_at >= world.now + 10 * MINUTE, "{alert:?}");
    turn(&mut sender, alert.due_at).await;
    assert_eq!(world.state(id).await.state, AlertState::Delivered);
}

async fn t266_what_is_refused_is_tried_three_times_and_can_be_sent_again(world: World) {
    let receiver = Receiver::answering(&["404 Not Found", "404 Not Found", "404 Not Found", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = world.sender();
    for hour in 0..5 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    let alert = world.state(id).await;
    assert_eq!((alert.state, alert.tries), (AlertState::Dead, 3));
    assert!(world.again(&channel).await.is_on, "one message that is refused breaks no channel");
    assert_eq!(world.store.dead_alerts(world.account, None, 10).await.unwrap(), [alert]);
    let asked = world.store.replay_alert(world.account, id, world.now + 6 * HOUR).await.unwrap();
    assert_eq!(asked, AlertReplay::Asked);
    turn(&mut sender, world.now + 6 * HOUR).await;
    assert_eq!(world.state(id).await.state, AlertState::Delivered);
    let got = receiver.got();
    assert_eq!((got.len(), &got[3].body), (4, &got[0].body));
    assert_eq!(world.store.alert_tries(world.account, id).await.unwrap().len(), 4);
}

async fn t092_a_redirect_is_not_followed(world: World) {
    let aim = Receiver::taking();
    let answer = format!("302 Found\r\nlocation: {}", aim.server.url("/"));
    let receiver = Receiver::answering(&[&answer]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    turn(&mut world.sender(), world.now).await;
    assert!(world.state(id).await.said.contains("redirect"), "{:?}", world.state(id).await);
    assert_eq!((receiver.got().len(), aim.got().len()), (1, 0));
}

async fn t269_messages_of_one_incident_leave_in_order(world: World) {
    let receiver = Receiver::answering(&["503 Service Unavailable", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let incident = world.incident(1).await;
    let opened = world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    // Over meanwhile, as a hub wrote whose clock is behind.
    world.close(incident, world.now + MINUTE).await;
    let resolved = world.alert(incident, AlertEvent::Resolved, &channel, world.now - MINUTE).await;
    let other = world.opened(2, &channel).await;
    assert_eq!(turn(&mut sender, world.now + SECOND).await, 1, "another incident does not wait");
    assert_eq!(world.state(other).await.state, AlertState::Delivered);
    assert_eq!(world.state(resolved).await.state, AlertState::Waiting);
    turn(&mut sender, world.state(opened).await.due_at).await;
    let kinds: Vec<String> = receiver.got().iter().map(super::Got::kind).collect();
    assert_eq!(kinds, ["incident.opened", "incident.opened", "incident.opened", "incident.resolved"]);
}

async fn a_channel_that_reached_nobody_for_a_day_is_given_up(world: World) {
    let (away, other) = (Receiver::answering(&["503 Service Unavailable"]), Receiver::taking());
    let channel = world.channel("away", webhook(&away)).await;
    let told = world.channel("other", webhook(&other)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = world.sender();
    let (mut now, end) = (world.now, world.now + 40 * HOUR);
    while world.state(id).await.state == AlertState::Waiting && now < end {
        turn(&mut sender, now).await;
        now = world.state(id).await.due_at.max(now + 1);
    }
    let broken = world.again(&channel).await;
    let (at, why) = broken.broken.expect("it is broken");
    assert!(!broken.is_on && why.contains("503"), "{why}");
    assert!((24 * HOUR..24 * HOUR + MINUTE).contains(&(at - world.now)), "after {} min", (at - world.now) / MINUTE);
    assert!((26..=36).contains(&away.got().len()), "{} tries", away.got().len());
    assert_eq!(world.state(id).await.state, AlertState::Dead);
    // There is no second one: all that are on are told.
    turn(&mut sender, now + SECOND).await;
    let kinds: Vec<String> = other.got().iter().map(super::Got::kind).collect();
    assert_eq!(kinds, ["channel.broken"]);
    assert_eq!(world.count(&told, AlertState::Delivered).await, 1);
    // One that is written by somebody who has not seen it is dead, too.
    let late = world.opened(7, &channel).await;
    turn(&mut sender, now + MINUTE).await;
    assert_eq!(world.state(late).await.state, AlertState::Dead);
}

async fn what_failed_long_ago_is_no_part_of_today(world: World) {
    let refusing = [&["404 Not Found"; 3][..], &["503 Service Unavailable"; 6][..]].concat();
    let (receiver, other) = (Receiver::answering(&refusing), Receiver::taking());
    let channel = world.channel("hook", webhook(&receiver)).await;
    world.channel("other", webhook(&other)).await;
    let refused = world.opened(1, &channel).await;
    let mut sender = world.sender();
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    assert_eq!(world.state(refused).await.state, AlertState::Dead);
    // A month later its receiver is in trouble for some minutes.
    let later = world.opened(2, &channel).await;
    for minute in 0..6 {
        turn(&mut sender, world.now + 720 * HOUR + minute * 5 * MINUTE).await;
    }
    assert!(receiver.got().len() >= 5, "{} tries", receiver.got().len());
    assert!(world.again(&channel).await.is_on, "it has not failed for a day");
    assert_eq!(world.state(later).await.state, AlertState::Waiting);
}

async fn the_last_channel_that_is_on_is_not_given_up(world: World) {
    let away = Receiver::answering(&["503 Service Unavailable"]);
    let channels = [world.channel("a", webhook(&away)).await, world.channel("b", webhook(&away)).await];
    let ids = [world.opened(1, &channels[0]).await, world.opened(2, &channels[1]).await];
    let mut sender = world.sender();
    let (mut now, end) = (world.now, world.now + 40 * HOUR);
    while now < end {
        turn(&mut sender, now).await;
        now += HOUR / 2;
    }
    for id in ids {
        assert_eq!(world.state(id).await.state, AlertState::Dead);
    }
    let mut on = 0;
    for channel in &channels {
        on += u32::from(world.again(channel).await.is_on);
    }
    assert_eq!(on, 1, "whoever is reached again hears of what begins then");
}

async fn reminders_come_while_nobody_has_acknowledged(world: World) {
    let receiver = Receiver::taking();
    let reminds = ChannelDraft { reminds_ms: Some(10 * MINUTE), ..draft(webhook(&receiver)) };
    let channel = world.channel_with(reminds).await;
    let quiet = world.channel("quiet", webhook(&receiver)).await;
    let incident = world.incident(1).await;
    world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
    world.alert(incident, AlertEvent::Opened, &quiet, world.now).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    assert_eq!(world.store.remind(world.now + 9 * MINUTE).await.unwrap(), 0);
    let mut now = world.now + 10 * MINUTE + 5 * SECOND;
    for number in 1..=2 {
        assert_eq!(world.store.remind(now).await.unwrap(), 1);
        assert_eq!(world.store.remind(now).await.unwrap(), 0, "two hubs write one");
        turn(&mut sender, now).await;
        let newest = world.alerts(&channel).await.remove(0);
        assert_eq!((newest.event, newest.number, newest.state), (AlertEvent::Reminder, number, AlertState::Delivered));
        now += 10 * MINUTE + 5 * SECOND;
    }
    // It is over before the third is told.
    assert_eq!(world.store.remind(now).await.unwrap(), 1);
    world.close(incident, now).await;
    turn(&mut sender, now).await;
    assert_eq!(world.count(&channel, AlertState::Cancelled).await, 1);
    assert_eq!(world.store.remind(now + HOUR).await.unwrap(), 0);
    assert_eq!(receiver.got().iter().filter(|got| got.kind() == "incident.reminder").count(), 2);
}

async fn reminders_go_on_after_a_channel_was_off_for_a_while(world: World) {
    let receiver = Receiver::taking();
    let reminds = ChannelDraft { reminds_ms: Some(10 * MINUTE), ..draft(webhook(&receiver)) };
    let channel = world.channel_with(reminds).await;
    world.opened(1, &channel).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    assert_eq!(world.store.remind(world.now + HOUR).await.unwrap(), 1);
    for is_on in [false, true] {
        let switched = world.store.switch_channel(world.account, channel.channel_id, is_on, world.now + HOUR).await;
        switched.unwrap().expect("the channel");
    }
    assert_eq!(world.count(&channel, AlertState::Cancelled).await, 1);
    assert_eq!(world.store.remind(world.now + 2 * HOUR).await.unwrap(), 1);
    turn(&mut sender, world.now + 2 * HOUR).await;
    assert_eq!(world.count(&channel, AlertState::Delivered).await, 2);
}

async fn t274_what_waits_for_a_channel_that_is_deleted_or_off_is_cancelled(world: World) {
    let receiver = Receiver::answering(&["500 Internal Server Error"]);
    let (deleted, off) = (world.channel("a", webhook(&receiver)).await, world.channel("b", webhook(&receiver)).await);
    let ids = [world.opened(1, &deleted).await, world.opened(2, &off).await];
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    assert!(world.store.delete_channel(world.account, deleted.channel_id, world.now).await.unwrap());
    assert!(!world.store.delete_channel(world.account, deleted.channel_id, world.now).await.unwrap());
    world.store.switch_channel(world.account, off.channel_id, false, world.now).await.unwrap().expect("the channel");
    for id in ids {
        assert_eq!(world.state(id).await.state, AlertState::Cancelled);
    }
    // Written by somebody who had not seen it yet.
    let late = [world.opened(3, &deleted).await, world.opened(4, &off).await];
    turn(&mut sender, world.now + HOUR).await;
    for id in late {
        assert_eq!(world.state(id).await.state, AlertState::Cancelled);
    }
    assert_eq!(receiver.got().len(), 2);
}

async fn i10_channels_and_alerts_are_seen_by_their_owner_only(world: World) {
    let receiver = Receiver::answering(&["404 Not Found"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = world.sender();
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    let stranger = world.store.create_account("eve", "hash", MadeBy::Owner, world.now).await.unwrap().account_id;
    let (store, now) = (&world.store, world.now);
    assert!(store.channels(stranger).await.unwrap().is_empty());
    assert_eq!(store.channel(stranger, channel.channel_id).await.unwrap(), None);
    let edit = store.edit_channel(stranger, channel.channel_id, 1, &draft(webhook(&receiver))).await.unwrap();
    assert_eq!(edit, None);
    assert_eq!(store.switch_channel(stranger, channel.channel_id, false, now).await.unwrap(), None);
    assert!(!store.delete_channel(stranger, channel.channel_id, now).await.unwrap());
    assert!(store.alerts_of_channel(stranger, channel.channel_id, None, 10).await.unwrap().is_empty());
    assert_eq!(store.alert(stranger, id).await.unwrap(), None);
    assert!(store.alert_tries(stranger, id).await.unwrap().is_empty());
    assert_eq!(store.replay_alert(stranger, id, now).await.unwrap(), AlertReplay::NotDead);
    assert_eq!(store.count_dead_alerts(stranger, 10).await.unwrap(), 0);
    let foreign = ChannelDraft { second_channel_id: Some(channel.channel_id), ..draft(webhook(&receiver)) };
    let theirs = store.add_channel(stranger, &foreign, now).await.unwrap().expect("a channel");
    assert_eq!(theirs.second_channel_id, None);
    // And its owner sees what was changed meanwhile, and at most 50 of them.
    let saved = store.edit_channel(world.account, channel.channel_id, 1, &foreign).await.unwrap();
    assert!(matches!(&saved, Some(ChannelEdited::Saved(now)) if now.revision == 2 && now.second_channel_id.is_none()));
    let late = store.edit_channel(world.account, channel.channel_id, 1, &foreign).await.unwrap();
    assert!(matches!(late, Some(ChannelEdited::Meanwhile(_))));
    for _ in 1..50 {
        world.channel_with(draft(webhook(&receiver))).await;
    }
    assert_eq!(store.add_channel(world.account, &foreign, now).await.unwrap(), None);
    assert_eq!(store.channel(world.account, channel_id(1)).await.unwrap(), None);
}

async fn a_test_is_sent_at_once_and_kept(world: World) {
    let receiver = Receiver::answering(&["200 OK", "403 Forbidden", "503 Service Unavailable", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let alerts = alerts(Duration::from_secs(5));
    for (result, said, state) in [
        (TryResult::Delivered, "It answered 200 OK.", AlertState::Delivered),
        (TryResult::GivenUp, "It answered 403 Forbidden.", AlertState::Dead),
        (TryResult::Again, "It answered 503 Service Unavailable.", AlertState::Dead),
    ] {
        let tried = alerts.test(&world.store, &channel, world.now).await;
        assert_eq!((tried.result, tried.said.as_str()), (result, said));
        let kept = world.alerts(&channel).await;
        let newest = kept.iter().max_by_key(|alert| alert.alert_id).expect("it is kept");
        assert_eq!((newest.event, newest.state, newest.incident_id), (AlertEvent::Test, state, None));
        assert_eq!(world.store.alert_tries(world.account, newest.alert_id).await.unwrap()[0].result, result);
    }
    assert_eq!(world.again(&channel).await.failing_since_at, None, "tests break no channel");
    assert_eq!(receiver.got()[0].kind(), "channel.test");
    for _ in 0..25 {
        alerts.test(&world.store, &channel, world.now).await;
    }
    assert!(world.alerts(&channel).await.len() <= 21, "the last 20 are kept");
    assert_eq!(turn(&mut world.sender(), world.now + HOUR).await, 0);
}

async fn an_alert_leaves_soon_after_it_was_committed(world: World) {
    let receiver = Receiver::taking();
    let channel = world.channel("hook", webhook(&receiver)).await;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(hub::alert::run(
        world.store.clone(),
        alerts(Duration::from_secs(5)),
        hub::vital::Vitals::default(),
        stopping,
    ));
    let started = std::time::Instant::now();
    let id = world.opened(1, &channel).await;
    // Nobody rang: another hub wrote it.
    while world.state(id).await.state != AlertState::Delivered {
        assert!(started.elapsed() < Duration::from_secs(5), "P10");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends").unwrap().unwrap();
}
