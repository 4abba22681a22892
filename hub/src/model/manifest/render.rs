//! A plan for people, in columns, and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::plan::{Action, FieldChange, Item, Plan};

/// Of what is left alone so many are named.
const NAMED: usize = 20;
/// Characters of a value.
const SHOWN: usize = 120;

/// In columns; `coloured` with the signs that terminals know.
#[must_use]
pub fn as_text(plan: &Plan, coloured: bool) -> String {
    let told = |item: &&Item| item.action != Action::Keep;
    let items: Vec<&Item> = plan.items.iter().filter(told).collect();
    let mut text = String::new();
    let width = |of: fn(&Item) -> usize| items.iter().map(|item| of(item)).max().unwrap_or(0);
    let (kinds, keys) = (width(|item| item.kind.as_str().len()), width(|item| item.key.chars().count()));
    for item in &items {
        let (sign, colour, end) = match item.action {
            Action::Add => ('+', "32", ""),
            Action::Change => ('~', "33", ""),
            Action::Remove => ('-', "31", ""),
            Action::Leave => ('-', "2", "  (not in the file any more; --prune removes it)"),
            Action::TakeOver => ('=', "36", "  (as it should be; kept in the file from now on)"),
            Action::Keep => (' ', "0", ""),
        };
        let line = format!("{sign} {:<kinds$}  {:<keys$}  {}{end}", item.kind.as_str(), item.key, clean(&item.title));
        let line = line.trim_end();
        let _ = if coloured { writeln!(text, "\u{1b}[{colour}m{line}\u{1b}[0m") } else { writeln!(text, "{line}") };
        if item.action == Action::Change {
            let fields = item.changes.iter().map(|change| change.field.chars().count()).max().unwrap_or(0);
            for FieldChange { field, from, to } in &item.changes {
                let is_secret = from == to;
                let value = |value: &Option<String>| value.as_deref().map_or("(nothing)".to_owned(), clean);
                let _ = match is_secret {
                    true => writeln!(text, "    {field:<fields$}  (another secret)"),
                    false => writeln!(text, "    {field:<fields$}  {} -> {}", value(from), value(to)),
                };
            }
        }
    }
    if !items.is_empty() {
        text.push('\n');
    }
    let count = |action| plan.count(action);
    let _ = writeln!(
        text,
        "To add: {}. To change: {}. To remove: {}. As they should be: {}.",
        count(Action::Add),
        count(Action::Change),
        count(Action::Remove),
        count(Action::Keep) + count(Action::TakeOver),
    );
    if !plan.unmanaged.is_empty() {
        let names: Vec<String> =
            plan.unmanaged.iter().take(NAMED).map(|item| format!("{} {}", item.kind, item.key)).collect();
        let more = plan.unmanaged.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let _ = writeln!(text, "Not in this file and left alone: {}{more}.", names.join(", "));
    }
    if !plan.unset.is_empty() {
        let _ = writeln!(text, "Not set here, so what is stored stays: {}.", plan.unset.join(", "));
    }
    for note in &plan.notes {
        let _ = writeln!(text, "Note: {note}.");
    }
    text
}

/// Without what could move a terminal's cursor, and not too long.
fn clean(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// As JSON, with everything.
#[must_use]
pub fn as_json(plan: &Plan, account: &str) -> Value {
    let action = |action: Action| match action {
        Action::Add => "add",
        Action::Change => "change",
        Action::Remove => "remove",
        Action::Leave => "leave",
        Action::TakeOver => "take_over",
        Action::Keep => "keep",
    };
    let field = |change: &FieldChange| json!({"field": change.field, "from": change.from, "to": change.to});
    let item = |item: &Item| {
        json!({
            "action": action(item.action),
            "kind": item.kind.as_str(),
            "key": item.key,
            "title": item.title,
            "id": (item.action != Action::Add).then_some(item.id),
            "changes": item.changes.iter().map(field).collect::<Vec<_>>(),
        })
    };
    json!({
        "account": account,
        "name": plan.name,
        "is_drift": plan.is_drift(),
        "items": plan.items.iter().map(item).collect::<Vec<_>>(),
        "unmanaged": plan.unmanaged.iter().map(item).collect::<Vec<_>>(),
        "secrets_not_set": plan.unset,
        "notes": plan.notes,
    })
}
