//! A map of a file, field by field, each with its line.

use super::problem::Problems;
use super::yaml::{Node, Value};

/// The fields of a map.
pub(super) struct Fields<'a> {
    node: Option<&'a Node>,
    line: usize,
    place: String,
}

impl<'a> Fields<'a> {
    /// Those of `node`, of which `known` are allowed.
    pub(super) fn of(node: &'a Node, place: &str, known: &[&str], problems: &mut Problems) -> Self {
        let fields = Self { node: Some(node), line: node.line, place: place.to_owned() };
        match &node.value {
            Value::Map(entries) => {
                for (name, value) in entries.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
                    let remedy = format!("There is no such field; there are: {}.", known.join(", "));
                    problems.add(value.line, fields.place(name), "", remedy);
                }
            }
            Value::Null => {}
            Value::Scalar { .. } | Value::List(_) => {
                problems.add(node.line, place, "", format!("A map is expected here, of: {}.", known.join(", ")));
            }
        }
        fields
    }

    /// Those of the map that stands in a field.
    pub(super) fn within(&self, name: &str, known: &[&str], problems: &mut Problems) -> Self {
        match self.node(name) {
            Some(node) => Self::of(node, &self.place(name), known, problems),
            None => Self { node: None, line: self.line, place: self.place(name) },
        }
    }

    /// What a field is called in a problem.
    pub(super) fn place(&self, name: &str) -> String {
        let joint = if self.place.ends_with('"') { ", " } else { "." };
        match self.place.as_str() {
            "" => name.to_owned(),
            place => format!("{place}{joint}{name}"),
        }
    }

    /// The line of a field, or of the map where it is not given.
    pub(super) fn line(&self, name: &str) -> usize {
        self.node(name).map_or(self.line, |node| node.line)
    }

    /// What stands in a field; `None`: nothing.
    pub(super) fn node(&self, name: &str) -> Option<&'a Node> {
        self.node?.get(name).filter(|node| node.value != Value::Null)
    }

    /// A text or number; empty where nothing is given.
    pub(super) fn text(&self, name: &str, problems: &mut Problems) -> String {
        let Some(node) = self.node(name) else { return String::new() };
        let text = node.text();
        if text.is_none() {
            problems.add(node.line, self.place(name), "", "A text or a number is expected here.");
        }
        text.unwrap_or_default().to_owned()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str, problems: &mut Problems) -> Option<bool> {
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar { text, plain: true } if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Scalar { text, plain: true } if text.eq_ignore_ascii_case("false") => Some(false),
            Value::Null | Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                problems.add(node.line, self.place(name), node.text().unwrap_or_default(), "Write true or false.");
                None
            }
        }
    }

    /// The parts of a list; a single value is a list of one.
    pub(super) fn list(&self, name: &str) -> Vec<&'a Node> {
        match self.node(name) {
            None => Vec::new(),
            Some(Node { value: Value::List(items), .. }) => items.iter().collect(),
            Some(one) => vec![one],
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str, problems: &mut Problems) -> Vec<String> {
        let mut texts = Vec::new();
        for node in self.list(name) {
            match node.text() {
                Some(text) => texts.push(text.to_owned()),
                None => problems.add(node.line, self.place(name), "", "A list of texts is expected here."),
            }
        }
        texts
    }
}
