//! How a handler declares what it is for.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::http::Method;

/// Describes a type to a generator.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Of a type.
pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What belongs together.
pub struct Group {
    /// For people.
    pub name: &'static str,
    /// In a sentence or two.
    pub about: &'static str,
    /// In the order in which they are told of.
    pub operations: &'static [Operation],
}

/// A method of a path.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Method.
    pub method: Method,
    /// As the table of routes has it.
    pub pattern: &'static str,
    /// What programs call it: `listWebsites`.
    pub id: &'static str,
    /// What it does, in a sentence or a few. The first is its title.
    pub about: &'static str,
    /// What its query may have.
    pub query: &'static [Parameter],
    /// What is sent.
    pub body: Option<Body>,
    /// Status of the answer when all is well.
    pub status: u16,
    /// What comes back then.
    pub answer: Answer,
    /// Statuses of trouble beside those that follow from the rest.
    pub also: &'static [u16],
    /// The thing has a revision, and `If-Match` is heeded.
    pub has_revision: bool,
}

/// What is sent: JSON.
#[derive(Clone, Copy)]
pub struct Body {
    /// Its type.
    pub schema: SchemaOf,
    /// Fields that must be there although the type, which is also that of changes, can do without.
    pub required: &'static [&'static str],
    /// Whether it may be left out altogether.
    pub is_optional: bool,
}

/// What comes back.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(SchemaOf),
    /// JSON, or CSV where `Accept` prefers that.
    JsonOrCsv(SchemaOf),
    /// CSV.
    Csv,
    /// A page, or a line of text.
    Text(&'static str),
}

/// A parameter of a query.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it may be.
    pub kind: ParameterKind,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub enum ParameterKind {
    /// A text; an empty one is as none.
    Text,
    /// A whole number.
    Number {
        /// At least.
        least: i64,
        /// At most.
        most: i64,
        /// When nothing is said.
        default: i64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An instant, or a day.
    Instant,
    /// The name of a thing.
    Id,
    /// A cursor.
    Cursor,
    /// `true` or `false`.
    Bool,
}

/// One parameter.
#[must_use]
pub const fn parameter(name: &'static str, about: &'static str, kind: ParameterKind) -> Parameter {
    Parameter { name, about, kind }
}

impl Parameter {
    /// Of lists.
    pub const LIMIT: Self = parameter(
        "limit",
        "How many entries at most.",
        ParameterKind::Number {
            least: 1,
            most: crate::http::api::cursor::MOST,
            default: crate::http::api::cursor::LIMIT,
        },
    );
    /// Of lists.
    pub const AFTER: Self = parameter("after", "Where to go on: `next` of the page before.", ParameterKind::Cursor);
    /// Of times.
    pub const FROM: Self = parameter("from", "Since when.", ParameterKind::Instant);
    /// Of times.
    pub const TO: Self = parameter("to", "Until when.", ParameterKind::Instant);
}

impl Operation {
    const fn new(method: Method, pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self {
            method,
            pattern,
            id,
            about,
            query: &[],
            body: None,
            status: 200,
            answer: Answer::Nothing,
            also: &[],
            has_revision: false,
        }
    }

    /// GET.
    #[must_use]
    pub const fn get(pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self::new(Method::Get, pattern, id, about)
    }

    /// POST.
    #[must_use]
    pub const fn post(pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self::new(Method::Post, pattern, id, about)
    }

    /// PUT.
    #[must_use]
    pub const fn put(pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self::new(Method::Put, pattern, id, about)
    }

    /// PATCH.
    #[must_use]
    pub const fn patch(pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self::new(Method::Patch, pattern, id, about)
    }

    /// DELETE, with 204.
    #[must_use]
    pub const fn delete(pattern: &'static str, id: &'static str, about: &'static str) -> Self {
        Self::new(Method::Delete, pattern, id, about).status(204)
    }

    /// With a query.
    #[must_use]
    pub const fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// With a body; these of its fields must be there beside those that the type asks for.
    #[must_use]
    pub const fn body(self, schema: SchemaOf, required: &'static [&'static str]) -> Self {
        Self { body: Some(Body { schema, required, is_optional: false }), ..self }
    }

    /// With a body that may be left out.
    #[must_use]
    pub const fn optional_body(self, schema: SchemaOf) -> Self {
        Self { body: Some(Body { schema, required: &[], is_optional: true }), ..self }
    }

    /// With another status than 200.
    #[must_use]
    pub const fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Answers with JSON.
    #[must_use]
    pub const fn json(self, schema: SchemaOf) -> Self {
        self.answer(Answer::Json(schema))
    }

    /// Answers so.
    #[must_use]
    pub const fn answer(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }

    /// May also end in these.
    #[must_use]
    pub const fn also(self, also: &'static [u16]) -> Self {
        Self { also, ..self }
    }

    /// Heeds `If-Match`.
    #[must_use]
    pub const fn revision(self) -> Self {
        Self { has_revision: true, ..self }
    }

    /// Its first sentence.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.about.split_once(". ").map_or(self.about, |(title, _)| title).trim_end_matches('.')
    }
}
