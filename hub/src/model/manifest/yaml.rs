//! YAML as a tree that knows its lines. Anchors and merge keys (`<<`) are followed, within bounds: a file of a few lines can
//! ask for a billion nodes.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::problem::Problems;

/// Nodes of a tree, those that anchors repeat or keep counted each time; so does each such piece of text.
const MOST_NODES: usize = 400_000;
const PIECE_BYTES: usize = 64;
/// Lists and maps inside one another.
const DEEPEST: usize = 40;
/// Names of one map: each is looked for among the others.
const MOST_NAMES: usize = 2_000;

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::model) struct Node {
    /// Where it begins, from 1.
    pub(in crate::model) line: usize,
    /// What stands there.
    pub(in crate::model) value: Value,
}

/// What stands in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::model) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text, number or word; `plain`: without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; names are unique.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The part of that name of a map.
    pub(in crate::model) fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// A text, number or word.
    pub(in crate::model) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What a copy of it takes: its nodes, and its texts in pieces.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Null => 0,
            Value::Scalar { text, .. } => text.len() / PIECE_BYTES,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => {
                entries.iter().map(|(name, node)| name.len() / PIECE_BYTES + node.size()).sum::<usize>()
            }
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar { .. } => 0,
            Value::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|(_, node)| node.depth()).max().unwrap_or(0),
        }
    }

    /// The same as JSON: what is not in quotes and reads as JSON is that, all else is text.
    pub(in crate::model) fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar { text, plain: true } => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
            Value::Scalar { text, plain: false } => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(name, node)| (name.clone(), node.json())).collect())
            }
        }
    }
}

struct Frame {
    line: usize,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map { entries: Vec<(String, Node)>, merged: Vec<Node>, name: Option<Name> },
}

/// What stands before a colon.
struct Name {
    text: String,
    line: usize,
    /// `<<`, not in quotes.
    is_merge: bool,
}

/// The tree of a text. `None`, with the reason: it is no YAML, or no file of ours could look so.
pub(in crate::model) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    if text.len() > super::MOST_BYTES {
        problems.add(0, "", "", format!("The file has more than {} MiB; split it.", super::MOST_BYTES / (1024 * 1024)));
        return None;
    }
    let (mut stack, mut anchors, mut nodes): (Vec<Frame>, HashMap<usize, Node>, usize) = Default::default();
    let mut root: Option<Node> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let line = error.marker().line();
                problems.add(line, "", "", format!("This is no YAML: {}.", error.info()));
                return None;
            }
        };
        let line = span.start.line();
        let (node, anchor) = match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::DocumentStart(_) if root.is_none() => continue,
            Event::DocumentStart(_) => {
                problems.add(line, "", "", "A second document begins here; keep one in a file.");
                return None;
            }
            Event::SequenceStart(anchor, _) => {
                stack.push(Frame { line, anchor, inside: Inside::List(Vec::new()) });
                if stack.len() > DEEPEST {
                    problems.add(line, "", "", "Too many lists and maps inside one another.");
                    return None;
                }
                continue;
            }
            Event::MappingStart(anchor, _) => {
                stack.push(Frame {
                    line,
                    anchor,
                    inside: Inside::Map { entries: Vec::new(), merged: Vec::new(), name: None },
                });
                if stack.len() > DEEPEST {
                    problems.add(line, "", "", "Too many lists and maps inside one another.");
                    return None;
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Frame { line, anchor, inside }) = stack.pop() else { continue };
                let value = match inside {
                    Inside::List(items) => Value::List(items),
                    Inside::Map { entries, merged, .. } => Value::Map(merge(entries, merged, problems)),
                };
                (Node { line, value }, anchor)
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    // What it stands before may be a secret.
                    problems.add(line, "", "", "Leave the tag (the word with ! in front) out.");
                }
                let plain = style == ScalarStyle::Plain;
                let is_null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Scalar { text: text.into_owned(), plain } };
                (Node { line, value }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(meant) = anchors.get(&anchor) else {
                    problems.add(line, "", "", "This refers to something that it is a part of.");
                    return None;
                };
                nodes += meant.size();
                if stack.len() + meant.depth() > DEEPEST {
                    problems.add(line, "", "", "Too many lists and maps inside one another.");
                    return None;
                }
                // Copied only when there is room for it.
                let value = if nodes > MOST_NODES { Value::Null } else { meant.value.clone() };
                (Node { line, value }, 0)
            }
        };
        nodes += 1 + if anchor > 0 { node.size() } else { 0 };
        if nodes > MOST_NODES {
            problems.add(line, "", "", "This says too much, or refers to itself too often; split the file.");
            return None;
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match stack.last_mut().map(|frame| &mut frame.inside) {
            None => root = Some(node),
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Map { entries, merged, name }) => match name.take() {
                Some(Name { is_merge: true, .. }) => merged.push(node),
                Some(Name { line, .. }) if entries.len() >= MOST_NAMES => {
                    problems.add(line, "", "", "This map has too many names.");
                    return None;
                }
                Some(Name { text, line, .. }) => {
                    if entries.iter().any(|(known, _)| *known == text) {
                        problems.add(line, "", &text, "This is said twice; keep one of them.");
                    } else {
                        entries.push((text, node));
                    }
                }
                None => match node.value {
                    Value::Scalar { text, plain } => *name = Some(Name { is_merge: plain && text == "<<", text, line }),
                    Value::Null | Value::List(_) | Value::Map(_) => {
                        problems.add(line, "", "", "A name is expected here, before a colon.");
                        return None;
                    }
                },
            },
        }
    }
    if root.is_none() {
        problems.add(0, "", "", "The file is empty.");
    }
    root
}

/// A map with what `<<` takes over; what it says itself counts for more.
fn merge(mut own: Vec<(String, Node)>, merged: Vec<Node>, problems: &mut Problems) -> Vec<(String, Node)> {
    for node in merged {
        let line = node.line;
        let maps = match node.value {
            Value::List(items) => items,
            Value::Null | Value::Scalar { .. } | Value::Map(_) => vec![node],
        };
        for map in maps {
            let Value::Map(entries) = map.value else {
                problems.add(line, "<<", "", "Only maps can be taken over.");
                continue;
            };
            for (name, node) in entries {
                if own.iter().all(|(known, _)| *known != name) {
                    own.push((name, node));
                }
            }
        }
    }
    own
}
