//! The way to the rows: one bounded queue, few writers, many commands in one transaction.
//!
//! SQLite's own waiting is unfair and a disk sync per command is slow, so the queue is here and a batch shares a sync.
//! Each command has a savepoint: one that is refused leaves the others alone. Nobody is answered before the commit,
//! and the board follows before the answers go out.

use std::sync::Arc;

use sqlx::AnyConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::command::{self, Answer, Command, Outcome};
use super::{Database, Dialect, Failure, state};
use crate::board::Board;
use crate::catalogue::Catalogue;
use crate::clock::{Clock, Stopwatch};
use crate::refusal::Refusal;

/// Commands that may wait. At some thousand commands a second this is less than a second of waiting; whoever comes
/// after that is better off being told.
pub(crate) const QUEUE_LIMIT: usize = 2_048;
/// How often a conflict inside PostgreSQL is met by running the transaction again.
const RETRIES: u32 = 3;

/// Why a command has no answer of its own.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The rules do not allow it.
    Refused(Refusal),
    /// [`QUEUE_LIMIT`] commands wait already. It was not tried.
    Overloaded,
    /// The database failed. With an idempotency key it is safe to try again.
    Broken,
}

/// Told what the writers do; for metrics.
pub(crate) trait WriterObserver: Send + Sync {
    /// A transaction with so many commands has ended, after so many seconds.
    fn batch(&self, commands: usize, seconds: f64);
    /// The database failed.
    fn broken(&self);
}

struct Job {
    command: Command,
    answer: oneshot::Sender<Result<Answer, WriteError>>,
}

/// Where commands are handed in. The writers end when the last one of these is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// What every writer shares.
struct Shared {
    database: Database,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    catalogue: Arc<Catalogue>,
    observer: Arc<dyn WriterObserver>,
}

impl Writer {
    /// Starts the writers of `database`.
    pub(crate) async fn start(
        database: Database,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
        catalogue: Arc<Catalogue>,
        observer: Arc<dyn WriterObserver>,
    ) -> sqlx::Result<(Self, JoinSet<()>)> {
        let (queue, jobs) = mpsc::channel(QUEUE_LIMIT);
        let jobs = Arc::new(Mutex::new(jobs));
        let dialect = database.dialect;
        let shared = Arc::new(Shared { database, clock, board, catalogue, observer });
        let mut writers = JoinSet::new();
        for _ in 0..dialect.writers() {
            let connection = shared.database.connection().await?;
            writers.spawn(write(connection, Arc::clone(&jobs), Arc::clone(&shared)));
        }
        Ok((Self { queue }, writers))
    }

    /// Runs `command` and says what came of it, after it is on disk.
    pub(crate) async fn run(&self, command: Command) -> Result<Answer, WriteError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { command, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Broken,
        })?;
        answered.await.unwrap_or(Err(WriteError::Broken))
    }

    /// Commands that wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Whether commands are still taken.
    pub(crate) fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

async fn write(mut connection: AnyConnection, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, shared: Arc<Shared>) {
    let batch = shared.database.dialect.batch();
    let mut taken = Vec::with_capacity(batch);
    loop {
        if jobs.lock().await.recv_many(&mut taken, batch).await == 0 {
            return;
        }
        // Whoever has gone meanwhile is not served: nothing has been done for them yet.
        taken.retain(|job| !job.answer.is_closed());
        if taken.is_empty() {
            continue;
        }
        let watch = Stopwatch::start();
        let results = transaction(&mut connection, &taken, &shared).await;
        shared.observer.batch(taken.len(), watch.elapsed().as_secs_f64());
        match results {
            Ok(results) => {
                for (job, result) in taken.drain(..).zip(results) {
                    let result = result.map(|outcome| {
                        outcome.changes.iter().for_each(|change| shared.board.apply(change));
                        outcome.answer
                    });
                    // An asker that has gone finds the answer under its key.
                    let _ = job.answer.send(result);
                }
            }
            Err(error) => {
                tracing::error!(%error, commands = taken.len(), "the database failed");
                shared.observer.broken();
                recover(&mut connection, &shared).await;
                for job in taken.drain(..) {
                    let _ = job.answer.send(Err(WriteError::Broken));
                }
            }
        }
    }
}

type Results = Vec<Result<Outcome, WriteError>>;

/// All of `jobs` in one transaction.
///
/// # Errors
/// When the transaction as a whole failed: nothing of it is answered.
async fn transaction(connection: &mut AnyConnection, jobs: &[Job], shared: &Shared) -> sqlx::Result<Results> {
    let dialect = shared.database.dialect;
    let mut tries = 0;
    loop {
        match attempt(connection, jobs, shared).await {
            Err(error) if tries < RETRIES && dialect.may_retry(&error) => {
                sqlx::query("ROLLBACK").execute(&mut *connection).await?;
                tries += 1;
            }
            result => return result,
        }
    }
}

async fn attempt(connection: &mut AnyConnection, jobs: &[Job], shared: &Shared) -> sqlx::Result<Results> {
    let dialect = shared.database.dialect;
    execute(connection, dialect.begin()).await?;
    let mut results = Vec::with_capacity(jobs.len());
    for job in jobs {
        results.push(one(connection, dialect, shared, &job.command).await?);
    }
    execute(connection, "COMMIT").await?;
    Ok(results)
}

/// One command in its savepoint.
///
/// # Errors
/// When not even its savepoint can be undone, or the whole transaction must be run again.
async fn one(
    connection: &mut AnyConnection,
    dialect: Dialect,
    shared: &Shared,
    command: &Command,
) -> sqlx::Result<Result<Outcome, WriteError>> {
    execute(connection, "SAVEPOINT command").await?;
    let now = dialect.now(connection, &*shared.clock).await?;
    let error = match command::run(connection, now, command).await {
        Ok(outcome) => {
            execute(connection, "RELEASE SAVEPOINT command").await?;
            return Ok(Ok(outcome));
        }
        Err(Failure::Refused(refusal)) => WriteError::Refused(refusal),
        Err(Failure::Broken(error)) if dialect.may_retry(&error) => return Err(error),
        Err(Failure::Broken(error)) => {
            tracing::error!(%error, "a command failed");
            shared.observer.broken();
            WriteError::Broken
        }
    };
    execute(connection, "ROLLBACK TO SAVEPOINT command").await?;
    execute(connection, "RELEASE SAVEPOINT command").await?;
    Ok(Err(error))
}

async fn execute(connection: &mut AnyConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await.map(drop)
}

/// After a failure nobody knows what was committed: a fresh connection, and the board as the rows say.
async fn recover(connection: &mut AnyConnection, shared: &Shared) {
    // Fails when there is no transaction left, which is as good.
    let _ = execute(connection, "ROLLBACK").await;
    match shared.database.connection().await {
        Ok(fresh) => *connection = fresh,
        Err(error) => tracing::error!(%error, "cannot reach the database"),
    }
    if let Err(error) =
        correct(connection, &shared.catalogue, &shared.board, shared.database.dialect, &*shared.clock).await
    {
        tracing::error!(%error, "cannot read the seats back");
    }
}

/// Makes the board what the rows say.
pub(crate) async fn correct(
    connection: &mut AnyConnection,
    catalogue: &Catalogue,
    board: &Board,
    dialect: Dialect,
    clock: &dyn Clock,
) -> sqlx::Result<()> {
    let now = dialect.now(connection, clock).await?;
    for event in catalogue.events() {
        let cells = state::cells(connection, event, now).await?;
        let holders = state::holders(connection, event).await?;
        board.reset(event.id, cells, holders);
    }
    Ok(())
}
