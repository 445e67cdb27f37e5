//! The pool and the exchange under upstreams that fail in every way.

mod failing;
mod forwarding;
mod leaving;
mod pool;

use std::time::Duration;

use gateway::upstream::UpstreamSettings;

const SHORT: Duration = Duration::from_millis(300);

fn roomy() -> UpstreamSettings {
    UpstreamSettings {
        pool_wait: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        ..UpstreamSettings::default()
    }
}
