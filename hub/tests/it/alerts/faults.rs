//! Receivers that hang or never end, hubs that die in the middle, and two hubs at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hub::alert::Sender;
use hub::model::{AlertEvent, AlertState, ChannelSettings, SecretText};
use testbed::server::Server;

use super::{HOOK_SECRET, HOUR, MINUTE, Receiver, SECOND, World, alerts, on_both, turn, webhook};

on_both! {
    t261_a_receiver_that_hangs_holds_up_no_other
    t267_a_receiver_that_never_answers_is_tried_again
    t267_of_an_endless_answer_little_is_read
    t171_a_hub_that_dies_after_sending_repeats_the_same_message
    t192_two_hubs_tell_everything_once
    t203_a_clock_that_was_ahead_holds_nothing_back
}

async fn t261_a_receiver_that_hangs_holds_up_no_other(world: World) {
    let (hanging, quick) = (Receiver::answering(&[""]), Receiver::taking());
    let channel = world.channel("hanging", webhook(&hanging)).await;
    let other = world.channel("quick", webhook(&quick)).await;
    for n in 0..100 {
        world.opened(n, &channel).await;
    }
    for n in 100..110 {
        world.opened(n, &other).await;
    }
    let mut sender = Sender::new(world.store.clone(), alerts(Duration::from_secs(60)));
    let started = Instant::now();
    while world.count(&other, AlertState::Delivered).await < 10 {
        sender.step(world.now).await.expect("a step");
        assert!(started.elapsed() < Duration::from_secs(30), "the hanging one holds it up");
        let _ = tokio::time::timeout(Duration::from_millis(20), sender.landed()).await;
    }
    crate::services::wait_until("the first message", Duration::from_secs(10), || hanging.got().len() == 1);
    assert_eq!(hanging.server.connections(), 1, "of a channel one at a time");
    // What hangs ends with it.
    drop(sender);
}

async fn t267_a_receiver_that_never_answers_is_tried_again(world: World) {
    let receiver = Receiver::answering(&["", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = Sender::new(world.store.clone(), alerts(Duration::from_secs(1)));
    let started = Instant::now();
    turn(&mut sender, world.now).await;
    assert!(started.elapsed() < Duration::from_secs(4));
    let alert = world.state(id).await;
    assert_eq!((alert.state, alert.said.as_str()), (AlertState::Waiting, "No answer within 1 s."));
    turn(&mut sender, alert.due_at).await;
    assert_eq!(world.state(id).await.state, AlertState::Delivered);
}

async fn t267_of_an_endless_answer_little_is_read(world: World) {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        stream.say_for_ever([b'x'; 65_536]);
    });
    let settings = ChannelSettings::Webhook {
        url: SecretText::new(server.url("/")),
        secret: SecretText::new(HOOK_SECRET),
        old_secret: None,
    };
    let channel = world.channel("hook", settings).await;
    let id = world.opened(1, &channel).await;
    turn(&mut world.sender(), world.now).await;
    assert_eq!(world.state(id).await.state, AlertState::Delivered);
    crate::services::wait_until("the connection to be closed", Duration::from_secs(5), || server.open() == 0);
    assert!(server.written() < 20_000_000, "{} bytes fitted into buffers", server.written());
}

async fn t171_a_hub_that_dies_after_sending_repeats_the_same_message(world: World) {
    let receiver = Receiver::answering(&["", "200 OK"]);
    let channel = world.channel("hook", webhook(&receiver)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = world.sender();
    assert_eq!(sender.step(world.now).await.unwrap(), 1);
    crate::services::wait_until("the message", Duration::from_secs(5), || receiver.got().len() == 1);
    // Its tasks end with it, wherever they are: the receiver has the message, and nobody has recorded that.
    drop(sender);
    // The incident goes on meanwhile; what is sent stays as it was.
    let incident = world.state(id).await.incident_id.unwrap();
    world.close(incident, world.now + SECOND).await;
    let mut other = world.sender();
    assert_eq!(turn(&mut other, world.now + 59 * SECOND).await, 0, "the lease holds");
    assert_eq!(turn(&mut other, world.now + MINUTE).await, 1);
    let got = receiver.got();
    assert_eq!(got.len(), 2, "once more at most");
    assert_eq!((got[0].header("webhook-id"), &got[0].body), (got[1].header("webhook-id"), &got[1].body), "I4");
    assert_eq!(world.state(id).await.state, AlertState::Delivered);
}

async fn t192_two_hubs_tell_everything_once(world: World) {
    let receiver = Receiver::taking();
    let mut channels = Vec::new();
    for n in 0..8 {
        channels.push(world.channel(&format!("hook {n}"), webhook(&receiver)).await);
    }
    for n in 0..20 {
        let incident = world.incident(n).await;
        for channel in &channels {
            world.alert(incident, hub::model::AlertEvent::Opened, channel, world.now).await;
        }
    }
    let hub = |mut sender: Sender, now| {
        tokio::spawn(async move {
            for _ in 0..200 {
                if sender.step(now).await.expect("a step") == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let _ = tokio::time::timeout(Duration::from_millis(5), sender.landed()).await;
            }
            sender.finish().await;
        })
    };
    let (one, two) = (hub(world.sender(), world.now), hub(world.sender(), world.now));
    one.await.unwrap();
    two.await.unwrap();
    turn(&mut world.sender(), world.now).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for got in receiver.got() {
        *times.entry(got.header("webhook-id")).or_default() += 1;
    }
    assert_eq!(times.len(), 160);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

async fn t203_a_clock_that_was_ahead_holds_nothing_back(world: World) {
    let receiver = Receiver::taking();
    let (written, claimed) =
        (world.channel("a", webhook(&receiver)).await, world.channel("b", webhook(&receiver)).await);
    let tomorrow = world.now + 24 * HOUR;
    let incident = world.incident(1).await;
    let ids = [
        world.alert(incident, AlertEvent::Opened, &written, tomorrow).await,
        world.alert(incident, AlertEvent::Opened, &claimed, world.now).await,
    ];
    // By a hub that then died; its clock was set right.
    assert_eq!(world.store.claim_alerts(tomorrow - 1, 10).await.unwrap().len(), 1);
    let mut sender = world.sender();
    assert_eq!(turn(&mut sender, world.now).await, 0);
    assert_eq!(world.store.right_alerts(world.now).await.unwrap(), 2);
    turn(&mut sender, world.now).await;
    for id in ids {
        assert_eq!(world.state(id).await.state, AlertState::Delivered);
    }
    assert_eq!(world.store.right_alerts(world.now).await.unwrap(), 0);
}
