//! Teams, invitations, the end of an account, and how much one may have.

use hub::model::{
    AccountId, ChannelDraft, ChannelSettings, Invitation, InvitationKey, JobPlan, JobSchedule, MOST_TEAMS, MadeBy,
    Origin, Outcome, Role, SecretText, SessionKey, WebsiteSettings,
};
use hub::store::{Accepted, AccountEnded, Joined, MemberChanged, StoreError};

use super::{Fixture, MINUTE, region_tick};

on_both! {
    a_team_is_seen_by_its_members_as_what_they_are
    a_team_always_has_an_owner
    a_link_lets_one_in_once
    a_link_makes_accounts_only_where_it_may
    t120_an_account_has_no_more_websites_than_it_may
    t151_nothing_is_left_of_an_account_that_was_deleted
    an_installation_is_never_left_without_an_operator
}

fn key(n: u8) -> InvitationKey {
    InvitationKey([n; 32])
}

async fn sign_in(f: &Fixture, person: AccountId, n: u8) -> SessionKey {
    let key = SessionKey([n; 32]);
    assert!(f.store.create_session(person, key, &Origin::default(), None, f.now).await.expect("a session"));
    key
}

/// Whose things a session sees, and as what; `asked` names a team.
async fn sees(f: &Fixture, key: SessionKey, asked: Option<AccountId>) -> Option<(AccountId, Role)> {
    let session = f.store.session(key, asked).await.expect("a read")?;
    session.team.map(|of| (of.team.account_id, of.role))
}

async fn invite(f: &Fixture, team: AccountId, by: AccountId, n: u8, role: Role) -> bool {
    f.store.invite(team, by, key(n), role, f.now).await.expect("an invitation").is_some()
}

async fn a_team_is_seen_by_its_members_as_what_they_are(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let team = f.store.create_team(ann, "Acme", f.now).await.expect("a team").expect("one more");
    let (of_ann, of_bob) = (sign_in(&f, ann, 1).await, sign_in(&f, bob, 2).await);
    // A command names a team by its id: anybody may call his as he likes, also as another's account is called.
    let carl = f.account("carl").await.account_id;
    f.store.create_team(carl, "Ann", f.now).await.expect("a team").expect("one more");
    let id = team.to_string();
    for (name, found) in [("ANN", vec![ann]), (id.as_str(), vec![team]), ("acme", vec![])] {
        let named = f.store.accounts_named(Some(name)).await.expect("a read");
        assert_eq!(named.iter().map(|account| account.account_id).collect::<Vec<_>>(), found, "{name}");
    }
    assert_eq!(sees(&f, of_ann, None).await, None, "his own");
    assert!(f.store.act_for(ann, of_ann, team).await.expect("a switch"));
    assert_eq!(sees(&f, of_ann, None).await, Some((team, Role::Owner)));
    assert_eq!(sees(&f, of_ann, Some(ann)).await, None, "whatever the session says");
    assert!(!f.store.act_for(bob, of_bob, team).await.expect("a switch"), "no member");
    assert!(!f.store.act_for(bob, of_ann, team).await.expect("a switch"), "no session of his");
    assert_eq!(sees(&f, of_bob, Some(team)).await, None);

    assert!(invite(&f, team, ann, 1, Role::Viewer).await);
    let joined = f.store.accept_invitation(key(1), bob, f.now).await.expect("an answer");
    assert_eq!(joined, Accepted::Joined(team));
    assert_eq!(sees(&f, of_bob, Some(team)).await, Some((team, Role::Viewer)));
    assert!(f.store.act_for(bob, of_bob, team).await.expect("a switch"));
    assert_eq!(f.store.set_role(team, bob, Role::Editor).await.expect("a change"), MemberChanged::Done);
    assert_eq!(sees(&f, of_bob, None).await, Some((team, Role::Editor)));
    let members = f.store.members(team).await.expect("members");
    let names: Vec<_> = members.iter().map(|m| (m.username.as_str(), m.role, m.is_holder)).collect();
    assert_eq!(names, [("ann", Role::Owner, false), ("bob", Role::Editor, false)]);
    let teams = f.store.teams_of(bob).await.expect("teams");
    assert_eq!(teams.iter().map(|of| (of.team.username.as_str(), of.is_shared)).collect::<Vec<_>>(), [("Acme", true)]);

    assert_eq!(f.store.remove_member(team, bob).await.expect("a change"), MemberChanged::Done);
    assert_eq!(sees(&f, of_bob, None).await, None, "out at once");
    assert_eq!(f.store.remove_member(team, bob).await.expect("a change"), MemberChanged::NotFound);

    // One's own account is a team, too, and nobody can be taken out of his.
    assert!(invite(&f, ann, ann, 2, Role::Owner).await);
    f.store.accept_invitation(key(2), bob, f.now).await.expect("an answer");
    assert_eq!(sees(&f, of_bob, Some(ann)).await, Some((ann, Role::Owner)));
    assert_eq!(f.store.remove_member(ann, ann).await.expect("a change"), MemberChanged::NotFound);
    assert_eq!(f.store.set_role(ann, ann, Role::Viewer).await.expect("a change"), MemberChanged::NotFound);
    let holder = f.store.members(ann).await.expect("members");
    assert!(holder[0].is_holder && holder[0].role == Role::Owner && holder.len() == 2, "{holder:?}");
    assert!(
        !f.store.rename_team(ann, "x").await.expect("a change") && f.store.rename_team(team, "x").await.expect("one")
    );

    // Nobody signs in to a team, and it is no stranger.
    assert!(
        f.store.credentials(&format!("team/{team}")).await.expect("an answer").is_some_and(|(_, hash)| hash == "!")
    );
    let into = f.store.create_session(team, SessionKey([9; 32]), &Origin::default(), None, f.now).await;
    assert!(!into.expect("an answer"));
    assert_eq!(f.store.count_strangers().await.expect("a number"), 0);
    for n in 1..MOST_TEAMS {
        assert!(f.store.create_team(ann, &format!("T{n}"), f.now).await.expect("a team").is_some());
    }
    assert_eq!(f.store.create_team(ann, "one too many", f.now).await.expect("an answer"), None);
}

