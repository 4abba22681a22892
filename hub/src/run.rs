//! Everything that starts and stops, on one screen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use probe::engine::{AddressPolicy, Engine, EngineConfig};
use probe::notify::Notifier;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::alert::{self, AlertSettings, Alerts};
use crate::config::{Config, SignUps};
use crate::enrolment::RedisAccess;
use crate::http::metrics::{self, Collector, Readers};
use crate::http::{self, App, FrontConfig, HttpSettings};
use crate::model::courtesy::Limit;
use crate::model::{self, TargetRules};
use crate::operator::{self, DeadMan, Watch};
use crate::queue::{EmbeddedWorker, Queue};
use crate::schedule::{self, Scheduler};
use crate::secret::Secret;
use crate::store::{Store, StoreError};
use crate::{ending, history, ingest, listen, replay, state_directory};

/// Time to finish what is in flight after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// What is special about a hub, beside its settings: a demo's are not everybody's.
#[derive(Default)]
pub struct Special {
    /// Its workers, a region each; none: one, of region `LOCAL`.
    pub workers: Vec<EmbeddedWorker>,
    /// Told where its pages are, in the place of the usual words.
    pub greet: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
}

/// Runs the hub until SIGTERM, SIGINT, or until a part of it fails.
///
/// # Errors
/// Something could not start, or a part ended by itself: the process must then be restarted (D2).
pub async fn run(config: Config) -> anyhow::Result<()> {
    run_special(config, Special::default()).await
}

