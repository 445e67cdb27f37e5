//! The few connections over which a crowd asks one gateway.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::Semaphore;

use crate::journey::ask::{Answer, Ask, connect, exchange};

/// More than answers in a few milliseconds each need, less than a gateway's backlog.
const CONNECTIONS: usize = 128;

/// When a visitor stops waiting for an answer: a gateway that is cut off from its store still answers in time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections to one gateway.
pub(super) struct Pool {
    pub(super) address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    free: Semaphore,
}

impl Pool {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default(), free: Semaphore::new(CONNECTIONS) }
    }

    /// Asks once; whoever gets no answer decides whether to ask again.
    pub(super) async fn send(&self, ask: Ask) -> Result<Answer, String> {
        let _one = self.free.acquire().await.map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, Box::pin(self.exchange(ask))).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer in {PATIENCE:?}")),
        }
    }

    async fn exchange(&self, ask: Ask) -> Result<Answer, String> {
        let idle = self.take();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(self.address).await?,
        };
        let answer = exchange(&mut connection, ask.into_request()).await?;
        self.idle.lock().unwrap().push(connection);
        Ok(answer)
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap();
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }
}
