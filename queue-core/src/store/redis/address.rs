//! Where a Redis is, in the forms that operators write: one server, Sentinels that know the server, or a cluster.

mod parse;

use std::fmt;

use secrecy::SecretString;

pub use self::parse::AddressError;
use super::link::Tls;

/// The port of a Redis server when none is given.
pub(super) const SERVER_PORT: u16 = 6379;

/// The port of a Sentinel when none is given.
pub(super) const SENTINEL_PORT: u16 = 26379;

/// How to reach the Redis that keeps the lines. May hold passwords; its `Debug` shows none.
///
/// The forms of [`RedisAddress::parse`]; user and password may be written in percent-encoding:
///
/// - `redis://[user][:password@]host[:port][/database]`, and `rediss://…` for TLS
/// - `redis+sentinel://[user][:password@]host[:26379],host,host/name[/database]`, and `rediss+sentinel://…` for TLS with the
///   Sentinels and with the servers they name
/// - `redis+cluster://[user][:password@]host[:port],host,host`, and `rediss+cluster://…` for TLS with every node
#[derive(Clone, Debug)]
pub enum RedisAddress {
    /// One server.
    Server {
        /// Where it listens.
        at: HostPort,
        /// `None`: no TLS.
        tls: Option<Tls>,
        /// Who we are there.
        login: Login,
        /// The numbered database.
        database: u16,
    },
    /// A primary that Sentinels know by name and replace when it fails.
    Sentinel {
        /// Where the Sentinels listen.
        sentinels: Vec<HostPort>,
        /// What they call the primary.
        name: String,
        /// With the Sentinels and with the primary alike; `None`: no TLS.
        tls: Option<Tls>,
        /// Who we are at the primary.
        login: Login,
        /// Who we are at the Sentinels.
        sentinel_login: Login,
        /// The numbered database.
        database: u16,
    },
    /// Several primaries that share the rooms among them.
    Cluster {
        /// Some of its nodes; the others are learned from them.
        nodes: Vec<HostPort>,
        /// With every node, under the name or address by which the cluster knows it; `None`: no TLS.
        tls: Option<Tls>,
        /// Who we are at every node.
        login: Login,
    },
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who we are at a server.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The user; `None`: the server's default one.
    pub user: Option<String>,
    /// The password, if the server wants one.
    pub password: Option<SecretString>,
}
