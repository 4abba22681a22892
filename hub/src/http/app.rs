//! The application behind the front: tiny_http workers on a UNIX socket. Each request is parsed once, checked once for
//! forgery, routed, and answered; a panic in one costs that one (D29).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tiny_http::Server;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::front::{self, FrontConfig, Listening};
use super::login::Login;
use super::route::{self, Kind};
use super::{HttpError, Method, Request, Response, pages};
use crate::config::SignUps;
use crate::schedule::Scheduler;
use crate::secret::Secret;
use crate::store::Store;

/// Requests handled at once (P8).
const WORKERS: usize = 16;

/// What handlers are told of the settings.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How browsers reach the hub, when that is not the Host they send.
    pub public_url: Option<String>,
    /// Who may make an account.
    pub sign_ups: SignUps,
    /// Browsers come over TLS: cookies are Secure.
    pub secure_cookies: bool,
    /// One process, its own probe.
    pub embedded: bool,
    /// Version shown in the footer.
    pub version: &'static str,
    /// Where the socket to the application is made.
    pub state_directory: PathBuf,
}

/// All a handler may use.
pub struct App {
    /// Data.
    pub store: Store,
    /// "Check now", and news of edits.
    pub scheduler: Scheduler,
    /// Who is asking.
    pub login: Login,
    /// Settings.
    pub settings: HttpSettings,
    runtime: Handle,
}

impl App {
    /// An application that signs its sessions with `key`. To be called on the runtime.
    ///
    /// # Errors
    /// Never yet; a key that cannot be used will be one.
    pub fn new(store: Store, scheduler: Scheduler, settings: HttpSettings, key: &Secret) -> anyhow::Result<Self> {
        let login = Login::new(key, settings.secure_cookies)?;
        Ok(Self { store, scheduler, login, settings, runtime: Handle::current() })
    }

    /// The one place where a handler's thread waits for the runtime.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// Starts application and front.
///
/// # Errors
/// The socket cannot be made, or the address cannot be listened on.
pub async fn start(app: App, config: FrontConfig, stopping: watch::Receiver<bool>) -> anyhow::Result<Listening> {
    // One name per process: a hub that is on its way out keeps its own.
    let socket = app.settings.state_directory.join(format!("app-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&socket);
    let server = Server::http_unix(&socket)
        .map_err(|e| anyhow::anyhow!("{e}"))
        .with_context(|| format!("{} cannot be made", socket.display()))?;
    let (server, app) = (Arc::new(server), Arc::new(app));
    for _ in 0..WORKERS {
        let (server, app) = (server.clone(), app.clone());
        std::thread::Builder::new().name("http".into()).spawn(move || work(&server, &app))?;
    }
    let mut ending = stopping.clone();
    let path = socket.clone();
    let listening = front::listen(config, socket, stopping).await?;
    tokio::spawn(async move {
        let _ = ending.changed().await;
        // The front drains first; its requests still find the workers.
        tokio::time::sleep(std::time::Duration::from_secs(12)).await;
        (0..WORKERS).for_each(|_| server.unblock());
        let _ = std::fs::remove_file(path);
    });
    Ok(listening)
}

fn work(server: &Server, app: &App) {
    while let Ok(mut raw) = server.recv() {
        let answer = catch_unwind(AssertUnwindSafe(|| answer(app, &mut raw))).unwrap_or_else(|_| {
            tracing::error!("A request handler panicked.");
            Response::text(500, "Something went wrong here.\n")
        });
        let mut response = tiny_http::Response::from_data(answer.body).with_status_code(answer.status);
        for (name, value) in &answer.headers {
            match tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()) {
                Ok(header) => response.add_header(header),
                Err(()) => tracing::error!(header = name, "A header could not be sent."),
            }
        }
        if let Err(error) = raw.respond(response) {
            tracing::debug!(%error, "An answer could not be handed to the front.");
        }
    }
}

fn answer(app: &App, raw: &mut tiny_http::Request) -> Response {
    let Some(request) = read(raw) else { return Response::text(400, "Bad Request\n") };
    let (kind, result) = match route::find(request.method, &request.path) {
        route::Found::Route(route, params) => {
            let result = guard(app, &request, route.kind).and_then(|()| (route.handler)(app, &request, &params));
            (route.kind, result)
        }
        route::Found::OtherMethod(allow) => {
            return Response::text(405, "Method Not Allowed\n").with("allow", &allow);
        }
        route::Found::Nothing => {
            let is_api = request.path.starts_with("/api/");
            (if is_api { Kind::Api } else { Kind::Page }, Err(HttpError::NotFound))
        }
    };
    let mut answer = match result {
        Ok(answer) => answer,
        Err(error) => match kind {
            Kind::Page => pages::error(app, &request, &error),
            Kind::Api | Kind::Open => error.problem(&request),
        },
    };
    if let Some(cookie) = app.login.renewed(app, &request) {
        answer = answer.with("set-cookie", &cookie);
    }
    answer
}

/// Forgery check of every unsafe request that a browser could have been made to send (D22): it must come from our own
/// pages. A program that shows its own token needs no such proof.
fn guard(app: &App, request: &Request, kind: Kind) -> Result<(), HttpError> {
    if !request.method.is_unsafe() {
        return Ok(());
    }
    if kind == Kind::Api {
        let is_empty = request.body.is_empty();
        if !is_empty && request.media_type() != "application/json" {
            return Err(HttpError::MediaType("application/json"));
        }
    }
    // A program with no cookie has no ambient authority to abuse; and no foreign page can send JSON unasked.
    if request.media_type() != "application/x-www-form-urlencoded"
        && request.cookie(app.login.cookie_name()).is_none()
        && (kind == Kind::Api || request.media_type() == "application/json")
    {
        return Ok(());
    }
    let host = request.header("host").unwrap_or_default();
    let is_ours = match (request.header("origin"), request.header("sec-fetch-site")) {
        (Some(origin), _) => {
            let bare = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            bare == Some(host) || app.settings.public_url.as_deref() == Some(origin)
        }
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    };
    if is_ours { Ok(()) } else { Err(HttpError::Forbidden("This request did not come from our own page.")) }
}

fn read(raw: &mut tiny_http::Request) -> Option<Request> {
    let method = match raw.method() {
        tiny_http::Method::Get => Method::Get,
        tiny_http::Method::Post => Method::Post,
        tiny_http::Method::Put => Method::Put,
        tiny_http::Method::Patch => Method::Patch,
        tiny_http::Method::Delete => Method::Delete,
        _ => return None,
    };
    let (path, query) = match raw.url().split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (raw.url().to_owned(), String::new()),
    };
    let headers: Vec<(String, String)> = raw
        .headers()
        .iter()
        .map(|h| (h.field.as_str().as_str().to_ascii_lowercase(), h.value.as_str().to_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let client = find("x-betteruptime-client").and_then(|v| v.parse().ok());
    let request_id = find("x-betteruptime-request").unwrap_or_default();
    let mut body = Vec::new();
    std::io::Read::read_to_end(raw.as_reader(), &mut body).ok()?;
    Some(Request {
        method,
        path,
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body,
        client: client.unwrap_or(std::net::IpAddr::from([127, 0, 0, 1])),
        request_id,
    })
}
