//! The application behind the front: tiny_http workers on a UNIX socket. Each request is parsed once, checked once for
//! forgery, routed, and answered; a panic in one costs that one (D29).

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::Context;
use tiny_http::Server;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::access;
use super::audit;
use super::badge::KeptBadges;
use super::front::{self, FrontConfig, Listening};
use super::limit::{ApiLimit, Share};
use super::login::Login;
use super::ping::PingLimit;
use super::route::{self, Kind};
use super::status::{self, Domains, KeptPages, SubscribeLimit};
use super::{HttpError, Method, Request, Response, conditional, idempotent, openapi, pages};
use crate::alert::Alerts;
use crate::clock;
use crate::config::SignUps;
use crate::enrolment::RedisAccess;
use crate::model::TargetRules;
use crate::model::retention::Retention;
use crate::operator::capacity::CapacityCache;
use crate::queue::Queue;
use crate::schedule::Scheduler;
use crate::secret::SigningKeys;
use crate::store::Store;

/// Between two words on forms that were refused.
const REFUSED_TOLD_EVERY_MS: i64 = 10_000;
/// Requests handled at once (P8).
const WORKERS: usize = 16;

/// What handlers are told of the settings.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How browsers reach the hub, when that is not the Host they send.
    pub public_url: Option<String>,
    /// Who may make an account.
    pub sign_ups: SignUps,
    /// What may be watched.
    pub target_rules: TargetRules,
    /// For how long history is kept: a website may ask for less.
    pub retention: Retention,
    /// Requests a second of the API that one key or person may make, on average over ten.
    pub api_requests_per_s: u32,
    /// Browsers come over TLS: cookies are Secure.
    pub secure_cookies: bool,
    /// Listens for this machine alone.
    pub is_loopback: bool,
    /// One process, its own probe.
    pub embedded: bool,
    /// Redis, where there is one: workers elsewhere join through it.
    pub redis: Option<RedisAccess>,
    /// Version shown in the footer.
    pub version: &'static str,
    /// There is a page of the design.
    pub shows_design: bool,
    /// Where the socket to the application is made.
    pub state_directory: PathBuf,
}

/// All a handler may use.
pub struct App {
    /// Data.
    pub store: Store,
    /// "Check now", and news of edits.
    pub scheduler: Scheduler,
    /// Tries channels, and knows its own links.
    pub alerts: Alerts,
    /// Who is asking.
    pub login: Login,
    /// How often jobs may report.
    pub pings: PingLimit,
    /// How often the API may be asked.
    pub(super) limit: ApiLimit,
    /// Badges that everybody sees, in memory.
    pub badges: KeptBadges,
    /// Status pages, in memory.
    pub pages: KeptPages,
    /// Hosts that are status pages' own.
    pub domains: Arc<Domains>,
    /// How often mail may be asked for.
    pub subscribe_limit: SubscribeLimit,
    /// Room on disk, as it was read a moment ago.
    pub capacity: CapacityCache,
    /// What waits to be done; `None` where nothing is.
    pub queue: Option<Queue>,
    /// Settings.
    pub settings: HttpSettings,
    /// When it was last told that a form was refused.
    refused_told_at: AtomicI64,
    runtime: Handle,
}

impl App {
    /// An application that signs its sessions with `keys`. To be called on the runtime.
    ///
    /// # Errors
    /// Never yet; a key that cannot be used will be one.
    pub fn new(
        store: Store,
        scheduler: Scheduler,
        alerts: Alerts,
        settings: HttpSettings,
        keys: &SigningKeys,
    ) -> anyhow::Result<Self> {
        let login = Login::new(keys, settings.secure_cookies)?;
        Ok(Self {
            store,
            scheduler,
            alerts,
            login,
            pings: PingLimit::default(),
            limit: ApiLimit::new(settings.api_requests_per_s),
            badges: KeptBadges::default(),
            pages: KeptPages::default(),
            domains: Arc::new(Domains::new(settings.public_url.as_deref())),
            subscribe_limit: SubscribeLimit::default(),
            capacity: CapacityCache::default(),
            queue: None,
            settings,
            refused_told_at: AtomicI64::new(0),
            runtime: Handle::current(),
        })
    }

