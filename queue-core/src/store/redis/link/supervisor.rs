//! Keeps one connection up: replaces it when it ends, is doubted for good, or leads to a server that lost its rank.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::backoff::Backoff;
use super::connection::{Connection, End};
use super::topology::Topology;
use crate::store::StoreError;

/// What callers find.
#[derive(Clone)]
pub(super) enum State {
    /// The first attempt since the connection ended, or since the start: worth waiting for.
    Connecting,
    /// A connection.
    Up(Connection),
    /// The last attempt failed: callers are told so at once.
    Down(StoreError),
}

/// Keeps one connection up.
pub(super) struct Supervisor {
    pub(super) topology: Arc<Topology>,
    pub(super) state: watch::Sender<State>,
    /// Told when the primary may have moved.
    pub(super) news: Arc<Notify>,
    /// How long a doubted connection has to answer.
    pub(super) patience: Duration,
    pub(super) max_delay: Duration,
}

impl Supervisor {
    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        let mut pause = Backoff::new(self.max_delay);
        let mut connection = self.connect(&mut pause).await;
        loop {
            self.state.send_replace(State::Up(connection.clone()));
            let End { problem, key } = self.keep(&connection).await;
            tracing::warn!(store = %name(&connection), %problem, "the connection to the store is given up");
            if connection.serves_others() {
                connection = self.replace_for(&key, connection).await;
                continue;
            }
            connection.close();
            if connection.was_useful() {
                pause.reset();
                self.state.send_replace(State::Connecting);
            } else {
                self.pause(&mut pause, problem).await;
            }
            connection = self.connect(&mut pause).await;
        }
    }

    /// Connects, however often it takes.
    async fn connect(&self, pause: &mut Backoff) -> Connection {
        // One line in the log for a store that is away, not one for each attempt.
        let mut told = None;
        loop {
            match self.topology.connect().await {
                Ok(connection) => {
                    tracing::info!(store = %name(&connection), "connected to the store");
                    return connection;
                }
                Err(problem) => {
                    if told.as_ref() != Some(&problem) {
                        tracing::warn!(%problem, "the store cannot be used");
                        told = Some(problem.clone());
                    }
                    self.pause(pause, problem).await;
                }
            }
        }
    }

    /// Tells callers at once what is wrong until there is another attempt; news of another primary end the pause.
    async fn pause(&self, pause: &mut Backoff, problem: StoreError) {
        self.state.send_replace(State::Down(problem));
        let _ = tokio::time::timeout(pause.next(), self.news.notified()).await;
    }

    /// Offers the connection until there is a reason to replace it.
    async fn keep(&self, connection: &Connection) -> End {
        let mut ended = std::pin::pin!(connection.ended(self.patience));
        loop {
            tokio::select! {
                end = &mut ended => return end,
                () = self.news.notified() => {
                    if self.topology.has_moved(connection).await {
                        let problem = "the Sentinels made another server the primary";
                        return End { problem: StoreError::ReadOnly(problem.to_owned()), key: String::new() };
                    }
                }
            }
        }
    }

    /// A connection to the cluster that answers about `key`. The one that does not is offered meanwhile, for rooms on
    /// other nodes: a new one would let them wait whenever it tries to connect to the node that hangs.
    async fn replace_for(&self, key: &str, standing: Connection) -> Connection {
        loop {
            tokio::time::sleep(self.max_delay).await;
            if standing.answers(key, self.patience).await.is_ok() {
                return standing;
            }
            if let Ok(other) = self.topology.connect().await
                && other.answers(key, self.patience).await.is_ok()
            {
                return other;
            }
        }
    }
}

/// What the log calls it.
fn name(connection: &Connection) -> String {
    connection.server().map_or_else(|| "cluster".to_owned(), |(at, _)| at.to_string())
}