/// The same of a hub of which something is special.
///
/// # Errors
/// As of [`run`].
pub async fn run_special(config: Config, special: Special) -> anyhow::Result<()> {
    let notifier = Notifier::from_environment();
    let directory = state_directory::prepare(&config.state_directory)?;
    let keys = match config.signing_keys() {
        Some(keys) => keys,
        None => state_directory::signing_keys(&directory)?,
    };
    let store = open_store(&config).await?;
    operator::service::while_starting(&notifier, store.migrate(false))
        .await
        .context("the schema could not be brought up to date")?;
    let may_look_inside = may_look_inside(&config, &store).await?;
    let queue = match special.workers {
        workers if workers.is_empty() => open_queue(&config, may_look_inside)?,
        workers => Queue::with_workers(workers, &config.canaries, config.concurrency),
    };
    let (scheduler, inbox) = Scheduler::channel();
    let store = store.paced_by(scheduler.shares()).with_most_websites(config.max_websites);
    if config.database_url.is_some() {
        match store.raise_wall().await.context("DATABASE_URL: the database cannot be asked for its roles")? {
            true => tracing::info!("A second wall stands between accounts: row-level security."),
            false => tracing::warn!(
                "There is no second wall between accounts: this user may not become betteruptime_web. docs/OPERATIONS.md says \
                 how somebody who may make roles lets him."
            ),
        }
    }
    let (stop, stopping) = watch::channel(false);
    // Ingest ends last: what checks in flight find is still taken in.
    let (stop_taking_in, no_more_ticks) = watch::channel(false);

    let mut parts: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
    {
        let (store, queue, stopping) = (store.clone(), queue.clone(), stopping.clone());
        let limit = Limit::per_s(config.host_checks_per_s);
        parts.spawn(async move { ("schedule", schedule::run(store, queue, limit, inbox, stopping).await) });
    }
    {
        let (store, queue, scheduler) = (store.clone(), queue.clone(), scheduler.clone());
        parts.spawn(async move { ("ingest", ingest::run(store, queue, scheduler, no_more_ticks).await) });
    }
    {
        let (store, scheduler, stopping) = (store.clone(), scheduler.clone(), stopping.clone());
        parts.spawn(async move { ("replay", replay::run(store, scheduler, stopping).await) });
    }
    {
        let (store, stopping) = (store.clone(), stopping.clone());
        parts.spawn(async move { ("roll-up", history::roll_up::run(store, stopping).await) });
    }
    let alerts = Alerts::new(alert_settings(&config, may_look_inside), &keys)?;
    let vitals = scheduler.vitals().clone();
    {
        let (store, alerts, vitals, stopping) = (store.clone(), alerts.clone(), vitals.clone(), stopping.clone());
        parts.spawn(async move { ("alert", alert::run(store, alerts, vitals, stopping).await) });
    }
    {
        let (store, alerts, stopping) = (store.clone(), alerts.clone(), stopping.clone());
        parts.spawn(async move { ("reports", alert::run_reports(store, alerts, stopping).await) });
    }
    {
        let (store, alerts, stopping) = (store.clone(), alerts.clone(), stopping.clone());
        parts.spawn(async move { ("subscribers", alert::run_subscribers(store, alerts, stopping).await) });
    }
    {
        let watch = Watch::new(store.clone(), queue.clone(), vitals.clone(), &hub_name(&config), &directory);
        let stopping = stopping.clone();
        parts.spawn(async move { ("operator", operator::run(watch, stopping).await) });
    }
    if let Some(url) = config.dead_man_url.clone() {
        let (dead_man, stopping) = (DeadMan::new(alerts.clone(), vitals.clone(), url), stopping.clone());
        parts.spawn(async move { ("dead man's switch", operator::run_dead_man(dead_man, stopping).await) });
    }
    {
        let (store, retention, stopping) = (store.clone(), config.retention, stopping.clone());
        parts.spawn(async move { ("history", history::run(store, retention, stopping).await) });
    }
    {
        let (store, stopping) = (store.clone(), stopping.clone());
        parts.spawn(async move { ("ending", ending::run(store, stopping).await) });
    }
    let settings = http_settings(&config, &directory, may_look_inside);
    let collector =
        Arc::new(Collector::new(store.clone(), queue.clone(), scheduler.clone(), env!("CARGO_PKG_VERSION")));
    let with_token = config.metrics_token.is_some();
    let readers = Readers::new(collector, config.metrics_token.clone());
    if let Some(listen) = config.metrics_listen {
        let listening = metrics::listen(listen, readers.clone(), stopping.clone()).await?;
        tracing::info!(address = %listening.address, "Metrics are told at /metrics.");
        parts.spawn(async move { ("metrics", listening.finished().await) });
    }
    let front = front_config(&config)?.with_metrics(with_token.then_some(readers));
    let app = App::new(store.clone(), scheduler, alerts, settings, &keys)?.with_queue(queue.clone());
    let listening = http::start(app, front, stopping.clone()).await.context("the pages could not be started")?;
    let address = listening.address;
    parts.spawn(async move { ("http", listening.finished().await) });
    {
        // From now on jobs can report.
        let (store, vitals, stopping) = (store.clone(), vitals.clone(), stopping.clone());
        parts.spawn(async move { ("listen", listen::run(store, vitals, stopping).await) });
    }
    match special.greet {
        Some(greet) => greet(address),
        None => greet(&config, &store, address).await,
    }
    {
        let (status, stopping) = (format!("Its pages are at {address}."), stopping.clone());
        parts.spawn(async move { ("service", operator::service::run(notifier, vitals, status, stopping).await) });
    }

    let ended = tokio::select! {
        reason = signalled() => { tracing::info!(reason, "Stopping: finishing what is in flight."); None }
        part = parts.join_next() => part,
    };
    let _ = stop.send(true);
    let failure = ended.map(|part| match part {
        Ok((name, Ok(()))) => anyhow!("{name} ended by itself"),
        Ok((name, Err(error))) => error.context(format!("{name} failed")),
        Err(panic) => anyhow!("a part of the hub panicked: {panic}"),
    });
    let drained = tokio::time::timeout(DRAIN, async {
        queue.close().await;
        let _ = stop_taking_in.send(true);
        while let Some(part) = parts.join_next().await {
            if let Ok((name, Err(error))) = part {
                tracing::warn!(part = name, error = format!("{error:#}"), "A part did not stop cleanly.");
            }
        }
        store.close().await;
    });
    if drained.await.is_err() {
        tracing::warn!("Some work was still in flight after {} s.", DRAIN.as_secs());
    }
    http::close(&directory);
    failure.map_or(Ok(()), Err)
}

/// Opens the database the settings name, for this process alone where it is SQLite.
///
/// # Errors
/// It cannot be reached, or another hub runs on the SQLite file.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    match &config.database_url {
        Some(url) => Store::open_postgres(url.expose()).await.context("DATABASE_URL: the database cannot be opened"),
        None => {
            let directory = state_directory::prepare(&config.state_directory)?;
            Ok(Store::open_sqlite(&directory).await?)
        }
    }
}

/// Opens the database the settings name for a short command, also beside a hub that runs on it; the schema is up to date
/// then.
///
/// # Errors
/// It cannot be reached, or its schema cannot be brought up to date.
pub async fn open_store_beside(config: &Config) -> anyhow::Result<Store> {
    let store = match open_store(config).await {
        Ok(store) => store,
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => {
            // The hub that has it open has brought the schema up to date.
            let directory = state_directory::prepare(&config.state_directory)?;
            return Ok(Store::open_sqlite_beside(&directory).await?);
        }
        Err(error) => return Err(error),
    };
    store.migrate(false).await.context("the schema could not be brought up to date")?;
    Ok(store)
}

