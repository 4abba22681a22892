//! The log of who changed what: what a line is, how a route is told in words, what of a change is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::api_key::ApiKeyId;
use super::message::words::{masked, rfc3339};
use super::report::cell;
use super::{AccountId, UtcMs};

mod what;

pub use what::{is_own, what};

/// Lines are kept for so long.
pub const KEPT_MS: i64 = 400 * 86_400_000;
/// What stands in the place of what is not kept.
const HIDDEN: &str = "(hidden)";
/// Of one line.
const MOST_CHANGES: usize = 40;
const VALUE_CHARS: usize = 200;

/// A field that is another than before. No secret is ever in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name, as the API has it.
    pub field: String,
    /// Before; empty: there was nothing.
    pub old: String,
    /// Now; empty: there is nothing.
    pub new: String,
}

impl FieldChange {
    /// A change that may be shown. Of an address the query is left out, for it may be a secret.
    #[must_use]
    pub fn new(field: &str, old: &str, new: &str) -> Self {
        Self { field: shortened(field), old: shortened(&masked(old)), new: shortened(&masked(new)) }
    }

    /// A change of what is nobody's to see: that there was one.
    #[must_use]
    pub fn hidden(field: &str) -> Self {
        Self { field: shortened(field), old: HIDDEN.to_owned(), new: HIDDEN.to_owned() }
    }

    /// How two objects differ, of which neither has a secret. Both are as the API shows them.
    #[must_use]
    pub fn between(old: &Value, new: &Value) -> Vec<Self> {
        let empty = serde_json::Map::new();
        let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
        let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
        names.retain(|name| old.get(*name).unwrap_or(&Value::Null) != new.get(*name).unwrap_or(&Value::Null));
        let words = |value: Option<&Value>| match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
        };
        let change = |name: &String| Self::new(name, &words(old.get(name)), &words(new.get(name)));
        names.into_iter().take(MOST_CHANGES).map(change).collect()
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(VALUE_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// What somebody did, before it is a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deed {
    /// Whose things it is about; `None`: the installation's, or nobody's who is there any more.
    pub account: Option<AccountId>,
    /// Who did it; `None`: nobody who is known.
    pub person_id: Option<AccountId>,
    /// His name then; in words where it is nobody's.
    pub person: String,
    /// With which key.
    pub api_key_id: Option<ApiKeyId>,
    /// Its name then.
    pub key_name: String,
    /// From where.
    pub address: String,
    /// Method and pattern of the route, or the command.
    pub route: String,
    /// What was done: added, changed, deleted.
    pub action: String,
    /// To what: website, channel.
    pub kind: String,
    /// Which one; empty where there is no one.
    pub object_id: String,
    /// Its name then, where it is known.
    pub object: String,
    /// What is another than before.
    pub changes: Vec<FieldChange>,
}

impl Deed {
    /// Something a command did, for the installation. `by`: who was signed in to the machine, as far as that is known.
    #[must_use]
    pub fn of_command(command: &str, by: &str, action: &str, kind: &str, object: &str) -> Self {
        let by: String = by.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(32).collect();
        Self {
            person: if by.is_empty() { "command line".to_owned() } else { format!("command line ({by})") },
            route: command.to_owned(),
            action: action.to_owned(),
            kind: kind.to_owned(),
            object: shortened(object),
            ..Self::default()
        }
    }

    /// Wrong passwords of an hour, as one line that counts. `account`: whose name was given; `None`: nobody's.
    #[must_use]
    pub fn of_wrong_password(account: Option<(AccountId, &str)>, address: String) -> Self {
        let name = account.map_or("names nobody has", |(_, name)| name);
        Self {
            account: account.map(|(id, _)| id),
            person: "somebody".to_owned(),
            address,
            route: "POST /signin".to_owned(),
            action: "gave a wrong password".to_owned(),
            kind: "session".to_owned(),
            object: name.to_owned(),
            ..Self::default()
        }
    }

    /// Wrong codes of an hour, each after the right password, as one line that counts.
    #[must_use]
    pub fn of_wrong_code(account: AccountId, username: &str, address: String) -> Self {
        Self {
            route: "POST /signin/code".to_owned(),
            action: "gave the password and a wrong code".to_owned(),
            ..Self::of_wrong_password(Some((account, username)), address)
        }
    }

    /// As it may be stored: every text within its bound.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [
            &mut self.person,
            &mut self.key_name,
            &mut self.address,
            &mut self.route,
            &mut self.action,
            &mut self.kind,
            &mut self.object_id,
            &mut self.object,
        ] {
            *text = shortened(text);
        }
        self.object = masked(&self.object);
        self.changes.truncate(MOST_CHANGES);
        self
    }
}

/// The line of an hour that counts what would else be many: its id is made of what it counts, and of which of several lines it
/// is.
#[must_use]
pub fn counting_id(account: Option<AccountId>, action: &str, at: UtcMs, part: u8) -> Uuid {
    let of = account.map_or(Uuid::nil(), |account| account.0);
    Uuid::new_v5(&of, format!("{action}/{}/{part}", at.div_euclid(3_600_000)).as_bytes())
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Key.
    pub audit_id: Uuid,
    /// When; of what is counted, the last time.
    pub at: UtcMs,
    /// What.
    pub deed: Deed,
    /// How often, within an hour.
    pub times: i64,
}

impl AuditLine {
    /// Its place.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor { at: self.at, id: self.audit_id }
    }
}

