//! Secrets stand in no file: it says where they are.

use std::fmt;

use super::fields::Fields;
use super::problem::Problems;
use super::yaml::{Node, Value};
use crate::model::SecretText;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a variable of the environment.
    Env(String),
    /// In a file, as its whole content without the last line break.
    File(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => f.write_str(name),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// Looks a secret up. Inside, `None`: it is not set, and what is stored stays. The error says what is wrong, and no value.
pub type Secrets<'a> = dyn Fn(&Reference) -> Result<Option<SecretText>, String> + 'a;

/// What a file says of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing.
    Absent,
    /// Where it is, and it is not there.
    Unset,
    /// This.
    Value(SecretText),
}

impl Given {
    /// As inputs take it: empty means what is stored.
    pub(super) fn input(self) -> SecretText {
        match self {
            Self::Absent | Self::Unset => SecretText::default(),
            Self::Value(secret) => secret,
        }
    }
}

const REMEDY: &str = "A secret does not stand in the file: write where it is, as {env: NAME} or {file: path}.";

/// A secret that stands in `fields` under `name`.
pub(super) fn given(fields: &Fields<'_>, name: &str, look: &mut Look<'_>, problems: &mut Problems) -> Given {
    match fields.node(name) {
        None => Given::Absent,
        Some(node) => given_as(node, &fields.place(name), look, problems),
    }
}

/// The same of a part of a file.
pub(super) fn given_as(node: &Node, place: &str, look: &mut Look<'_>, problems: &mut Problems) -> Given {
    let reference = match &node.value {
        Value::Null => return Given::Absent,
        Value::Map(entries) => match entries.as_slice() {
            [(name, value)] => value.text().map(|text| (name.as_str(), text.to_owned())),
            _ => None,
        },
        Value::Scalar { .. } | Value::List(_) => None,
    };
    let reference = match reference {
        Some(("env", name)) if is_variable(&name) => Reference::Env(name),
        Some(("file", path)) if !path.is_empty() => Reference::File(path),
        // What was found may be the secret.
        Some(_) | None => {
            problems.add(node.line, place, "", REMEDY);
            return Given::Unset;
        }
    };
    match (look.secrets)(&reference) {
        Ok(Some(secret)) => Given::Value(secret),
        Ok(None) => {
            look.unset.push(reference.to_string());
            Given::Unset
        }
        Err(remedy) => {
            problems.add(node.line, place, &reference.to_string(), remedy);
            Given::Unset
        }
    }
}

fn is_variable(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Looking up, and what was not there.
pub(super) struct Look<'a> {
    pub(super) secrets: &'a Secrets<'a>,
    pub(super) unset: Vec<String>,
}
