//! The connections to Postgres. A way to the database may die in silence (a firewall that forgot it, a pooler that hangs):
//! nothing comes back on what was sent, and the system gives a connection up after a quarter of an hour (tcp(7),
//! `tcp_retries2`). Nobody waits longer than [`ANSWER_WITHIN`]; then all connections are left to themselves, since the others
//! took the same way, and new ones are made. What reads once over whole tables (`patiently!`) has a minute, by the server.

use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Pool, Store, StoreError, wall};

/// The longest a transaction of ours takes on a database that answers: a statement may take 5 s (D17), and most take
/// milliseconds. What is given up by mistake is done again, and its keys make it one.
const ANSWER_WITHIN: Duration = Duration::from_secs(12);

/// The pools in use.
#[derive(Debug, Clone)]
pub(super) struct Pools(Arc<RwLock<InUse>>);

#[derive(Debug)]
struct InUse {
    /// How many there were before.
    number: u64,
    pool: PgPool,
    /// For what is asked behind the wall; `None`: there is none, and it is asked like all else.
    walled: Option<PgPool>,
}

impl Pools {
    /// Connects.
    pub(super) async fn open(options: PgConnectOptions) -> Result<Self, StoreError> {
        let pool = settings().connect_with(options).await?;
        Ok(Self(Arc::new(RwLock::new(InUse { number: 0, pool, walled: None }))))
    }

    /// The pool in use now; to be asked for each time.
    pub(super) fn get(&self) -> PgPool {
        self.numbered().1
    }

    fn numbered(&self) -> (u64, PgPool) {
        let in_use = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let walled = in_use.walled.as_ref().filter(|_| wall::account().is_some());
        (in_use.number, walled.unwrap_or(&in_use.pool).clone())
    }

    /// From now on what is asked behind the wall goes through this pool.
    pub(super) fn wall_in(&self, walled: PgPool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).walled = Some(walled);
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        let (pool, walled) = {
            let in_use = self.0.read().unwrap_or_else(PoisonError::into_inner);
            (in_use.pool.clone(), in_use.walled.clone())
        };
        if let Some(walled) = walled {
            walled.close().await;
        }
        pool.close().await;
    }

    /// Puts new connections in the place of those of pool `number`, unless somebody has.
    fn renew(&self, number: u64) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.number != number {
            return;
        }
        let options = |pool: &PgPool| pool.connect_options().as_ref().clone();
        let pool = settings().connect_lazy_with(options(&current.pool));
        let walled = current.walled.as_ref().map(|pool| wall::settings(settings()).connect_lazy_with(options(pool)));
        let old = std::mem::replace(&mut *current, InUse { number: number + 1, pool, walled });
        drop(current);
        tracing::warn!(
            within_s = ANSWER_WITHIN.as_secs(),
            "The database did not answer; its connections are given up, and new ones made."
        );
        // Nobody gets one of them again; those who hold one may finish.
        tokio::spawn(async move {
            if let Some(walled) = old.walled {
                walled.close().await;
            }
            old.pool.close().await;
        });
    }
}

pub(super) fn settings() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(16)
        // A request that cannot have a connection in 2 s is better refused than queued.
        .acquire_timeout(Duration::from_secs(2))
}

impl Store {
    /// What `work` on this store brings; or, when the database does not answer for longer than it ever takes, that.
    ///
    /// `work` is dropped only when its connection can be nobody else's any more (D18).
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError::Silent`].
    pub(super) async fn answered<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return work.await };
        let number = pools.numbered().0;
        let began = Instant::now();
        let mut work = pin!(work);
        let answer = tokio::time::timeout(ANSWER_WITHIN, work.as_mut()).await;
        let answer = answer.unwrap_or_else(|_| {
            self.counts.silences.add(1);
            pools.renew(number);
            Err(StoreError::Silent)
        });
        self.counts.statements.record(began.elapsed());
        if answer.as_ref().is_err_and(StoreError::is_statement_timeout) {
            self.counts.statement_timeouts.add(1);
        }
        answer
    }
}
