//! The store port: what a line needs of the place where it is kept, in the words of the line.
//!
//! Every call is one atomic step on one room, safe to repeat, and carries what the caller has seen ([`Caller`]): a store
//! that is behind refuses. Items of one call are applied in the order given. Adapters: [`MemoryStore`], [`RedisStore`].

mod caller;
mod follow;
mod heard;
mod lease;
mod memory;
mod redis;
mod testimony;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use self::caller::{Caller, Clock, Moment};
pub use self::follow::{Change, Event, Follow, Gap, Mirror, News, Snapshot, Summary};
pub use self::heard::{GatewayId, Heard, HeardChunk, LONGEST_GAP, PERIODS_OF_SILENCE, Period};
pub use self::lease::{LeaseCaller, LeaseStore, Leased, PendingLease};
pub use self::memory::{BadKeeping, MemoryStore};
pub use self::redis::{
    AddressError, HostPort, Identity, IdentityError, Login, RedisAddress, RedisSettings, RedisStore, Tls, Trust,
    TrustError,
};
pub use self::testimony::{Ask, Control, Inside, Merged, PastStretch, Proof, Testimony};
use crate::admission::Refusal;
use crate::high_water::{HighWater, Version};
use crate::{Life, Limits, Place, RoomId, SessionId, Timestamp, VisitorId};

/// The most items of one call: a step stays short for everybody else on the store.
pub const MAX_BATCH: usize = 500;

pub use crate::ticket::LEEWAY;

/// An answer with what it shows of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped<T> {
    /// The store's marks after the step.
    pub mark: HighWater,
    /// Shared time of the step.
    pub time: Timestamp,
    /// The time of the store's host at the step.
    pub host: Timestamp,
    /// The answer.
    pub value: T,
}

/// Why a call was not carried out, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store knows nothing of this room: a first start, or everything was lost.
    #[error("the store does not know this room")]
    Absent,
    /// The store has lost something the caller has seen.
    #[error("the store is behind what was seen (epoch {}, version {})", .0.epoch(), .0.version)]
    Behind(HighWater),
    /// The store began a new life since the caller last spoke to it: the caller first says what it remembers
    /// ([`Store::merge`]).
    #[error("the store began a new life (epoch {}) and has not heard what is remembered here", .0.epoch())]
    Unmerged(HighWater),
    /// The data is served by another server than before, and may lag behind what the other one gave.
    #[error("the data moved to another server (epoch {}, version {})", .0.epoch(), .0.version)]
    Moved(HighWater),
    /// The call arrived after its time and did nothing. A caller takes the times told up as from an answer: one that was
    /// suspended, or that a jump of the host's clock left behind, would be late for ever.
    #[error("the call reached the store too late and did nothing")]
    Late(Moment),
    /// No answer within the deadline; whether it took effect is unknown.
    #[error("the store did not answer in time")]
    Timeout,
    /// The connection failed; whether it took effect is unknown.
    #[error("the store cannot be reached: {0}")]
    Io(String),
    /// The store refuses to write: a replica, or out of memory.
    #[error("the store does not accept writes: {0}")]
    ReadOnly(String),
    /// The store is starting or busy.
    #[error("the store is not ready: {0}")]
    Loading(String),
    /// The step failed or answered what nobody expected: a bug, or foreign data under our keys.
    #[error("the store answered unexpectedly: {0}")]
    Script(String),
}

impl StoreError {
    /// The value of the metric label `reason`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Absent | Self::Behind(_) | Self::Unmerged(_) | Self::Moved(_) => "behind",
            Self::Late(_) | Self::Timeout => "timeout",
            Self::Io(_) => "io",
            Self::ReadOnly(_) => "readonly",
            Self::Loading(_) => "loading",
            Self::Script(_) => "script",
        }
    }

    /// Whether the store has to hear what the gateways remember before it goes on.
    pub const fn needs_memory(&self) -> bool {
        matches!(self, Self::Absent | Self::Behind(_) | Self::Unmerged(_) | Self::Moved(_))
    }

    /// Whether the same call may be sent again at once: it did nothing, for a reason that passes.
    pub const fn is_late(&self) -> bool {
        matches!(self, Self::Late(_))
    }
}

/// A store's pending answer.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<Stamped<T>, StoreError>> + Send + 'a>>;

/// One visitor's stay in the cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which session.
    pub id: SessionId,
    /// When it ends: a whole second, the ticket's `exp`.
    pub ends: Timestamp,
}

/// What a step needs to know of the room's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// A session's length without renewal.
    pub session: Duration,
    /// The bound on renewal and extension, from the session's start.
    pub max_session: Duration,
    /// How long a called place that was just heard keeps its slot reserved.
    pub heard_for: Duration,
    /// How long an offered slot may stay unclaimed by somebody who is heard.
    pub claim_window: Duration,
    /// How long a place may stay silent.
    pub retention: Duration,
}

/// Somebody who wants a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who.
    pub visitor: VisitorId,
    /// When it came, if that was while the store was away: what its provisional token says.
    pub since: Option<Timestamp>,
}

/// What became of a joining visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// Has this place in the line.
    Placed {
        /// The place, the same on every repetition.
        place: Place,
        /// When it joined.
        joined: Timestamp,
    },
    /// The line was empty and the cohort had room: straight in. The place is spent.
    Admitted {
        /// The place that was used.
        place: Place,
        /// The session that began.
        session: Session,
    },
    /// Straight in, and not yet safe on the replicas: nothing that a visitor may be told. The place leads to the session.
    Unconfirmed {
        /// The place that was used.
        place: Place,
        /// The session that began.
        session: Session,
    },
    /// Those who came while the store was away are being collected: places are given in the order of arrival afterwards.
    Collected {
        /// When it came.
        since: Timestamp,
    },
    /// The line has its greatest length.
    Full,
    /// The room has closed.
    Closed,
}

