//! A small JSON client of the ancestor's API.

use std::time::Duration;

use serde_json::Value;

/// Sends a request; returns status and body (null when it is not JSON).
pub fn call(method: &str, url: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .proxy(None)
        .build();
    let agent: ureq::Agent = config.into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header("token", token);
    }
    let answer = match body {
        Some(body) => {
            let request = request.header("content-type", "application/json").body(body.to_string());
            agent.run(request.expect("a request"))
        }
        None => agent.run(request.body(()).expect("a request")),
    };
    let mut answer = answer.unwrap_or_else(|e| panic!("{method} {url}: {e}"));
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Signs up and in; returns the token.
pub fn token(base: &str, username: &str, password: &str) -> String {
    let account = serde_json::json!({"username": username, "password": password});
    let (status, answer) = call("POST", &format!("{base}/signup"), None, Some(&account));
    assert_eq!(status, 201, "{answer}");
    let (status, answer) = call("POST", &format!("{base}/signin"), None, Some(&account));
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().expect("a token").to_owned()
}

/// Sends a form as a browser on one of our pages would; returns the status.
pub fn form(base: &str, path: &str, token: &str, body: &str) -> u16 {
    form_page(base, path, token, body).0
}

/// The same, with the page that answers.
pub fn form_page(base: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let mut answer = form_answer(base, path, token, body);
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
}

/// The same, with where it leads.
pub fn form_leads(base: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let answer = form_answer(base, path, token, body);
    let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
    (answer.status().as_u16(), location.unwrap_or_default().to_owned())
}

fn form_answer(base: &str, path: &str, token: &str, body: &str) -> ureq::http::Response<ureq::Body> {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let answer = agent
        .post(format!("{base}{path}"))
        .header("cookie", format!("betteruptime_session={token}"))
        .header("origin", base)
        .header("content-type", "application/x-www-form-urlencoded")
        .send(body);
    answer.unwrap_or_else(|e| panic!("POST {path}: {e}"))
}

/// A page as a browser gets it: status and text.
pub fn page(base: &str, path: &str, token: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let answer = agent.get(format!("{base}{path}")).header("cookie", format!("betteruptime_session={token}")).call();
    let mut answer = answer.unwrap_or_else(|e| panic!("GET {path}: {e}"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
}

/// Fields of a form as they are sent.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
