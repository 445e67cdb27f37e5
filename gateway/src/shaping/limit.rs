//! One limit: how much, by which algorithm, and whom it counts.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use queue_core::Timestamp;
use queue_core::limit::lease::Away;
use queue_core::limit::{self, Refusal, Rule as _, State};

use super::key::Keys;
use super::leased::{LeaseDriver, Leased, Unpaid};
use super::table::{Fate, Table};
use super::{Limited, Passed, Remaining, Stop};
use crate::clock::Instant;
use crate::metrics::LimitMetrics;

/// Whom a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A client address; of IPv6 its prefix.
    Client,
    /// A visitor. The limit does not apply to requests without one.
    Visitor,
    /// A room as a whole.
    Room,
    /// An upstream as a whole.
    Upstream,
}

/// Over what a limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// This gateway.
    OneGateway,
    /// All gateways that share the store; a token bucket.
    AllGateways(Away),
}

/// What an operator sets of a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSettings {
    /// Its name in answers, logs and metrics.
    pub name: Arc<str>,
    /// Whom it counts.
    pub scope: Scope,
    /// How it counts.
    pub rule: limit::Limit,
    /// Over what it holds.
    pub over: Over,
    /// Leading bits of an IPv6 client that count.
    pub ipv6_prefix: u8,
    /// The most keys remembered, at least 1.
    pub max_tracked_keys: usize,
}

#[derive(Debug)]
pub(super) struct Limit {
    index: usize,
    name: Arc<str>,
    scope: Scope,
    ipv6_prefix: u8,
    allowed: IntCounter,
    limited: IntCounter,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Here { rule: limit::Limit, table: Table<State> },
    Leased(Arc<Leased>),
}

/// What one request costs.
const ONE: NonZeroU32 = NonZeroU32::MIN;

impl Limit {
    pub(super) fn new(settings: LimitSettings, metrics: &LimitMetrics, now: Instant) -> (Self, Option<LeaseDriver>) {
        let LimitSettings { name, scope, rule, over, ipv6_prefix, max_tracked_keys } = settings;
        let (index, allowed, limited) = metrics.of(&name);
        let (kind, driver) = match over {
            Over::OneGateway => (Kind::Here { rule, table: Table::new(max_tracked_keys) }, None),
            Over::AllGateways(away) => {
                let (leased, driver) =
                    Leased::new(index, Arc::clone(&name), *rule.quota(), away, max_tracked_keys, now);
                (Kind::Leased(leased), Some(driver))
            }
        };
        (Self { index, name, scope, ipv6_prefix, allowed, limited, kind }, driver)
    }

    pub(super) fn limited(&self, refusal: Refusal) -> Limited {
        let retry_after = match refusal {
            Refusal::NotUntil(wait) => wait,
            // A burst is at least what one request costs.
            Refusal::Never => Duration::MAX,
        };
        self.limited.inc();
        Limited { limit: Arc::clone(&self.name), scope: self.scope, retry_after, index: self.index }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn tracked_keys(&self) -> usize {
        match &self.kind {
            Kind::Here { table, .. } => table.len(),
            Kind::Leased(leased) => leased.tracked_keys(),
        }
    }

    /// What a request that passes is told of this limit: only what is its client's or visitor's own.
    fn tell(&self, passed: &mut Passed, requests: u32, full_in: impl FnOnce() -> Duration) {
        let own = matches!(self.scope, Scope::Client | Scope::Visitor);
        if own && passed.tightest.is_none_or(|other| requests < other.requests) {
            passed.tightest = Some(Remaining { index: self.index, requests, full_in: full_in() });
        }
    }
}

/// Takes a request's worth of each of the `limits` that apply, or of none.
pub(super) fn take(limits: &[Limit], now: Timestamp, keys: &Keys<'_>, passed: &mut Passed) -> Result<(), Stop> {
    let Some((limit, rest)) = limits.split_first() else { return Ok(()) };
    let Some(key) = keys.of(limit.scope, limit.ipv6_prefix) else { return take(rest, now, keys, passed) };
    match &limit.kind {
        Kind::Here { rule, table } => table.with(
            key,
            || rule.idle(),
            |state| rule.rests_from(state) <= now,
            |_, state| {
                let outcome = rule.ask(state, now, ONE).map_err(|refusal| Stop::Limited(limit.limited(refusal)));
                let outcome = outcome.and_then(|pass| take(rest, now, keys, passed).map(|()| pass));
                let Ok(pass) = outcome else { return (outcome.map(drop), Fate::Drop) };
                rule.charge(state, now, ONE);
                limit.allowed.inc();
                passed.delay = passed.delay.max(pass.delay);
                limit.tell(passed, rule.remaining(state, now), || rule.rests_from(state).since(now));
                (Ok(()), Fate::Keep)
            },
        ),
        Kind::Leased(leased) => leased.with(key, now, |purse| {
            purse.ask().map_err(|unpaid| match unpaid {
                Unpaid::NothingLeased(nothing) => Stop::NothingLeased(nothing),
                Unpaid::Refused(refusal) => Stop::Limited(limit.limited(refusal)),
            })?;
            take(rest, now, keys, passed)?;
            purse.charge();
            limit.allowed.inc();
            limit.tell(passed, purse.remaining(), || Duration::ZERO);
            Ok(())
        }),
    }
}
