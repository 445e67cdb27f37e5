//! What a gateway remembers beyond what it follows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{LONGEST_LAG, Trouble};
use crate::store::{Arrival, Claim, Claimed, Departure, Ending, Joined, LEEWAY, PastStretch, Renewed, Session};
use crate::{HighWater, Life, Place, Timestamp, Version, VisitorId};

/// The most tokens of unknown places that are kept until the store has heard of them: one a life is enough, and more lives
/// than this are nobody's.
const MOST_TOKENS: usize = 64;

/// One gateway's memory of what it answered itself. All instants are shared time.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    seen: HighWater,
    joins: VecDeque<(Timestamp, VisitorId, Place)>,
    spent: VecDeque<(Timestamp, Place)>,
    sessions: HashMap<VisitorId, (Session, Place)>,
    unconfirmed: HashMap<VisitorId, (Session, Place)>,
    ended: VecDeque<(Timestamp, VisitorId, Timestamp)>,
    /// The highest place of each life that a token spoke of and the store did not know.
    tokens: BTreeMap<Life, Place>,
    /// The earliest life that answered since the store was told something.
    answered_since: Option<Life>,
    /// Answers of an earlier life came after it had ended here: the store has not heard of them.
    late: bool,
    /// When the store answered last.
    answered_at: Timestamp,
    /// When a look brought which version.
    looks: VecDeque<(Timestamp, Life, Version)>,
}

impl Witness {
    /// The highest it has seen.
    pub const fn seen(&self) -> HighWater {
        self.seen
    }

    /// Takes up the marks of an answer.
    pub fn saw(&mut self, mark: &HighWater) {
        self.late |= mark.life < self.seen.life;
        self.answered_since = Some(self.answered_since.map_or(mark.life, |earliest| earliest.min(mark.life)));
        self.seen.raise(mark);
    }

    /// Places were given.
    pub fn joined(&mut self, at: Timestamp, items: &[Arrival], answers: &[Joined]) {
        for (arrival, joined) in items.iter().zip(answers) {
            match *joined {
                Joined::Placed { place, .. } => self.joins.push_back((at, arrival.visitor, place)),
                Joined::Admitted { place, session } => self.admitted(at, session, place),
                Joined::Unconfirmed { place, session } => self.is_unconfirmed(session, place),
                Joined::Collected { .. } | Joined::Full | Joined::Closed => {}
            }
        }
        self.forget(at);
    }

    /// Places were claimed.
    pub fn claimed(&mut self, at: Timestamp, items: &[Claim], answers: &[Claimed]) {
        for (claim, claimed) in items.iter().zip(answers) {
            match *claimed {
                Claimed::Admitted(session) => self.admitted(at, session, claim.place),
                Claimed::Unconfirmed(session) => self.is_unconfirmed(session, claim.place),
                _ => {}
            }
        }
        self.forget(at);
    }

    fn is_unconfirmed(&mut self, session: Session, place: Place) {
        self.unconfirmed.insert(session.id.visitor, (session, place));
    }

    fn admitted(&mut self, at: Timestamp, session: Session, place: Place) {
        self.unconfirmed.remove(&session.id.visitor);
        self.sessions.insert(session.id.visitor, (session, place));
        self.spent.push_back((at, place));
    }

    /// Sessions were prolonged.
    pub fn renewed(&mut self, answers: &[Renewed]) {
        for renewed in answers {
            if let Renewed::Until(session) = *renewed
                && let Some((known, _)) = self.sessions.get_mut(&session.id.visitor)
            {
                *known = session;
            }
        }
    }

    /// Sessions were ended.
    pub fn ended(&mut self, at: Timestamp, items: &[Ending]) {
        for Ending { session } in items {
            let known = self.sessions.remove(&session.id.visitor);
            let until = known.map_or(session.ends, |(known, _)| known.ends.max(session.ends));
            self.ended.push_back((at, session.id.visitor, until));
        }
        self.forget(at);
    }

    /// Places were given up.
    pub fn departed(&mut self, at: Timestamp, items: &[Departure]) {
        self.spent.extend(items.iter().map(|departure| (at, departure.place)));
        self.forget(at);
    }