/// Two owners take each other's rights away, or leave, at once: one of them finds himself the last.
async fn a_team_always_has_an_owner(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    for turn in 0..10_u8 {
        let team = f.store.create_team(ann, "Acme", f.now).await.expect("a team").expect("one more");
        assert!(invite(&f, team, ann, turn, Role::Owner).await);
        assert_eq!(f.store.accept_invitation(key(turn), bob, f.now).await.expect("one"), Accepted::Joined(team));
        let (one, two) = match turn % 3 {
            0 => tokio::join!(f.store.set_role(team, ann, Role::Viewer), f.store.set_role(team, bob, Role::Viewer)),
            1 => tokio::join!(f.store.remove_member(team, ann), f.store.remove_member(team, bob)),
            _ => tokio::join!(f.store.set_role(team, ann, Role::Editor), f.store.remove_member(team, bob)),
        };
        let mut done = [one.expect("an answer"), two.expect("an answer")];
        done.sort_by_key(|done| *done == MemberChanged::Done);
        assert_eq!(done, [MemberChanged::LastOwner, MemberChanged::Done], "turn {turn}");
        let owners = f.store.members(team).await.expect("members").iter().filter(|m| m.role == Role::Owner).count();
        assert_eq!(owners, 1);
        assert!(f.store.end_team(team, f.now).await.expect("the end"));
    }
}

