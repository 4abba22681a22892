//! The OpenAPI document: built once, from the operations and the table of routes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Operation, Parameter, ParameterKind, of};
use super::{groups, operation};
use crate::http::access::Needs;
use crate::http::error::Problem;
use crate::http::route::{Kind, ROUTES};
use crate::http::{Method, route};

/// As it is served.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

fn document() -> Value {
    let settings =
        || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
    // What is answered always has its fields; of what is sent some may be left out.
    let mut told = settings().for_serialize().into_generator();
    let mut asked = settings().for_deserialize().into_generator();
    let mut paths = Map::new();
    for group in groups() {
        for one in group.operations {
            let path: String = one.pattern.split('/').map(segment).collect::<Vec<_>>().join("/");
            let described = described(one, group.name, &mut told, &mut asked);
            if let Value::Object(path) = paths.entry(path).or_insert_with(|| Value::Object(Map::new())) {
                path.insert(one.method.as_str().to_ascii_lowercase(), described);
            }
        }
    }
    let mut schemas = asked.take_definitions(true);
    schemas.extend(told.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "BetterUptime",
            "version": "1",
            "summary": "Website monitoring: what is watched, what was found, who is told.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": groups().iter().map(|group| json!({"name": group.name, "description": group.about})).collect::<Vec<_>>(),
        "security": [{"bearer": []}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or the token of a session."},
                "token": {"type": "apiKey", "in": "header", "name": "token", "description": "The same, in a header of its own."},
            },
        },
    })
}

const ABOUT: &str = "Times are RFC 3339 in UTC, durations have their unit in the name. Lists come in pages: follow `next`, or \
    `Link` with `rel=\"next\"`. Trouble is a problem document (RFC 9457) which names field, what was found and what would work.";

fn segment(part: &str) -> String {
    part.strip_prefix(':').map_or_else(|| part.to_owned(), |name| format!("{{{name}}}"))
}

fn needs_of(one: &Operation) -> (Needs, Kind) {
    ROUTES
        .iter()
        .find(|route| (route.method, route.pattern) == (one.method, one.pattern))
        .map_or((Needs::Nothing, Kind::Open), |route| (route.needs, route.kind))
}

fn described(one: &Operation, group: &str, told: &mut SchemaGenerator, asked: &mut SchemaGenerator) -> Value {
    let (needs, _) = needs_of(one);
    let mut parameters: Vec<Value> =
        one.pattern.split('/').filter_map(|part| part.strip_prefix(':')).map(in_path).collect();
    parameters.extend(one.query.iter().map(in_query));
    parameters.extend(in_headers(one));
    let mut described = json!({
        "operationId": one.id,
        "tags": [group],
        "summary": one.title(),
        "description": one.about,
        "parameters": parameters,
        "responses": responses(one, needs, told),
    });
    if let Some(body) = one.body {
        let mut schema = (body.schema)(asked).to_value();
        if !body.required.is_empty() {
            schema = json!({"allOf": [schema, {"required": body.required}]});
        }
        described["requestBody"] = json!({
            "required": !body.is_optional,
            "content": {"application/json": {"schema": schema}},
        });
    }
    if needs == Needs::Nothing {
        described["security"] = json!([]);
    }
    described
}

fn in_path(name: &str) -> Value {
    let schema = match name {
        "id" => json!({"type": "string", "format": "uuid"}),
        _ => json!({"type": "string", "minLength": 1}),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn in_query(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterKind::Text => json!({"type": "string"}),
        ParameterKind::Number { least, most, default } => {
            json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
        }
        ParameterKind::OneOf(words) => json!({"type": "string", "enum": words}),
        ParameterKind::Instant => json!({"type": "string", "examples": ["2026-11-01T12:00:00Z"]}),
        ParameterKind::Id => json!({"type": "string", "format": "uuid"}),
        ParameterKind::Cursor => json!({"type": "string", "maxLength": 256}),
        ParameterKind::Bool => json!({"type": "boolean"}),
    };
    json!({"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema})
}

fn in_headers(one: &Operation) -> Vec<Value> {
    let mut headers = Vec::new();
    if is_once(one) {
        headers.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "A random text of your own, for example a UUID: sent again within 24 hours, the same request has the same \
                answer, and nothing is done twice.",
            "schema": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[!-~]{16,128}$"},
        }));
    }
    if one.has_revision {
        headers.push(json!({
            "name": "If-Match", "in": "header",
            "description": "The ETag that came with it, or its revision in quotes: only if it is still that.",
            "schema": {"type": "string"},
        }));
    }
    headers
}

