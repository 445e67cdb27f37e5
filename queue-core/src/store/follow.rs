//! What a gateway remembers of a room, and how it keeps up.

use std::collections::HashMap;
use std::sync::Arc;

use crate::admission::Admission;
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::high_water::{HighWater, Version};
use crate::line::Line;
use crate::{Limits, Place, Timestamp, VisitorId};

/// The room at one moment, without its line. The same on every gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The store's marks.
    pub mark: HighWater,
    /// Shared time.
    pub time: Timestamp,
    /// Members of the sorted set: those who wait, called ones included.
    pub line_length: u32,
    /// Live sessions, those in their leeway counted.
    pub sessions: u32,
    /// Sessions that may live and are not known after a loss of data: they count as used.
    pub unknown: u32,
    /// The latest end of a session, of those that are not known too.
    pub latest_end: Timestamp,
    /// Called places that are heard and have not claimed.
    pub reserved: u32,
    /// The admission bucket.
    pub bucket: Bucket,
    /// The limits in force.
    pub limits: Limits,
    /// Their version.
    pub limits_version: u64,
    /// Whether an operator set them.
    pub limits_by_operator: bool,
    /// Whether an operator paused the room.
    pub paused: bool,
    /// When the room's life began: sessions begun earlier may have been lost since.
    pub began: Timestamp,
    /// Until when calls are held after a loss of data.
    pub hold_until: Timestamp,
    /// Until when those who came while the store was away are collected; zero: nobody is.
    pub collect_until: Timestamp,
}

impl Summary {
    /// Whether arrivals were collected and wait for their places.
    pub fn has_collected(&self) -> bool {
        self.collect_until > Timestamp::ZERO && self.time >= self.collect_until
    }

    /// What the admission rule looks at.
    pub fn admission(&self) -> Admission<'_> {
        Admission {
            limits: &self.limits,
            paused: self.paused,
            hold_until: self.hold_until,
            sessions: self.sessions.saturating_add(self.unknown),
        }
    }
}

/// One thing that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Places were given, up to this one.
    Joined(Place),
    /// Places were called, up to this one.
    Called(Place),
    /// A place left the line or came back to it.
    Place(Place, PlaceState),
    /// A session ended before its time; its tickets are refused until the instant.
    Ended(VisitorId, Timestamp),
    /// Limits or pause changed: the summary has them.
    Control,
    /// More changed than is told one by one: the next look must be a whole one.
    Recast,
}

/// One version's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The room's version after it.
    pub version: Version,
    /// What changed, in order.
    pub events: Vec<Event>,
}

/// Everything a gateway remembers of a room.
#[derive(Clone)]
pub struct Snapshot {
    /// The line.
    pub line: Line,
    /// Sessions that ended before their time, and until when their tickets could be used.
    pub ended: HashMap<VisitorId, Timestamp>,
}

/// The answer to "what changed?".
#[derive(Clone)]
pub struct Follow {
    /// The room now.
    pub summary: Summary,
    /// What changed since the version asked for, without a gap; or everything.
    pub news: News,
}

/// What changed.
#[derive(Clone)]
pub enum News {
    /// Version by version.
    Changes(Vec<Change>),
    /// Everything anew: the first look, or entries were missing.
    Whole(Box<Snapshot>),
}

/// A gateway's memory of one room: follows the store, answers polls without asking it.
#[derive(Clone)]
pub struct Mirror {
    /// The room at the last look.
    pub summary: Summary,
    /// The line at the last look.
    pub line: Line,
    /// Sessions that ended before their time; shared with snapshots.
    pub ended: Arc<HashMap<VisitorId, Timestamp>>,
    version: Version,
    anew: bool,
}

/// Entries were missing: the next look must be a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change log has a gap after version {0}")]
pub struct Gap(pub Version);

impl Mirror {
    /// A memory from the first look; `None` unless it brings everything.
    pub fn new(follow: Follow) -> Option<Self> {
        let News::Whole(snapshot) = follow.news else { return None };
        let version = follow.summary.mark.version;
        Some(Self {
            line: snapshot.line,
            ended: Arc::new(snapshot.ended),
            version,
            anew: true,
            summary: follow.summary,
        })
    }

    /// The version this memory has.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the last look brought everything anew: more happened than is told one by one.
    pub const fn is_anew(&self) -> bool {
        self.anew
    }

    /// Takes up what changed; answers how many places left the line by it.
    ///
    /// # Errors
    /// [`Gap`] when an entry is missing; the memory then stays as it was.
    pub fn take(&mut self, follow: Follow) -> Result<u32, Gap> {
        let left_before = self.line.left();
        let same_life = follow.summary.mark.life == self.line.life();
        let anew = matches!(follow.news, News::Whole(_));
        match follow.news {
            News::Whole(snapshot) => {
                self.line = snapshot.line;
                self.ended = Arc::new(snapshot.ended);
            }
            News::Changes(changes) => {
                let gapless = changes.iter().zip(self.version + 1..).all(|(change, version)| change.version == version);
                let reached = self.version + changes.len() as Version;
                let recast = changes.iter().flat_map(|change| &change.events).any(|event| *event == Event::Recast);
                if !same_life || !gapless || recast || reached != follow.summary.mark.version {
                    return Err(Gap(self.version));
                }
                for event in changes.iter().flat_map(|change| &change.events) {
                    self.apply(event);
                }
            }
        }
        self.version = follow.summary.mark.version;
        self.anew = anew;
        self.summary = follow.summary;
        let now = self.summary.time;
        if self.ended.values().any(|until| *until + super::LEEWAY <= now) {
            Arc::make_mut(&mut self.ended).retain(|_, until| *until + super::LEEWAY > now);
        }
        Ok(if same_life { self.line.left().saturating_sub(left_before) } else { 0 })
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Joined(last) => self.line.give(last),
            Event::Called(frontier) => self.line.call(frontier),
            Event::Place(place, state) => {
                self.line.set(place, state);
            }
            Event::Ended(visitor, until) => {
                Arc::make_mut(&mut self.ended).insert(visitor, until);
            }
            Event::Control | Event::Recast => {}
        }
    }
}