/// An owner may watch his own network; strangers may not look into it, and do not become the owner's by closing the door
/// behind them.
async fn may_look_inside(config: &Config, store: &Store) -> anyhow::Result<bool> {
    match config.sign_ups {
        SignUps::Open => return Ok(false),
        SignUps::First | SignUps::Closed => {}
    }
    let strangers = store.count_strangers().await?;
    if strangers > 0 {
        tracing::warn!(
            accounts = strangers,
            "Websites in private networks are not checked: accounts were made while SIGNUPS was open. In the database, \
             delete those you do not know (delete from account where by_open_sign_up and username = '...'), vouch for the \
             others (update account set by_open_sign_up = false where username = '...'), then restart."
        );
    }
    Ok(strangers == 0)
}

fn open_queue(config: &Config, may_look_inside: bool) -> anyhow::Result<Queue> {
    let Some(url) = &config.redis_url else {
        let policy = if may_look_inside { AddressPolicy::owner() } else { AddressPolicy::public_only() };
        let engine =
            Engine::new(EngineConfig { policy, extra_roots: config.extra_roots.clone(), ..EngineConfig::default() })
                .context("the embedded probe could not be set up")?;
        return Ok(Queue::in_process(engine, &config.canaries, config.concurrency));
    };
    Queue::redis(url.expose(), config.ca_file.as_deref(), &hub_name(config))
        .context("REDIS_URL: the queue cannot be opened")
}

/// This hub among others, the same after a restart.
fn hub_name(config: &Config) -> String {
    // Under systemd's ProcSubset=pid the first is hidden.
    let names = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let host = names.iter().find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    format!("{}-{}", host.trim(), config.listen.port())
}

pub(crate) fn http_settings(config: &Config, directory: &std::path::Path, may_look_inside: bool) -> HttpSettings {
    HttpSettings {
        public_url: config.public_url.clone(),
        sign_ups: config.sign_ups,
        target_rules: target_rules(config, may_look_inside),
        retention: config.retention,
        api_requests_per_s: config.api_requests_per_s,
        secure_cookies: config.is_https(),
        is_loopback: config.listen.ip().is_loopback(),
        embedded: config.is_embedded(),
        redis: redis_access(config),
        version: env!("CARGO_PKG_VERSION"),
        shows_design: config.design_page,
        state_directory: directory.to_owned(),
    }
}

/// Alerts go where checks of the hub's own may go, and no further.
pub(crate) fn alert_settings(config: &Config, may_look_inside: bool) -> AlertSettings {
    let policy = if may_look_inside { AddressPolicy::owner() } else { AddressPolicy::public_only() };
    AlertSettings::new(config.public_url.clone(), policy, config.extra_roots.clone())
}

/// Where strangers add websites, our own names are none (T078). The engine judges the addresses behind all others.
fn target_rules(config: &Config, may_look_inside: bool) -> TargetRules {
    let urls = [
        config.public_url.as_deref(),
        config.redis_url.as_ref().map(Secret::expose),
        config.database_url.as_ref().map(Secret::expose),
    ];
    TargetRules {
        is_shared: !may_look_inside,
        own_names: urls.into_iter().flatten().filter_map(model::host_of).collect(),
    }
}

/// The same for a command beside a hub.
///
/// # Errors
/// The database is away.
pub async fn target_rules_of(config: &Config, store: &Store) -> anyhow::Result<TargetRules> {
    Ok(target_rules(config, may_look_inside(config, store).await?))
}

/// How Redis is reached, where there is one.
#[must_use]
pub fn redis_access(config: &Config) -> Option<RedisAccess> {
    let hub_url = config.redis_url.clone()?;
    Some(RedisAccess { hub_url, admin_url: config.redis_admin_url.clone(), ca_file: config.ca_file.clone() })
}

pub(crate) fn front_config(config: &Config) -> anyhow::Result<FrontConfig> {
    FrontConfig::new(config.listen, config.tls.as_ref(), config.is_https(), config.trusted_proxies.clone())
        .context("TLS_CERT_FILE and TLS_KEY_FILE")
}

/// The first lines a person reads: where to go, and what to do there.
async fn greet(config: &Config, store: &Store, address: SocketAddr) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let has_accounts = store.has_accounts().await.unwrap_or(false);
    let next = match (has_accounts, config.sign_ups) {
        (false, SignUps::First) => "Open it and make the owner's account.",
        (false, SignUps::Closed) => "Make an account with: betteruptime-hub user create <name>",
        (_, SignUps::First | SignUps::Closed) => "Open it and sign in.",
        (_, SignUps::Open) => "Open it and sign in, or make an account.",
    };
    println!("\n  BetterUptime {} is running at {url}\n  {next}\n", env!("CARGO_PKG_VERSION"));
    if config.is_embedded() {
        // systemd(1) sets it for what it starts, where Ctrl-C stops nothing.
        let stop = if std::env::var_os("INVOCATION_ID").is_none() { "   Stop: Ctrl-C" } else { "" };
        println!("  Data: {}{stop}\n", config.state_directory.display());
    }
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn signalled() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("Signals cannot be received; stop the hub with SIGKILL.");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
