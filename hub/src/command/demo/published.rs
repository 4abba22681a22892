//! What the demo's people say in public, on their status page.

use anyhow::{Context as _, bail};

use super::made::Made;
use super::story::{DAY, MINUTE};
use crate::model::status_page::{Impact, PostDraft, PostKind, UpdateState};
use crate::store::{PostSaved, Store};

/// An update: so long after the first, how far one was, what was said.
type Said = (i64, UpdateState, &'static str);

struct Told {
    before_ms: i64,
    kind: PostKind,
    title: &'static str,
    impact: Impact,
    about: &'static [&'static str],
    said: &'static [Said],
}

const TOLD: [Told; 4] = [
    Told {
        before_ms: 41 * DAY,
        kind: PostKind::Notice,
        title: "New opening hours of our support",
        impact: Impact::None,
        about: &[],
        said: &[
            (0, UpdateState::Notice, "From next Monday we answer from 7:00 to 19:00 UTC, on Saturdays until 13:00."),
            (7 * DAY, UpdateState::Resolved, "The new hours are in force."),
        ],
    },
    Told {
        before_ms: 20 * DAY,
        kind: PostKind::Incident,
        title: "Orders were confirmed late",
        impact: Impact::Partial,
        about: &["shop", "api"],
        said: &[
            (
                0,
                UpdateState::Investigating,
                "Confirmations of orders arrive up to an hour late. Orders themselves are safe.",
            ),
            (19 * MINUTE, UpdateState::Identified, "A queue was full after the database upgrade. It is being emptied."),
            (58 * MINUTE, UpdateState::Resolved, "All confirmations have been sent."),
        ],
    },
    Told {
        before_ms: 6 * DAY,
        kind: PostKind::Incident,
        title: "Wholesale portal out of reach",
        impact: Impact::Major,
        about: &["wholesale"],
        said: &[
            (
                0,
                UpdateState::Investigating,
                "The wholesale portal does not answer. Orders by telephone are taken as usual.",
            ),
            (12 * MINUTE, UpdateState::Monitoring, "It answers again; we are watching it."),
            (70 * MINUTE, UpdateState::Resolved, "It was a network card. It has been replaced."),
        ],
    },
    Told {
        before_ms: 109 * MINUTE,
        kind: PostKind::Incident,
        title: "Payments by card may fail",
        impact: Impact::Partial,
        about: &["checkout"],
        said: &[
            (0, UpdateState::Investigating, "Some payments by card are not accepted. Nothing is charged twice."),
            (
                26 * MINUTE,
                UpdateState::Identified,
                "Our payment supplier changed a part of his form. A new version of the cart is being tested; you can \
                 choose to pay by invoice meanwhile.",
            ),
        ],
    },
];

/// Publishes it.
pub(super) async fn publish(store: &Store, made: &Made) -> anyhow::Result<()> {
    let account = made.account.account_id;
    let pages = store.status_pages(account).await?;
    let page = pages.first().context("the file of the demo has no status page")?.status_page_id;
    for told in TOLD {
        let begin = made.end - told.before_ms;
        let Some(((_, state, said), later)) = told.said.split_first() else { continue };
        // What goes on is about what is open; what is over was said before anybody looked at the incident.
        let is_over = told.said.iter().any(|(_, state, _)| *state == UpdateState::Resolved);
        let incident = match told.about.first().filter(|_| !is_over) {
            Some(key) => store.open_incident_of(account, made.id(key)?).await?,
            None => None,
        };
        let draft = PostDraft {
            incident_id: incident.map(|incident| incident.incident_id),
            kind: told.kind,
            title: told.title.to_owned(),
            impact: told.impact,
            components: told.about.iter().map(|key| made.id(key)).collect::<anyhow::Result<_>>()?,
            state: *state,
            said: (*said).to_owned(),
        };
        let post = match store.publish(account, page, &draft, begin).await? {
            PostSaved::Saved(post, _) => post,
            other => bail!("{} could not be published: {other:?}", told.title),
        };
        for (after, state, said) in later {
            store.update_post(account, post, *state, said, begin + after).await?;
        }
    }
    Ok(())
}
