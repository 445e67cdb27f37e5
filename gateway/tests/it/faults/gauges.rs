//! What operators would see while it happens: the gateways' gauges, several times a second.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::clock;

use super::aside::Aside;
use super::record::Gauge;
use crate::journey::ask::Ask;
use crate::journey::setup::ROOM;

const PACE: Duration = Duration::from_millis(250);

/// Watches the gateways it is told of.
pub(super) struct Gauges {
    shared: Arc<Shared>,
    _aside: Aside,
}

#[derive(Default)]
struct Shared {
    gateways: Mutex<Vec<SocketAddr>>,
    seen: Mutex<Vec<Gauge>>,
}

impl Gauges {
    pub(super) fn watch(gateways: Vec<SocketAddr>) -> Self {
        let shared = Arc::new(Shared { gateways: Mutex::new(gateways), ..Shared::default() });
        let watched = Arc::clone(&shared);
        let aside = Aside::run("gauges", move || async move {
            let mut ticks = tokio::time::interval(PACE);
            loop {
                ticks.tick().await;
                look(&watched).await;
            }
        });
        Self { shared, _aside: aside }
    }

    /// From now on these are watched.
    pub(super) fn knows(&self, gateways: Vec<SocketAddr>) {
        *self.shared.gateways.lock().unwrap() = gateways;
    }

    pub(super) fn seen(&self) -> Vec<Gauge> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn look(shared: &Shared) {
    let gateways = shared.gateways.lock().unwrap().clone();
    for admin in gateways {
        // One that was killed a moment ago does not answer.
        let Ok(Ok(answer)) = tokio::time::timeout(PACE * 4, Ask::get("/metrics").try_send(admin)).await else {
            continue;
        };
        let text = answer.text();
        let value = |name: &str| {
            let series = format!("{name}{{room=\"{ROOM}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
        };
        if let (Some(sessions), Some(limit)) = (value("usher_active_sessions"), value("usher_active_limit")) {
            shared.seen.lock().unwrap().push(Gauge { at: clock::now(), sessions, limit });
        }
    }
}
