//! The side of the services behind: a bounded pool of connections per core, and exchanges over them.
//!
//! The pool is the gateway's own because no ready-made one keeps a hard cap. Connections are not tasks: the request's
//! own task drives the connection it holds, so an exchange costs no switch between tasks, and a client that leaves
//! drops request and connection together. One cap per upstream holds over all cores.
//!
//! Of several endpoints `choice` takes the less loaded of two; `health` is the circuit breaker of each; `fleet` shares
//! both over all cores; a `turn` is one request's share of an endpoint. HTTP/1.1 is spoken to it, in
//! cleartext or over TLS; HTTP/2 is not, since a connection that carries one request at a time is what the cap counts.

mod body;
mod choice;
mod connection;
mod endpoint;
mod error;
mod exchange;
mod fleet;
mod health;
mod health_check;
mod pool;
mod settings;
mod shared;
mod stream;
mod timer;
mod tunnel;
mod turn;
mod wait;

pub use self::body::UpstreamBody;
pub use self::endpoint::{BadEndpoint, Endpoint};
pub use self::error::{ErrorReason, UpstreamError};
pub use self::health_check::HealthCheck;
pub use self::pool::Pool;
pub use self::settings::{FailureStatuses, UpstreamSettings};
pub use self::shared::Upstream;
pub use self::stream::UpstreamStream;
pub use self::tunnel::UpstreamTunnel;
pub use self::wait::Rank;
