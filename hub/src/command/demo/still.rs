//! The pages alone, over what is stored: nothing is looked at, counted, told or forgotten.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::alert::Alerts;
use crate::config::Config;
use crate::http::{self, App};
use crate::schedule::Scheduler;
use crate::{run, state_directory};

/// Until SIGTERM or SIGINT.
pub(super) async fn serve(config: &Config, greet: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let directory = state_directory::prepare(&config.state_directory)?;
    let keys = state_directory::signing_keys(&directory)?;
    let store = run::open_store(config).await?;
    // Nobody obeys, and nobody is told that nobody does.
    let (scheduler, _inbox) = Scheduler::channel();
    let alerts = Alerts::new(run::alert_settings(config, false), &keys)?;
    let settings = run::http_settings(config, &directory, true);
    let app = App::new(store.clone(), scheduler, alerts, settings, &keys)?;
    let (stop, stopping) = watch::channel(false);
    let listening =
        http::start(app, run::front_config(config)?, stopping).await.context("the pages could not be started")?;
    greet(listening.address);
    run::signalled().await;
    let _ = stop.send(true);
    listening.finished().await?;
    store.close().await;
    http::close(&directory);
    Ok(())
}
