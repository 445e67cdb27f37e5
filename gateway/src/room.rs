//! One room as this gateway runs it.
//!
//! Workers read the published [`RoomSnapshot`] and answer polls from it; what changes the line goes through gatherers to
//! the thread that owns the store's connection, where the keeper follows the store and moves the frontier.

mod absence;
mod gather;
mod heard_places;
mod keeper;
mod line_store;
mod place_table;
mod polls;
mod promises;
mod snapshot;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use queue_core::recovery::House;
use queue_core::store::{
    Arrival, Claim, Claimed, Departure, Ending, GatewayId, Joined, LimitsSource, Period, Proposal, Renewal, Renewed,
    Session, Store, StoreError, Terms,
};
use queue_core::{Place, Policy, RoomId, Sequence, SessionId, Timestamp, VisitorId};

use self::absence::Absence;
use self::gather::Gatherer;
use self::heard_places::HeardPlaces;
use self::keeper::Keeper;
use self::line_store::{LineStore, LineStoreParts};
use self::polls::Polls;
use self::promises::Promises;
pub use self::snapshot::RoomSnapshot;
use anyhow::Context as _;

use crate::clock::{self, Instant};
use crate::metrics::{RoomMetrics, StoreMetrics};

/// How often somebody without a place asks while the store is away, within the room's bounds: often enough that places are
/// given soon after it is back.
const PROVISIONAL_POLL: Duration = Duration::from_secs(5);

/// How much longer than told a called visitor may stay silent before the slot goes to the next.
const GRACE: Duration = Duration::from_secs(2);

/// One room: what workers see and ask.
pub struct Room {
    id: RoomId,
    policy: Policy,
    snapshot: ArcSwap<RoomSnapshot>,
    joins: Gatherer<Arrival, Joined>,
    claims: Gatherer<Claim, Claimed>,
    renewals: Gatherer<Renewal, Renewed>,
    endings: Gatherer<Ending, bool>,
    departures: Gatherer<Departure, bool>,
    polls: Polls,
    provisional_polls: Polls,
    promises: Promises,
    heard: HeardPlaces,
    absence: Absence,
    /// Until the store is back and has heard what happened meanwhile nobody new is given a place: those who came first shall
    /// have theirs first.
    is_away: AtomicBool,
    /// Sessions older than the room's life that the store has heard of again.
    found: Mutex<HashSet<SessionId>>,
    line: Arc<LineStore>,
    born: Instant,
    /// This room's metrics.
    pub metrics: RoomMetrics,
}

