//! The three ways to reach the server that keeps a line.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::super::address::{HostPort, RedisAddress};
use super::LinkSettings;
use super::check::Check;
use super::cluster::Cluster;
use super::connection::Connection;
use super::dial::{Dialer, Task};
use super::sentinel::Sentinels;
use crate::store::StoreError;

/// A way to reach the server, and what is checked there.
pub(super) struct Topology {
    way: Way,
    check: Check,
    connect_timeout: Duration,
}

enum Way {
    /// It is always the same one.
    Server { at: HostPort, dialer: Dialer },
    /// Sentinels say which one.
    Sentinel { sentinels: Sentinels, dialer: Dialer },
    /// Each room has its own.
    Cluster(Box<Cluster>),
}

impl Topology {
    pub(super) fn new(address: RedisAddress, settings: &LinkSettings) -> Result<Self, StoreError> {
        let way = match address {
            RedisAddress::Server { at, tls, login, database } => {
                let connector = tls.map(|tls| tls.connector()).transpose()?;
                Way::Server { at, dialer: Dialer::new(connector, &login, database) }
            }
            RedisAddress::Sentinel { sentinels, name, tls, login, sentinel_login, database } => {
                let connector = tls.map(|tls| tls.connector()).transpose()?;
                let sentinels = Sentinels::new(sentinels, name, Dialer::new(connector.clone(), &sentinel_login, 0));
                Way::Sentinel { sentinels, dialer: Dialer::new(connector, &login, database) }
            }
            RedisAddress::Cluster { nodes, tls, login } => {
                Way::Cluster(Box::new(Cluster::new(&nodes, tls.as_ref(), &login, settings)?))
            }
        };
        Ok(Self { way, check: Check::default(), connect_timeout: settings.connect_timeout })
    }

    /// One attempt, bounded: asking the Sentinels by the time each of them has, then connecting.
    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        match &self.way {
            Way::Server { at, dialer } => self.connect_to(at, dialer).await,
            Way::Sentinel { sentinels, dialer } => self.connect_to(&sentinels.primary().await?, dialer).await,
            Way::Cluster(cluster) => {
                let connection = self.in_time("the cluster", cluster.connect(&self.check)).await?;
                Ok(Connection::to_cluster(connection))
            }
        }
    }

    async fn connect_to(&self, at: &HostPort, dialer: &Dialer) -> Result<Connection, StoreError> {
        let connecting = async {
            let mut dialed = dialer.dial(at).await?;
            let process = self.check.server(at, &mut dialed).await?;
            Ok(Connection::to_server(dialed, at.clone(), process))
        };
        self.in_time(at, connecting).await
    }

    async fn in_time<T>(
        &self,
        at: impl std::fmt::Display,
        connecting: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.connect_timeout;
        let connected = tokio::time::timeout(limit, connecting).await;
        connected.unwrap_or_else(|_| Err(StoreError::Io(format!("{at}: no connection within {limit:?}"))))
    }

    /// Another connection to where this one leads. A server that was restarted meanwhile is another one.
    pub(super) async fn beside(&self, connection: &Connection) -> Result<Connection, StoreError> {
        let (dialer, (at, process)) = match (&self.way, connection.server()) {
            (Way::Server { dialer, .. } | Way::Sentinel { dialer, .. }, Some(server)) => (dialer, server),
            (Way::Cluster(cluster), _) => {
                return Ok(Connection::to_cluster(self.in_time("the cluster", cluster.open()).await?));
            }
            _ => return Err(StoreError::Io("a connection of another kind".to_owned())),
        };
        let beside = self.connect_to(at, dialer).await?;
        let same = beside.server().is_some_and(|(_, other)| other == process);
        if same { Ok(beside) } else { Err(StoreError::Io(format!("{at}: it was restarted"))) }
    }

    /// Listens for news of a primary that moved.
    pub(super) fn listen(&self, news: &Arc<Notify>, max_delay: Duration) -> Vec<Task> {
        match &self.way {
            Way::Sentinel { sentinels, .. } => sentinels.listen(news, max_delay),
            Way::Server { .. } | Way::Cluster(_) => Vec::new(),
        }
    }

    /// Whether the Sentinels name another primary than the one that is connected to. When none answers, what works stays.
    pub(super) async fn has_moved(&self, connection: &Connection) -> bool {
        let Way::Sentinel { sentinels, .. } = &self.way else { return false };
        let Some((at, _)) = connection.server() else { return false };
        sentinels.primary().await.is_ok_and(|primary| primary != *at)
    }
}
