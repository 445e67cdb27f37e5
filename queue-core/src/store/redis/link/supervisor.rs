//! Keeps one connection up: replaces it when it ends, is doubted for good, or leads to a server that lost its rank.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::backoff::Backoff;
use super::connection::Connection;
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
        // One line in the log for a store that is away, not one for each attempt.
        let mut told = None;
        loop {
            let problem = match self.topology.connect().await {
                Ok(connection) => {
                    let server = connection.server().map_or_else(|| "cluster".to_owned(), |(at, _)| at.to_string());
                    tracing::info!(%server, "connected to the store");
                    told = None;
                    let problem = self.keep(&connection).await;
                    tracing::warn!(%server, %problem, "the connection to the store is given up");
                    connection.close();
                    if connection.was_useful() {
                        pause.reset();
                        self.state.send_replace(State::Connecting);
                        continue;
                    }
                    problem
                }
                Err(error) => error,
            };
            if told.as_ref() != Some(&problem) {
                tracing::warn!(%problem, "the store cannot be used");
                told = Some(problem.clone());
            }
            self.state.send_replace(State::Down(problem));
            let _ = tokio::time::timeout(pause.next(), self.news.notified()).await;
        }
    }

    /// Offers the connection until there is a reason to replace it.
    async fn keep(&self, connection: &Connection) -> StoreError {
        self.state.send_replace(State::Up(connection.clone()));
        let mut ended = std::pin::pin!(connection.ended(self.patience));
        loop {
            tokio::select! {
                problem = &mut ended => return problem,
                () = self.news.notified() => {
                    if self.topology.has_moved(connection).await {
                        return StoreError::ReadOnly("the Sentinels made another server the primary".to_owned());
                    }
                }
            }
        }
    }
}