async fn a_link_lets_one_in_once(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    let mut people = Vec::new();
    for n in 0..10 {
        people.push(f.account(&format!("person{n}")).await.account_id);
    }
    assert!(invite(&f, ann, ann, 1, Role::Editor).await);
    let all = people.iter().map(|person| {
        let (store, person, now) = (f.store.clone(), *person, f.now);
        tokio::spawn(async move { store.accept_invitation(key(1), person, now).await.expect("an answer") })
    });
    let mut joined = 0;
    for one in all.collect::<Vec<_>>() {
        joined += usize::from(one.await.expect("a task") == Accepted::Joined(ann));
    }
    assert_eq!((joined, f.store.members(ann).await.expect("members").len()), (1, 2));

    // Too old, revoked, of somebody who owns it no more, or of another team: nothing.
    assert!(invite(&f, ann, ann, 2, Role::Owner).await);
    let late = f.now + Invitation::LIFE_MS;
    assert!(f.store.offer(key(2), late - 1).await.expect("an answer").is_some());
    assert_eq!(f.store.offer(key(2), late).await.expect("an answer"), None);
    assert_eq!(f.store.accept_invitation(key(2), people[3], late).await.expect("an answer"), Accepted::Nothing);
    let open = f.store.invitations(ann, f.now).await.expect("a list");
    assert_eq!(open.len(), 1);
    let id = open[0].invitation_id;
    assert!(!f.store.revoke_invitation(people[0], id).await.expect("an answer"));
    let boss = people[4];
    assert_eq!(f.store.accept_invitation(key(2), boss, f.now).await.expect("an answer"), Accepted::Joined(ann));
    assert!(!f.store.revoke_invitation(ann, id).await.expect("an answer"), "it was used");
    assert!(invite(&f, ann, boss, 3, Role::Viewer).await && !invite(&f, ann, people[9], 4, Role::Viewer).await);
    assert_eq!(f.store.accept_invitation(key(3), boss, f.now).await.expect("an answer"), Accepted::Already(ann));
    assert_eq!(f.store.set_role(ann, boss, Role::Editor).await.expect("a change"), MemberChanged::Done);
    assert_eq!(f.store.accept_invitation(key(3), people[5], f.now).await.expect("an answer"), Accepted::Nothing);
    assert!(!invite(&f, ann, boss, 5, Role::Viewer).await, "no owner");

    for n in 0..Invitation::MOST {
        assert!(invite(&f, ann, ann, u8::try_from(100 + n).expect("small"), Role::Viewer).await, "{n}");
    }
    assert!(!invite(&f, ann, ann, 99, Role::Viewer).await, "too many");
    let later = f.store.invite(ann, ann, key(98), Role::Viewer, late).await.expect("an answer");
    assert!(later.is_some(), "those that are too old make room");
}

async fn a_link_makes_accounts_only_where_it_may(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    let eve = f.store.create_account("eve", "hash", MadeBy::Anybody, f.now).await.expect("an account").account_id;
    let strangers = async || f.store.count_strangers().await.expect("a number");
    assert_eq!(strangers().await, 1);
    for (n, team) in [(1, ann), (2, eve)] {
        assert!(invite(&f, team, team, n, Role::Viewer).await);
    }
    let join =
        async |n, name: &'static str, is_closed| f.store.join_as_new(key(n), name, "hash", is_closed, f.now).await;
    assert!(matches!(join(1, "ANN", true).await, Err(StoreError::Conflict(_))), "and the link goes on");
    let Ok(Joined::Yes(carl, team)) = join(1, "carl", true).await else { panic!("an operator's word lets him in") };
    assert_eq!(team, ann);
    assert!(!carl.is_operator() && strangers().await == 1, "neither operator nor stranger");
    let known = f.store.credentials("carl").await.expect("an answer").expect("the account").0;
    assert!(!known.is_operator());
    assert_eq!(join(1, "dora", true).await.expect("an answer"), Joined::Nothing, "once");
    assert_eq!(join(2, "dora", true).await.expect("an answer"), Joined::Nothing, "sign-ups are closed");
    assert!(matches!(join(2, "dora", false).await, Ok(Joined::Yes(_, team)) if team == eve));
    assert_eq!(strangers().await, 2, "a stranger's guest is one");
    // Whom an operator let in lets nobody in himself.
    assert!(invite(&f, carl.account_id, carl.account_id, 3, Role::Viewer).await);
    assert_eq!(join(3, "fred", true).await.expect("an answer"), Joined::Nothing);
}

