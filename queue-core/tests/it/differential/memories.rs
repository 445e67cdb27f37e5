//! What gateways of a trace say they remember: sometimes the truth, sometimes what no gateway would say.

use std::time::Duration;

use queue_core::store::{
    Ask, Control, GatewayId, Heard, HeardChunk, Inside, LimitsSource, PERIODS_OF_SILENCE, PastStretch, Period, Proof,
    Session, Testimony,
};
use queue_core::stretch::Stretch;
use queue_core::{Epoch, Life, Place, Timestamp, VisitorId};

use super::answer::{Room, Told};
use super::trace::{Trace, WINDOWED};

impl Trace {
    pub(super) fn heard(&mut self) -> Heard {
        let now = self.room.as_ref().map_or(self.clock.now(), |room| room.summary.time);
        let back = self.dice.below(PERIODS_OF_SILENCE + 2);
        let period = Period::of(now, WINDOWED.retention).before(back);
        let epoch = self.room.as_ref().map_or(Epoch::NONE, |room| room.summary.mark.epoch());
        let bits = (0..self.dice.below(6)).map(|_| self.dice.below(256) as u8).collect();
        let chunks = if self.dice.chance(1, 4) { Vec::new() } else { vec![HeardChunk { epoch, chunk: 0, bits }] };
        Heard { gateway: GatewayId(self.dice.below(2)), period, retention: WINDOWED.retention, chunks }
    }

    pub(super) fn testimony(&mut self) -> Testimony {
        let now = self.clock.now();
        let mark = self.room.as_ref().map_or_else(Default::default, |room| room.summary.mark);
        let ask = match self.dice.below(4) {
            0 => Ask::Begin(Life::after_loss(now, mark.epoch(), self.dice.below(9) as u32)),
            1 | 2 => match Life::after_lag(mark.last, self.dice.below(20) as u32) {
                Some(life) => Ask::Resume { life, known_since: mark.version.saturating_sub(self.dice.below(20)) },
                None => Ask::Add,
            },
            _ => Ask::Add,
        };
        let limits = self.limits();
        let source =
            if self.dice.chance(1, 2) { LimitsSource::Operator } else { LimitsSource::Config(self.near_now()) };
        let version = self.room.as_ref().map_or(0, |room| room.summary.limits_version) + self.dice.below(3);
        let claims = mark.claims + self.dice.below(4);
        let most = self.dice.chance(2, 3).then(|| self.dice.below(8) as u32);
        let past = self.past();
        Testimony {
            ask,
            proof: if self.dice.chance(2, 3) { Proof::Memory } else { Proof::Token },
            control: Control { limits, version, source, paused: self.dice.chance(1, 6) },
            hold: self.dice.span_ms(0..4_000),
            collect: if self.dice.chance(1, 4) { self.dice.span_ms(0..3_000) } else { Duration::ZERO },
            inside: Inside { claims, most, seen_at: self.near_now(), until: self.near_now() },
            time: if self.dice.chance(1, 2) { now } else { Timestamp::ZERO },
            frontier: self.token().1,
            past,
            spent: (0..self.dice.below(3)).map(|_| self.token().1).collect(),
            joins: (0..self.dice.below(3)).map(|_| self.token()).collect(),
            sessions: (0..self.dice.below(3)).map(|_| self.issued()).collect(),
            unconfirmed: (0..self.dice.below(2)).map(|_| self.issued()).collect(),
            ended: (0..self.dice.below(2)).map(|_| self.ended()).collect(),
        }
    }

    fn issued(&mut self) -> (Session, Place) {
        (self.session(), self.token().1)
    }

    fn ended(&mut self) -> (VisitorId, Timestamp) {
        (self.session().id.visitor, self.near_now())
    }

    /// The lives as they are, a little more than they gave, or one that nobody remembers.
    fn past(&mut self) -> Vec<PastStretch> {
        let Some(Room { news: Told::Whole { lives, .. }, .. }) = self.room.clone() else { return Vec::new() };
        let mut past: Vec<PastStretch> = Vec::new();
        for life in &lives {
            if self.dice.chance(1, 2) {
                let last = life.last.plus(self.dice.below(12) as u32);
                past.push(PastStretch { life: life.life, last, spent: self.spent(life.life, last) });
            }
        }
        if self.dice.chance(1, 4) {
            let place = crate::support::place(5 + self.dice.below(3) as u32 * Life::ALIGN);
            let forgotten =
                Place { epoch: Epoch::new(place.epoch.get() - self.dice.below(2) as u32).unwrap(), ..place };
            past.insert(0, PastStretch { life: Life::that_gave(forgotten), last: forgotten, spent: Vec::new() });
        }
        past
    }

    fn spent(&mut self, life: Life, last: Place) -> Vec<(u32, Vec<u8>)> {
        let mut stretch = Stretch::up_to(life, last);
        for _ in 0..self.dice.below(4) {
            let place = life.mark().plus(1 + self.dice.below(u64::from(stretch.given().max(1))) as u32);
            stretch.set(place, queue_core::bits::PlaceState::Spent);
        }
        stretch.spent_chunks()
    }
}
