//! Reports by mail: what they say, once, whoever sends them.

use hub::alert::Sender;
use hub::model::report::Rhythm;
use hub::model::{AlertState, MailSecurity, MaintenancePlan, Rule, Scope, UtcMs, WebsiteSettings};
use hub::store::{ScheduleAdded, Store};
use testbed::pki::Authority;

use super::mail::{MailServer, trusting};
use super::{HOUR, World, on_both, raw, turn};

on_both! {
    a_report_arrives_once_and_says_what_the_page_says
}

const DAY: i64 = 24 * HOUR;

impl World {
    /// The example of docs/ARCHITECTURE.md on the last day of a window, which is all that there was of the website.
    async fn example(&self, midnight: UtcMs) {
        let settings = WebsiteSettings::new("https://example.com/".to_owned());
        let website = self.store.add_website(self.account, &settings, midnight).await.expect("a website");
        let half = HOUR / 2;
        raw!(self, pool => {
            for (at, from, to) in [
                (midnight, "unknown", "up"),
                (midnight + 10 * HOUR, "up", "down"),
                (midnight + 10 * HOUR + half, "down", "up"),
                (midnight + 15 * HOUR, "up", "unknown"),
                (midnight + 15 * HOUR + half, "unknown", "up"),
                (midnight + DAY, "up", "unknown"),
            ] {
                sqlx::query("insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
                             values ($1, $2, 0, $2, $3, $4, '')")
                    .bind(website.website_id.0).bind(at).bind(from).bind(to).execute(pool).await.expect("a change");
            }
            sqlx::query("update website set uptime_goal_ppm = 990000").execute(pool).await.expect("a goal");
        });
        let starts = jiff::Timestamp::from_millisecond(midnight + 20 * HOUR).unwrap().to_string();
        let rule = Rule::new("Etc/UTC", starts[..16].parse().unwrap(), "once".parse().unwrap(), half).unwrap();
        let plan = MaintenancePlan { name: "Update".to_owned(), scope: Scope::All, rule };
        self.store.add_maintenance(self.account, &plan, midnight).await.expect("added");
    }

    async fn another(&self) -> Store {
        match &self.url {
            Some(url) => Store::open_postgres(url).await.expect("a store"),
            None => self.store.clone(),
        }
    }
}

async fn a_report_arrives_once_and_says_what_the_page_says(world: World) {
    let authority = Authority::root("mail");
    let server = MailServer::start("plain", &authority);
    let channel = world.channel("mail", server.settings(MailSecurity::None, false)).await;
    let due = Rhythm::Monthly.latest(world.now).expect("a window");
    let ends_at = due.window.ends_at;
    world.example(ends_at - DAY).await;
    let made_at = ends_at - 100 * DAY;
    let added =
        world.store.add_report_schedule(world.account, channel.channel_id, &Scope::All, Rhythm::Monthly, made_at);
    assert!(matches!(added.await.expect("an answer"), ScheduleAdded::Added(_)));
    // Nobody was there for three months; now two hubs look at once.
    let mut one = Sender::new(world.store.clone(), trusting(&authority));
    let mut two = Sender::new(world.another().await, trusting(&authority));
    assert_eq!(one.reports(due.at - 1).await.expect("a look"), 1, "of the window before");
    let (a, b) = tokio::join!(one.reports(world.now), two.reports(world.now));
    assert_eq!(a.expect("a look") + b.expect("a look"), 1);
    assert_eq!(one.reports(world.now).await.expect("a look") + two.reports(world.now).await.expect("a look"), 0);
    turn(&mut one, world.now).await;
    turn(&mut two, world.now).await;
    let alerts = world.alerts(&channel).await;
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.state == AlertState::Delivered), "{alerts:?}");
    let mails = server.mails(2);
    assert_eq!(mails.len(), 2);
    let of = |words: &str| {
        let found = mails.iter().map(|mail| mail["mail"].as_str().expect("a mail")).find(|mail| mail.contains(words));
        found.unwrap_or_else(|| panic!("no mail with {words}")).replace("=\r\n", "").replace("=3D", "=")
    };
    let text = of("97.826");
    let title = format!("All websites: up 97.826 % in {}", due.window);
    for part in
        ["Uptime: 97.826 %", "Known: 97.872 %", "Down: 30 min", "text/html", "16 min over 13 min", "burn rate 2.174"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains(&title) && text.contains("example.com: 97.826 %, down 30 min"), "{title} in {text}");
    // A hub that is there in time sends the next one, of the month that ended then.
    let later = Rhythm::Monthly.next_at(world.now).expect("a next one");
    assert_eq!(one.reports(later - 1).await.expect("a look"), 0);
    assert_eq!(one.reports(later).await.expect("a look"), 1);
    // A channel that is off gets nothing.
    world.store.switch_channel(world.account, channel.channel_id, false, later).await.expect("off");
    assert_eq!(one.reports(later + 40 * DAY).await.expect("a look"), 0);
}
