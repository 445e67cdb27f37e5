//! The gateway as visitors, upstreams and operators meet it: the binary itself, a recording upstream behind it, and a
//! real Redis where a line is shared.

pub(crate) mod ask;
mod bad_credentials;
mod bad_requests;
mod cost;
mod credential;
mod door;
mod drain;
mod floods;
mod http2;
pub(crate) mod http2_frames;
mod limits;
mod line;
mod loss;
mod methods;
pub(crate) mod operators;
mod origin;
mod pace;
mod page;
mod proxy_protocol;
mod public;
#[path = "../../../queue-core/tests/it/support/redis_server.rs"]
pub(crate) mod redis_server;
mod redis_signal;
pub(crate) mod secure;
mod session;
pub(crate) mod setup;
mod shared;
mod start;
mod store_faults;
mod streaming;
mod tls;
mod toward;
mod tunnels;
mod upstream_faults;
mod upstream_tls;
pub(crate) mod usher;
mod visitor;
pub(crate) mod wait;

use self::origin::Origin;
use self::setup::Setup;
use self::usher::Gateway;
use self::visitor::Visitor;

/// One place in the cohort, polls as quick as a room allows, and no rate that a test could run into.
const ONE_SLOT: &str = r#"
total_active_users = 1
new_users_per_minute = 60_000
poll_interval = { min = "250ms", max = "1s" }
"#;

/// A gateway with [`ONE_SLOT`], its upstream, and the one visitor who is in.
struct Occupied {
    origin: Origin,
    gateway: Gateway,
    insider: Visitor,
}

impl Occupied {
    async fn new() -> Self {
        Self::of(|setup| setup).await
    }

    /// With more in its configuration.
    async fn of(change: impl FnOnce(Setup) -> Setup) -> Self {
        let origin = Origin::start().await;
        let gateway = Gateway::start(&change(Setup::before(&origin).room(ONE_SLOT))).await;
        let insider = gateway.admitted().await;
        gateway.knows_of_sessions(1).await;
        Self { origin, gateway, insider }
    }
}
