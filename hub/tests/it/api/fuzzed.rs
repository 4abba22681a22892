//! The description of the API, judged by others: a validator of OpenAPI, and schemathesis, which makes requests from it, good
//! ones and bad ones, and looks whether the answers are as described.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::sample::Sample;
use crate::client::call;

/// Where ./test.sh has put the two.
fn tool(name: &str) -> PathBuf {
    let directory = std::env::var("TEST_OPENAPI_VENV")
        .expect("TEST_OPENAPI_VENV is not set; ./test.sh makes a Python environment with schemathesis and sets it");
    PathBuf::from(directory).join("bin").join(name)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// With the names of what there is, so that requests find something. What is deleted would be gone for all that come after: those
/// have names that are nobody's.
fn with_names(mut document: Value, sample: &Sample) -> Value {
    let api = |method: &str, path: &str, body: Option<&Value>| sample.told.api(method, path, body).1;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let key = text(&api("POST", "/keys", Some(&json!({"name": "k", "scopes": ["read"]})))["id"]);
    let member = text(&api("GET", "/members", None)["members"][0]["id"]);
    for (path, operations) in document["paths"].as_object_mut().unwrap() {
        let name = match path.split('/').nth(3).unwrap_or_default() {
            "jobs" => &sample.job,
            "channels" => &sample.channel,
            "incidents" => &sample.incident,
            "alerts" => &sample.alert,
            "maintenance" => &sample.maintenance,
            "status-pages" => &sample.page,
            "status-posts" => &sample.post,
            "dead-letters" => &sample.letter,
            "keys" => &key,
            "members" => &member,
            _ => &sample.website,
        };
        for (method, operation) in operations.as_object_mut().unwrap() {
            for parameter in operation["parameters"].as_array_mut().unwrap() {
                if parameter["in"] == "path" && parameter["name"] == "id" && method != "delete" {
                    parameter["schema"]["enum"] = json!([name]);
                }
            }
        }
    }
    document
}

/// Refusals that are none of its own: the front's, of what is too large.
const CONFIG: &str = "[checks.negative_data_rejection]\n\
    expected-statuses = [\"400\", \"401\", \"403\", \"404\", \"405\", \"409\", \"412\", \"413\", \"414\", \"415\", \"422\", \"429\"]\n";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth";

/// Makes requests, one at a time (Python 3.11 has trouble with more); `arguments` say to which paths. Returns what was said.
fn fuzz(sample: &Sample, directory: &Path, arguments: &[&str]) -> String {
    let run = Command::new(tool("schemathesis"))
        .args(["--config-file", "schemathesis.toml", "run", "openapi.json", "--url", &sample.told.base])
        .args(["--header", &format!("Authorization: Bearer {}", sample.token()), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "12", "--seed", "7"])
        .args(["--generation-deterministic", "--workers", "1", "--request-timeout", "10", "--no-color"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("schemathesis");
    let told = said(&run);
    assert!(run.status.success(), "{told}");
    told.lines().filter(|line| line.contains("generated") || line.contains("Tested")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_description_is_valid_and_describes_what_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::start(&runtime, directory.path());
    let base = &sample.told.base;
    let (status, document) = call("GET", &format!("{base}/api/v1/openapi.json"), None, None);
    assert_eq!(status, 200);
    let file = directory.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let valid = Command::new(tool("openapi-spec-validator")).arg(&file).output().expect("openapi-spec-validator");
    assert!(valid.status.success(), "{}", said(&valid));

    std::fs::write(&file, with_names(document, &sample).to_string()).unwrap();
    std::fs::write(directory.path().join("schemathesis.toml"), CONFIG).unwrap();
    let without =
        |paths: &[&'static str]| -> Vec<&str> { paths.iter().flat_map(|path| ["--exclude-path", path]).collect() };
    // To sign in so often is slowed down, and a stream has no end: tests of sessions and events have them. What deletes comes
    // later, for it learns from answers what there is; last of all what ends the session that asks.
    let (bulk, session) = ("/api/v1/websites/bulk", "/api/v1/sessions/{name}");
    let mut first = without(&["/signin", "/signup", "/api/v1/events", bulk]);
    first.extend(["--exclude-method", "DELETE"]);
    let mut second = without(&[session]);
    second.extend(["--include-method", "DELETE"]);
    for arguments in [first, second, vec!["--include-path", bulk], vec!["--include-path", session]] {
        println!("{}", fuzz(&sample, directory.path(), &arguments));
    }
}
