//! T273: mail to a real SMTP server (aiosmtpd), over TLS of each kind, refused, put off, not there.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hub::alert::{AlertSettings, Alerts, Sender};
use hub::model::{AlertEvent, AlertState, ChannelSettings, MailSecurity, SecretText, TryResult};
use hub::secret::{Secret, SigningKeys};
use probe::engine::AddressPolicy;
use testbed::pki::Authority;

use super::{HOUR, KEY, MINUTE, World, on_both, turn};
use crate::services;

on_both! {
    t273_a_mail_arrives_as_one_message_with_two_readings
    t273_greylisting_is_waited_out_with_the_same_mail
}

const PASSWORD: &str = "hunter2-and-more";

/// A python that has aiosmtpd.
fn python() -> &'static str {
    let has_it = |python: &&str| {
        let found = Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(|python| has_it(python));
    found.expect("aiosmtpd; install Debian's python3-aiosmtpd, or run ./test.sh, which does")
}

/// A mail server; ends with the value.
pub struct MailServer {
    child: Child,
    port: u16,
    mails: Arc<Mutex<Vec<serde_json::Value>>>,
    // Closed, it stops.
    _stdin: ChildStdin,
    _directory: tempfile::TempDir,
}

impl MailServer {
    pub fn start(mode: &str, authority: &Authority) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        let (chain, private) = authority.issue(&["localhost"]).pem();
        std::fs::write(&certificate, chain).expect("a certificate");
        std::fs::write(&key, private).expect("a key");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/alerts/smtp.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(mode)
            .args([&certificate, &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let stdin = child.stdin.take().expect("its input");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let port = lines.next().expect("its port").expect("its port").parse().expect("a number");
        let mails: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
        let seen = mails.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.lock().expect("the mails").push(serde_json::from_str(&line).expect("JSON"));
            }
        });
        services::wait_until("the mail server to listen", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port, mails, _stdin: stdin, _directory: directory }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Mails so far.
    pub fn count(&self) -> usize {
        self.mails.lock().expect("mails").len()
    }

    /// Waits for that many mails.
    pub fn mails(&self, count: usize) -> Vec<serde_json::Value> {
        services::wait_until("the mails", Duration::from_secs(5), || self.mails.lock().expect("mails").len() >= count);
        self.mails.lock().expect("mails").clone()
    }

    pub(super) fn settings(&self, security: MailSecurity, signs_in: bool) -> ChannelSettings {
        ChannelSettings::Email {
            server: "localhost".to_owned(),
            port: self.port,
            security,
            username: if signs_in { "ops".to_owned() } else { String::new() },
            password: SecretText::new(if signs_in { PASSWORD } else { "" }),
            from: "BetterUptime <alerts@example.com>".to_owned(),
            to: vec!["ops@example.com".to_owned(), "night@example.com".to_owned()],
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn trusting(authority: &Authority) -> Alerts {
    let settings = AlertSettings {
        timeout: Duration::from_secs(10),
        ..AlertSettings::new(None, AddressPolicy::owner(), vec![authority.der()])
    };
    Alerts::new(settings, &SigningKeys { current: Secret::new(KEY), accepted: None }).expect("a sender")
}

async fn t273_a_mail_arrives_as_one_message_with_two_readings(world: World) {
    let authority = Authority::root("mail");
    let server = MailServer::start("starttls", &authority);
    let channel = world.channel("mail", server.settings(MailSecurity::Starttls, false)).await;
    let incident = world.incident(1).await;
    world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
    let mut sender = Sender::new(world.store.clone(), trusting(&authority));
    turn(&mut sender, world.now).await;
    world.close(incident, world.now + 12 * MINUTE).await;
    world.alert(incident, AlertEvent::Resolved, &channel, world.now + 12 * MINUTE).await;
    turn(&mut sender, world.now + 12 * MINUTE).await;
    let tried = world.alerts(&channel).await;
    assert!(tried.iter().all(|alert| alert.state == AlertState::Delivered), "{tried:?}");
    let mails = server.mails(2);
    assert_eq!(mails[0]["tls"], true);
    assert_eq!(mails[0]["from"], "alerts@example.com");
    assert_eq!(mails[0]["to"], serde_json::json!(["ops@example.com", "night@example.com"]));
    let text = mails[0]["mail"].as_str().expect("a mail");
    for part in ["Subject: host1.example is down", "text/plain", "text/html", "Auto-Submitted: auto-generated"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let over = mails[1]["mail"].as_str().expect("a mail");
    assert!(over.contains("Subject: host1.example is up again") && over.contains("Up again after 12 min."), "{over}");
    let thread = |mail: &str| mail.lines().find(|line| line.starts_with("References:")).map(str::to_owned);
    assert!(thread(text).is_some() && thread(text) == thread(over), "one conversation");
}

async fn t273_greylisting_is_waited_out_with_the_same_mail(world: World) {
    let authority = Authority::root("mail");
    let server = MailServer::start("greylist", &authority);
    let channel = world.channel("mail", server.settings(MailSecurity::None, false)).await;
    let id = world.opened(1, &channel).await;
    let mut sender = Sender::new(world.store.clone(), trusting(&authority));
    let mut now = world.now;
    for _ in 0..3 {
        turn(&mut sender, now).await;
        now = world.state(id).await.due_at;
    }
    let alert = world.state(id).await;
    assert_eq!((alert.state, alert.tries), (AlertState::Delivered, 3));
    let tries = world.store.alert_tries(world.account, id).await.unwrap();
    assert!(tries[0].said.contains("451") && tries[0].result == TryResult::Again, "{tries:?}");
    server.mails(1);
}

/// What a test of the channel says.
async fn tried(mode: &str, security: MailSecurity, signs_in: bool) -> hub::alert::Tried {
    let (world, authority) = (World::sqlite().await, Authority::root("mail"));
    let server = MailServer::start(mode, &authority);
    let channel = world.channel("mail", server.settings(security, signs_in)).await;
    let tried = trusting(&authority).test(&world.store, &channel, world.now).await;
    assert!(!tried.said.contains(PASSWORD), "{}", tried.said);
    tried
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t273_each_protection_works_and_a_password_goes_over_it() {
    for (mode, security, signs_in) in [
        ("plain", MailSecurity::None, false),
        ("tls", MailSecurity::Tls, false),
        ("starttls", MailSecurity::Starttls, false),
        ("auth", MailSecurity::Starttls, true),
    ] {
        let tried = tried(mode, security, signs_in).await;
        assert_eq!(tried.result, TryResult::Delivered, "{mode}: {}", tried.said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t273_without_the_protection_that_is_asked_for_nothing_is_sent() {
    let no_tls = tried("plain", MailSecurity::Starttls, true).await;
    assert_eq!(no_tls.result, TryResult::GivenUp);
    assert!(no_tls.said.contains("STARTTLS"), "{}", no_tls.said);
    let unknown = tried("refuse", MailSecurity::None, false).await;
    assert_eq!(unknown.result, TryResult::GivenUp);
    assert!(unknown.said.contains("550"), "{}", unknown.said);
    let picky = tried("picky", MailSecurity::None, false).await;
    assert_eq!(picky.result, TryResult::Delivered, "the others have it: {}", picky.said);
    assert!(picky.said.contains("night@example.com") && picky.said.contains("550"), "{}", picky.said);
    let plain_on_tls = tried("plain", MailSecurity::Tls, false).await;
    assert_eq!(plain_on_tls.result, TryResult::Again, "{}", plain_on_tls.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t273_a_certificate_of_nobody_is_not_accepted() {
    let (world, authority) = (World::sqlite().await, Authority::root("mail"));
    for (mode, security) in [("tls", MailSecurity::Tls), ("starttls", MailSecurity::Starttls)] {
        let server = MailServer::start(mode, &authority);
        let channel = world.channel("mail", server.settings(security, false)).await;
        let tried = trusting(&Authority::root("other")).test(&world.store, &channel, world.now).await;
        assert_eq!(tried.result, TryResult::Again, "{}", tried.said);
        assert!(tried.said.contains("TLS") || tried.said.contains("certificate"), "{}", tried.said);
        assert!(server.mails.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t273_a_server_that_is_down_or_refuses_is_tried_by_its_class() {
    let (world, authority) = (World::sqlite().await, Authority::root("mail"));
    let mut server = MailServer::start("refuse", &authority);
    let channel = world.channel("mail", server.settings(MailSecurity::None, false)).await;
    let mut sender = Sender::new(world.store.clone(), trusting(&authority));
    let refused = world.opened(1, &channel).await;
    for hour in 0..4 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    let alert = world.state(refused).await;
    assert_eq!((alert.state, alert.tries), (AlertState::Dead, 3), "5xx: given up after three tries");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let away = world.opened(2, &channel).await;
    for hour in 0..6 {
        turn(&mut sender, world.now + hour * HOUR).await;
    }
    let alert = world.state(away).await;
    assert_eq!(alert.state, AlertState::Waiting, "it may come back: {alert:?}");
    assert!(alert.tries >= 5 && alert.said.contains("refused"), "{alert:?}");
}
