//! Start, life and end of the process: who runs on which thread.
//!
//! One thread a core serves visitors, one owns the store's connection and the rooms, one is the operators'. They share
//! only what is read; what changes the line goes to the store's thread.

mod keeping;
mod reload;
mod rooms;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use queue_core::Timestamp;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::reload::Reload;
use crate::access_log;
use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::listener;
use crate::metrics::{Metrics, RoomMetricFamilies, StoreMetrics};

/// How long the helpers (store, operators) may take to end after the last visitor was served.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The same where the store's rooms are written down: a million waiting visitors take about a second.
const LAST_WORDS_WRITTEN: Duration = Duration::from_secs(30);

/// Runs the gateway until it is told to end and everything under way has finished or run out of time.
///
/// # Errors
/// When it cannot start: an address is taken, a key does not fit, the store's address is wrong.
pub fn run(config: &Config, loaded: Timestamp) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let families = Arc::new(RoomMetricFamilies::new(metrics.registry()));
    let store_metrics = Arc::new(StoreMetrics::new(metrics.registry()));
    let draining = Arc::new(AtomicBool::new(false));
    let listening = Arc::new(AtomicBool::new(false));
    let (end, ended) = watch::channel(false);

    let reload = Reload::start(config, &metrics)?;
    let admin_listener = listener::bind(config.admin.bind, false)?;
    let sockets = workers::bind(config)?;

    let (shaper, leases) = workers::shaper(config, &metrics);
    let (rooms, store_thread) = rooms::start(config, loaded, &families, &store_metrics, leases, ended.clone())?;
    let (sink, writer) = access_log::sink(metrics.log_lines_dropped());
    thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run())?;

    let shared = Arc::new(workers::shared(config, rooms.clone(), shaper)?);
    let stop = watch::channel(false);
    let upstreams = workers::upstreams(config, &metrics)?;
    let crew = workers::start(config, sockets, &shared, &metrics, &reload, &upstreams, (&sink, &stop.1))?;
    drop(sink);
    listening.store(true, Ordering::Release);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        public = ?config.listeners.iter().map(|listener| listener.bind).collect::<Vec<_>>(),
        admin = %config.admin.bind,
        rooms = ?shared.rooms.iter().map(|front| front.room.id().as_str()).collect::<Vec<_>>(),
        "the doors are open"
    );

    let state = Arc::new(AdminState {
        registry: metrics.registry().clone(),
        rooms,
        draining: draining.clone(),
        listening: listening.clone(),
    });
    let operators = thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut ended = ended;
        runtime.block_on(admin::serve(admin_listener, state, async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }))
    })?;

    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = wait_to_end(&draining, &reload, config.drain.delay) => ended,
            () = workers::check_health(config, &upstreams) => Ok(()),
        }
    })?;
    tracing::info!("draining: no newcomers, what is under way may finish");
    let _ = stop.0.send(true);
    for worker in crew {
        worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
    }
    let _ = end.send(true);
    let (done, all_done) = std::sync::mpsc::channel();
    thread::spawn(move || done.send((operators.join().is_ok(), store_thread.join().is_ok())));
    let patience = if config.store.snapshot_file.is_some() { LAST_WORDS_WRITTEN } else { LAST_WORDS };
    if all_done.recv_timeout(patience).is_err() {
        tracing::warn!("a helper did not end in time and is cut off");
    }
    tracing::info!("ended");
    Ok(())
}

/// Resolves when the process is to stop taking visitors: after TERM or INT, and the delay that balancers need to notice.
/// A second INT cuts the delay short. HUP reads files anew.
async fn wait_to_end(draining: &AtomicBool, reload: &Reload, delay: Duration) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(()) = hangup.recv() => reload.all(),
        }
    }
    draining.store(true, Ordering::Release);
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
