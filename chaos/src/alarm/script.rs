//! What is done, and what is counted.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use testbed::measure::wait_for;

use super::doors::Door;
use super::receiver::Message;
use super::scene::{REGIONS, Scene, named};
use crate::now;

/// Websites that go down in each round: a median of ten.
const DOORS: u8 = 10;
/// Websites of one host that go down together.
const CROWD: usize = 500;

/// Runs all of it, and returns the table.
///
/// # Panics
/// When an alert does not come, or one comes that should not.
#[must_use]
pub fn run() -> String {
    let scene = Scene::start();
    let mut table = format!("Regions: {}. Each website on a host of its own.\n", REGIONS.join(", "));
    // Open to the end: what is closed is rightly told.
    let mut doors = Vec::new();
    for (row, interval_s) in [(1_u8, 10_u32), (2, 60)] {
        eprintln!("{DOORS} websites, every {interval_s} s");
        let (line, open) = round(&scene, row, interval_s);
        table += &line;
        doors.extend(open);
    }
    eprintln!("one region is cut off");
    table += &cut(&scene);
    eprintln!("name servers are cut off");
    let (lines, open) = nameless(&scene);
    table += &lines;
    doors.extend(open);
    eprintln!("{CROWD} websites of one host");
    table += &crowd(&scene);
    let messages = scene.receiver.messages();
    let same = if ids_are_stable(&messages) { "each id with one body" } else { "PROBLEM an id came with two bodies" };
    let _ = writeln!(table, "In all {} messages, {same}.", messages.len());
    table
}

fn address(row: u8, n: u8) -> Ipv4Addr {
    Ipv4Addr::new(11, row, 0, n)
}

/// Websites go down at instants spread over an interval, and come back.
fn round(scene: &Scene, row: u8, interval_s: u32) -> (String, Vec<Door>) {
    let mut doors: Vec<Door> = (1..=DOORS).map(|n| Door::open_at(address(row, n))).collect();
    let urls: Vec<String> = doors.iter().map(|door| format!("http://{}/", door.address.ip())).collect();
    let before = up(scene);
    scene.watch(&urls, i64::from(interval_s) * 1_000);
    scene.await_verdicts("up", before + urls.len(), Duration::from_secs(180));
    let within = Duration::from_secs(u64::from(interval_s) * 2 + 30);
    let step = Duration::from_millis(u64::from(interval_s) * 1_000 / u64::from(DOORS));
    let mut told = [Vec::new(), Vec::new()];
    let mut after_first = Vec::new();
    for (turn, event) in ["opened", "resolved"].into_iter().enumerate() {
        let mut changed = Vec::new();
        for door in &mut doors {
            if turn == 0 {
                door.close();
            } else {
                door.open();
            }
            changed.push(now());
            std::thread::sleep(step);
        }
        for (url, changed_at) in urls.iter().zip(changed) {
            let message =
                wait_for(&format!("{event} of {url}"), within, || scene.receiver.first(event, url, changed_at));
            told[turn].push(message.at - changed_at);
            if turn == 0 {
                after_first.push(message.at - first_failure(scene, url, changed_at));
            }
        }
    }
    let [down, up] = told;
    let line = format!(
        "every {interval_s} s: killed to told {}; first failing check begun to told {}; back to told {}\n",
        spread(down),
        spread(after_first),
        spread(up)
    );
    (line, doors)
}

fn up(scene: &Scene) -> usize {
    let found = scene.session().rows::<(i64,)>("select count(*) from website_state where verdict = 'up'");
    usize::try_from(found[0].0).unwrap()
}

/// When the first check that failed began.
fn first_failure(scene: &Scene, url: &str, from: i64) -> i64 {
    let sql = format!(
        "select min(started_at) from tick join website using (website_id) \
         where url = '{url}' and outcome = 'down' and started_at >= {from}"
    );
    scene.session().rows::<(Option<i64>,)>(&sql)[0].0.unwrap_or(from)
}

fn spread(mut all: Vec<i64>) -> String {
    all.sort_unstable();
    let s = |ms: i64| format!("{:.1}", ms as f64 / 1_000.0);
    format!("{} s ({} to {})", s(all[all.len() / 2]), s(all[0]), s(all[all.len() - 1]))
}

/// What stands in a message about the installation.
const OPERATOR: &str = "\"kind\":\"operator\"";

/// The worker of one region reaches neither websites nor canaries any more, but its queue: no website is down for that, and
/// the operator hears of it.
fn cut(scene: &Scene) -> String {
    let from = now();
    let count = scene.session().rows::<(i64,)>("select count(*) from website")[0].0;
    scene.cut(0);
    let excused = format!(
        "select count(*) from region_state where region_id = '{}' and outcome = 'unknown' and received_at > {from}",
        REGIONS[0]
    );
    let mut session = scene.session();
    let is_seen = || (session.rows::<(i64,)>(&excused)[0].0 > 0).then_some(());
    wait_for("the cut to show", Duration::from_secs(120), is_seen);
    // Long enough for three more slots of the quick ones.
    std::thread::sleep(Duration::from_secs(40));
    let verdicts = scene.session().rows::<(String, i64)>("select verdict, count(*) from website_state group by 1");
    let is_of_websites = |m: &Message| m.at > from && !m.body.contains(OPERATOR);
    let told: Vec<Message> = scene.receiver.messages().into_iter().filter(is_of_websites).collect();
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    let operator =
        wait_for("the operator to be told", Duration::from_secs(90), || scene.receiver.first("opened", OPERATOR, from));
    let mended_at = now();
    scene.mend();
    let over = wait_for("the operator to be told that it is over", Duration::from_secs(120), || {
        scene.receiver.first("resolved", OPERATOR, mended_at)
    });
    let mut text = format!("{} cut off from websites and canaries for 40 s and more: ", REGIONS[0]);
    let _ = writeln!(text, "{} messages; verdicts of {count} websites: {verdicts:?}", told.len());
    let (after, over_after) = (seconds(operator.at - from), seconds(over.at - mended_at));
    let _ = writeln!(text, "operator told after {after:.0} s, and {over_after:.0} s after it was mended");
    for message in told {
        let _ = writeln!(text, "PROBLEM told of it: {}", message.body);
    }
    text
}

