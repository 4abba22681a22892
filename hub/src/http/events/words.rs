//! Events as they are sent (HTML, section 9.2). The id is an instant: from there on a listener who lost his connection is told
//! again.

use serde_json::json;

use crate::http::api::rfc3339;
use crate::model::{LiveEvent, LiveWhat, UtcMs};

/// An event.
pub(super) fn event(event: &LiveEvent) -> String {
    let (name, data) = match &event.what {
        LiveWhat::Verdict { website_id, at, from, to, .. } => {
            ("verdict", json!({"website_id": website_id, "from": from, "to": to, "at": rfc3339(*at)}))
        }
        LiveWhat::Incident { incident_id, kind, website_id, at, .. } => (
            "incident",
            json!({
                "incident_id": incident_id,
                "kind": kind.as_str(),
                "website_id": website_id,
                "at": rfc3339(*at),
            }),
        ),
    };
    format!("id: {}\nevent: {name}\ndata: {data}\n\n", event.written_at)
}

/// From here on all is told. Who loses the connection is to wait for three seconds.
pub(super) fn ready(now: UtcMs) -> String {
    format!("retry: 3000\nid: {now}\nevent: ready\ndata: {{}}\n\n")
}

/// Not all that happened is told: look at everything anew.
pub(super) fn reset(now: UtcMs) -> String {
    format!("id: {now}\nevent: reset\ndata: {{}}\n\n")
}

/// Nothing: so that both ends, and what is in between, see that the connection works.
pub(super) const BEAT: &str = ":\n\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Outcome, WebsiteId};

    #[test]
    fn an_event_is_one_message_of_its_lines() {
        let told = event(&LiveEvent {
            account_id: AccountId(uuid::Uuid::nil()),
            written_at: 1_795_000_000_123,
            what: LiveWhat::Verdict {
                website_id: WebsiteId(uuid::Uuid::nil()),
                number: 0,
                at: 1_795_000_000_000,
                from: Outcome::Up,
                to: Outcome::Down,
            },
        });
        let (head, data) = told.split_once("data: ").unwrap();
        assert_eq!(head, "id: 1795000000123\nevent: verdict\n");
        let data: serde_json::Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
        assert_eq!((data["from"].as_str(), data["to"].as_str()), (Some("up"), Some("down")));
        assert_eq!(data["at"], "2026-11-18T11:06:40.000Z");
    }
}
