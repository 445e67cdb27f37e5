//! The service put together, apart from its sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue_core::Timestamp;
use sqlx::AnyPool;
use tokio::task::JoinSet;

use crate::board::Board;
use crate::catalogue::{self, Catalogue};
use crate::checker;
use crate::clock::Clock;
use crate::identity::Identity;
use crate::ids::AccountId;
use crate::metrics::Metrics;
use crate::money::Points;
use crate::store::ledger::ISSUER;
use crate::store::{Database, Dialect, Writer, writer};
use crate::ticket::{self, KeysUrl, Tickets};

/// How often the board is read back from PostgreSQL, where other processes sell too.
const CORRECT_EVERY: Duration = Duration::from_secs(1);
/// How often the rows are checked against the invariants.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// What the service is told at start.
#[derive(Default)]
pub struct Settings {
    /// Checks admission tickets; without it everyone is let in.
    pub tickets: Option<Arc<Tickets>>,
    /// Where the tickets' keys are fetched.
    pub keys_url: Option<KeysUrl>,
    /// Points that a new demo customer gets.
    pub grant: i64,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A metric is defined twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The service.
pub struct App {
    clock: Arc<dyn Clock>,
    catalogue: Arc<Catalogue>,
    board: Arc<Board>,
    writer: Writer,
    database: Database,
    identity: Identity,
    metrics: Arc<Metrics>,
    settings: Settings,
    draining: AtomicBool,
    /// Ended with the app.
    _chores: JoinSet<()>,
}

/// The writers of an app, to be awaited after the app is dropped: then all that was taken is on disk. They end with
/// their app, whether awaited or not.
pub struct Writers(JoinSet<()>);

impl Writers {
    /// Waits until the last command is done.
    pub async fn finish(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.0.detach_all();
    }
}

impl App {
    /// Starts the writers and the chores over `database`.
    ///
    /// # Errors
    /// [`AppError`]
    pub async fn start(
        database: Database,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<(Arc<Self>, Writers), AppError> {
        let metrics = Arc::new(Metrics::new()?);
        let mut connection = database.connection().await?;
        sqlx::query("INSERT INTO account (id, owner, kind) VALUES ($1, $2, 'issuer') ON CONFLICT (owner) DO NOTHING")
            .bind(AccountId::new(clock.now()).to_string())
            .bind(ISSUER)
            .execute(&mut connection)
            .await?;
        let catalogue = Arc::new(catalogue::load(&mut connection).await?);
        let board = Arc::new(Board::new(&catalogue, clock.now()));
        writer::correct(&mut connection, &catalogue, &board, database.dialect, &*clock).await?;
        let identity = Identity::new(&database.token_secret().await?);
        let (writer, writers) = Writer::start(
            database.clone(),
            Arc::clone(&clock),
            Arc::clone(&board),
            Arc::clone(&catalogue),
            metrics.clone(),
        )
        .await?;

        let mut chores = JoinSet::new();
        if let (Some(tickets), Some(url)) = (&settings.tickets, &settings.keys_url) {
            chores.spawn(ticket::follow(Arc::clone(tickets), url.clone(), Arc::clone(&metrics)));
        }
        // The one process of a SQLite file is told of every change by its writer; what is read beside that writer
        // could be older than what it has applied.
        if database.dialect == Dialect::Postgres {
            chores.spawn(correct(database.clone(), Arc::clone(&catalogue), Arc::clone(&board), Arc::clone(&clock)));
        }
        chores.spawn(watch(database.clone(), Arc::clone(&clock), Arc::clone(&metrics)));
        let draining = AtomicBool::new(false);
        let app =
            Self { clock, catalogue, board, writer, database, identity, metrics, settings, draining, _chores: chores };
        Ok((Arc::new(app), Writers(writers)))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) const fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) const fn readers(&self) -> &AnyPool {
        &self.database.readers
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn tickets(&self) -> Option<&Tickets> {
        self.settings.tickets.as_deref()
    }

    pub(crate) const fn grant(&self) -> Points {
        Points(self.settings.grant)
    }

    /// From now on the service is not ready for new visitors.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

async fn correct(database: Database, catalogue: Arc<Catalogue>, board: Arc<Board>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(CORRECT_EVERY).await;
        let Ok(mut connection) = database.readers.acquire().await else { continue };
        if let Err(error) = writer::correct(&mut connection, &catalogue, &board, database.dialect, &*clock).await {
            tracing::warn!(%error, "cannot compare the board with the rows");
        }
    }
}

async fn watch(database: Database, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) {
    loop {
        match checker::check_at(&database, &*clock).await {
            Ok(findings) => {
                for rule in checker::rules() {
                    metrics.findings.with_label_values(&[rule.invariant]).set(0);
                }
                for finding in &findings {
                    tracing::error!(invariant = finding.invariant, rule = finding.rule, "the rows break an invariant");
                    metrics.findings.with_label_values(&[finding.invariant]).add(finding.violations() as i64);
                }
            }
            Err(error) => tracing::warn!(%error, "cannot check the rows"),
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}