/// A place in the log, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor {
    /// When the last one seen happened.
    pub at: UtcMs,
    /// Which it was.
    pub id: Uuid,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id.simple())
    }
}

impl FromStr for AuditCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        Ok(Self { at: at.parse().map_err(|_| ())?, id: Uuid::try_parse(id).map_err(|_| ())? })
    }
}

/// Which lines: all that fit what is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this kind of thing.
    pub kind: Option<String>,
    /// By this person.
    pub person: Option<String>,
    /// About this thing.
    pub object_id: Option<String>,
}

/// Kinds one may look for on the page; there may be others.
pub const KINDS: [&str; 18] = [
    "website",
    "job",
    "incident",
    "channel",
    "alert",
    "maintenance",
    "schedule",
    "key",
    "member",
    "invitation",
    "team",
    "session",
    "password",
    "factor",
    "account",
    "probe",
    "dead letter",
    "signing key",
];

/// The columns, whose names and meaning stay; new ones come at the end.
const COLUMNS: [&str; 13] = [
    "at",
    "person",
    "person_id",
    "key",
    "key_id",
    "address",
    "action",
    "kind",
    "object_id",
    "object",
    "changes",
    "times",
    "route",
];

/// The line of names of a table for spreadsheets.
#[must_use]
pub fn csv_head() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

/// A line of it. No cell is one that a spreadsheet would take for a formula.
#[must_use]
pub fn csv_line(line: &AuditLine) -> String {
    let deed = &line.deed;
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let changes: Vec<String> =
        deed.changes.iter().map(|change| format!("{}: {} -> {}", change.field, change.old, change.new)).collect();
    let cells: [String; COLUMNS.len()] = [
        rfc3339(line.at),
        deed.person.clone(),
        id(deed.person_id.map(|id| id.0)),
        deed.key_name.clone(),
        id(deed.api_key_id.map(|id| id.0)),
        deed.address.clone(),
        deed.action.clone(),
        deed.kind.clone(),
        deed.object_id.clone(),
        deed.object.clone(),
        changes.join("; "),
        line.times.to_string(),
        deed.route.clone(),
    ];
    format!("{}\r\n", cells.map(|text| cell(&text)).join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_told_and_an_address_loses_its_query() {
        let old = json!({"url": "https://a.example/?token=hunter2", "interval_s": 60, "regions": ["A", "B"], "paused": false, "gone": 1});
        let new = json!({"url": "https://b.example/?token=hunter3", "interval_s": 30, "regions": ["A"], "paused": false, "goal": "99.9"});
        let changes = FieldChange::between(&old, &new);
        let told: Vec<_> = changes.iter().map(|c| format!("{}={}>{}", c.field, c.old, c.new)).collect();
        let mut told: Vec<_> = told.iter().map(String::as_str).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "goal=>99.9",
                "gone=1>",
                "interval_s=60>30",
                "regions=A, B>A",
                "url=https://a.example/?…>https://b.example/?…"
            ]
        );
        assert!(FieldChange::between(&json!(null), &json!([1])).is_empty());
        assert!(!format!("{:?}", FieldChange::hidden("password")).contains("hunter"));
    }

    #[test]
    fn a_line_is_bounded_whatever_was_done() {
        let deed = Deed { object: "\u{e9}".repeat(10_000), route: "a\r\nb".to_owned(), ..Deed::default() };
        let deed = Deed { changes: vec![FieldChange::new("f", &"x".repeat(9_999), "\0"); 500], ..deed }.bounded();
        assert!(deed.object.chars().count() <= 201 && deed.changes.len() == 40 && deed.changes[0].old.len() < 210);
        assert_eq!((deed.route.as_str(), deed.changes[0].new.as_str()), ("a  b", " "));
        assert_eq!(Deed::of_command("user create", "ro;ot\n", "added", "account", "ann").person, "command line (root)");
    }

    #[test]
    fn a_cell_is_no_formula_and_a_line_no_two() {
        let deed = Deed { person: "=cmd()".to_owned(), object: "a,\"b\"".to_owned(), ..Deed::default() };
        let line = AuditLine { audit_id: Uuid::nil(), at: 0, deed, times: 1 };
        let text = csv_line(&line);
        assert!(text.contains(",'=cmd(),") && text.contains("\"a,\"\"b\"\"\"") && text.ends_with("\r\n"), "{text}");
        assert_eq!(csv_head().matches(',').count(), 12);
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = AuditCursor { at: 17, id: Uuid::from_u128(5) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("".parse::<AuditCursor>().is_err() && "1_".parse::<AuditCursor>().is_err());
    }

    #[test]
    fn an_hour_of_wrong_passwords_is_one_line() {
        let ann = Some(AccountId(Uuid::from_u128(1)));
        assert_eq!(counting_id(ann, "x", 3_600_000, 0), counting_id(ann, "x", 7_199_999, 0));
        assert_ne!(counting_id(ann, "x", 3_600_000, 0), counting_id(ann, "x", 7_200_000, 0));
        assert_ne!(counting_id(ann, "x", 0, 0), counting_id(None, "x", 0, 0));
        // Who gives a wrong code knows the password: that is another line.
        let ann = AccountId(Uuid::from_u128(1));
        let password = Deed::of_wrong_password(Some((ann, "ann")), String::new());
        let code = Deed::of_wrong_code(ann, "ann", String::new());
        assert_eq!((code.account, code.object.as_str()), (Some(ann), "ann"));
        assert_ne!(code.action, password.action);
    }
}
