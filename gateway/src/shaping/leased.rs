//! A limit over all gateways that share the store: purses of leased tokens, and the driver that fills them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::limit::lease::{Ask, Away, CALL_PERIOD, DECISIONS_PER_CALL, HEARTBEAT, Purse, Spend, Standing};
use queue_core::limit::{Quota, Refusal};
use queue_core::store::{Caller, GatewayId, LeaseCaller, LeaseStore, MAX_BATCH, Moment};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::table::{Fate, Table};
use crate::clock::{self, Instant};
use crate::metrics::StoreMetrics;

/// Keys that may wait for the next call; requests about more are refused until there is room.
const QUEUE: usize = 16_384;

/// The shortest time between two calls about one limit where there is little to do: what gathers meanwhile goes together.
const CALL_PAUSE: Duration = Duration::from_millis(5);

/// One limit, as the cores and its driver share it.
#[derive(Debug)]
pub(super) struct Leased {
    index: usize,
    quota: Quota,
    away: Away,
    table: Table<Slot>,
    /// How this gateway stands with the store: gateways known, and since when there was no answer (microseconds after the
    /// start and 1; 0: there is one).
    gateways: AtomicU32,
    away_since: AtomicU64,
    decisions: AtomicU32,
    queue: mpsc::Sender<Nudge>,
}

/// One key's purse.
#[derive(Debug, Default)]
struct Slot {
    purse: Purse,
    /// Whether the driver was told that it wants more.
    is_told: bool,
}

/// A word to the driver: this key needs tokens.
#[derive(Debug)]
struct Nudge {
    key: u128,
    waits: Option<oneshot::Sender<()>>,
}

/// One purse in a request's hands.
pub(super) struct Hand<'a> {
    of: &'a Leased,
    key: u128,
    slot: &'a mut Slot,
    standing: Standing,
    now: Timestamp,
}

/// Why a purse does not pay.
pub(super) enum Unpaid {
    /// Nothing is leased: somebody has to ask the store first.
    NothingLeased(NothingLeased),
    /// The limit is used up.
    Refused(Refusal),
}

/// The store is being asked.
#[derive(Debug)]
pub(super) struct NothingLeased {
    index: usize,
    answered: oneshot::Receiver<()>,
}

impl NothingLeased {
    /// Waits until the store was asked.
    pub(super) async fn leased(&mut self) {
        // A driver that has stopped drops the sender: then there is nothing to wait for either.
        let _ = (&mut self.answered).await;
    }

    /// Which limit.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// When asking again makes sense.
    pub(super) fn patience(&self) -> Duration {
        CALL_PERIOD
    }
}

impl Leased {
    pub(super) fn new(
        index: usize,
        name: Arc<str>,
        quota: Quota,
        away: Away,
        max_tracked_keys: usize,
        started: Instant,
    ) -> (Arc<Self>, LeaseDriver) {
        let (queue, nudges) = mpsc::channel(QUEUE);
        let leased = Arc::new(Self {
            index,
            quota,
            away,
            table: Table::new(max_tracked_keys),
            gateways: AtomicU32::new(0),
            away_since: AtomicU64::new(0),
            decisions: AtomicU32::new(0),
            queue,
        });
        (leased.clone(), LeaseDriver { name, leased, nudges, started })
    }

    pub(super) fn tracked_keys(&self) -> usize {
        self.table.len()
    }

    fn standing(&self) -> Standing {
        let since = self.away_since.load(Ordering::Relaxed);
        Standing {
            gateways: self.gateways.load(Ordering::Relaxed),
            away_since: since.checked_sub(1).map(Timestamp::from_micros),
        }
    }

    /// Does something with a key's purse, and tells the driver when it runs low.
    pub(super) fn with<R>(&self, key: u128, now: Timestamp, act: impl FnOnce(&mut Hand<'_>) -> R) -> R {
        self.decisions.fetch_add(1, Ordering::Relaxed);
        let standing = self.standing();
        self.slot(key, now, standing, |key, slot| {
            let mut hand = Hand { of: self, key, slot, standing, now };
            let result = act(&mut hand);
            if !hand.slot.is_told && hand.slot.purse.wants_more(&self.quota, &standing, now) {
                hand.slot.is_told = self.queue.try_send(Nudge { key, waits: None }).is_ok();
            }
            result
        })
    }

    fn slot<R>(&self, key: u128, now: Timestamp, standing: Standing, act: impl FnOnce(u128, &mut Slot) -> R) -> R {
        let rests = |slot: &Slot| !slot.is_told && slot.purse.rests_from(&self.quota, &standing) <= now;
        self.table.with(key, Slot::default, rests, |key, slot| (act(key, slot), Fate::Keep))
    }
}

impl Hand<'_> {
    /// Whether a request passes; if not, either nothing is leased yet or it is refused.
    pub(super) fn ask(&mut self) -> Result<(), Unpaid> {
        match self.slot.purse.ask(&self.of.quota, &self.standing, self.of.away, self.now) {
            Spend::Pass => Ok(()),
            Spend::Refuse(refusal) => Err(Unpaid::Refused(refusal)),
            Spend::Lease => {
                let (sender, answered) = oneshot::channel();
                match self.of.queue.try_send(Nudge { key: self.key, waits: Some(sender) }) {
                    Ok(()) => Err(Unpaid::NothingLeased(NothingLeased { index: self.of.index, answered })),
                    Err(_) => Err(Unpaid::Refused(Refusal::NotUntil(CALL_PERIOD))),
                }
            }
        }
    }

