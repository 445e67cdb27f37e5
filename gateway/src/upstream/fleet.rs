//! The endpoints of one upstream as all cores see them: how busy each is, and how it fares.
//!
//! A choice and a request that goes well read atomics only. The lock is taken when something changes: a failure, a
//! success after one, a trial.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::choice::{self, AllOut, Choice, Footing, View};
use super::endpoint::Endpoint;
use super::health::{Change, Health, Tolerance};
use super::health_check::{BadCheck, HealthCheck};
use super::settings::UpstreamSettings;
use crate::clock::{self, Instant};
use crate::entropy;
use crate::metrics::{EndpointHandles, UpstreamHandles};

/// When to ask again while a trial or a health check may change everything at any moment.
const ANY_MOMENT: Duration = Duration::from_secs(1);

/// An upstream's endpoints.
#[derive(Debug)]
pub(super) struct Fleet {
    members: Vec<Member>,
    health: Mutex<Vec<Health>>,
    tolerance: Tolerance,
    slow_start_ms: u64,
    refused_pause_ms: u64,
    started: Instant,
    metrics: Arc<UpstreamHandles>,
}

#[derive(Debug)]
struct Member {
    endpoint: Endpoint,
    /// Requests under way, the opening of their connections included.
    busy: AtomicUsize,
    /// It refused a connection: passed over until this while another one is there.
    avoided_until_ms: AtomicU64,
    /// The published [`Standing`](super::health::Standing).
    out_until_ms: AtomicU64,
    back_since_ms: AtomicU64,
    is_troubled: AtomicBool,
    /// Its TLS is at fault, and this was told.
    tls_told: AtomicBool,
    metrics: EndpointHandles,
}

