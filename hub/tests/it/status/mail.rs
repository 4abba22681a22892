//! Mail of a page, to a real SMTP server: asked for, confirmed, told, ended.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::pki::Authority;

use super::{Told, one};
use crate::alerts::mail::MailServer;
use crate::services::wait_until;

/// A mail's text, its lines joined again.
fn text(mail: &Value) -> String {
    mail["mail"].as_str().unwrap().replace("=\r\n", "").replace("\r\n ", " ").replace("=3D", "=")
}

fn link(text: &str, path: &str) -> String {
    let at = text.find(path).unwrap_or_else(|| panic!("no {path} in {text}"));
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/-_".contains(*c)).collect()
}

#[test]
fn whoever_asks_confirms_is_told_and_ends_it_by_one_click() {
    let directory = tempfile::tempdir().unwrap();
    let server = MailServer::start("plain", &Authority::root("mail"));
    let told = Told::start(directory.path(), &[]);
    let website = told.add_website("https://a.example.com/");
    // The channel would tell its own people of it, too.
    assert_eq!(told.api("PATCH", &format!("/websites/{website}"), Some(&json!({"paused": true}))).0, 200);
    let page = told.add_page(json!({"name": "Acme", "slug": "acme", "sections": one(&website, "A")}));
    // Without a server nobody is asked for an address.
    assert!(!told.get("/s/acme").text().contains("name=\"address\""));
    assert_eq!(told.send("/s/acme/subscribe", &[("address", "reader@example.org")]).status, 404);
    let channel = json!({"kind": "email", "name": "Mail", "server": "localhost", "port": server.port(), "security": "none",
        "from": "Acme <status@example.com>", "to": ["ops@example.com"]});
    let (status, channel) = told.api("POST", "/channels", Some(&channel));
    assert_eq!(status, 201, "{channel}");
    let with_mail = json!({"mail_channel_id": channel["id"]});
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&with_mail)).0, 200);
    wait_until("the form to be there", Duration::from_secs(16), || {
        told.get("/s/acme").text().contains("name=\"address\"")
    });

    for bad in ["", "x", "a b@example.org", "a@example.org, b@example.org", "a@example.org\r\nBcc: c@example.org"] {
        assert_eq!(told.send("/s/acme/subscribe", &[("address", bad)]).status, 422, "{bad}");
    }
    let first = told.send("/s/acme/subscribe", &[("address", "Reader@example.org")]);
    assert_eq!(first.status, 200, "{}", first.text());
    let asked = text(&server.mails(1)[0]);
    assert!(
        asked.contains("Subject: Confirm that you want mail of Acme") && !asked.contains("List-Unsubscribe"),
        "{asked}"
    );
    assert!(asked.contains("To: Reader@example.org") && asked.contains("status@example.com"), "{asked}");
    // Asked again he is not written to again, and who asks is told the same.
    let again = told.send("/s/acme/subscribe", &[("address", "Reader@example.org")]);
    assert_eq!(again.text(), first.text());

    // Nobody is told before he has said so; following the link alone says nothing.
    let confirm = link(&asked, "/subscription/confirm/");
    assert!(told.get(&confirm).text().contains("Yes, send me mail"));
    let publish = |title: &str| {
        let post =
            json!({"kind": "incident", "title": title, "state": "investigating", "said": "We are looking at it."});
        let (status, post) = told.api("POST", &format!("/status-pages/{page}/posts"), Some(&post));
        assert_eq!(status, 201, "{post}");
        post["id"].as_str().unwrap().to_owned()
    };
    publish("Too early");
    let answer = told.send(&confirm, &[]);
    assert!(answer.status == 200 && answer.text().contains("gets mail from now on"), "{}", answer.text());
    let same = told.send("/s/acme/subscribe", &[("address", "READER@example.org")]);
    assert_eq!(same.text().replace("READER", "Reader"), first.text(), "no word of whether he is told");

    let post = publish("The shop is slow");
    let mails = server.mails(2);
    let mail = text(&mails[1]);
    assert_eq!(mails[1]["to"], json!(["Reader@example.org"]));
    for part in [
        "Subject: [Acme] Investigating: The shop is slow",
        "We are looking at it.",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "/s/acme",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    assert!(!mail.contains("Too early") && !mail.contains("a.example.com"), "{mail}");
    let update = json!({"state": "resolved", "said": "It is well."});
    assert_eq!(told.api("POST", &format!("/status-posts/{post}/updates"), Some(&update)).0, 201);
    assert!(text(&server.mails(3)[2]).contains("[Acme] Resolved: The shop is slow"));
    let (_, shown) = told.page(&format!("/status-pages/{page}"));
    assert!(shown.contains("1 get mail of this page; 0 have not answered"), "{shown}");

    // A program of mail ends it by one POST; a scanner that follows the link does not.
    let end = link(&mail, "/subscription/end/");
    assert!(told.get(&end).text().contains("No more mail"));
    let ended = told.send(&end, &[("List-Unsubscribe", "One-Click")]);
    assert!(ended.status == 200 && !ended.head.contains("set-cookie"), "{}", ended.head);
    assert_eq!((told.send(&end, &[]).status, told.send(&confirm, &[]).status), (200, 404), "twice is harmless");
    publish("After the end");
    let (_, shown) = told.page(&format!("/status-pages/{page}"));
    assert!(shown.contains("0 get mail of this page"), "{shown}");
    for odd in ["x", &end["/subscription/end/".len()..]] {
        assert_eq!(told.get(&format!("/subscription/confirm/{odd}")).status, 404);
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.mails(3).len(), 3, "nothing more was sent");
}

#[test]
fn nothing_is_lost_while_the_mail_server_is_slow_to_take_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = MailServer::start("greylist", &Authority::root("mail"));
    let told = Told::start(directory.path(), &[]);
    let channel = json!({"kind": "email", "name": "Mail", "server": "localhost", "port": server.port(), "security": "none",
        "from": "status@example.com", "to": ["ops@example.com"]});
    let (_, channel) = told.api("POST", "/channels", Some(&channel));
    let page = json!({"name": "Acme", "slug": "acme", "mail_channel_id": channel["id"]});
    told.add_page(page);
    assert_eq!(told.send("/s/acme/subscribe", &[("address", "reader@example.org")]).status, 200);
    // Put off twice: 5 s, then 30 s.
    wait_until("the third try", Duration::from_secs(60), || server.count() == 1);
}