/// Somebody who was called, or returns, and wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub visitor: VisitorId,
    /// The signed place.
    pub place: Place,
    /// Whether to swap the place for a session, or only to be heard.
    pub take: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// In: the same session on every repetition.
    Admitted(Session),
    /// In, and not yet safe on the replicas: nothing that a visitor may be told. Asked again, it is the same session.
    Unconfirmed(Session),
    /// A slot is there; it was not to be taken yet.
    Offered,
    /// An offered slot was left unclaimed for the claim window: the place is gone until it is heard again.
    Missed,
    /// Not its turn yet; a place that was gone is back in the line.
    NotCalled,
    /// Its turn, but not now.
    Refused(Refusal),
    /// The place was used up: its session is over, or it was given up.
    Ended,
    /// A place this store never gave.
    Unknown,
}

/// A session to be prolonged to `now + span`, within the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The session as its ticket says. One that the store does not know, and never heard the end of, was lost with data:
    /// it is taken up again.
    pub session: Session,
    /// For how long from now; zero only makes sure that the store knows the session.
    pub span: Duration,
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// Lives until then.
    Until(Session),
    /// Is over.
    Ended,
}

/// A session to be ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The session as its ticket says: until its end at the least it is remembered as ended.
    pub session: Session,
}

/// A place that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Who.
    pub visitor: VisitorId,
    /// The signed place.
    pub place: Place,
}

/// A release decision to be applied if nothing it rests on has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The frontier the decision was made on.
    pub from: Place,
    /// The version of the limits the decision was made on.
    pub limits_version: u64,
    /// The places called, ascending; the last one becomes the frontier.
    pub called: Vec<Place>,
}

/// Whether a release decision was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// The frontier moved.
    Moved,
    /// Somebody else was first; decide again.
    Stale,
}

/// Who proposes limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsSource {
    /// A gateway's config, loaded at this instant: the newest config wins, unless an operator has spoken.
    Config(Timestamp),
    /// An operator: outlives restarts until reset.
    Operator,
    /// Forget the operator's words and take these from now on.
    Reset,
}

/// Limits for a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The limits.
    pub limits: Limits,
    /// Who says so.
    pub source: LimitsSource,
}

/// How a room comes into being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The config's limits.
    pub proposal: Proposal,
    /// The life to begin when the store knows nothing of the room.
    pub life: Life,
    /// How long a room that begins lets nobody in yet and collects arrivals, so that tokens of an earlier life, and of those
    /// who came while there was no store, can speak first.
    pub listen: Duration,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Places that stayed silent too long.
    pub silent: u32,
    /// Sessions that had expired.
    pub expired: u32,
    /// Collected arrivals that got their places.
    pub settled: u32,
}

/// Where a line is kept.
///
/// # Errors
/// Every call answers [`StoreError`] when the store is away, behind, or too late; nothing is decided then.
pub trait Store: Send + Sync + 'static {
    /// Makes sure the room exists and proposes its limits.
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary>;
    /// Says what a gateway remembers: begins a new life where data was lost or lags, else adds what is missing. The one
    /// step that a store which is behind carries out.
    fn merge<'a>(&'a self, room: &'a RoomId, caller: Caller, testimony: Testimony) -> Pending<'a, Merged>;
    /// Gives each visitor a place, or lets it straight in.
    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Arrival>,
    ) -> Pending<'a, Vec<Joined>>;
    /// Swaps called places for sessions.
    fn claim<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Claim>,
    ) -> Pending<'a, Vec<Claimed>>;
    /// Prolongs sessions.
    fn renew<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Renewal>,
    ) -> Pending<'a, Vec<Renewed>>;
    /// Ends sessions before their time; answers whether each was live.
    fn end<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Ending>) -> Pending<'a, Vec<bool>>;
    /// Gives places up; answers whether each was still waiting or gone.
    fn depart<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Departure>) -> Pending<'a, Vec<bool>>;
    /// Applies a release decision.
    fn call<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms, call: Call) -> Pending<'a, Called>;
    /// Marks places as heard in a period that is over.
    fn hear<'a>(&'a self, room: &'a RoomId, caller: Caller, heard: Heard) -> Pending<'a, ()>;
    /// Collects arrivals for this long from now, before any of them, or anyone else, gets a place: those who came while the
    /// store was away shall have them in the order in which they came.
    fn collect<'a>(&'a self, room: &'a RoomId, caller: Caller, span: Duration) -> Pending<'a, ()>;
    /// Removes what time has ended: silent places, expired sessions, the collection of arrivals; a bounded number a call.
    fn sweep<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms) -> Pending<'a, Swept>;
    /// Tells what changed after a version; everything when asked with `None` or when entries are missing.
    fn follow<'a>(&'a self, room: &'a RoomId, caller: Caller, after: Option<Version>) -> Pending<'a, Follow>;
    /// Proposes limits; answers whether they are in force now.
    fn propose<'a>(&'a self, room: &'a RoomId, caller: Caller, proposal: Proposal) -> Pending<'a, bool>;
    /// Stops or resumes admission.
    fn pause<'a>(&'a self, room: &'a RoomId, caller: Caller, paused: bool) -> Pending<'a, ()>;
}