impl Fleet {
    pub(super) fn new(
        endpoints: impl Iterator<Item = Endpoint>,
        settings: &UpstreamSettings,
        metrics: Arc<UpstreamHandles>,
    ) -> Self {
        let member = |(at, endpoint): (usize, Endpoint)| Member {
            metrics: metrics.endpoint(at),
            endpoint,
            busy: AtomicUsize::new(0),
            avoided_until_ms: AtomicU64::new(0),
            out_until_ms: AtomicU64::new(0),
            back_since_ms: AtomicU64::new(0),
            is_troubled: AtomicBool::new(false),
            tls_told: AtomicBool::new(false),
        };
        let members: Vec<Member> = endpoints.enumerate().map(member).collect();
        Self {
            health: Mutex::new(vec![Health::default(); members.len()]),
            members,
            tolerance: Tolerance {
                failures: settings.failure_threshold,
                ejection_ms: millis(settings.ejection_time),
                max_ejection_ms: millis(settings.max_ejection_time),
                trials: settings.half_open_trials.max(1),
            },
            slow_start_ms: millis(settings.slow_start),
            refused_pause_ms: millis(settings.refused_pause),
            started: clock::monotonic(),
            metrics,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn endpoint(&self, at: usize) -> &Endpoint {
        &self.members[at].endpoint
    }

    /// Whether requests are sent there as usual.
    pub(super) fn serves(&self, at: usize) -> bool {
        self.members[at].out_until_ms.load(Ordering::Relaxed) == 0
    }

    /// Who gets the next request. A trial is taken by this call, and must be settled or given back.
    ///
    /// # Errors
    /// When none may be asked: in how long the next may be tried.
    pub(super) fn choose(&self, now: Instant) -> Result<Choice, Duration> {
        let now_ms = self.now_ms(now);
        let count = self.members.len();
        // Nothing is drawn where there is nothing to choose.
        let random = if count > 1 { u64::from_ne_bytes(entropy::draw()) } else { 0 };
        // Each round that fails to get its trial has seen another core take it, after which it is no longer due.
        for _ in 0..=count {
            match choice::choose(count, |at| self.view(at, now_ms), random) {
                Err(AllOut { for_ms }) => return Err(Duration::from_millis(for_ms)),
                Ok(Choice::Trial(at)) => {
                    if self.change(at, |health, _| (health.try_trial(now_ms), None)) {
                        return Ok(Choice::Trial(at));
                    }
                }
                Ok(other) => return Ok(other),
            }
        }
        Err(ANY_MOMENT)
    }

    fn view(&self, at: usize, now_ms: u64) -> View {
        let member = &self.members[at];
        let footing = match member.out_until_ms.load(Ordering::Relaxed) {
            0 if member.avoided_until_ms.load(Ordering::Relaxed) > now_ms => Footing::Avoided,
            0 => Footing::Serving,
            u64::MAX => Footing::Out { for_ms: millis(ANY_MOMENT) },
            until_ms if until_ms <= now_ms => Footing::Due,
            until_ms => Footing::Out { for_ms: until_ms - now_ms },
        };
        let back_since_ms = member.back_since_ms.load(Ordering::Relaxed);
        View {
            footing,
            in_flight: member.busy.load(Ordering::Relaxed),
            weight: choice::weight(back_since_ms, self.slow_start_ms, now_ms),
        }
    }

    pub(super) fn begin(&self, at: usize) {
        self.members[at].busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, at: usize) {
        self.members[at].busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells a failed handshake once, until one goes well: it is mostly the configuration that is wrong, or a
    /// certificate that expired, which no later attempt mends.
    pub(super) fn tell_tls(&self, at: usize, error: &io::Error) {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        if let Some(problem) = cause
            && !self.members[at].tls_told.swap(true, Ordering::Relaxed)
        {
            let (upstream, endpoint) = (self.metrics.name(), &self.members[at].endpoint);
            tracing::error!(upstream, %endpoint, %problem, "the TLS handshake with an endpoint fails");
        }
    }

    /// It took a connection.
    pub(super) fn accepted(&self, at: usize) {
        if self.members[at].tls_told.load(Ordering::Relaxed) {
            self.members[at].tls_told.store(false, Ordering::Relaxed);
        }
        if self.members[at].avoided_until_ms.swap(0, Ordering::Relaxed) != 0 {
            self.show_up(clock::monotonic());
        }
    }

    /// It took no connection: passed over for a while where others are there.
    pub(super) fn refused(&self, at: usize, now: Instant) {
        let until_ms = self.now_ms(now).saturating_add(self.refused_pause_ms);
        self.members[at].avoided_until_ms.store(until_ms, Ordering::Relaxed);
        self.show_up(now);
    }

    pub(super) fn succeeded(&self, at: usize, was_trial: bool) {
        if !was_trial && !self.members[at].is_troubled.load(Ordering::Relaxed) {
            return;
        }
        let now_ms = self.now_ms(clock::monotonic());
        self.change(at, |health, _| ((), health.succeeded(was_trial, now_ms, &self.tolerance)));
    }

    pub(super) fn failed(&self, at: usize, was_trial: bool) {
        let now_ms = self.now_ms(clock::monotonic());
        self.change(at, |health, others_serve| ((), health.failed(was_trial, others_serve, now_ms, &self.tolerance)));
    }

    pub(super) fn give_trial_back(&self, at: usize) {
        self.change(at, |health, _| {
            health.give_trial_back();
            ((), None)
        });
    }

    /// A health check ended; `bad` says why it was not good.
    pub(super) fn checked(&self, at: usize, bad: Option<&BadCheck>, check: &HealthCheck) {
        let now_ms = self.now_ms(clock::monotonic());
        let good = bad.is_none();
        let threshold = if good { check.healthy_threshold } else { check.unhealthy_threshold };
        let member = &self.members[at];
        member.metrics.checked(good);
        let changed = self.change(at, |health, _| {
            let change = health.checked(good, threshold, now_ms);
            (change, change)
        });
        if let (Some(_), Some(problem)) = (changed, bad) {
            let (upstream, endpoint) = (self.metrics.name(), &member.endpoint);
            tracing::warn!(upstream, %endpoint, %problem, "an endpoint fails its health checks and is not asked");
        }
    }

    /// Changes one endpoint's health, publishes its standing, and tells a change once.
    fn change<T>(&self, at: usize, change: impl FnOnce(&mut Health, bool) -> (T, Option<Change>)) -> T {
        let mut all = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let others_serve = all.iter().enumerate().any(|(other, health)| other != at && health.serves());
        let (outcome, changed) = change(&mut all[at], others_serve);
        let standing = all[at].standing();
        let member = &self.members[at];
        member.back_since_ms.store(standing.back_since_ms, Ordering::Relaxed);
        member.is_troubled.store(standing.is_troubled, Ordering::Relaxed);
        member.out_until_ms.store(standing.out_until_ms, Ordering::Relaxed);
        if let Some(changed) = changed {
            // Within the lock, so that gauges end where the state does.
            member.metrics.up.set(i64::from(all[at].serves()));
            self.show_up(clock::monotonic());
            drop(all);
            self.tell(at, changed);
        }
        outcome
    }

    fn tell(&self, at: usize, change: Change) {
        let (upstream, endpoint) = (self.metrics.name(), &self.members[at].endpoint);
        match change {
            Change::Ejected { for_ms } => {
                self.members[at].metrics.ejections.inc();
                tracing::warn!(upstream, %endpoint, for_ms, "an endpoint fails and is asked no more for a while");
            }
            // Told with its reason by whoever checked.
            Change::FoundUnwell => {}
            Change::Returned => tracing::info!(upstream, %endpoint, "an endpoint serves again"),
        }
    }

    fn show_up(&self, now: Instant) {
        let now_ms = self.now_ms(now);
        let up = (0..self.members.len()).any(|at| self.view(at, now_ms).footing == Footing::Serving);
        self.metrics.up.set(i64::from(up));
    }

    /// Counted from 1, since 0 stands for never.
    fn now_ms(&self, now: Instant) -> u64 {
        millis(now.duration_since(self.started)).saturating_add(1)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
