//! Leased limits in memory: the model of the script.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::MemoryStore;
use crate::Timestamp;
use crate::limit::Quota;
use crate::limit::lease::{Ask, Grant, LIFETIME, MARGIN, MEMBER_FOR};
use crate::store::caller::SharedTime;
use crate::store::lease::FORGOTTEN_PER_CALL;
use crate::store::{Caller, GatewayId, LeaseCaller, LeaseStore, Leased, Moment, PendingLease};

/// How long the store counts a lease.
const COUNTED_FOR: Duration = LIFETIME.saturating_add(MARGIN);

/// One limit.
#[derive(Clone, Debug)]
pub(super) struct LeasedLimit {
    life: u64,
    born: Timestamp,
    server: u64,
    time: SharedTime,
    host: Timestamp,
    members: BTreeMap<GatewayId, Timestamp>,
    pots: HashMap<u128, Pot>,
    rests: BTreeSet<(Timestamp, u128)>,
}

/// One key's bucket and what is leased of it.
#[derive(Clone, Debug)]
struct Pot {
    parts: u64,
    /// Parts of a token when it was last written.
    period_us: u64,
    at: Timestamp,
    rests: Timestamp,
    leases: BTreeMap<GatewayId, Lease>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    number: u64,
    granted: u32,
    unspent: u32,
    until: Timestamp,
}

impl LeaseStore for MemoryStore {
    fn lease<'a>(&'a self, limit: &'a str, caller: LeaseCaller, quota: Quota, asks: Vec<Ask>) -> PendingLease<'a> {
        Box::pin(async move {
            let host = self.clock.now();
            let mut limits = self.limits();
            let known = limits.remove(limit);
            let mut of_limit = LeasedLimit::of_life(known, &caller, self.server, host);
            let leased = of_limit.step(&caller, &quota, &asks, host);
            limits.insert(limit.to_owned(), of_limit);
            Ok(leased)
        })
    }
}

impl LeasedLimit {
    /// The limit as it was kept; a new life where it was not, or by another server, or where the caller knows a later one.
    fn of_life(known: Option<Self>, caller: &LeaseCaller, server: u64, host: Timestamp) -> Self {
        let host = Timestamp::from_millis(host.as_millis());
        let last = known.as_ref().map_or(0, |known| known.life).max(caller.life);
        match known {
            Some(known) if known.server == server && known.life >= caller.life => known,
            _ => Self {
                life: host.as_millis().max(last + 1),
                born: host,
                server,
                time: SharedTime::starting(host),
                host,
                members: BTreeMap::new(),
                pots: HashMap::new(),
                rests: BTreeSet::new(),
            },
        }
    }

    fn step(&mut self, caller: &LeaseCaller, quota: &Quota, asks: &[Ask], host: Timestamp) -> Leased {
        let now = self.pass_time(caller, host);
        self.members.retain(|_, until| *until > now);
        self.members.insert(caller.gateway, now + MEMBER_FOR);
        let gateways = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let listens_until = self.born + COUNTED_FOR;
        let grants = match now < listens_until {
            // Leases of an earlier life may still be spent.
            true => vec![Grant { wait: listens_until.since(now), ..Grant::default() }; asks.len()],
            false => asks.iter().map(|ask| self.grant(caller.gateway, gateways, quota, ask, now)).collect(),
        };
        self.forget(now);
        Leased { life: self.life, at: Moment { time: now, host: self.host }, gateways, grants }
    }

    /// Shared time. A caller that knows nothing of this life cannot tell a jump of the host's clock from time that passed,
    /// so none passes by its word.
    fn pass_time(&mut self, caller: &LeaseCaller, host: Timestamp) -> Timestamp {
        let host = Timestamp::from_millis(host.as_millis());
        let step = host.since(self.host);
        self.host = host;
        let latest = caller.latest.filter(|_| caller.life == self.life);
        self.time = match latest {
            Some(_) => self.time.advanced(step, &Caller { latest, ..Caller::newcomer() }),
            None => SharedTime { spare: self.time.spare + step, ..self.time },
        };
        self.time.now
    }