    pub(super) fn charge(&mut self) {
        self.slot.purse.charge(&self.of.quota, &self.standing, self.now);
    }

    pub(super) fn remaining(&self) -> u32 {
        self.slot.purse.remaining(self.now)
    }
}

/// What a driver needs of the gateway.
#[derive(Clone)]
pub struct LeaseParts {
    /// Where the limits are kept.
    pub store: Arc<dyn LeaseStore>,
    /// This gateway.
    pub gateway: GatewayId,
    /// Counts the calls.
    pub metrics: Arc<StoreMetrics>,
}

/// Fills the purses of one limit: what runs low while a call is under way goes with the next.
#[derive(Debug)]
pub struct LeaseDriver {
    name: Arc<str>,
    leased: Arc<Leased>,
    nudges: mpsc::Receiver<Nudge>,
    started: Instant,
}

/// What the driver was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    life: u64,
    at: Option<(Moment, Instant)>,
}

impl Told {
    fn caller(&self, gateway: GatewayId) -> LeaseCaller {
        let latest = self.at.map(|(at, arrived)| at.time + clock::monotonic().duration_since(arrived) + Caller::DRIFT);
        LeaseCaller { gateway, life: self.life, latest }
    }
}

impl LeaseDriver {
    /// Runs until it is dropped. A call a second at least tells the store that this gateway is there.
    pub async fn run(mut self, parts: LeaseParts) {
        let mut told = Told::default();
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gathered = Vec::with_capacity(MAX_BATCH);
        let mut may_call = clock::monotonic();
        loop {
            let is_beat = tokio::select! {
                biased;
                _ = beats.tick() => true,
                count = self.nudges.recv_many(&mut gathered, MAX_BATCH) => match count {
                    0 => return,
                    _ => false,
                },
            };
            if !is_beat && self.leased.decisions.load(Ordering::Relaxed) < DECISIONS_PER_CALL {
                tokio::time::sleep_until(may_call).await;
                while gathered.len() < MAX_BATCH
                    && let Ok(nudge) = self.nudges.try_recv()
                {
                    gathered.push(nudge);
                }
            }
            let asks = self.begin(&gathered);
            if is_beat || !asks.is_empty() {
                self.leased.decisions.store(0, Ordering::Relaxed);
                self.call(&parts, &mut told, asks).await;
                may_call = clock::monotonic() + CALL_PAUSE;
            }
            for waiting in gathered.drain(..).filter_map(|nudge| nudge.waits) {
                // Whoever left does not wait.
                let _ = waiting.send(());
            }
        }
    }

    fn begin(&self, gathered: &[Nudge]) -> Vec<Ask> {
        let mut known = HashSet::with_capacity(gathered.len());
        let (now, standing) = (self.now(), self.leased.standing());
        let keys = gathered.iter().map(|nudge| nudge.key).filter(|key| known.insert(*key));
        keys.filter_map(|key| {
            self.leased.slot(key, now, standing, |key, slot| {
                slot.is_told = false;
                slot.purse.begin(key, &self.leased.quota, &standing, now)
            })
        })
        .collect()
    }

    async fn call(&self, parts: &LeaseParts, told: &mut Told, asks: Vec<Ask>) {
        let began = clock::monotonic();
        let caller = told.caller(parts.gateway);
        let answer = parts.store.lease(&self.name, caller, self.leased.quota, asks.clone()).await;
        let arrived = clock::monotonic();
        parts.metrics.observe("lease", arrived.duration_since(began), answer.as_ref().err());
        let (now, was_away) = (self.now(), self.leased.standing().away_since.is_some());
        match answer {
            Ok(leased) => {
                *told = Told { life: leased.life, at: Some((leased.at, arrived)) };
                for (ask, grant) in asks.iter().zip(&leased.grants) {
                    self.slot(ask, now, |purse| purse.answered(ask.number, grant, now));
                }
                self.leased.gateways.store(leased.gateways, Ordering::Relaxed);
                self.leased.away_since.store(0, Ordering::Relaxed);
                if was_away {
                    tracing::info!(limit = %self.name, "the limit is leased from the store again");
                }
            }
            Err(error) => {
                if !was_away {
                    tracing::warn!(limit = %self.name, %error, away = ?self.leased.away, "nothing can be leased");
                    self.leased.away_since.store(now.as_micros() + 1, Ordering::Relaxed);
                }
                for ask in &asks {
                    self.slot(ask, now, |purse| purse.failed(ask.number));
                }
            }
        }
    }

    fn slot(&self, ask: &Ask, now: Timestamp, act: impl FnOnce(&mut Purse)) {
        self.leased.slot(ask.key, now, self.leased.standing(), |_, slot| act(&mut slot.purse));
    }

    fn now(&self) -> Timestamp {
        Timestamp::ZERO + clock::monotonic().saturating_duration_since(self.started)
    }
}
