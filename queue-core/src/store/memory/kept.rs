//! A room written down and read again: what a gateway with a memory store keeps over a planned restart.
//!
//! What must outlive the process: places, sessions, rules. Marks of who was heard begin anew, so that nobody leaves the
//! line for the time in between. What is read is checked: a file that does not fit is refused whole.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::room::{Room, Stay};
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::line::Line;
use crate::store::{Clock, LimitsSource, Opening, Proposal};
use crate::stretch::Stretch;
use crate::{Life, Limits, Place, Timestamp, VisitorId};

/// All rooms. Places are scores, instants and spans milliseconds, visitors 22 characters, bitmaps base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptRooms {
    /// The form of what follows; another one is refused.
    pub(super) form: u32,
    pub(super) rooms: HashMap<String, KeptRoom>,
}

/// The form that is written.
pub(super) const FORM: u32 = 1;

/// One room.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptRoom {
    lives: Vec<KeptLife>,
    frontier: u64,
    claims: u64,
    waiting: Vec<(u64, String)>,
    /// Visitor, start, end, place (0: not known).
    sessions: Vec<(String, u64, u64, u64)>,
    ended: Vec<(String, u64)>,
    collected: Vec<(u64, String)>,
    collect_until: u64,
    limits: KeptLimits,
    limits_version: u64,
    /// When the config that set the limits was loaded; none: an operator set them.
    config_loaded: Option<u64>,
    paused: bool,
    bucket_parts: u64,
    bucket_at: u64,
    hold_until: u64,
    now: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptLife {
    start: u64,
    last: u64,
    /// Number of the chunk, the gone, the spent.
    chunks: Vec<(u32, String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptLimits {
    total_active_users: u32,
    new_users_per_minute: u32,
    burst: u32,
    max_line_length: u32,
    queue_all: bool,
    opens_at: Option<u64>,
    closes_at: Option<u64>,
}

impl KeptRoom {
    pub(super) fn of(room: &Room) -> Self {
        let life = |stretch: &Stretch| KeptLife {
            start: stretch.life().mark().score(),
            last: stretch.last().score(),
            chunks: stretch
                .bitmaps()
                .into_iter()
                .map(|(chunk, gone, spent)| (chunk, STANDARD.encode(gone), STANDARD.encode(spent)))
                .collect(),
        };
        let limits = &room.limits;
        Self {
            lives: room.line.stretches().iter().map(life).collect(),
            frontier: room.line.frontier().score(),
            claims: room.claims,
            waiting: room.waiting.iter().map(|(place, visitor)| (place.score(), visitor.to_string())).collect(),
            sessions: room
                .stays
                .iter()
                .map(|(visitor, stay)| {
                    let place = stay.place.map_or(0, Place::score);
                    (visitor.to_string(), stay.started.as_millis(), stay.ends.as_millis(), place)
                })
                .collect(),
            ended: room.ended.iter().map(|(visitor, until)| (visitor.to_string(), until.as_millis())).collect(),
            collected: room.collected.iter().map(|(at, visitor)| (at.as_millis(), visitor.to_string())).collect(),
            collect_until: room.collect_until.as_millis(),
            limits: KeptLimits {
                total_active_users: limits.total_active_users,
                new_users_per_minute: limits.new_users_per_minute,
                burst: limits.burst,
                max_line_length: limits.max_line_length,
                queue_all: limits.queue_all,
                opens_at: limits.opens_at.map(Timestamp::as_millis),
                closes_at: limits.closes_at.map(Timestamp::as_millis),
            },
            limits_version: room.limits_version,
            config_loaded: match room.limits_source {
                LimitsSource::Config(at) => Some(at.as_millis()),
                LimitsSource::Operator | LimitsSource::Reset => None,
            },
            paused: room.paused,
            bucket_parts: room.bucket.parts(),
            bucket_at: room.bucket.at().as_millis(),
            hold_until: room.hold_until.as_millis(),
            now: room.now().as_millis(),
        }
    }

    /// The room again; `None` when it does not fit.
    pub(super) fn room(&self, clock: &Clock) -> Option<Room> {
        let at = Timestamp::from_millis;
        let stretches = self.lives.iter().map(KeptLife::stretch).collect::<Option<Vec<_>>>()?;
        let line = Line::of(stretches, Place::mark_from_score(self.frontier)?)?;
        let kept = &self.limits;
        let limits = Limits {
            total_active_users: kept.total_active_users,
            new_users_per_minute: kept.new_users_per_minute,
            burst: kept.burst,
            max_line_length: kept.max_line_length,
            queue_all: kept.queue_all,
            opens_at: kept.opens_at.map(at),
            closes_at: kept.closes_at.map(at),
        };
        let source = self.config_loaded.map_or(LimitsSource::Operator, |loaded| LimitsSource::Config(at(loaded)));
        let opening = Opening { proposal: Proposal { limits, source }, life: line.life(), listen: Duration::ZERO };
        // Time goes on from where it was, also on a host whose clock was set back meanwhile.
        let now = clock.now().max(at(self.now));
        let mut room = Room::new(&opening, now, 0);
        room.host_time = clock.now();
        room.line = line;
        room.claims = self.claims;
        for (score, visitor) in &self.waiting {
            let (place, visitor) = (Place::from_score(*score)?, VisitorId::parse(visitor)?);
            room.line.state(place).filter(|state| *state == PlaceState::Waiting)?;
            room.waiting.insert(place, visitor);
            room.places.insert(visitor, place);
            if place <= room.line.frontier() {
                room.watch(place, now);
            }
        }
        for (visitor, started, ends, place) in &self.sessions {
            let stay = Stay { started: at(*started), ends: at(*ends), place: Place::from_score(*place) };
            room.keep_session(VisitorId::parse(visitor)?, stay);
        }
        for (visitor, until) in &self.ended {
            room.ended.insert(VisitorId::parse(visitor)?, at(*until));
        }
        let collected = self.collected.iter().map(|(since, visitor)| Some((at(*since), VisitorId::parse(visitor)?)));
        room.collected = collected.collect::<Option<BTreeSet<_>>>()?;
        room.arrivals = room.collected.iter().map(|(since, visitor)| (*visitor, *since)).collect();
        room.collect_until = at(self.collect_until);
        room.limits_version = self.limits_version;
        room.paused = self.paused;
        room.bucket = Bucket::from_parts(self.bucket_parts, at(self.bucket_at).min(now));
        room.hold_until = at(self.hold_until);
        let fits = u32::try_from(room.waiting.len()).is_ok_and(|waiting| waiting == room.line.waiting())
            && room.line.frontier() <= room.line.last();
        fits.then_some(room)
    }
}

impl KeptLife {
    fn stretch(&self) -> Option<Stretch> {
        let life = Life::at(Place::mark_from_score(self.start)?)?;
        let last = Place::mark_from_score(self.last)?;
        let mut stretch = Stretch::up_to(life, last);
        for (chunk, gone, spent) in &self.chunks {
            stretch.load(*chunk, &STANDARD.decode(gone).ok()?, &STANDARD.decode(spent).ok()?);
        }
        (stretch.last() == last).then_some(stretch)
    }
}

/// How far ahead of the host's clock kept instants may be: a file from a host whose clock was wrong would stop time.
pub(super) const LONGEST_AHEAD: Duration = Duration::from_secs(3_600);

impl KeptRoom {
    /// Whether its time is one that this host's clock will reach soon.
    pub(super) fn is_of_this_time(&self, clock: &Clock) -> bool {
        Timestamp::from_millis(self.now) <= clock.now() + LONGEST_AHEAD
    }
}