    /// With the queue, so that operators see what waits in it.
    #[must_use]
    pub fn with_queue(self, queue: Queue) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// The one place where a handler's thread waits for the runtime.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Has something done while nobody waits for it. It is bounded by whoever asks for it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}

/// Starts application and front.
///
/// # Errors
/// The socket cannot be made, or the address cannot be listened on.
pub async fn start(app: App, config: FrontConfig, stopping: watch::Receiver<bool>) -> anyhow::Result<Listening> {
    // One name per process: a hub that is on its way out keeps its own.
    let socket = socket_of(&app.settings.state_directory);
    sweep(&app.settings.state_directory);
    let server = Server::http_unix(&socket).map_err(|e| anyhow::anyhow!("{e}")).with_context(|| {
        format!("{} cannot be made; its path may have 107 bytes: choose a shorter STATE_DIRECTORY", socket.display())
    })?;
    let store = app.store.clone();
    let domains = app.domains.clone();
    let (server, app) = (Arc::new(server), Arc::new(app));
    for _ in 0..WORKERS {
        let (server, app) = (server.clone(), app.clone());
        std::thread::Builder::new().name("http".into()).spawn(move || work(&server, &app))?;
    }
    // The workers end with the process: until the front has drained, its requests need them.
    front::listen(config, socket, store, domains, stopping).await
}

fn socket_of(state_directory: &std::path::Path) -> PathBuf {
    state_directory.join(format!("app-{}.sock", std::process::id()))
}

/// Removes this process' socket, at its end.
pub fn close(state_directory: &std::path::Path) {
    let _ = std::fs::remove_file(socket_of(state_directory));
}

/// Removes sockets of hubs that ended: nobody answers there.
fn sweep(directory: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = name.starts_with("app-") && name.ends_with(".sock");
        if is_ours && std::os::unix::net::UnixStream::connect(&path).is_err() {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn work(server: &Server, app: &App) {
    while let Ok(mut raw) = server.recv() {
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| answer(app, &mut raw))).unwrap_or_else(|_| {
            tracing::error!("A request handler panicked.");
            // Who looks for answers of 5xx must see these first of all.
            app.store.counts().answered("none", "none", 500, began.elapsed());
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
    let Some(mut request) = read(raw) else { return Response::text(400, "Bad Request\n") };
    let began = Instant::now();
    let (answer, pattern) = if status::domains::at_home(app, &mut request) {
        routed(app, &request)
    } else {
        (status::nothing().unwrap_or_else(|error| error.problem(&request)), "none")
    };
    app.store.counts().answered(request.method.as_str(), pattern, answer.status, began.elapsed());
    answer
}

/// The answer, and the pattern of the route that gave it.
fn routed(app: &App, request: &Request) -> (Response, &'static str) {
    let mut pattern = "none";
    let mut share = None;
    let (kind, result) = match route::find(request.method, &request.path) {
        route::Found::Route(route, params) => {
            pattern = route.pattern;
            let result = guard(app, request, route)
                .and_then(|()| limited(app, request, route, &mut share, access::permit(app, request, route)))
                .and_then(|()| plain_parameters(route, request))
                .and_then(|()| openapi::known_parameters(route, request))
                .and_then(|()| {
                    // One that is sent again does nothing, and is no deed.
                    idempotent::once(app, request, route, || {
                        let (before, answer) = access::walled(request, route.needs, || {
                            (audit::look(app, route, &params, request), (route.handler)(app, request, &params))
                        });
                        let answer = answer?;
                        audit::write(app, route, &params, request, &answer, before);
                        Ok(answer)
                    })
                });
            (route.kind, result)
        }
        route::Found::OtherMethod(allow) => {
            let answer = if route::is_for_programs(&request.path) {
                HttpError::Method.problem(request)
            } else {
                Response::text(405, "Method Not Allowed\n")
            };
            return (answer.with("allow", &allow), pattern);
        }
        route::Found::Nothing => {
            let is_api = route::is_for_programs(&request.path);
            (if is_api { Kind::Api } else { Kind::Page }, Err(HttpError::NotFound))
        }
    };
    let mut answer = match result {
        Ok(answer) => answer,
        Err(error) => match kind {
            Kind::Page => pages::error(app, request, &error),
            Kind::Api | Kind::Open => error.problem(request),
        },
    };
    // Never beside a cookie that the handler set: the browser keeps the last, which would undo a sign-in. Nor with what
    // caches may keep.
    let hands_out = match kind {
        Kind::Page | Kind::Api => answer.headers.iter().all(|(name, _)| *name != "set-cookie"),
        Kind::Open => false,
    };
    if hands_out && let Some(cookie) = app.login.renewed(app, request) {
        answer = answer.with("set-cookie", &cookie);
    }
    if let Some(share) = share {
        answer = share.told(answer);
    }
    (conditional::answer(request, kind, answer), pattern)
}

/// Whether whoever asks something of the API asks too often. `permitted`: whether it is his to ask. What names nobody counts
/// against its address, and only once it was looked at: somebody's old key in a loop locks out nobody beside him.
fn limited(
    app: &App,
    request: &Request,
    route: &route::Route,
    share: &mut Option<Share>,
    permitted: Result<(), HttpError>,
) -> Result<(), HttpError> {
    if route.kind != Kind::Api {
        return permitted;
    }
    let now_us = clock::steady_us();
    let taken = match request.caller.get() {
        Some(who) => app.limit.known(who, now_us),
        None => app.limit.stranger(request.client, now_us),
    };
    *share = Some(taken);
    taken.admit().inspect_err(|_| app.store.counts().refused_api.add(1))?;
    permitted
}

/// Refuses a zero byte in a query: it stands for nothing anywhere, and Postgres has no text with one. What is open goes on, so
/// that no ping is lost for what stands behind its address.
fn plain_parameters(route: &route::Route, request: &Request) -> Result<(), HttpError> {
    let is_odd = |(name, value): &(String, String)| name.contains('\0') || value.contains('\0');
    if route.kind != Kind::Open && request.query.iter().any(is_odd) {
        return Err(HttpError::BadRequest("The address has a zero byte (%00) in its query; leave it out.".to_owned()));
    }
    Ok(())
}

/// Forgery check of every unsafe request that a browser could have been made to send (D22): it must come from our own
/// pages. A program that shows its own token needs no such proof.
fn guard(app: &App, request: &Request, route: &route::Route) -> Result<(), HttpError> {
    let kind = route.kind;
    // What is open knows nobody: a browser that is made to send it lends it no rights.
    if !request.method.is_unsafe() || kind == Kind::Open {
        return Ok(());
    }
    if kind == Kind::Api {
        let is_empty = request.body.is_empty();
        if !is_empty && request.media_type() != "application/json" {
            return Err(HttpError::MediaType("application/json"));
        }
    }
    // What a foreign page cannot make a browser send without asking us first, which we never grant: headers of its own
    // choice, or JSON. A program that keeps cookies sends neither Origin nor Sec-Fetch-Site.
    let (origin, site) = (request.header("origin"), request.header("sec-fetch-site"));
    let is_form = request.media_type() == "application/x-www-form-urlencoded";
    let shows_token = request.header("token").is_some()
        || request.header("authorization").is_some_and(|value| value.starts_with("Bearer "));
    let is_browser = origin.is_some() || site.is_some();
    let is_program = !is_browser && (kind == Kind::Api || request.media_type() == "application/json");
    // A page elsewhere whose own name leads to our address is of our origin to a browser, and may send any header it likes. Where
    // nobody is asked for a token (signing up and in), one proves nothing.
    let shows_token = shows_token && !(is_browser && route.needs == access::Needs::Nothing);
    if !is_form && (shows_token || is_program) {
        return Ok(());
    }
    let host = request.header("host").unwrap_or_default();
    let is_public = origin.is_some() && app.settings.public_url.as_deref() == origin;
    let is_ours = match (origin, site) {
        (Some(origin), _) => {
            let of_host = origin.strip_prefix("https://").or_else(|| {
                // Over TLS a page of ours is never plain.
                origin.strip_prefix("http://").filter(|_| !app.settings.secure_cookies)
            });
            of_host == Some(host) || is_public
        }
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    };
    if !is_ours {
        tell_refused(app, origin, host);
        return Err(HttpError::Forbidden("This request did not come from our own page."));
    }
    // A proxy may say another Host than people do; nobody else has our public origin.
    if !is_public && !is_known_host(host, &app.settings) {
        tell_refused(app, origin, host);
        return Err(HttpError::Forbidden(
            "The hub does not know itself by this name. Set PUBLIC_URL to the address people use.",
        ));
    }
    Ok(())
}

/// Says in the log, once in ten seconds, what was refused: behind a proxy it is usually PUBLIC_URL that is wrong, and whoever
/// sees the page cannot know.
fn tell_refused(app: &App, origin: Option<&str>, host: &str) {
    let (now, told_at) = (clock::now(), app.refused_told_at.load(Ordering::Relaxed));
    let is_told = (0..REFUSED_TOLD_EVERY_MS).contains(&(now - told_at));
    if is_told || app.refused_told_at.compare_exchange(told_at, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    // From outside: short, and escaped by its form.
    let short = |text: &str| text.chars().take(100).collect::<String>();
    tracing::warn!(
        origin = ?origin.map(short),
        host = ?short(host),
        public_url = app.settings.public_url.as_deref().unwrap_or("not set"),
        "A form was refused that does not seem to be of our own page. If people use that address, set PUBLIC_URL to it."
    );
}

/// Whether the name in `Host` is one of ours. A page elsewhere may give its own name our address (DNS rebinding), and
/// would then pass for one of our own. An address cannot be given away; on a listener for this machine alone, or where
/// `PUBLIC_URL` is set, other names are refused.
fn is_known_host(host: &str, settings: &HttpSettings) -> bool {
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok() || bare == "localhost";
    let public = settings.public_url.as_deref().map(|url| url.split_once("://").map_or(url, |(_, rest)| rest));
    match public {
        Some(public) => is_address || host == public,
        None => is_address || !settings.is_loopback,
    }
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
        caller: OnceCell::new(),
        notes: audit::Notes::default(),
    })
}
