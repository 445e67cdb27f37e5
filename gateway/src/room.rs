//! One room as this gateway runs it.
//!
//! Workers read the published [`RoomSnapshot`] and answer polls from it; what changes the line goes through gatherers to
//! the thread that owns the store's connection, where the keeper follows the store and moves the frontier.

mod gather;
mod keeper;
mod line_store;
mod place_table;
mod polls;
mod promises;
mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use queue_core::store::{
    Claim, Claimed, Departure, Ending, Joined, LimitsSource, Opening, Proposal, Renewal, Renewed, Session, Store,
    StoreError, Terms,
};
use queue_core::{Epoch, Place, Policy, RoomId, Sequence, Timestamp, VisitorId};

use self::gather::Gatherer;
use self::keeper::Keeper;
use self::line_store::LineStore;
use self::polls::Polls;
use self::promises::Promises;
pub use self::snapshot::RoomSnapshot;
use crate::clock::{self, Instant};
use crate::metrics::{RoomMetrics, StoreMetrics};

/// How much longer than told a called visitor may stay silent before the slot goes to the next.
const GRACE: Duration = Duration::from_secs(2);

/// One room: what workers see and ask.
pub struct Room {
    id: RoomId,
    policy: Policy,
    snapshot: ArcSwapOption<RoomSnapshot>,
    joins: Gatherer<VisitorId, Joined>,
    claims: Gatherer<Claim, Claimed>,
    renewals: Gatherer<Renewal, Renewed>,
    endings: Gatherer<Ending, bool>,
    departures: Gatherer<Departure, bool>,
    polls: Polls,
    promises: Promises,
    born: Instant,
    /// This room's metrics.
    pub metrics: RoomMetrics,
}

/// The part of a room that runs on the store's thread.
pub struct RoomDriver {
    room: Arc<Room>,
    keeper: Keeper,
    line: Arc<LineStore>,
    joins: gather::Caller<VisitorId, Joined>,
    claims: gather::Caller<Claim, Claimed>,
    renewals: gather::Caller<Renewal, Renewed>,
    endings: gather::Caller<Ending, bool>,
    departures: gather::Caller<Departure, bool>,
}

