//! The database: whether it is there, what it is, how it is set, what time it has.

use probe::doctor::Finding;

use super::content::SILENT_MS;
use super::{Blind, Schema, look, with};
use crate::clock;
use crate::config::Config;
use crate::model::operator::HubReport;
use crate::store::{ClockFacts, DatabaseFacts, PostgresFacts, Store};

/// Of one hub: its pool, the one behind the wall, and the connection that listens.
const OF_A_HUB: i64 = 29;
/// Clocks that differ by more are worth a word, and more than worth that.
const NOTED_MS: i64 = 1_000;
const WRONG_MS: i64 = 60_000;
/// The oldest Postgres.
const OLDEST: i32 = 140_000;

/// Opens it, to look only.
pub(super) async fn open(config: &Config, found: &mut Vec<Finding>) -> Option<Store> {
    let area = "database";
    let opened = match &config.database_url {
        Some(url) => {
            let url = url.clone();
            let open = async move {
                Store::reach_postgres(url.expose()).await?;
                Store::open_postgres(url.expose()).await.map(Some)
            };
            look(open).await
        }
        None => {
            let directory = config.state_directory.clone();
            look(async move { Store::open_sqlite_to_look(&directory).await }).await
        }
    };
    match opened {
        Ok(Some(store)) => return Some(store),
        Ok(None) => found.push(Finding::warn(
            area,
            "there is no betteruptime.sqlite (yet)",
            "the hub makes it when it starts. If it has run before, STATE_DIRECTORY names another place here",
        )),
        Err(Blind { why, .. }) if config.database_url.is_some() => found.push(Finding::fail(
            area,
            why,
            "DATABASE_URL: is Postgres running, is its name right, may this user connect from here? psql \"$DATABASE_URL\" \
             asks the same",
        )),
        Err(Blind { why, .. }) => found.push(Finding::fail(
            area,
            why,
            "betteruptime.sqlite cannot be read by this user, or is damaged: go back to a backup (docs/OPERATIONS.md)",
        )),
    }
    None
}

/// How much of a schema it has: without one there is nothing in it.
pub(super) async fn examine(store: &Store, found: &mut Vec<Finding>) -> Schema {
    let asked = store.clone();
    let schema = match look(async move { asked.facts().await }).await {
        Ok(facts) => {
            found.push(version(&facts));
            found.push(version_of_schema(&facts));
            if let Some(postgres) = &facts.postgres {
                found.push(settings(postgres, hubs(store, &facts).await));
            }
            match facts.schema {
                None => Schema::Absent,
                Some(schema) if schema < facts.newest_schema => Schema::Behind,
                Some(_) => Schema::Whole,
            }
        }
        Err(Blind { why, .. }) => {
            let remedy = "the database answers, and does not say what it is: its log may tell more";
            found.push(Finding::fail("database", why, remedy));
            Schema::Absent
        }
    };
    if !store.is_sqlite() {
        let asked = store.clone();
        found.push(with("clock", schema, async move { asked.clock_facts().await }, clock).await);
    }
    schema
}

/// How many hubs run, one at least. Those that ended without a word are listed for a day, and need no connections.
async fn hubs(store: &Store, facts: &DatabaseFacts) -> i64 {
    let asked = store.clone();
    let hubs = if facts.schema.is_some() { look(async move { asked.hubs().await }).await } else { Ok(Vec::new()) };
    let now = clock::now();
    let run = |hubs: Vec<HubReport>| hubs.iter().filter(|hub| now.saturating_sub(hub.seen_at) < SILENT_MS).count();
    i64::try_from(hubs.map_or(1, run)).unwrap_or(i64::MAX).max(1)
}

fn version(facts: &DatabaseFacts) -> Finding {
    let too_old = facts.postgres.as_ref().is_some_and(|postgres| postgres.version_number < OLDEST);
    if too_old {
        let remedy = "Postgres 14 or newer is needed: update it";
        return Finding::fail("database", format!("{} answers", facts.version), remedy);
    }
    Finding::ok("database", format!("{} answers", facts.version))
}

fn version_of_schema(facts: &DatabaseFacts) -> Finding {
    let (area, newest) = ("schema", facts.newest_schema);
    if let Some(misfit) = &facts.misfit {
        return Finding::fail(area, misfit.to_string(), "docs/OPERATIONS.md: updates, and going back");
    }
    match facts.schema {
        None => Finding::warn(
            area,
            "there is no schema yet, or it is being made",
            "the hub makes it when it starts: try again when it has. Or: betteruptime-hub migrate",
        ),
        Some(schema) if schema < newest => Finding::warn(
            area,
            format!("version {schema}; this hub's is {newest}"),
            "the hub brings it up to date when it starts: try again when it has. Or: betteruptime-hub migrate",
        ),
        Some(schema) if schema > newest => Finding::warn(
            area,
            format!("version {schema} is of a newer hub than this one ({newest})"),
            "update this hub; until then both work beside each other",
        ),
        Some(schema) => Finding::ok(area, format!("version {schema}, up to date")),
    }
}

