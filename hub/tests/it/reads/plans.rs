//! What is wrong with the way to an answer: a whole table that grows was read, or many rows for few.

use std::collections::BTreeMap;

use super::Served;
use super::spy::Asked;

/// Tables that stay small, whatever is watched by how many and for how long; all others are read by a key. Of dead letters
/// housekeeping keeps a bounded number, and whoever counts them stops at a thousand.
const SMALL: [&str; 9] = [
    "region",
    "worker",
    "hub",
    "schedule_shift",
    "roll_up_progress",
    "listening",
    "listening_gap",
    "json_each",
    "dead_letter",
];
/// What goes on all the time looks through all channels for those that remind.
pub const ALL_THE_TIME: &str = "all the time";
/// Rows that one step may go through; the account that looks has 400 websites.
const ROWS: f64 = 1_200.0;

/// What a route reads by design: rows of a step, and tables that may be read whole.
struct Allowed {
    rows: f64,
    tables: &'static [&'static str],
}

fn allowed(path: &str) -> Allowed {
    let begins = |start: &str| path.split(['?', '.']).next() == Some(start);
    if begins("/reports") || begins("/api/v1/reports") {
        // The days of a group's websites, 20,000 at most, are what is shown. Here nobody else has any.
        return Allowed { rows: 20_000.0, tables: &["uptime_day", "roll_up"] };
    }
    if begins("/capacity") || begins("/api/v1/capacity") {
        // Sums over the installation, kept for five minutes; on SQLite "t" and "d" are the pages of a file that is not large.
        return Allowed { rows: f64::INFINITY, tables: &["website", "t", "d"] };
    }
    Allowed { rows: ROWS, tables: &[] }
}

/// What was found, once for each statement.
#[derive(Default)]
pub struct Bad(BTreeMap<String, String>);

impl Bad {
    pub async fn look(&mut self, served: &Served, path: &str, asked: &[Asked]) {
        for Asked { sql, plan } in asked {
            let is_looked_at = ["select", "with", "update", "delete"]
                .iter()
                .any(|word| sql.trim_start().to_lowercase().starts_with(word));
            if !is_looked_at || self.0.contains_key(sql) {
                continue;
            }
            let found = if served.dialect.is_postgres {
                of_postgres(path, plan).map(|what| (what, plan.clone()))
            } else {
                let plan = plan_of_sqlite(served, sql).await;
                of_sqlite(path, &plan).map(|what| (what, plan.join("\n")))
            };
            if let Some((what, plan)) = found {
                self.0.insert(sql.clone(), format!("{path}: {what}\n{sql}\n{plan}"));
            }
        }
    }

    pub fn none(self) {
        let all: Vec<String> = self.0.into_values().collect();
        assert!(all.is_empty(), "{} statements read more than they show:\n\n{}", all.len(), all.join("\n\n"));
    }
}

fn is_small(path: &str, table: &str) -> bool {
    SMALL.contains(&table) || (path == ALL_THE_TIME && table == "channel") || allowed(path).tables.contains(&table)
}

fn of_postgres(path: &str, plan: &str) -> Option<String> {
    for line in plan.lines() {
        let line = line.trim().trim_start_matches("->").trim();
        if let Some((_, table)) = line.split_once("Seq Scan on ") {
            let table = table.split_whitespace().next().unwrap_or_default();
            // A day in which nothing is yet has no pages, and costs nothing to read.
            if !is_small(path, table) && !line.contains("(cost=0.00..0.00 ") {
                return Some(format!("reads all of {table}"));
            }
        }
        if let Some((_, rows)) = line.split_once("(actual rows=") {
            let mut numbers = rows.split([' ', '=', ')']).filter_map(|word| word.parse::<f64>().ok());
            let (rows, loops) = (numbers.next().unwrap_or(0.0), numbers.next().unwrap_or(1.0));
            if rows * loops > allowed(path).rows {
                return Some(format!("{rows} rows, {loops} times"));
            }
        }
        if let Some(removed) = line.strip_prefix("Rows Removed by ") {
            let removed = removed.rsplit(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
            if removed > allowed(path).rows {
                return Some(format!("{removed} rows read in vain"));
            }
        }
    }
    None
}

async fn plan_of_sqlite(served: &Served, sql: &str) -> Vec<String> {
    let options = sqlx::sqlite::SqliteConnectOptions::new();
    let file = served.directory.path().join("betteruptime.sqlite");
    let pool = sqlx::SqlitePool::connect_with(options.filename(file)).await.unwrap();
    let explain = format!("explain query plan {sql}");
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(explain)).fetch_all(&pool).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    pool.close().await;
    super::spy::seen(false);
    plan.into_iter().map(|(.., step)| step).collect()
}

/// Indexes of what is open, waits or may run out alone: whoever looks after that reads all of them.
const OF_WHAT_GOES_ON: [&str; 12] = [
    "status_mail_due",
    "status_mail_dead",
    "status_subscriber_unconfirmed",
    "incident_newest_open",
    "incident_muted",
    "incident_grown",
    "incident_website_failing",
    "alert_due",
    "alert_waiting",
    "job_missing",
    "website_state_by_freshness",
    "website_state_down",
];

/// Tables are called as in the statement, and so is what a statement makes for itself.
fn of_sqlite(path: &str, plan: &[String]) -> Option<String> {
    let made: Vec<&str> = plan
        .iter()
        .filter_map(|step| step.strip_prefix("CO-ROUTINE ").or_else(|| step.strip_prefix("MATERIALIZE ")))
        .map(first)
        .collect();
    let is_fine = |scanned: &str| {
        let table = first(scanned);
        let is_made_here = table.starts_with('(') || table == "CONSTANT" || table.parse::<u32>().is_ok();
        let goes_on = scanned.split_whitespace().any(|word| OF_WHAT_GOES_ON.contains(&word));
        // "c" is a channel there.
        let name = if table == "c" { "channel" } else { table };
        is_made_here || made.contains(&table) || is_small(path, name) || (path == ALL_THE_TIME && goes_on)
    };
    let mut scanned = plan.iter().filter_map(|step| step.strip_prefix("SCAN "));
    scanned.find(|scanned| !is_fine(scanned)).map(|scanned| format!("reads all of {scanned}"))
}

fn first(words: &str) -> &str {
    words.split_whitespace().next().unwrap_or_default()
}
