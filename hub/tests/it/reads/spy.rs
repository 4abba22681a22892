//! What a database is asked, as the driver tells; and on Postgres how it went about each statement, as the server itself tells
//! (`auto_explain`). Nothing has to be listed: whatever a page asks is seen.

use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// A statement that was asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub sql: String,
    /// On Postgres: the plan it was done by, with the rows that were read.
    pub plan: String,
}

static STATEMENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static PLANS: Mutex<Vec<Asked>> = Mutex::new(Vec::new());

struct Spy;

#[derive(Default)]
struct Seen {
    message: String,
    summary: String,
    statement: String,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.statement = value.trim().to_owned(),
            _ => {}
        }
    }
}

impl<S: Subscriber> Layer<S> for Spy {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("sqlx::")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        match event.metadata().target() {
            "sqlx::query" => {
                let sql = if seen.statement.is_empty() { seen.summary } else { seen.statement };
                STATEMENTS.lock().unwrap().push(sql);
            }
            "sqlx::postgres::notice" => {
                let Some((_, told)) = seen.message.split_once("Query Text: ") else { return };
                let (sql, plan) = told.split_once('\n').unwrap_or((told, ""));
                PLANS.lock().unwrap().push(Asked { sql: sql.to_owned(), plan: plan.to_owned() });
            }
            _ => {}
        }
    }
}

/// From now on all that this process asks a database is seen: one test a process, as nextest runs them.
pub fn begin() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Spy)).expect("no other subscriber");
}

/// What was asked since the last look. On Postgres begins and ends of transactions are no statements.
pub fn seen(is_postgres: bool) -> Vec<Asked> {
    let statements = std::mem::take(&mut *STATEMENTS.lock().unwrap());
    let plans = std::mem::take(&mut *PLANS.lock().unwrap());
    if is_postgres {
        return plans;
    }
    let is_asked =
        |sql: &String| !["pragma", "begin", "commit"].iter().any(|word| sql.to_lowercase().starts_with(word));
    statements.into_iter().filter(is_asked).map(|sql| Asked { sql, plan: String::new() }).collect()
}