fn settings(facts: &PostgresFacts, hubs: i64) -> Finding {
    let area = "postgres";
    if facts.is_in_recovery {
        let remedy = "DATABASE_URL has to name the primary: this one follows it and takes no writes";
        return Finding::fail(area, "it is a standby", remedy);
    }
    let off: Vec<&str> = [
        ("fsync", facts.fsync),
        ("full_page_writes", facts.full_page_writes),
        ("synchronous_commit", facts.synchronous_commit),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| (!is_on).then_some(name))
    .collect();
    if !off.is_empty() {
        let remedy =
            "set it to on: what was acknowledged is lost in a power cut, and the database may be damaged by one";
        return Finding::fail(area, format!("off: {}", off.join(", ")), remedy);
    }
    let (has, needs) = (i64::from(facts.connections), hubs.saturating_mul(OF_A_HUB));
    let said = format!("durable; {has} connections, of which {hubs} hub(s) use up to {needs}");
    if needs > has {
        return Finding::fail(area, said, "set max_connections higher, or run fewer hubs");
    }
    Finding::ok(area, said)
}

fn clock(facts: Option<ClockFacts>) -> Finding {
    let area = "clock";
    let Some(ClockFacts { ahead_ms, error_ms }) = facts else {
        return Finding::ok(area, "there is one clock");
    };
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let off_ms = ahead_ms.saturating_abs().saturating_sub(error_ms).max(0);
    let said = format!("this machine's is {off_ms} ms {side} the database's (give or take {error_ms} ms)");
    let remedy = "hubs go by the database's clock. Set both by NTP (timedatectl)";
    match off_ms {
        ..NOTED_MS => Finding::ok(area, said),
        NOTED_MS..WRONG_MS => Finding::warn(area, said, remedy),
        _ => Finding::fail(area, said, remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::upgrade::Misfit;
    use probe::doctor::State;

    const GOOD: PostgresFacts = PostgresFacts {
        version_number: 150_018,
        fsync: true,
        full_page_writes: true,
        synchronous_commit: true,
        connections: 97,
        is_in_recovery: false,
    };

    fn facts(schema: Option<i64>, postgres: PostgresFacts) -> DatabaseFacts {
        DatabaseFacts {
            version: "Postgres 15.18".to_owned(),
            schema,
            newest_schema: 16,
            misfit: None,
            postgres: Some(postgres),
        }
    }

    #[test]
    fn settings_that_lose_what_was_acknowledged_are_wrong() {
        assert_eq!(settings(&GOOD, 1).state, State::Ok);
        assert_eq!(settings(&GOOD, 3).state, State::Ok, "87 of 97");
        for (found, hubs) in [
            (PostgresFacts { fsync: false, ..GOOD }, 1),
            (PostgresFacts { full_page_writes: false, ..GOOD }, 1),
            (PostgresFacts { synchronous_commit: false, ..GOOD }, 1),
            (PostgresFacts { is_in_recovery: true, ..GOOD }, 1),
            (GOOD, 4),
            (GOOD, i64::MAX),
        ] {
            let finding = settings(&found, hubs);
            assert!(finding.state == State::Fail && !finding.remedy.is_empty(), "{finding:?}");
        }
        let old = version(&facts(Some(16), PostgresFacts { version_number: 130_022, ..GOOD }));
        assert_eq!(old.state, State::Fail);
    }

    #[test]
    fn a_schema_is_this_versions_an_older_or_a_newer_one() {
        for (found, level) in
            [(None, State::Warn), (Some(15), State::Warn), (Some(16), State::Ok), (Some(17), State::Warn)]
        {
            assert_eq!(version_of_schema(&facts(found, GOOD)).state, level, "{found:?}");
        }
    }

    #[test]
    fn t291_a_schema_that_is_not_for_this_hub_is_wrong() {
        let misfit = Misfit::TooNew { found: 18, oldest: 18, newest: 16 };
        let finding = version_of_schema(&DatabaseFacts { misfit: Some(misfit), ..facts(Some(18), GOOD) });
        assert!(finding.state == State::Fail && finding.found.contains("migration 18"), "{finding:?}");
    }

    #[test]
    fn clocks_differ_by_more_than_the_answer_took() {
        let of = |ahead_ms, error_ms| clock(Some(ClockFacts { ahead_ms, error_ms })).state;
        assert_eq!((of(0, 1), of(-900, 1), of(3_000, 2_500)), (State::Ok, State::Ok, State::Ok));
        assert_eq!((of(-1_100, 5), of(59_000, 5)), (State::Warn, State::Warn));
        assert_eq!((of(61_000, 5), of(i64::MIN, 5)), (State::Fail, State::Fail));
        assert_eq!(clock(None).state, State::Ok);
    }
}