async fn t120_an_account_has_no_more_websites_than_it_may(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let store = f.store.clone().with_most_websites(Some(10));
    let settings = WebsiteSettings::new("https://example.com/".into());
    let all: Vec<_> = (0..50)
        .map(|n| {
            let (store, settings, now) = (store.clone(), settings.clone(), f.now);
            tokio::spawn(async move {
                if n % 2 == 0 {
                    return store.add_website(ann, &settings, now).await.map(|_| ());
                }
                let schedule = JobSchedule::Every { period_ms: 3_600_000 };
                let plan = JobPlan { name: format!("job {n}"), schedule, grace_ms: 600_000 };
                store.add_job(ann, &plan, now).await.map(|_| ())
            })
        })
        .collect();
    let mut added = 0;
    for one in all {
        match one.await.expect("a task") {
            Ok(()) => added += 1,
            Err(StoreError::Full { most: 10 }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((added, f.store.websites(ann).await.expect("websites").len()), (10, 10));
    store.add_website(bob, &settings, f.now).await.expect("another has room");
    let first = f.store.websites(ann).await.expect("websites")[0].website_id;
    assert!(f.store.delete_website(ann, first).await.expect("a deletion"));
    store.add_website(ann, &settings, f.now).await.expect("there is room again");
}

async fn t151_nothing_is_left_of_an_account_that_was_deleted(f: Fixture) {
    let keeper = f.account("keeper").await.account_id;
    let kept = f.website(keeper).await;
    let ann = f.account("ann").await.account_id;
    let website = f.website(ann).await;
    let settings = ChannelSettings::Alertmanager { url: SecretText::new("https://alerts.example.com/") };
    let draft = ChannelDraft {
        name: "Hook".into(),
        settings,
        tells_regional: false,
        tells_operator: false,
        waits_ms: 0,
        reminds_ms: None,
        cap_per_hour: 60,
        second_channel_id: None,
    };
    f.store.add_channel(ann, &draft, f.now).await.expect("a channel").expect("one more");
    for n in 1..30 {
        f.feed(&[region_tick(&website, "a", f.now - (30 - n) * MINUTE, Outcome::Down)]).await;
        f.feed(&[region_tick(&kept, "a", f.now - (30 - n) * MINUTE, Outcome::Up)]).await;
    }
    let session = sign_in(&f, ann, 1).await;
    assert!(invite(&f, ann, ann, 1, Role::Viewer).await && invite(&f, keeper, keeper, 2, Role::Editor).await);
    f.store.accept_invitation(key(2), ann, f.now).await.expect("an answer");

    let team = f.store.create_team(ann, "Acme", f.now).await.expect("a team").expect("one more");
    let end = async |hash| f.store.end_account(ann, hash, f.now).await.expect("an answer");
    assert_eq!(end("hash").await, AccountEnded::OwnsTeams(vec!["Acme".to_owned()]));
    assert!(f.store.end_team(team, f.now).await.expect("the end") && !f.store.end_team(ann, f.now).await.expect("no"));
    assert_eq!(end("another").await, AccountEnded::NotFound, "another password by now");
    assert!(f.store.session(session, None).await.expect("a read").is_some());
    assert_eq!(end("hash").await, AccountEnded::Done);

    // At once: nobody is in, nothing is checked, nobody is told, and the name is free.
    assert_eq!(f.store.session(session, None).await.expect("a read"), None);
    assert!(f.store.credentials("ann").await.expect("an answer").is_none());
    let into = f.store.create_session(ann, SessionKey([3; 32]), &Origin::default(), None, f.now).await;
    assert!(!into.expect("an answer"));
    assert_eq!(f.store.scheduled_website(website.website_id).await.expect("a read"), None);
    assert_eq!(f.count("select count(*) from alert where state = 'waiting'").await, 0);
    assert_eq!(f.store.offer(key(1), f.now).await.expect("an answer"), None);
    assert_eq!(f.store.members(keeper).await.expect("members").len(), 1);
    let again = f.account("ann").await.account_id;
    assert_ne!(again, ann);

    // In steps, which others may take: all the rest. What was in flight makes no rows.
    let mut steps = 0;
    while f.store.delete_ended().await.expect("a step") {
        steps += 1;
        assert!(steps < 100, "it ends");
    }
    f.feed(&[region_tick(&website, "a", f.now, Outcome::Down)]).await;
    for sql in [
        "select count(*) from account where ending_at is not null or is_team",
        "select count(*) from website_state s where not exists (select 1 from website w where w.website_id = s.website_id)",
        "select count(*) from tick t where not exists (select 1 from website w where w.website_id = t.website_id)",
        "select count(*) from incident",
        "select count(*) from alert",
        "select count(*) from channel",
    ] {
        assert_eq!(f.count(sql).await, 0, "{sql}");
    }
    assert_eq!(f.count("select count(*) from website").await, 1);
    assert!(f.count("select count(*) from tick").await >= 29, "another's stay");
}

async fn an_installation_is_never_left_without_an_operator(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let eve = f.store.create_account("eve", "hash", MadeBy::Anybody, f.now).await.expect("an account").account_id;
    assert_eq!(f.store.end_account(eve, "hash", f.now).await.expect("an answer"), AccountEnded::Done);
    let (one, two) = tokio::join!(f.store.end_account(ann, "hash", f.now), f.store.end_account(bob, "hash", f.now));
    let done = [one.expect("an answer"), two.expect("an answer")];
    assert!(done.contains(&AccountEnded::Done) && done.contains(&AccountEnded::LastOperator), "{done:?}");
}
