//! Messages an hour, and what is held back beyond them.

use hub::model::{AlertEvent, AlertState, Channel, ChannelDraft};

use super::{HOUR, MINUTE, Receiver, World, draft, on_both, turn, webhook};

on_both! {
    t260_a_thousand_incidents_are_told_in_a_few_messages_and_none_is_lost
    what_is_held_back_leaves_when_the_hour_lets_it
    after_a_summary_says_that_it_is_over_nothing_says_that_it_began
    a_summary_that_is_given_up_loses_nothing
    two_summaries_that_are_sent_again_do_not_wait_for_each_other
}

/// Of the incidents from `first` on, so many alerts.
async fn many(world: &World, channel: &Channel, first: u128, count: u128) {
    for n in first..first + count {
        world.opened(n, channel).await;
    }
}

async fn t260_a_thousand_incidents_are_told_in_a_few_messages_and_none_is_lost(world: World) {
    let receiver = Receiver::taking();
    let channel = world.channel_with(ChannelDraft { cap_per_hour: 10, ..draft(webhook(&receiver)) }).await;
    many(&world, &channel, 1, 1_000).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    let got = receiver.got();
    assert_eq!(got.len(), 10);
    let last = got[9].json();
    assert_eq!(last["type"], "alerts.held_back");
    assert_eq!(last["data"]["title"], "991 alerts were held back");
    assert_eq!(last["data"]["held_back"]["open_incidents"], 991);
    assert_eq!(last["data"]["held_back"]["first_open"].as_array().map(Vec::len), Some(10));
    // All of the account's: those of a page are 1,000 at most.
    let mut all = world.alerts(&channel).await;
    let after = all.last().map(|last| hub::model::AlertCursor { created_at: last.created_at, alert_id: last.alert_id });
    all.extend(world.store.alerts_of_channel(world.account, channel.channel_id, after, 1_000).await.unwrap());
    let count = |state| all.iter().filter(|alert| alert.state == state).count();
    assert_eq!((count(AlertState::Delivered), count(AlertState::Folded), all.len()), (10, 991, 1_001));
}

async fn what_is_held_back_leaves_when_the_hour_lets_it(world: World) {
    let receiver = Receiver::taking();
    let channel = world.channel_with(ChannelDraft { cap_per_hour: 3, ..draft(webhook(&receiver)) }).await;
    let mut sender = world.sender();
    for n in 1..=3 {
        world.opened(n, &channel).await;
        turn(&mut sender, world.now).await;
    }
    many(&world, &channel, 10, 5).await;
    let over = world.incident(99).await;
    world.alert(over, AlertEvent::Opened, &channel, world.now).await;
    turn(&mut sender, world.now + MINUTE).await;
    assert_eq!((receiver.got().len(), world.count(&channel, AlertState::Waiting).await), (3, 6));
    world.close(over, world.now + 2 * MINUTE).await;
    world.alert(over, AlertEvent::Resolved, &channel, world.now + 2 * MINUTE).await;
    turn(&mut sender, world.now + 3 * MINUTE).await;
    assert_eq!(receiver.got().len(), 3);
    turn(&mut sender, world.now + HOUR + MINUTE).await;
    let got = receiver.got();
    // Three slots are free then; still, one would be enough for all: the first two go as they are.
    assert!(got.len() <= 6, "{}", got.len());
    let last = got.last().expect("a message").json();
    assert_eq!(last["type"], "alerts.held_back", "{last}");
    assert_eq!(world.count(&channel, AlertState::Waiting).await, 0);
}

async fn after_a_summary_says_that_it_is_over_nothing_says_that_it_began(world: World) {
    let receiver = Receiver::answering(&["500 Internal Server Error", "200 OK"]);
    let channel = world.channel_with(ChannelDraft { cap_per_hour: 1, ..draft(webhook(&receiver)) }).await;
    let incident = world.incident(1).await;
    world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
    let mut sender = world.sender();
    turn(&mut sender, world.now).await;
    // It is tried again in some seconds; before that it is over, and something else begins.
    world.close(incident, world.now).await;
    world.alert(incident, AlertEvent::Resolved, &channel, world.now).await;
    world.opened(2, &channel).await;
    turn(&mut sender, world.now + 1).await;
    assert_eq!(world.count(&channel, AlertState::Folded).await, 3);
    turn(&mut sender, world.now + 2 * HOUR).await;
    let kinds: Vec<String> = receiver.got().iter().map(super::Got::kind).collect();
    assert_eq!(kinds, ["incident.opened", "alerts.held_back"]);
}

async fn a_summary_that_is_given_up_loses_nothing(world: World) {
    let receiver = Receiver::answering(&["404 Not Found", "404 Not Found", "404 Not Found", "200 OK"]);
    let channel = world.channel_with(ChannelDraft { cap_per_hour: 1, ..draft(webhook(&receiver)) }).await;
    many(&world, &channel, 1, 4).await;
    let mut sender = world.sender();
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    assert_eq!(world.count(&channel, AlertState::Dead).await, 5, "the summary, and what it told of");
    let alerts = world.alerts(&channel).await;
    let summary = alerts.iter().find(|alert| alert.event == AlertEvent::Summary).expect("the summary");
    world.store.replay_alert(world.account, summary.alert_id, world.now + 5 * HOUR).await.unwrap();
    turn(&mut sender, world.now + 5 * HOUR).await;
    assert_eq!(world.count(&channel, AlertState::Delivered).await, 1);
    assert_eq!(world.count(&channel, AlertState::Folded).await, 4);
}

async fn two_summaries_that_are_sent_again_do_not_wait_for_each_other(world: World) {
    let receiver = Receiver::answering(&[&["404 Not Found"; 6][..], &["200 OK"]].concat());
    let channel = world.channel_with(ChannelDraft { cap_per_hour: 1, ..draft(webhook(&receiver)) }).await;
    let mut sender = world.sender();
    for (first, hour) in [(1, 0), (11, 4)] {
        many(&world, &channel, first, 4).await;
        for hour in hour..hour + 4 {
            turn(&mut sender, world.now + hour * HOUR).await;
        }
    }
    assert_eq!(world.count(&channel, AlertState::Dead).await, 10, "two summaries, and what they told of");
    let summaries = world.alerts(&channel).await;
    for summary in summaries.iter().filter(|alert| alert.event == AlertEvent::Summary) {
        world.store.replay_alert(world.account, summary.alert_id, world.now + 10 * HOUR).await.unwrap();
    }
    for hour in [10, 12] {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    assert_eq!(world.count(&channel, AlertState::Delivered).await, 2);
    assert_eq!(world.count(&channel, AlertState::Folded).await, 8);
}
