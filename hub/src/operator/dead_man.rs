//! A dead man's switch elsewhere is told every minute that this hub works. When it is told no more it raises the alarm:
//! nobody else can, when the hub itself has ended, or cannot store and therefore cannot tell.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::alert::Alerts;
use crate::secret::Secret;
use crate::vital::Vitals;

/// Between two looks at whether it works.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two pings; what failed is tried again at the next look.
const PING_EVERY: Duration = Duration::from_secs(60);

/// Who is told, and whether there is anything to tell.
#[derive(Debug)]
pub struct DeadMan {
    alerts: Alerts,
    vitals: Vitals,
    url: Secret,
    pinged: Option<Instant>,
    /// Why it is not told, as last said in the log.
    told: Option<String>,
}

impl DeadMan {
    /// Tells the one behind `url`.
    #[must_use]
    pub fn new(alerts: Alerts, vitals: Vitals, url: Secret) -> Self {
        Self { alerts, vitals, url, pinged: None, told: None }
    }

    /// Pings if it is time, and this hub works. Returns whether that was done.
    pub async fn step(&mut self) -> bool {
        if let Some(why) = self.vitals.ailing() {
            // At the start parts begin one after the other.
            if self.pinged.is_some() {
                self.say(format!("This hub does not work: {why}."));
            }
            return false;
        }
        if self.pinged.is_some_and(|at| at.elapsed() < PING_EVERY) {
            return false;
        }
        match self.alerts.ping(&self.url).await {
            Ok(()) => {
                self.pinged = Some(Instant::now());
                if self.told.take().is_some() {
                    tracing::info!("The dead man's switch is told again that this hub works.");
                }
                true
            }
            Err(why) => {
                self.say(why);
                false
            }
        }
    }

    /// Once for each reason in a row; never with the address, which is a secret.
    fn say(&mut self, why: String) {
        if self.told.as_deref() != Some(why.as_str()) {
            tracing::warn!(why, "The dead man's switch (DEAD_MAN_URL) is not told that this hub works; trying again.");
            self.told = Some(why);
        }
    }
}

/// Pings until told to stop.
///
/// # Errors
/// Never by itself.
pub async fn run(mut dead_man: DeadMan, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    while !*stopping.borrow() {
        tokio::select! {
            _ = dead_man.step() => {}
            _ = stopping.changed() => break,
        }
        let _ = tokio::time::timeout(LOOK_EVERY, stopping.changed()).await;
    }
    Ok(())
}
