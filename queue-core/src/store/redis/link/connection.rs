//! One established connection, from its first answer to the doubt that ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::Notify;

use super::super::address::HostPort;
use super::super::classify;
use super::check::RunId;
use super::dial::{Dialed, Task};
use super::script::Invocation;
use crate::store::StoreError;

/// One established connection; clones are the same one.
#[derive(Clone)]
pub(in crate::store::redis) struct Connection(Arc<Inner>);

struct Inner {
    wire: Wire,
    /// Told when the connection has ended or must end.
    ended: Arc<Notify>,
    /// Why it must, if an answer said so.
    reason: Mutex<Option<StoreError>>,
    /// Told when a call got no answer in its time.
    doubted: Notify,
    /// The key of that call.
    doubt: Mutex<Option<String>>,
    answered: AtomicBool,
}

/// What commands go through.
enum Wire {
    Server { connection: MultiplexedConnection, driver: Task, at: HostPort, process: RunId },
    Cluster(ClusterConnection),
}

/// What became of a call.
pub(super) enum Outcome {
    /// The server answered, be it with an error.
    Answered(Result<Value, StoreError>),
    /// The connection is of no more use; another one may answer.
    Unusable(StoreError),
}

/// Why a connection should be replaced.
pub(super) struct End {
    pub(super) problem: StoreError,
    /// What calls were about that got no answer.
    pub(super) key: String,
}

impl Connection {
    pub(super) fn to_server(dialed: Dialed, at: HostPort, process: RunId) -> Self {
        let Dialed { connection, ended, driver } = dialed;
        Self::new(Wire::Server { connection, driver, at, process }, ended)
    }

    pub(super) fn to_cluster(connection: ClusterConnection) -> Self {
        Self::new(Wire::Cluster(connection), Arc::new(Notify::new()))
    }

    fn new(wire: Wire, ended: Arc<Notify>) -> Self {
        Self(Arc::new(Inner {
            wire,
            ended,
            reason: Mutex::new(None),
            doubted: Notify::new(),
            doubt: Mutex::new(None),
            answered: AtomicBool::new(false),
        }))
    }

    /// Whether both are the same connection.
    pub(in crate::store::redis) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The server and its process; `None` for a cluster.
    pub(in crate::store::redis) fn server(&self) -> Option<(&HostPort, &RunId)> {
        match &self.0.wire {
            Wire::Server { at, process, .. } => Some((at, process)),
            Wire::Cluster(_) => None,
        }
    }

    /// Whether any call was answered: a server that is connected to and then of no use is not asked again at once.
    pub(super) fn was_useful(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// Calls a script. When the caller stops waiting for the answer the connection is doubted.
    pub(super) async fn call(&self, invocation: &Invocation<'_>) -> Outcome {
        let doubt = Doubt { connection: self, key: invocation.key };
        // A cluster's client knows by itself which node a room lies on, and does not tell.
        let server = self.server().map_or("", |(_, process)| process.as_str());
        let mut answer = self.send(&invocation.by_hash(server)).await;
        if let Err(error) = &answer
            && error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript)
        {
            answer = self.send(&invocation.by_text(server)).await;
        }
        std::mem::forget(doubt);
        match answer {
            Ok(value) => {
                self.0.answered.store(true, Ordering::Relaxed);
                Outcome::Answered(Ok(value))
            }
            Err(error) if self.is_ended_by(&error) => {
                let problem = classify(&error);
                *lock(&self.0.reason) = Some(problem.clone());
                self.0.ended.notify_one();
                if self.serves_others() { Outcome::Answered(Err(problem)) } else { Outcome::Unusable(problem) }
            }
            Err(error) => Outcome::Answered(Err(classify(&error))),
        }
    }

    /// Sends commands about one key together, to the server in charge of it, and answers with all answers.
    pub(in crate::store::redis) async fn all(&self, key: &str, pipeline: Pipeline) -> Result<Vec<Value>, StoreError> {
        let count = pipeline.len();
        let answers = match &self.0.wire {
            Wire::Server { connection, .. } => connection.clone().send_packed_commands(&pipeline, 0, count).await,
            Wire::Cluster(connection) => {
                let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                connection.clone().route_pipeline(pipeline, 0, count, route).await
            }
        };
        let answers = answers.map_err(|error| classify(&error))?;
        answers.into_iter().map(|answer| answer.extract_error().map_err(|error| classify(&error))).collect()
    }

    /// Waits until the connection has ended, or leaves a call and then a question of ours unanswered for `patience`.
    pub(super) async fn ended(&self, patience: Duration) -> End {
        loop {
            tokio::select! {
                () = self.0.ended.notified() => {
                    let lost = || StoreError::Io("the connection was lost".to_owned());
                    return End { problem: lock(&self.0.reason).take().unwrap_or_else(lost), key: String::new() };
                }
                () = self.0.doubted.notified() => {
                    let key = lock(&self.0.doubt).take().unwrap_or_default();
                    if let Err(problem) = self.answers(&key, patience).await {
                        return End { problem, key };
                    }
                }
            }
        }
    }

    /// Whether a question about this key is answered in time. In a cluster it goes where calls with that key go.
    pub(super) async fn answers(&self, key: &str, patience: Duration) -> Result<(), StoreError> {
        let question = redis::cmd("EXISTS").arg(key).to_owned();
        match tokio::time::timeout(patience, self.send(&question)).await {
            Err(_) => Err(StoreError::Timeout),
            Ok(Err(error)) if error.is_timeout() || error.is_io_error() || self.is_ended_by(&error) => {
                Err(classify(&error))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Whether it is of use for other rooms when it is not for one: they lie on other nodes.
    pub(super) fn serves_others(&self) -> bool {
        matches!(self.0.wire, Wire::Cluster(_))
    }

    /// Ends it: calls under way are told that it is lost.
    pub(super) fn close(&self) {
        if let Wire::Server { driver, .. } = &self.0.wire {
            driver.end();
        }
    }

    async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        match &self.0.wire {
            Wire::Server { connection, .. } => connection.clone().send_packed_command(command).await?.extract_error(),
            Wire::Cluster(connection) => connection.clone().req_packed_command(command).await?.extract_error(),
        }
    }

    /// Whether another connection may do better: this one is lost, or leads to a server that is no primary now.
    fn is_ended_by(&self, error: &RedisError) -> bool {
        use redis::ErrorKind::{ClusterConnectionNotFound, Server};
        match &self.0.wire {
            // The cluster's client looks for the node that is in charge by itself.
            Wire::Cluster(_) => error.kind() == ClusterConnectionNotFound,
            Wire::Server { .. } => {
                let elsewhere = Server(ServerErrorKind::ReadOnly) == error.kind()
                    || Server(ServerErrorKind::BusyLoading) == error.kind()
                    || Server(ServerErrorKind::MasterDown) == error.kind();
                elsewhere || error.is_unrecoverable_error()
            }
        }
    }
}

/// Raises a doubt when a call is dropped before its answer: its deadline has passed.
struct Doubt<'a> {
    connection: &'a Connection,
    key: &'a str,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let inner = &self.connection.0;
        *lock(&inner.doubt) = Some(self.key.to_owned());
        inner.doubted.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
