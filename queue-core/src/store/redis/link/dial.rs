//! Opening one connection to one server.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret as _;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::super::address::{HostPort, Login};
use super::super::classify;
use crate::store::StoreError;

/// Commands that may wait in the connection's own queue. Calls are batches, so more than this is a store that stands still.
const PIPELINE_BUFFER: usize = 1_024;

/// A host that vanished without a word is noticed on an idle connection after this and three unanswered probes.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    pub(super) fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end();
    }
}

/// A connection and what keeps it going.
pub(super) struct Dialed {
    pub(super) connection: MultiplexedConnection,
    /// Told when the connection has ended.
    pub(super) ended: Arc<Notify>,
    pub(super) driver: Task,
}

/// How to talk to one server.
pub(super) struct Dialer {
    pub(super) tls: Option<TlsConnector>,
    pub(super) hello: RedisConnectionInfo,
}

impl Dialer {
    pub(super) fn new(tls: Option<TlsConnector>, login: &Login, database: u16) -> Self {
        let mut hello = RedisConnectionInfo::default().set_db(i64::from(database));
        if let Some(user) = &login.user {
            hello = hello.set_username(user);
        }
        if let Some(password) = &login.password {
            hello = hello.set_password(password.expose_secret());
        }
        Self { tls, hello }
    }

    /// Connects and logs in. Has no deadline of its own.
    pub(super) async fn dial(&self, at: &HostPort) -> Result<Dialed, StoreError> {
        let stream = self.stream(at).await?;
        // Calls have their own deadlines, which also cover waiting for a connection.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE_BUFFER);
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.hello, stream, config)
            .await
            .map_err(|error| at_host(at, classify(&error)))?;
        let ended = Arc::new(Notify::new());
        let told = ended.clone();
        let driver = Task::spawn(async move {
            driver.await;
            told.notify_one();
        });
        Ok(Dialed { connection, ended, driver })
    }

    /// Connects, logs in, and listens to channels.
    pub(super) async fn listen(&self, at: &HostPort) -> Result<PubSub, StoreError> {
        let stream = self.stream(at).await?;
        PubSub::new(&self.hello, stream).await.map_err(|error| at_host(at, classify(&error)))
    }

    async fn stream(&self, at: &HostPort) -> Result<Box<dyn Stream>, StoreError> {
        let failed = |error: std::io::Error| StoreError::Io(format!("{at}: {error}"));
        let tcp = TcpStream::connect((at.host.as_str(), at.port)).await.map_err(failed)?;
        // Without it a small command waits for the delayed acknowledgement of the one before.
        tcp.set_nodelay(true).map_err(failed)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_PROBE).with_retries(3);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive).map_err(failed)?;
        Ok(match &self.tls {
            None => Box::new(tcp),
            Some(connector) => {
                let name = ServerName::try_from(at.host.clone())
                    .map_err(|_| StoreError::Io(format!("{at}: this host name cannot stand in a certificate")))?;
                Box::new(connector.connect(name, tcp).await.map_err(failed)?)
            }
        })
    }
}

/// Says at which host it went wrong.
pub(super) fn at_host(at: &impl std::fmt::Display, error: StoreError) -> StoreError {
    match error {
        StoreError::Io(text) => StoreError::Io(format!("{at}: {text}")),
        StoreError::ReadOnly(text) => StoreError::ReadOnly(format!("{at}: {text}")),
        StoreError::Loading(text) => StoreError::Loading(format!("{at}: {text}")),
        StoreError::Script(text) => StoreError::Script(format!("{at}: {text}")),
        other => other,
    }
}
