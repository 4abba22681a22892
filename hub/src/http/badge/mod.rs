//! `/badge/:id/{status,uptime,latency,certificate}.{svg,json}`: a figure of a website for a README, as an image or as what
//! the endpoint badge of shields.io reads. For everybody where the owner says so, for the owner always; to all others there
//! is no such badge, whether or not there is such a website.

mod kept;
mod svg;
mod words;

use serde_json::json;

use self::words::Badge;
use super::{App, HttpError, Request, Response, login, route::Params};
use crate::clock;
use crate::model::uptime::windows_of_days;
use crate::model::{AccountId, FieldError, FieldErrors, UtcMs, WebsiteId};

pub use kept::KeptBadges;

/// Longest label, in characters.
const LABEL: usize = 40;
/// Windows of uptime, by their words, days, and how they are said.
const WINDOWS: [(&str, i64, &str); 4] =
    [("24h", 1, "24 h"), ("7d", 7, "7 d"), ("30d", 30, "30 d"), ("90d", 90, "90 d")];
/// Quantiles of latency, by their words.
const QUANTILES: [(&str, u32); 4] = [("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990)];
/// Browsers and proxies keep one for so long.
const KEPT_S: u32 = 60;

/// What a badge is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    Status,
    /// Over so many days, said so.
    Uptime(i64, &'static str),
    /// So many of a thousand, said so.
    Latency(u32, &'static str),
    Certificate,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Svg,
    Json,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    what: What,
    form: Form,
    label: Option<String>,
}

/// What a name and parameters ask for.
///
/// # Errors
/// Not found for a name that is none, 422 for a parameter.
fn asked(file: &str, request: &Request) -> Result<Asked, HttpError> {
    let (name, form) = match file.rsplit_once('.') {
        Some((name, "svg")) => (name, Form::Svg),
        Some((name, "json")) => (name, Form::Json),
        Some(_) | None => return Err(HttpError::NotFound),
    };
    let mut errors = FieldErrors::default();
    let what = match name {
        "status" => What::Status,
        "certificate" => What::Certificate,
        "uptime" => {
            let given = request.query("window").unwrap_or("30d");
            let found = WINDOWS.into_iter().find(|(word, ..)| *word == given);
            let (_, days, said) = found.unwrap_or_else(|| {
                errors.push(FieldError::new("window", &shortened(given), "Use 24h, 7d, 30d or 90d."));
                WINDOWS[2]
            });
            What::Uptime(days, said)
        }
        "latency" => {
            let given = request.query("quantile").unwrap_or("p50");
            let found = QUANTILES.into_iter().find(|(word, _)| *word == given);
            let (word, per_mille) = found.unwrap_or_else(|| {
                errors.push(FieldError::new("quantile", &shortened(given), "Use p50, p90, p95 or p99."));
                QUANTILES[0]
            });
            What::Latency(per_mille, word)
        }
        _ => return Err(HttpError::NotFound),
    };
    let label = request.query("label").map(str::trim).map(str::to_owned);
    if let Some(label) = label.as_deref().filter(|l| l.chars().count() > LABEL || l.chars().any(char::is_control)) {
        let remedy = format!("Give at most {LABEL} characters on one line; none for a badge without a label.");
        errors.push(FieldError::new("label", &shortened(label), remedy));
    }
    if errors.is_empty() { Ok(Asked { what, form, label }) } else { Err(HttpError::Fields(errors)) }
}

/// What was found, as far as it is worth repeating.
fn shortened(given: &str) -> String {
    given.chars().filter(|c| !c.is_control()).take(LABEL).collect()
}

/// `GET /badge/:id/:file?label=&window=&quantile=`.
///
/// # Errors
/// 404 for whoever may not see it as for what is not there; 422 for a parameter.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    // Before anything is looked up: what is said of parameters says nothing of websites.
    let asked = asked(params.get("file"), request)?;
    let id = params.website_id()?;
    let (key, now_ms) = ((id, asked.what), clock::steady_us().div_euclid(1_000));
    if let Some(badge) = app.badges.get(key, now_ms) {
        app.store.counts().badges_kept.add(1);
        return Ok(answer(asked, badge, true));
    }
    if let Some(owner) = app.wait(app.store.owner_of_badges(id)).map_err(login::store)? {
        app.store.counts().badges_made.add(1);
        let badge = found(app, owner, id, asked.what, clock::now())?;
        app.badges.put(key, &badge, now_ms);
        return Ok(answer(asked, badge, true));
    }
    app.badges.forget(key);
    let who = login::signed_in(app, request).map_err(|_| HttpError::NotFound)?;
    let badge = found(app, who.account.account_id, id, asked.what, clock::now())?;
    Ok(answer(asked, badge, false))
}

/// The badge of one of the account's websites, by the figures that its page shows.
fn found(app: &App, account: AccountId, id: WebsiteId, what: What, now: UtcMs) -> Result<Badge, HttpError> {
    let store = &app.store;
    let row = || app.wait(store.board_row(account, id, now)).map_err(login::store)?.ok_or(HttpError::NotFound);
    let uptime = |days| {
        let found = app.wait(store.uptimes(account, id, &windows_of_days(now, [days]))).map_err(login::store)?;
        found.and_then(|mut found| found.pop()).ok_or(HttpError::NotFound)
    };
    Ok(match what {
        What::Status => Badge::status(&row()?),
        What::Uptime(days, said) => Badge::uptime(said, uptime(days)?.uptime.as_ref()),
        What::Latency(per_mille, said) => {
            let over = uptime(1)?;
            let found = app.wait(store.latencies(account, id, &windows_of_days(now, [1]))).map_err(login::store)?;
            let latency = found.and_then(|mut found| found.pop()).ok_or(HttpError::NotFound)?;
            // What there is of hours that are still being counted does not stand for the window.
            let is_counted = latency.span.from_at <= over.span.from_at;
            let us = latency.all().latency.quantile_us(per_mille).filter(|_| is_counted);
            Badge::latency(said, us)
        }
        What::Certificate => Badge::certificate(&row()?, now),
    })
}

fn answer(asked: Asked, badge: Badge, is_public: bool) -> Response {
    let badge = Badge { label: asked.label.unwrap_or(badge.label), ..badge };
    let answer = match asked.form {
        Form::Svg => Response::new(200, "image/svg+xml; charset=utf-8", svg::write(&badge)),
        Form::Json => Response::json(
            200,
            &json!({
                "schemaVersion": 1,
                "label": badge.label,
                "message": badge.message,
                "color": badge.tone.colour(),
                "isError": badge.message == words::UNKNOWN,
            }),
        ),
    };
    let kept = if is_public { "public" } else { "private" };
    let answer = answer
        .with("cache-control", &format!("{kept}, max-age={KEPT_S}"))
        // An image that is opened by itself is a document: it may do nothing at all.
        .with("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'; sandbox");
    if is_public {
        answer.with("access-control-allow-origin", "*").with("cross-origin-resource-policy", "cross-origin")
    } else {
        answer.with("vary", "cookie, authorization, token")
    }
}

#[cfg(test)]
mod tests {
    use super::words::Tone;
    use super::*;
    use crate::http::Method;

    fn get(query: &[(&str, &str)]) -> Request {
        Request {
            method: Method::Get,
            path: "/badge/x/uptime.svg".to_owned(),
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            headers: Vec::new(),
            body: Vec::new(),
            client: std::net::IpAddr::from([127, 0, 0, 1]),
            request_id: String::new(),
            caller: std::cell::OnceCell::new(),
            notes: crate::http::audit::Notes::default(),
        }
    }

    #[test]
    fn what_is_asked_for_is_one_of_few() {
        let what = |file: &str, query: &[(&str, &str)]| asked(file, &get(query)).map(|asked| (asked.what, asked.form));
        assert_eq!(what("uptime.svg", &[]).unwrap(), (What::Uptime(30, "30 d"), Form::Svg));
        assert_eq!(what("uptime.json", &[("window", "24h")]).unwrap(), (What::Uptime(1, "24 h"), Form::Json));
        assert_eq!(what("latency.svg", &[("quantile", "p99")]).unwrap(), (What::Latency(990, "p99"), Form::Svg));
        for none in ["uptime.png", "uptime", "other.svg", ".svg", "status.svg.svg"] {
            assert!(matches!(what(none, &[]), Err(HttpError::NotFound)), "{none}");
        }
        for (file, query) in [
            ("uptime.svg", ("window", "31d")),
            ("latency.svg", ("quantile", "0.500000001")),
            ("status.svg", ("label", "a\nb")),
            ("status.svg", ("label", &*"ä".repeat(LABEL + 1))),
        ] {
            assert!(matches!(what(file, &[query]), Err(HttpError::Fields(_))), "{file} {query:?}");
        }
        let label = asked("status.svg", &get(&[("label", &"ä".repeat(LABEL))])).unwrap().label;
        assert_eq!(label.map(|label| label.chars().count()), Some(LABEL));
        assert_eq!(asked("status.svg", &get(&[("label", "")])).unwrap().label.as_deref(), Some(""));
    }

    #[test]
    fn everybody_may_keep_what_everybody_sees() {
        let badge = || Badge { label: "a".into(), message: "b".into(), tone: Tone::Good };
        let asked = || Asked { what: What::Status, form: Form::Svg, label: None };
        let header = |answer: &Response, name: &str| {
            answer.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let open = answer(asked(), badge(), true);
        assert_eq!((open.status, header(&open, "cache-control").as_str()), (200, "public, max-age=60"));
        let own = answer(asked(), badge(), false);
        assert_eq!((own.status, header(&own, "cache-control").as_str()), (200, "private, max-age=60"));
        assert_eq!(header(&own, "access-control-allow-origin"), "");
    }
}
