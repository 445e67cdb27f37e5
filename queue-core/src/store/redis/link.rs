//! The way to the server that keeps a line: one connection that is replaced when it must be, and calls that never wait
//! longer than they may.

mod backoff;
mod check;
mod cluster;
mod connection;
mod dial;
pub(super) mod info;
mod script;
mod sentinel;
mod supervisor;
mod tls;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::{Notify, watch};

use self::connection::Outcome;
use self::dial::Task;
use self::script::Invocation;
use self::supervisor::{State, Supervisor};
use self::topology::Topology;
use super::address::RedisAddress;
use super::scripts::Arguments;
use crate::store::StoreError;

pub(super) use self::connection::Connection;
pub(super) use self::script::Script;
pub use self::tls::{Identity, IdentityError, Tls, Trust, TrustError};

/// How patient a link is.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkSettings {
    /// How long a connection may take.
    pub(super) connect_timeout: Duration,
    /// How long a connection may leave a question unanswered after a call that got no answer in time.
    pub(super) response_timeout: Duration,
    /// The longest pause between two attempts to connect.
    pub(super) max_reconnect_delay: Duration,
}

/// A connection that is replaced when it must be.
pub(super) struct Link {
    topology: Arc<Topology>,
    state: watch::Receiver<State>,
    _tasks: Vec<Task>,
}

impl Link {
    /// Begins to connect. Must be called within a tokio runtime.
    pub(super) fn open(address: RedisAddress, settings: LinkSettings) -> Result<Self, StoreError> {
        let topology = Arc::new(Topology::new(address, &settings)?);
        let (state, receiver) = watch::channel(State::Connecting);
        let news = Arc::new(Notify::new());
        let mut tasks = topology.listen(&news, settings.max_reconnect_delay);
        let (patience, max_delay) = (settings.response_timeout, settings.max_reconnect_delay);
        let supervisor = Supervisor { topology: topology.clone(), state, news, patience, max_delay };
        tasks.push(Task::spawn(supervisor.run()));
        Ok(Self { topology, state: receiver, _tasks: tasks })
    }

    /// The connection that the next call goes through, if there is one.
    pub(super) fn current(&self) -> Option<Connection> {
        match &*self.state.borrow() {
            State::Up(connection) => Some(connection.clone()),
            State::Connecting | State::Down(_) => None,
        }
    }

    /// Another connection to the same process of the same server, or to the same cluster.
    pub(super) async fn beside(&self, connection: &Connection) -> Result<Connection, StoreError> {
        self.topology.beside(connection).await
    }

    /// Calls a script on its one key; the answer comes within `deadline`, whatever happens.
    pub(super) async fn invoke(
        &self,
        script: &Script,
        key: &str,
        arguments: &Arguments,
        deadline: Duration,
    ) -> Result<Value, StoreError> {
        let invocation = Invocation { script, key, arguments };
        tokio::time::timeout(deadline, self.carry_out(&invocation)).await.unwrap_or(Err(StoreError::Timeout))
    }

    /// Calls, and once more on another connection when the first one turns out to be of no use: every step may be
    /// repeated.
    async fn carry_out(&self, invocation: &Invocation<'_>) -> Result<Value, StoreError> {
        let first = self.connection_after(None).await?;
        match first.call(invocation).await {
            Outcome::Answered(answer) => answer,
            Outcome::Unusable(problem) => match self.connection_after(Some(&first)).await {
                Ok(second) => match second.call(invocation).await {
                    Outcome::Answered(answer) => answer,
                    Outcome::Unusable(problem) => Err(problem),
                },
                Err(_) => Err(problem),
            },
        }
    }

    /// The connection, once there is one that is not `used`.
    async fn connection_after(&self, used: Option<&Connection>) -> Result<Connection, StoreError> {
        let mut state = self.state.clone();
        let settled = |state: &State| match state {
            State::Connecting => false,
            State::Up(connection) => used.is_none_or(|used| !used.is(connection)),
            State::Down(_) => true,
        };
        let stopped = || StoreError::Io("the store's connection is no longer looked after".to_owned());
        match &*state.wait_for(settled).await.map_err(|_| stopped())? {
            State::Up(connection) => Ok(connection.clone()),
            State::Down(error) => Err(error.clone()),
            State::Connecting => Err(stopped()),
        }
    }
}
