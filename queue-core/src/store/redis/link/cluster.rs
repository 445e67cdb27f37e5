//! A cluster: its client finds the node in charge of a room by the hash tag of the room's key.

use redis::cluster::{ClusterClient, TlsMode};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Value};
use secrecy::ExposeSecret as _;

use super::super::address::{HostPort, Login};
use super::super::classify;
use super::LinkSettings;
use super::check::Check;
use super::dial::at_host;
use super::tls::Tls;
use crate::store::StoreError;

/// One repetition, for the answer that a room has moved to another node; more would only pass the deadline.
const RETRIES: u32 = 1;

/// Between two tries, in milliseconds.
const SHORTEST_WAIT: u64 = 5;
const LONGEST_WAIT: u64 = 20;

/// Connecting asks the nodes of the address and then those they name: a node that does not answer may be waited for in
/// both rounds, and the cluster is still connected to in time.
const NODES_IN_A_ROW: u32 = 4;

/// The client of one cluster.
pub(super) struct Cluster {
    client: ClusterClient,
    /// The nodes of the address, which are asked first.
    nodes: String,
}

impl Cluster {
    pub(super) fn new(
        nodes: &[HostPort],
        tls: Option<&Tls>,
        login: &Login,
        settings: &LinkSettings,
    ) -> Result<Self, StoreError> {
        let infos = nodes.iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let mut builder = ClusterClient::builder(infos)
            .retries(RETRIES)
            .min_retry_wait(SHORTEST_WAIT)
            .max_retry_wait(LONGEST_WAIT)
            .connection_timeout(settings.connect_timeout / NODES_IN_A_ROW)
            .response_timeout(settings.response_timeout)
            .overall_response_timeout(Some(settings.response_timeout))
            .tcp_settings(TcpSettings::default().set_nodelay(true));
        if let Some(user) = &login.user {
            builder = builder.username(user);
        }
        if let Some(password) = &login.password {
            builder = builder.password(password.expose_secret());
        }
        if let Some(tls) = tls {
            // Holds for every node: those of the address, and those they name.
            builder = builder.tls(TlsMode::Secure).certs(tls.certificates()?);
        }
        let client = builder.build().map_err(|error| classify(&error))?;
        let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        Ok(Self { client, nodes: nodes.join(",") })
    }

    /// Connects to the cluster and looks at its nodes.
    pub(super) async fn connect(&self, check: &Check) -> Result<ClusterConnection, StoreError> {
        let mut connection = self.open().await?;
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers: Result<Value, _> = connection.route_command(redis::cmd("INFO"), everywhere).await;
        match answers {
            Ok(answers) => check.cluster(&answers)?,
            // One node that does not answer must not make the others useless.
            Err(error) => tracing::debug!(%error, "not every node of the cluster could be looked at"),
        }
        Ok(connection)
    }

    /// Connects to the cluster.
    pub(super) async fn open(&self) -> Result<ClusterConnection, StoreError> {
        self.client.get_async_connection().await.map_err(|error| at_host(&self.nodes, classify(&error)))
    }
}

fn node(at: &HostPort) -> Result<ConnectionInfo, StoreError> {
    ConnectionAddr::Tcp(at.host.clone(), at.port).into_connection_info().map_err(|error| classify(&error))
}
