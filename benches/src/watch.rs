//! Watching the gateways' `/metrics` during a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::{Ask, Pool, Target};
use crate::scrape::Samples;

/// Four looks a second: gauges move ten times a second at most.
const INTERVAL: Duration = Duration::from_millis(250);

/// The metrics of all gateways of a run.
#[derive(Debug)]
pub struct Watch {
    room: String,
    gateways: Vec<Gateway>,
}

#[derive(Debug)]
struct Gateway {
    pool: Pool,
    path: String,
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Samples,
    highest_active: Option<f64>,
    misses: u64,
}

impl Watch {
    /// For the metrics at `urls`.
    ///
    /// # Errors
    /// When one is not a plain http URL.
    pub fn new(room: &str, urls: &[String]) -> Result<Self, crate::http::BadUrl> {
        let gateways = urls.iter().map(|url| {
            let (target, path) = Target::parse(url)?;
            Ok(Gateway { pool: Pool::new(target, 1), path, seen: RefCell::default() })
        });
        Ok(Self { room: room.to_owned(), gateways: gateways.collect::<Result<_, _>>()? })
    }

    /// Looks once at every gateway; gives each one's samples, empty for those that did not answer.
    pub async fn look(&self, clock: &Clock) -> Vec<Samples> {
        let mut all = Vec::new();
        for gateway in &self.gateways {
            let answer = gateway.pool.send(clock, &Ask::get(&*gateway.path)).await;
            let mut seen = gateway.seen.borrow_mut();
            match answer {
                Ok(answer) if answer.status.is_success() => {
                    seen.last = Samples::parse(&String::from_utf8_lossy(&answer.body));
                    let active = seen.last.sum("usher_active_sessions", &[("room", &self.room)]);
                    seen.highest_active = seen.highest_active.into_iter().chain(active).reduce(f64::max);
                    all.push(seen.last.clone());
                }
                _ => {
                    seen.misses += 1;
                    all.push(Samples::default());
                }
            }
        }
        all
    }

    /// Looks four times a second until dropped.
    pub async fn keep_looking(&self, clock: &Clock) {
        loop {
            let next = clock.now() + INTERVAL;
            self.look(clock).await;
            clock.sleep_until(next).await;
        }
    }

    /// The highest `usher_active_sessions` any gateway showed; `None` when none showed it.
    pub fn highest_active(&self) -> Option<f64> {
        self.gateways.iter().filter_map(|gateway| gateway.seen.borrow().highest_active).reduce(f64::max)
    }

    /// How many looks had no answer.
    pub fn misses(&self) -> u64 {
        self.gateways.iter().map(|gateway| gateway.seen.borrow().misses).sum()
    }
}

/// A counter's growth between two looks, summed over the gateways, by one label.
pub fn growth(before: &[Samples], after: &[Samples], name: &str, label: &str) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (before, after) in before.iter().zip(after) {
        let earlier = before.by_label(name, label);
        for (value, count) in after.by_label(name, label) {
            *sums.entry(value.clone()).or_default() += count - earlier.get(&value).copied().unwrap_or_default();
        }
    }
    sums
}