/// What stands in a message about name servers.
const NAMELESS: &str = "finds no names";

/// Name servers do not answer, first the worker of one region, then those of all; networks, canaries and the queue work.
/// No website is down for that, and the operator hears of it. Then unknown is what has a name, and only that.
fn nameless(scene: &Scene) -> (String, Vec<Door>) {
    let hosts: Vec<String> = (1..=DOORS).map(|n| format!("{n}.named.example")).collect();
    let doors: Vec<Door> = hosts.iter().filter_map(|host| named(host)).map(Door::open_at).collect();
    let urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}/")).collect();
    let before = up(scene);
    scene.watch(&urls, 10_000);
    scene.await_verdicts("up", before + urls.len(), Duration::from_secs(180));
    let mut text = String::new();
    for regions in [0..1, 0..REGIONS.len()] {
        let (from, names) = (now(), REGIONS[regions.clone()].join(", "));
        scene.cut_names(regions.clone());
        let told = |event: &str, region: &str, from: i64| {
            let said = format!("Region {region} {}", if event == "opened" { NAMELESS } else { "finds names again" });
            let message = wait_for(&format!("{event}: {said}"), Duration::from_secs(150), || {
                scene.receiver.first(event, &said, from)
            });
            message.at - from
        };
        let opened: Vec<i64> = REGIONS[regions.clone()].iter().map(|region| told("opened", region, from)).collect();
        let verdicts = scene.session().rows::<(bool, String, i64)>(
            "select url like '%named.example/', verdict, count(*) from website_state join website using (website_id) \
             group by 1, 2 order by 1, 2",
        );
        let mended_at = now();
        scene.mend();
        let closed: Vec<i64> = REGIONS[regions].iter().map(|region| told("resolved", region, mended_at)).collect();
        scene.await_verdicts("up", before + urls.len(), Duration::from_secs(60));
        let is_other = |m: &&Message| m.at > from && !(m.body.contains(OPERATOR) && m.body.contains("finds n"));
        let messages = scene.receiver.messages();
        let others: Vec<&Message> = messages.iter().filter(is_other).collect();
        let _ = write!(text, "name servers of {names} silent: {} messages of anything else; verdicts", others.len());
        for (has_name, verdict, count) in verdicts {
            let _ = write!(text, ", {count} {} {verdict}", if has_name { "by name" } else { "by address" });
        }
        let _ = writeln!(text, "; operator told after {}, that it is over after {}", spread(opened), spread(closed));
        for message in others {
            let _ = writeln!(text, "PROBLEM told: {}", message.body);
        }
    }
    (text, doors)
}

/// Hundreds of websites of one host go down together.
fn crowd(scene: &Scene) -> String {
    let mut door = Door::open_at(address(3, 1));
    let before = up(scene);
    let urls: Vec<String> = (0..CROWD).map(|n| format!("http://{}/{n}", door.address.ip())).collect();
    scene.watch(&urls, 30_000);
    scene.await_verdicts("up", before + CROWD, Duration::from_secs(240));
    let mut text = format!("{CROWD} websites of one host, every 30 s, go down together: ");
    for (event, verdict) in [("opened", "down"), ("resolved", "up")] {
        let from = now();
        if verdict == "down" {
            door.close();
        } else {
            door.open();
        }
        let started = Instant::now();
        let wanted = if verdict == "down" { CROWD } else { before + CROWD };
        scene.await_verdicts(verdict, wanted, Duration::from_secs(240));
        let all_after = started.elapsed();
        wait_for(event, Duration::from_secs(150), || scene.receiver.first(event, "", from));
        // Growth is told within a minute and a little.
        std::thread::sleep(Duration::from_secs(75));
        let told: Vec<Message> = scene.receiver.messages().into_iter().filter(|m| m.at >= from).collect();
        let list: Vec<String> =
            told.iter().map(|m| format!("{} after {:.1} s", m.event, (m.at - from) as f64 / 1_000.0)).collect();
        let all_s = all_after.as_secs_f64();
        let _ = write!(text, "all {verdict} after {all_s:.0} s, {} messages ({}); ", told.len(), list.join(", "));
    }
    let sql = format!(
        "select count(distinct incident_id), count(distinct website_id) from incident_website where url like 'http://{}/%'",
        door.address.ip()
    );
    let (incidents, websites) = scene.session().rows::<(i64, i64)>(&sql)[0];
    let _ = writeln!(text, "{websites} websites in {incidents} incident(s)");
    text
}

/// Whether every id came with one body, however often.
fn ids_are_stable(messages: &[Message]) -> bool {
    messages.iter().all(|m| messages.iter().all(|other| other.id != m.id || other.body == m.body))
}