/// What a room is made from.
pub struct RoomParts {
    /// Its name.
    pub id: RoomId,
    /// What it promises and allows.
    pub policy: Policy,
    /// When its config was loaded.
    pub config_loaded: Timestamp,
    /// Where its line is kept.
    pub store: Arc<dyn Store>,
    /// How long a call to the store may take.
    pub store_deadline: Duration,
    /// Its metrics.
    pub metrics: RoomMetrics,
    /// The store's metrics.
    pub store_metrics: Arc<StoreMetrics>,
    /// Counts promises found broken.
    pub report: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Room {
    /// A room, and what must run on the store's thread for it to live.
    pub fn new(parts: RoomParts) -> (Arc<Self>, RoomDriver) {
        let RoomParts { id, policy, config_loaded, store, store_deadline, metrics, store_metrics, report } = parts;
        let terms = Terms {
            session: policy.session_duration(),
            max_session: policy.max_session_duration(),
            heard_for: policy.poll_interval().min + GRACE,
            claim_window: policy.claim_window(),
            retention: policy.position_retention(),
        };
        let proposal = Proposal { limits: policy.limits().clone(), source: LimitsSource::Config(config_loaded) };
        let opening = Opening { proposal, epoch: Epoch::begin(config_loaded, None) };
        let line = Arc::new(LineStore::new(store, id.clone(), terms, store_deadline, store_metrics.clone()));
        let (join_asker, join_caller) = gather::channel();
        let (claim_asker, claim_caller) = gather::channel();
        let (renewal_asker, renewal_caller) = gather::channel();
        let (ending_asker, ending_caller) = gather::channel();
        let (departure_asker, departure_caller) = gather::channel();
        let room = Arc::new(Self {
            id,
            policy,
            snapshot: ArcSwapOption::empty(),
            joins: join_asker,
            claims: claim_asker,
            renewals: renewal_asker,
            endings: ending_asker,
            departures: departure_asker,
            polls: Polls::new(),
            promises: Promises::new(),
            born: clock::monotonic(),
            metrics,
        });
        let driver = RoomDriver {
            keeper: Keeper::new(room.clone(), line.clone(), opening, store_metrics, report),
            room: room.clone(),
            line,
            joins: join_caller,
            claims: claim_caller,
            renewals: renewal_caller,
            endings: ending_caller,
            departures: departure_caller,
        };
        (room, driver)
    }

    /// Its name.
    pub const fn id(&self) -> &RoomId {
        &self.id
    }

    /// What it promises and allows.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The latest look at the store; `None` before the first.
    pub fn snapshot(&self) -> Guard<Option<Arc<RoomSnapshot>>> {
        self.snapshot.load()
    }

    /// Gives a visitor a place, or lets it straight in.
    ///
    /// # Errors
    /// When the store could not decide.
    pub async fn join(&self, visitor: VisitorId) -> Result<Joined, StoreError> {
        let joined = self.joins.ask(visitor).await?;
        match joined {
            Joined::Placed { .. } => self.metrics.joins.inc(),
            Joined::Admitted { .. } => {
                self.metrics.joins.inc();
                self.metrics.admissions.inc();
                self.metrics.wait.observe(0.0);
            }
            Joined::Full | Joined::Closed => {}
        }
        Ok(joined)
    }

    /// Swaps a called place for a session, or only lets it be heard.
    ///
    /// # Errors
    /// When the store could not decide.
    pub async fn claim(&self, claim: Claim, joined: Timestamp, now: Timestamp) -> Result<Claimed, StoreError> {
        let claimed = self.claims.ask(claim).await?;
        match claimed {
            Claimed::Admitted(session) if is_new(&session, now) => {
                self.metrics.admissions.inc();
                self.metrics.wait.observe(session.id.started.since(joined).as_secs_f64());
                self.promises.settle(claim.place.sequence, self.uptime(clock::monotonic()));
            }
            Claimed::Missed => self.metrics.departed(crate::metrics::Departure::MissedCall, 1),
            _ => {}
        }
        Ok(claimed)
    }

    /// Prolongs a session by `span` from now, within the policy.
    ///
    /// # Errors
    /// When the store could not decide: the session then ends when it said.
    pub async fn renew(&self, visitor: VisitorId, span: Duration) -> Result<Renewed, StoreError> {
        self.renewals.ask(Renewal { visitor, span }).await
    }

    /// Ends a session; its tickets are refused until `until`.
    ///
    /// # Errors
    /// When the store could not be told.
    pub async fn end(
        &self,
        visitor: VisitorId,
        until: Timestamp,
        reason: crate::metrics::Departure,
    ) -> Result<bool, StoreError> {
        let was_live = self.endings.ask(Ending { visitor, until }).await?;
        self.metrics.departed(reason, u32::from(was_live));
        Ok(was_live)
    }

    /// Gives a place up for good.
    ///
    /// # Errors
    /// When the store could not be told.
    pub async fn depart(&self, visitor: VisitorId, place: Place) -> Result<bool, StoreError> {
        let was_there = self.departures.ask(Departure { visitor, place }).await?;
        self.metrics.departed(crate::metrics::Departure::Left, u32::from(was_there));
        Ok(was_there)
    }

    /// Whether a poll of a place that is told to come every `told` is answered at `now`.
    pub fn allows_poll(&self, sequence: Sequence, now: Instant, told: Duration) -> bool {
        self.polls.allow(sequence, self.uptime(now), told)
    }

    /// Remembers the first estimate a place was told.
    pub fn promise(&self, sequence: Sequence, now: Instant, p90: Duration) {
        self.promises.note(sequence, self.uptime(now), p90);
    }

    fn uptime(&self, now: Instant) -> Duration {
        now.duration_since(self.born)
    }
}

/// Whether a session began by the claim just answered, and not by an earlier one whose answer was lost.
fn is_new(session: &Session, now: Timestamp) -> bool {
    const ONE_DECISION: Duration = Duration::from_millis(500);
    now.since(session.id.started) < ONE_DECISION
}

impl RoomDriver {
    /// Runs until the room is dropped or `shutdown` resolves. Must run within a tokio `LocalSet`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { room, mut keeper, line, joins, claims, renewals, endings, departures } = self;
        drop(room);
        let calls = futures_util::future::join5(
            joins.run(|items| line.join(items)),
            claims.run(|items| line.claim(items)),
            renewals.run(|items| line.renew(items)),
            endings.run(|items| line.end(items)),
            departures.run(|items| line.depart(items)),
        );
        tokio::select! {
            () = shutdown => {}
            () = keeper.run() => {}
            _ = calls => {}
        }
    }
}
