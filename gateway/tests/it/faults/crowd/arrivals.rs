//! Who comes when.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::visitor::Visitor;
use super::{Manner, Shared};
use crate::faults::record::Record;
use gateway::clock;

/// So many visitors at a steady rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wave {
    pub(super) count: u32,
    pub(super) per_second: u32,
    pub(super) manner: Manner,
}

/// Arrivals are spread no finer than this.
const GRAIN: Duration = Duration::from_millis(5);

/// Lets each wave come, all at the same time, until nobody can send one any more.
pub(super) async fn receive(shared: Arc<Shared>, mut waves: mpsc::UnboundedReceiver<Wave>) {
    while let Some(wave) = waves.recv().await {
        tokio::spawn(come(Arc::clone(&shared), wave));
    }
}

async fn come(shared: Arc<Shared>, wave: Wave) {
    let began = clock::monotonic();
    let mut ticks = tokio::time::interval(GRAIN);
    let mut come = 0;
    while come < wave.count {
        ticks.tick().await;
        let passed = clock::monotonic().duration_since(began);
        let due = ((passed.as_secs_f64() * f64::from(wave.per_second)) as u32 + 1).min(wave.count);
        for _ in come..due {
            let record = Arc::new(Mutex::new(Record::default()));
            let index = {
                let mut visitors = shared.visitors.lock().unwrap();
                visitors.push(Arc::clone(&record));
                visitors.len() as u64
            };
            let visitor = Visitor::new(Arc::clone(&shared), index, wave.manner, record);
            shared.present.fetch_add(1, Ordering::Relaxed);
            shared.to_come.fetch_sub(1, Ordering::Relaxed);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                visitor.live().await;
                shared.present.fetch_sub(1, Ordering::Relaxed);
            });
        }
        come = due;
    }
}
