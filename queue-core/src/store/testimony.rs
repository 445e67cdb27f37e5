//! What a gateway remembers of a room, as a store that lost data, or lags, takes it up.

use std::time::Duration;

use super::{HeardChunk, LimitsSource, MAX_BATCH, Session};
use crate::high_water::Version;
use crate::{Life, Limits, Place, Timestamp, VisitorId};

/// What shall happen to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A new life, all places of earlier ones being out of the line until heard: if the room is absent, behind its
    /// caller, or older than [`Testimony::past`] proves.
    Begin(Life),
    /// A new life that goes on where the room lagged: if it is behind its caller or was moved, but has all changes up to
    /// a version.
    Resume {
        /// The life to begin.
        life: Life,
        /// The first version whose changes the caller still knows one by one is one more than this.
        known_since: Version,
    },
    /// Only add what is missing.
    Add,
}

/// What proves that earlier places were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A gateway that was there.
    Memory,
    /// A signed token. It proves a loss only to a store that is younger than the hold: later it may as well be of a sale
    /// that is over.
    Token,
}

/// How many may be inside that the store does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The most claims that were seen.
    pub claims: u64,
    /// The most that may be inside by what was seen, those whom the store knows included; `None`: nobody remembers, and the
    /// cohort may be full.
    pub most: Option<u32>,
    /// When that was seen last: of those who began later nothing is said. Zero: it is not known.
    pub seen_at: Timestamp,
    /// The latest end of any session that was seen: until then some may be unknown. Zero: nothing is said of them.
    pub until: Timestamp,
}

/// The places that one life gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastStretch {
    /// The life.
    pub life: Life,
    /// The last place it is known to have given.
    pub last: Place,
    /// Who is spent, by chunks of [`Life::ALIGN`] places counted from the epoch's beginning.
    pub spent: Vec<(u32, Vec<u8>)>,
}

impl PastStretch {
    /// As if a place had not been used.
    pub(crate) fn unspend(&mut self, place: Place) {
        let (epoch, chunk, offset) = HeardChunk::locate(place);
        let bits = self.spent.iter_mut().find(|(number, _)| *number == chunk && epoch == self.life.epoch());
        if let Some(byte) = bits.and_then(|(_, bits)| bits.get_mut(offset as usize / 8)) {
            *byte &= !(0x80 >> (offset % 8));
        }
    }
}

/// What is remembered of the rules in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The limits.
    pub limits: Limits,
    /// Their version; 0: nothing is remembered, these are the config's.
    pub version: u64,
    /// Who set them.
    pub source: LimitsSource,
    /// Whether an operator paused the room.
    pub paused: bool,
}

/// What a gateway remembers. Every list may be told twice or out of order; spent stays spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// What shall happen.
    pub ask: Ask,
    /// What proves it.
    pub proof: Proof,
    /// The rules in force.
    pub control: Control,
    /// How long calls are held after a new life began.
    pub hold: Duration,
    /// How long arrivals are collected after a new life began: some came while the store was away.
    pub collect: Duration,
    /// Who may be inside.
    pub inside: Inside,
    /// Shared time as the gateway would know it now; zero: it does not.
    pub time: Timestamp,
    /// The highest place called.
    pub frontier: Place,
    /// Lives and what they gave, ascending.
    pub past: Vec<PastStretch>,
    /// Places spent lately, besides those in the bitmaps.
    pub spent: Vec<Place>,
    /// Joins answered lately.
    pub joins: Vec<(VisitorId, Place)>,
    /// Live sessions that this gateway issued.
    pub sessions: Vec<(Session, Place)>,
    /// Sessions that began and that nobody was told of, because not every replica had them. They are taken up while calls are
    /// held; later their slots may be others', and their places wait as if nothing had happened.
    pub unconfirmed: Vec<(Session, Place)>,
    /// Sessions that ended before their time, and until when that is remembered.
    pub ended: Vec<(VisitorId, Timestamp)>,
}

impl Testimony {
    /// The same in calls of a bounded number of members: the first does what is asked, the others add.
    pub fn parts(mut self) -> Vec<Self> {
        let mut rest = Self { ask: Ask::Add, past: Vec::new(), ..self.clone() };
        fn first<T>(head: &mut Vec<T>, rest: &mut Vec<T>) {
            head.truncate(MAX_BATCH);
            rest.drain(..head.len());
        }
        first(&mut self.spent, &mut rest.spent);
        first(&mut self.joins, &mut rest.joins);
        first(&mut self.sessions, &mut rest.sessions);
        first(&mut self.unconfirmed, &mut rest.unconfirmed);
        first(&mut self.ended, &mut rest.ended);
        let more = !(rest.spent.is_empty()
            && rest.joins.is_empty()
            && rest.sessions.is_empty()
            && rest.unconfirmed.is_empty()
            && rest.ended.is_empty());
        let mut parts = vec![self];
        if more {
            parts.extend(rest.parts());
        }
        parts
    }
}

/// What a testimony led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// A new life in a new epoch began.
    Began,
    /// A new life began that goes on where the store lagged.
    Resumed,
    /// What was missing was added.
    Added,
}
