//! Certificates near their end: how long they have, in every form.

use super::*;
use crate::model::SeenCertificate;

const DAY: i64 = 24 * 60 * MINUTE;

/// As of [`BEGAN`] one region sees it end in ten days, another a later one.
fn ending(urls: &[&str], subject: &str) -> AboutIncident {
    let mut about = about(IncidentKind::Certificate, urls);
    about.incident.cause = "The certificate ends on 2026-11-28".to_owned();
    about.incident.cause_key = "host:www.example.com:certificate".to_owned();
    about.said = "Less than 7 days are left of the certificate of https://www.example.com/".to_owned();
    let mut seen = about.evidence.remove(0);
    (seen.outcome, seen.failure) = (Outcome::Up, None);
    for (region, days) in [("INDIA", 10), ("USA", 80)] {
        let mut seen = seen.clone();
        seen.region_id = region.parse().unwrap();
        let (subject, issuer) = (subject.to_owned(), "R11".to_owned());
        seen.certificate = Some(SeenCertificate { subject, issuer, not_after_at: BEGAN + days * DAY });
        seen.answer = Some(EVIL.to_owned());
        about.evidence.push(seen);
    }
    about
}

fn over(closed_as: ClosedAs) -> AboutIncident {
    let mut about = ending(&["https://www.example.com/"], "www.example.com");
    (about.incident.ended_at, about.incident.closed_at) = (Some(BEGAN + DAY), Some(BEGAN + DAY));
    about.incident.closed_as = Some(closed_as);
    about.said = "The certificate of https://www.example.com/ was renewed. The one that is shown now is valid until \
                  2027-02-06"
        .to_owned();
    about
}

#[test]
fn a_certificate_is_told_of_by_the_time_it_has_left() {
    let one = || ending(&["https://www.example.com/"], "www.example.com");
    let many = || ending(&["https://a.example/", "https://a.example/x"], "a.example");
    let mut taken = one();
    taken.incident.acknowledged_at = Some(BEGAN);
    taken.incident.acknowledged_by = Some("anna".to_owned());
    let mut unknown = one();
    unknown.evidence.clear();
    let cause = "The certificate ends on 2026-11-28.";
    use AlertEvent as E;
    for (event, about, days, title, said) in [
        (E::Opened, one(), 0, "The certificate of www.example.com ends in 10 days", cause),
        (E::Updated, one(), 3, "The certificate of www.example.com ends in 7 days", cause),
        (E::Updated, one(), 9, "The certificate of www.example.com ends in 1 d", cause),
        (E::Updated, one(), 11, "The certificate of www.example.com has ended", cause),
        (E::Opened, many(), 0, "The certificate of 2 websites ends in 10 days", cause),
        (E::Opened, unknown, 0, "The certificate of www.example.com is near its end", cause),
        (
            E::Acknowledged,
            taken,
            0,
            "Acknowledged: The certificate of www.example.com ends in 10 days",
            "anna takes care of it. The certificate ends on 2026-11-28.",
        ),
        (
            E::Resolved,
            over(ClosedAs::Recovered),
            1,
            "The certificate of www.example.com was renewed",
            "The certificate of https://www.example.com/ was renewed. The one that is shown now is valid until 2027-02-06.",
        ),
        (
            E::Resolved,
            over(ClosedAs::Paused),
            1,
            "www.example.com was paused",
            "It was paused while its certificate was near its end: nobody looks at it now.",
        ),
    ] {
        let message = told_of(event, about, BEGAN + days * DAY);
        assert_eq!((message.title.as_str(), message.said.as_str()), (title, said));
    }
    let text = told_of(E::Opened, one(), BEGAN).text();
    for line in [
        "Valid until: 2026-11-28 11:06 UTC",
        "Issued for: www.example.com",
        "Issued by: R11",
        "Seen from: INDIA: valid until 2026-11-28 11:06 UTC; USA: valid until 2027-02-06 11:06 UTC",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn programs_take_a_certificate_as_a_warning() {
    let message = opened(ending(&["https://www.example.com/"], "www.example.com"));
    let pagerduty = json(&message, 6);
    assert_eq!((&pagerduty["event_action"], &pagerduty["payload"]["severity"]), (&"trigger".into(), &"warning".into()));
    assert_eq!(pagerduty["payload"]["class"], "certificate");
    let labels = json(&message, 7)[0]["labels"].clone();
    assert_eq!((&labels["alertname"], &labels["severity"]), (&"CertificateEnds".into(), &"warning".into()));
    let hook = json(&message, 1);
    assert_eq!(hook["data"]["incident"]["kind"], "certificate");
    let seen = &hook["data"]["regions"][0]["certificate"];
    assert_eq!((&seen["issuer"], &seen["not_after_at"]), (&"R11".into(), &"2026-11-28T11:06:40.000Z".into()));
    // What is open there is closed there.
    let over = told_of(AlertEvent::Resolved, over(ClosedAs::Recovered), BEGAN + DAY);
    assert_eq!(json(&over, 6)["event_action"], "resolve");
    assert_eq!(json(&over, 6)["dedup_key"], pagerduty["dedup_key"]);
}

#[test]
fn t152_names_of_a_certificate_are_text_and_the_answer_is_in_no_message() {
    let message = opened(ending(&["https://www.example.com/"], EVIL));
    let slack = json(&message, 2).to_string();
    assert!(slack.contains("&lt;!channel&gt;") && !slack.contains("<!channel>"), "{slack}");
    assert!(json(&message, 3)["embeds"][0]["fields"].to_string().contains("\\\\@everyone"));
    let mail = render(&message, &email());
    let (_, html) = mail.split_once("text/html").unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    let plain = opened(ending(&["https://www.example.com/"], "www.example.com"));
    for settings in all_kinds() {
        let sent = render(&plain, &settings);
        assert!(!sent.contains("alert(1)") && !sent.contains("javascript"), "{sent}");
    }
}