/// The part of a room that runs on the store's thread.
pub struct RoomDriver {
    room: Arc<Room>,
    keeper: Keeper,
    line: Arc<LineStore>,
    joins: gather::Caller<Arrival, Joined>,
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
    /// How long a room that begins waits for tokens of an earlier life: none where the store cannot outlive them.
    pub listen: Duration,
    /// Which gateway this is among those of the store.
    pub gateway: GatewayId,
    /// Its metrics.
    pub metrics: RoomMetrics,
    /// The store's metrics.
    pub store_metrics: Arc<StoreMetrics>,
    /// Counts promises found broken.
    pub report: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Room {
    /// A room, and what must run on the store's thread for it to live.
    ///
    /// # Errors
    /// Never in practice: when the room's empty line cannot be made.
    pub fn new(parts: RoomParts) -> anyhow::Result<(Arc<Self>, RoomDriver)> {
        let RoomParts {
            id,
            policy,
            config_loaded,
            store,
            store_deadline,
            listen,
            gateway,
            metrics,
            store_metrics,
            report,
        } = parts;
        let terms = Terms {
            session: policy.session_duration(),
            max_session: policy.max_session_duration(),
            heard_for: policy.poll_interval().min + GRACE,
            claim_window: policy.claim_window(),
            retention: policy.position_retention(),
        };
        let proposal = Proposal { limits: policy.limits().clone(), source: LimitsSource::Config(config_loaded) };
        let house = House {
            proposal: proposal.clone(),
            session: policy.session_duration(),
            longest_poll: policy.poll_interval().max,
            collect: provisional_poll(&policy) + GRACE,
            // Its low bits are as random as the others.
            salt: gateway.0 as u32,
        };
        let line = Arc::new(LineStore::new(LineStoreParts {
            store,
            room: id.clone(),
            terms,
            house,
            deadline: store_deadline,
            metrics: store_metrics.clone(),
        }));
        let unseen = RoomSnapshot::unseen(&policy, clock::now(), clock::monotonic());
        let unseen = unseen.context("an empty line cannot be made")?;
        let (join_asker, join_caller) = gather::channel();
        let (claim_asker, claim_caller) = gather::channel();
        let (renewal_asker, renewal_caller) = gather::channel();
        let (ending_asker, ending_caller) = gather::channel();
        let (departure_asker, departure_caller) = gather::channel();
        let room = Arc::new(Self {
            id,
            policy,
            snapshot: ArcSwap::from_pointee(unseen),
            joins: join_asker,
            claims: claim_asker,
            renewals: renewal_asker,
            endings: ending_asker,
            departures: departure_asker,
            polls: Polls::new(),
            provisional_polls: Polls::new(),
            promises: Promises::new(),
            heard: HeardPlaces::new(),
            absence: Absence::default(),
            is_away: AtomicBool::new(true),
            found: Mutex::default(),
            line: line.clone(),
            born: clock::monotonic(),
            metrics,
        });
        let driver = RoomDriver {
            keeper: Keeper::new(room.clone(), line.clone(), proposal, listen, gateway, store_metrics, report),
            room: room.clone(),
            line,
            joins: join_caller,
            claims: claim_caller,
            renewals: renewal_caller,
            endings: ending_caller,
            departures: departure_caller,
        };
        Ok((room, driver))
    }

    /// Its name.
    pub const fn id(&self) -> &RoomId {
        &self.id
    }

    /// What it promises and allows.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The latest look at the store; before the first, what the config promises.
    pub fn snapshot(&self) -> Guard<Arc<RoomSnapshot>> {
        self.snapshot.load()
    }

    /// Gives a visitor a place, or lets it straight in.
    ///
    /// # Errors
    /// When the store could not decide.
    pub async fn join(&self, arrival: Arrival) -> Result<Joined, StoreError> {
        if self.is_away.load(Ordering::Acquire) {
            return Err(StoreError::Loading("what happened while the store was away is not told yet".to_owned()));
        }
        let joined = self.joins.ask(arrival).await?;
        match joined {
            Joined::Placed { .. } | Joined::Unconfirmed { .. } => self.metrics.joins.inc(),
            Joined::Admitted { .. } => {
                self.metrics.joins.inc();
                self.metrics.admissions.inc();
                self.metrics.wait.observe(0.0);
            }
            Joined::Collected { .. } | Joined::Full | Joined::Closed => {}
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
            // The token is signed: the store is told of the place, and the next poll finds it.
            Claimed::Unknown => self.line.token(claim.place),
            _ => {}
        }
        Ok(claimed)
    }

    /// Prolongs a session by `span` from now, within the policy.
    ///
    /// # Errors
    /// When the store could not decide: the session then ends when it said.
    pub async fn renew(&self, session: Session, span: Duration) -> Result<Renewed, StoreError> {
        let renewed = self.renewals.ask(Renewal { session, span }).await?;
        if session.id.started <= self.snapshot().mirror.summary.began {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(session.id);
        }
        Ok(renewed)
    }

    /// Whether the store may have lost a session and has not heard of it since.
    pub fn may_have_lost(&self, session: SessionId) -> bool {
        let began = self.snapshot().mirror.summary.began;
        session.started <= began && !self.found.lock().unwrap_or_else(PoisonError::into_inner).contains(&session)
    }

    /// Ends a session; its tickets are refused from now on.
    ///
    /// # Errors
    /// When the store could not be told: it is as soon as it is back.
    pub async fn end(&self, session: Session, reason: crate::metrics::Departure) -> Result<bool, StoreError> {
        let told = self.endings.ask(Ending { session }).await;
        if told.is_err() {
            self.absence.ended(session);
        }
        let was_live = told?;
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

    /// The same for somebody without a place.
    pub fn allows_provisional_poll(&self, visitor: VisitorId, now: Instant) -> bool {
        /// Two visitors may share an entry: then each may ask half as often, and that is still more than it is told to.
        const ENTRIES: u32 = 1 << 18;
        let [a, b, c, d, ..] = *visitor.as_bytes();
        let entry = Sequence::NONE.plus(u32::from_be_bytes([a, b, c, d]) % ENTRIES);
        self.provisional_polls.allow(entry, self.uptime(now), self.provisional_poll() / 2)
    }

    /// How often somebody without a place is told to ask.
    pub fn provisional_poll(&self) -> Duration {
        provisional_poll(&self.policy)
    }

    /// A place was heard.
    pub fn heard(&self, place: Place, time: Timestamp) {
        self.heard.mark(place.sequence, Period::of(time, self.policy.position_retention()));
    }

    /// Counts one more arrival while the store is away; false when there are as many as the line may hold.
    pub fn arrives_provisionally(&self) -> bool {
        self.absence.arrive(self.snapshot().mirror.summary.limits.max_line_length)
    }

    /// Somebody was let in while the store is away.
    pub fn let_in(&self, session: Session) {
        self.metrics.admissions.inc();
        self.absence.let_in(session);
    }

    /// Remembers the first estimate a place was told.
    pub fn promise(&self, sequence: Sequence, now: Instant, p90: Duration) {
        self.promises.note(sequence, self.uptime(now), p90);
    }

    fn uptime(&self, now: Instant) -> Duration {
        now.duration_since(self.born)
    }
}

fn provisional_poll(policy: &Policy) -> Duration {
    let bounds = policy.poll_interval();
    PROVISIONAL_POLL.clamp(bounds.min, bounds.max)
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