    fn grant(&mut self, gateway: GatewayId, gateways: u32, quota: &Quota, ask: &Ask, now: Timestamp) -> Grant {
        let born = self.born;
        let pot = self.pots.entry(ask.key).or_insert_with(|| Pot {
            parts: quota.parts_between(born, now).min(quota.capacity()),
            period_us: quota.period_us(),
            at: now,
            rests: now,
            leases: BTreeMap::new(),
        });
        self.rests.remove(&(pot.rests, ask.key));
        pot.pass(quota, now);
        let grant = pot.grant(gateway, gateways, quota, ask, now);
        pot.rests = pot.rests_from(quota);
        self.rests.insert((pot.rests, ask.key));
        grant
    }

    /// Forgets buckets that are full, with nothing leased: to them a fresh one is the same.
    fn forget(&mut self, now: Timestamp) {
        for _ in 0..FORGOTTEN_PER_CALL {
            match self.rests.first() {
                Some((rests, key)) if *rests <= now => {
                    self.pots.remove(key);
                    self.rests.pop_first();
                }
                _ => return,
            }
        }
    }
}

impl Pot {
    /// Time passes: leases end, each making room from its end on, and tokens come back where there is room.
    fn pass(&mut self, quota: &Quota, now: Timestamp) {
        if self.period_us != quota.period_us() {
            // Another rate came into force: whole tokens stay.
            self.parts = self.parts / self.period_us * quota.period_us();
            self.period_us = quota.period_us();
        }
        let mut ends: Vec<(Timestamp, GatewayId)> =
            self.leases.iter().filter(|(_, lease)| lease.until <= now).map(|(id, lease)| (lease.until, *id)).collect();
        ends.sort_unstable();
        for (end, gateway) in ends {
            self.fill(quota, end);
            self.leases.remove(&gateway);
        }
        self.fill(quota, now);
    }

    fn fill(&mut self, quota: &Quota, to: Timestamp) {
        let room = quota.capacity().saturating_sub(self.unspent() * quota.period_us());
        self.parts = self.parts.saturating_add(quota.parts_between(self.at, to)).min(room);
        self.at = self.at.max(to);
    }

    fn unspent(&self) -> u64 {
        self.leases.values().map(|lease| u64::from(lease.unspent)).sum()
    }

    fn grant(&mut self, gateway: GatewayId, gateways: u32, quota: &Quota, ask: &Ask, now: Timestamp) -> Grant {
        let before = self.leases.get(&gateway).copied();
        let unspent = match before {
            Some(lease) if ask.number < lease.number => return Grant { wait: COUNTED_FOR, ..Grant::default() },
            Some(lease) if ask.number == lease.number => {
                let kept = lease.unspent - lease.granted;
                return Grant { granted: lease.granted, kept, wait: self.wait(quota, lease.granted) };
            }
            Some(lease) => lease.unspent,
            None => 0,
        };
        let kept = ask.held.min(unspent);
        let back = ask.back.min(unspent - kept);
        // Under a burst that was made smaller not all of it may have room.
        let others = self.unspent() - u64::from(unspent);
        let room = quota.capacity().saturating_sub((others + u64::from(kept)) * quota.period_us());
        self.parts = (self.parts + u64::from(back) * quota.period_us()).min(room);
        let there = u32::try_from(self.parts / quota.period_us()).unwrap_or(u32::MAX);
        // Each takes its part of what is there: else whoever asks first after a token came back would have them all.
        let granted = ask.want.min(there.div_ceil(gateways));
        self.parts -= u64::from(granted) * quota.period_us();
        let lease = Lease { number: ask.number, granted, unspent: kept + granted, until: now + COUNTED_FOR };
        self.leases.insert(gateway, lease);
        Grant { granted, kept, wait: self.wait(quota, granted) }
    }

    /// Until there is a token, when none was granted; whole milliseconds.
    fn wait(&self, quota: &Quota, granted: u32) -> Duration {
        let missing = if granted == 0 { quota.period_us().saturating_sub(self.parts) } else { 0 };
        Duration::from_millis(quota.micros_for(missing).div_ceil(1_000))
    }

    fn rests_from(&self, quota: &Quota) -> Timestamp {
        let full = quota.micros_for(quota.capacity().saturating_sub(self.parts)).div_ceil(1_000);
        let ends = self.leases.values().map(|lease| lease.until).max().unwrap_or_default();
        // What a lease keeps from coming back comes after its end.
        self.at.max(ends) + Duration::from_millis(full)
    }
}
