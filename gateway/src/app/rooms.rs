//! The thread that owns the store's connection and runs the rooms.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use queue_core::Timestamp;
use queue_core::store::{Clock, GatewayId, LeaseStore, MemoryStore, RedisSettings, RedisStore, Store};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::keeping::Keeping;
use crate::clock;
use crate::config::{self, Config, StoreUrl};
use crate::entropy;
use crate::metrics::{RoomMetricFamilies, StoreMetrics};
use crate::room::{Room, RoomDriver, RoomParts};
use crate::shaping::{LeaseDriver, LeaseParts};

/// How long a shared store's room that begins lets nobody in yet. Whoever waited before everything was started again polls
/// meanwhile, and the first token proves that this is no first start.
const LISTEN: Duration = Duration::from_secs(1);

/// Makes the rooms and starts the thread that runs them, and the leases of limits, until `ended` says so.
pub(super) fn start(
    config: &Config,
    loaded: Timestamp,
    families: &Arc<RoomMetricFamilies>,
    store_metrics: &Arc<StoreMetrics>,
    leases: Vec<LeaseDriver>,
    mut ended: watch::Receiver<bool>,
) -> anyhow::Result<(Vec<Arc<Room>>, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let Opened { store, limits, keeping } = open_store(&config.store, &runtime)?;
    let gateway = GatewayId(u64::from_be_bytes(entropy::draw()));
    let made: anyhow::Result<Vec<(Arc<Room>, RoomDriver)>> = config
        .rooms
        .iter()
        .map(|room| {
            let families_of_room = families.clone();
            Room::new(RoomParts {
                id: room.id.clone(),
                policy: room.policy.clone(),
                config_loaded: loaded,
                store: store.clone(),
                store_deadline: config.store.decision_timeout,
                listen: if config.store.url.is_shared() { LISTEN } else { Duration::ZERO },
                gateway,
                metrics: families.room(room.id.as_str()),
                store_metrics: store_metrics.clone(),
                report: Arc::new(move |invariant| families_of_room.violation(invariant)),
            })
        })
        .collect();
    let (rooms, drivers): (Vec<_>, Vec<_>) = made?.into_iter().unzip();
    let parts = LeaseParts { store: limits, gateway, metrics: store_metrics.clone() };
    let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
        let local = LocalSet::new();
        for driver in drivers {
            let mut ended = ended.clone();
            local.spawn_local(driver.run(async move {
                let _ = ended.wait_for(|ended| *ended).await;
            }));
        }
        for driver in leases {
            local.spawn_local(driver.run(parts.clone()));
        }
        runtime.block_on(local.run_until(async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }));
        if let Some(Err(error)) = keeping.as_ref().map(Keeping::write_down) {
            tracing::error!(error = format!("{error:#}"), "the rooms could not be written down: their lines are lost");
        }
    })?;
    Ok((rooms, thread))
}

/// A store, as rooms and as limits use it.
struct Opened {
    store: Arc<dyn Store>,
    limits: Arc<dyn LeaseStore>,
    keeping: Option<Keeping>,
}

fn open_store(store: &config::Store, runtime: &Runtime) -> anyhow::Result<Opened> {
    Ok(match &store.url {
        StoreUrl::Memory => {
            let memory = Arc::new(MemoryStore::new(Clock::new(clock::now)));
            let keeping = store.snapshot_file.clone().map(|file| Keeping::take_up(memory.clone(), file)).transpose()?;
            Opened { store: memory.clone(), limits: memory, keeping }
        }
        StoreUrl::Redis(address) => {
            let _within = runtime.enter();
            let settings = RedisSettings {
                address: (**address).clone(),
                deadline: store.decision_timeout,
                connect_timeout: store.connect_timeout,
                response_timeout: store.response_timeout,
                max_reconnect_delay: store.max_reconnect_delay,
                clock: None,
            };
            let redis = Arc::new(RedisStore::new(settings).context("the store cannot be used")?);
            Opened { store: redis.clone(), limits: redis, keeping: None }
        }
    })
}