    /// A valid token spoke of a place that the store does not know.
    pub fn token(&mut self, place: Place) {
        let life = Life::that_gave(place);
        if let Some(highest) = self.tokens.get_mut(&life) {
            *highest = place.max(*highest);
        } else if self.tokens.len() < MOST_TOKENS {
            self.tokens.insert(life, place);
        }
    }

    /// What the store has to hear of although it answers, if anything.
    pub fn trouble(&self) -> Option<Trouble> {
        if !self.tokens.is_empty() { Some(Trouble::Tokens) } else { self.late.then_some(Trouble::Late) }
    }

    /// All that is remembered now is being told; [`Witness::told`] says that it was heard.
    pub fn tells(&mut self) {
        self.answered_since = None;
    }

    /// A look brought the memory of the room to a version.
    pub fn looked(&mut self, at: Timestamp, life: Life, version: Version) {
        if self.looks.back().is_none_or(|(_, last, known)| (*last, *known) != (life, version)) {
            self.looks.push_back((at, life, version));
        }
        self.forget(at);
    }

    /// The store has heard of these lives; tokens that came meanwhile, or that it was not told of, stay.
    pub fn told(&mut self, past: &[PastStretch]) {
        self.late = self.answered_since.is_some_and(|earliest| earliest < self.seen.life);
        self.tokens.retain(|life, place| !past.iter().any(|told| told.life == *life && told.last >= *place));
    }

    /// When the store answered last.
    pub(super) const fn answered_at(&self) -> Timestamp {
        self.answered_at
    }

    /// Everything since this version of the life is known change by change.
    pub(super) fn known_since(&self, life: Life) -> Option<Version> {
        self.looks.iter().find(|(_, looked, _)| *looked == life).map(|(_, _, version)| *version)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = (Life, Place)> {
        self.tokens.iter().map(|(life, place)| (*life, *place))
    }

    /// The highest place of each life that was answered lately.
    pub(super) fn answered_lives(&self) -> impl Iterator<Item = (Life, Place)> {
        let joined = self.joins.iter().map(|(_, _, place)| *place);
        let places = joined.chain(self.spent.iter().map(|(_, place)| *place));
        let mut lives = BTreeMap::new();
        for place in places {
            let highest = lives.entry(Life::that_gave(place)).or_insert(place);
            *highest = place.max(*highest);
        }
        lives.into_iter()
    }

    pub(super) fn joins(&self) -> Vec<(VisitorId, Place)> {
        self.joins.iter().map(|(_, visitor, place)| (*visitor, *place)).collect()
    }

    pub(super) fn spent(&self) -> Vec<Place> {
        self.spent.iter().map(|(_, place)| *place).collect()
    }

    pub(super) fn sessions(&self) -> Vec<(Session, Place)> {
        self.sessions.values().copied().collect()
    }

    pub(super) fn unconfirmed(&self) -> Vec<(Session, Place)> {
        self.unconfirmed.values().copied().collect()
    }

    pub(super) fn own_ended(&self) -> impl Iterator<Item = (VisitorId, Timestamp)> {
        self.ended.iter().map(|(_, visitor, until)| (*visitor, *until))
    }

    /// The latest end of a session that this gateway issued.
    pub(super) fn latest_end(&self) -> Timestamp {
        self.sessions.values().map(|(session, _)| session.ends).max().unwrap_or_default()
    }

    /// Forgets what is older than the longest lag. The last look before that stays: it says since when all is known.
    fn forget(&mut self, now: Timestamp) {
        self.answered_at = self.answered_at.max(now);
        let old = |at: Timestamp| now.since(at) > LONGEST_LAG;
        while self.joins.front().is_some_and(|(at, ..)| old(*at)) {
            self.joins.pop_front();
        }
        while self.spent.front().is_some_and(|(at, _)| old(*at)) {
            self.spent.pop_front();
        }
        while self.ended.front().is_some_and(|(at, ..)| old(*at)) {
            self.ended.pop_front();
        }
        while self.looks.get(1).is_some_and(|(at, ..)| old(*at)) {
            self.looks.pop_front();
        }
        for sessions in [&mut self.sessions, &mut self.unconfirmed] {
            if sessions.len().is_power_of_two() {
                sessions.retain(|_, (session, _)| session.ends + LEEWAY > now);
            }
        }
    }
}