/// Whether `Idempotency-Key` is heeded.
fn is_once(one: &Operation) -> bool {
    let (needs, kind) = needs_of(one);
    kind == Kind::Api && one.method == Method::Post && needs != Needs::Nothing
}

/// Statuses of trouble that a route may answer, as far as it is described.
#[must_use]
pub fn described_errors(route: &route::Route) -> Vec<u16> {
    operation(route.method, route.pattern).map(|one| errors(one, route.needs)).unwrap_or_default().into_iter().collect()
}

fn errors(one: &Operation, needs: Needs) -> BTreeSet<u16> {
    let mut all: BTreeSet<u16> = one.also.iter().copied().collect();
    let (_, kind) = needs_of(one);
    all.insert(503);
    if kind == Kind::Open {
        return all;
    }
    all.extend([400, 414, 429]);
    if needs != Needs::Nothing {
        all.insert(401);
    }
    match needs {
        Needs::Nothing | Needs::Read(_) => {}
        Needs::Person | Needs::Write(_) | Needs::Owner => _ = all.insert(403),
        Needs::Operator => all.extend([403, 404]),
    }
    if one.pattern.contains(':') {
        all.insert(404);
    }
    if !one.query.is_empty() || one.body.is_some() {
        all.insert(422);
    }
    if one.method.is_unsafe() {
        all.extend([403, 413, 415]);
    }
    if is_once(one) {
        all.extend([409, 422]);
    }
    if one.has_revision {
        all.extend([409, 412]);
    }
    all
}

fn responses(one: &Operation, needs: Needs, told: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let content = match one.answer {
        Answer::Nothing => None,
        Answer::Json(schema) => Some(json!({"application/json": {"schema": schema(told)}})),
        Answer::JsonOrCsv(schema) => {
            Some(json!({"application/json": {"schema": schema(told)}, "text/csv": {"schema": {"type": "string"}}}))
        }
        Answer::Csv => Some(json!({"text/csv": {"schema": {"type": "string"}}})),
        Answer::Text(media_type) => Some(json!({media_type: {"schema": {"type": "string"}}})),
    };
    let mut good = json!({"description": words(one.status)});
    if let Some(content) = content {
        good["content"] = content;
    }
    if one.query.iter().any(|parameter| parameter.name == "after") {
        good["headers"] =
            json!({"Link": {"description": "The next page, where there is one.", "schema": {"type": "string"}}});
    }
    responses.insert(one.status.to_string(), good);
    for status in errors(one, needs) {
        let problem = of::<Problem>(told);
        let mut trouble = json!({
            "description": words(status),
            "content": {"application/problem+json": {"schema": problem}},
        });
        if status == 429 {
            trouble["headers"] = json!({"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}});
        }
        responses.insert(status.to_string(), trouble);
    }
    Value::Object(responses)
}

/// A status in words.
fn words(status: u16) -> &'static str {
    match status {
        200 => "Here it is.",
        201 => "It was made.",
        202 => "It will be done.",
        204 => "Done.",
        400 => "The request is malformed, has a parameter that does not exist, or a cursor that is none.",
        401 => "Say who you are: the token is missing, ended, or none of ours.",
        403 => "You may not do this.",
        404 => "There is no such thing, or it is not yours.",
        409 => "It conflicts with what there is.",
        412 => "It is not at the revision that If-Match names.",
        413 => "The body is too large.",
        414 => "The address is too long.",
        415 => "Send application/json.",
        422 => "Fields cannot be accepted; they are named.",
        429 => "Too many requests; see Retry-After.",
        503 => "Not now; try again in a moment.",
        _ => "Trouble.",
    }
}
