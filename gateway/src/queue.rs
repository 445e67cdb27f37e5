//! What a visitor can ask of a room: a place, a position, to leave. Answers are data; `respond.rs` makes HTTP of them.

mod document;
mod held;

use std::time::Duration;

pub use self::document::{Moved, PositionDocument, State};
pub use self::held::Held;
use crate::clock::Instant;
use crate::metrics::{Departure, PollResult};
use crate::room::{Room, RoomSnapshot};
use queue_core::admission::Refusal;
use queue_core::line::Standing;
use queue_core::store::{Arrival, Claim, Claimed, Joined, Session, StoreError};
use queue_core::ticket::{AdmissionTicket, KeyRing, LEEWAY, ProvisionalToken, QueueToken, TokenError};
use queue_core::{FailMode, Place, SessionId, Timestamp, VisitorId};

/// How long after a return a grown position is explained by it: the longest poll interval and a little.
const RETURN_EXPLAINS: Duration = Duration::from_secs(65);

/// How soon after the end of a collection places are given: a look and a sweep.
const SETTLED_WITHIN: Duration = Duration::from_millis(200);

/// A visitor's business with one room.
pub struct Desk<'a> {
    /// The room.
    pub room: &'a Room,
    /// Signs and verifies.
    pub keys: &'a KeyRing,
    /// The latest look at the store.
    pub snapshot: &'a RoomSnapshot,
    /// This moment, on the monotonic clock.
    pub now: Instant,
}

/// What a poll asks besides the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollQuery {
    /// Whether to claim when called.
    pub claim: bool,
    /// The position last shown.
    pub seen: Option<u64>,
}

/// How a question was answered.
#[derive(Debug)]
pub enum Answer<'a> {
    /// With the visitor's position, the room's state, or both.
    Position(Box<PositionDocument<'a>>),
    /// The token is not good.
    BadToken,
    /// Polls come faster than they are answered.
    TooFast {
        /// When the next one will be answered.
        retry_after: Duration,
    },
    /// The line has its greatest length.
    Full,
    /// The room is closed.
    Closed,
    /// The store cannot decide now.
    Undecided(StoreError),
}

impl<'a> Desk<'a> {
    /// Shared time.
    pub fn time(&self) -> Timestamp {
        self.snapshot.time(self.now)
    }

    /// A place for a newcomer, or straight in.
    pub async fn join(&self, visitor: VisitorId) -> Answer<'a> {
        self.arrive(Arrival { visitor, since: None }).await
    }

    /// A place for somebody who may have come while the store was away.
    async fn arrive(&self, arrival: Arrival) -> Answer<'a> {
        let visitor = arrival.visitor;
        match self.room.join(arrival).await {
            Err(error) => self.arrive_without_store(arrival, &error),
            Ok(Joined::Collected { since }) => {
                let mut document = self.without_place(since);
                document.token = arrival.since.is_none().then(|| self.sign_provisional(visitor, since));
                Answer::Position(document)
            }
            Ok(Joined::Full) => Answer::Full,
            Ok(Joined::Closed) => Answer::Closed,
            // Not told yet: the place leads to the session once every replica has it.
            Ok(Joined::Unconfirmed { place, session }) => {
                let joined = session.id.started;
                let mut document = self.bare(State::Called, joined);
                document.position = Some(1);
                document.token = Some(self.sign_token(visitor, place, joined));
                Answer::Position(document)
            }
            Ok(Joined::Placed { place, joined }) => {
                let token = self.sign_token(visitor, place, joined);
                let ahead = self.ahead(place);
                let mut document = self.waiting(ahead, joined);
                if let Some(wait) = document.estimated_wait_seconds {
                    self.room.promise(place.sequence, self.now, Duration::from_secs(wait.p90));
                }
                document.token = Some(token);
                Answer::Position(document)
            }
            Ok(Joined::Admitted { place, session }) => {
                let mut document = self.admitted(session, session.id.started);
                document.token = Some(self.sign_token(visitor, place, session.id.started));
                Answer::Position(document)
            }
        }
    }

    /// The store cannot be asked: whoever comes is remembered by a token that says when, or let in where the room says so.
    fn arrive_without_store(&self, arrival: Arrival, error: &StoreError) -> Answer<'a> {
        if let Some(document) = self.let_in_without_store(arrival.visitor) {
            return Answer::Position(document);
        }
        let since = arrival.since.unwrap_or_else(|| self.time());
        if arrival.since.is_none() && !self.room.arrives_provisionally() {
            return Answer::Full;
        }
        tracing::debug!(%error, "an arrival without the store");
        let mut document = self.without_place(since);
        document.degraded = true;
        document.token = arrival.since.is_none().then(|| self.sign_provisional(arrival.visitor, since));
        Answer::Position(document)
    }

    /// `fail_mode = "open"`: cohort and rate are not kept while the store is away, opening, closing and pauses are (N5).
    fn let_in_without_store(&self, visitor: VisitorId) -> Option<Box<PositionDocument<'a>>> {
        let time = self.time();
        let open = self.room.policy().fail_mode() == FailMode::Open
            && self.snapshot.is_stale(self.now)
            && self.snapshot.mirror.summary.admission().door(time).is_ok();
        if !open {
            return None;
        }
        let ends = Timestamp::from_secs((time + self.room.policy().session_duration()).as_secs());
        let session = Session { id: SessionId::new(visitor, time), ends };
        self.room.let_in(session);
        let mut document = self.admitted(session, time);
        document.degraded = true;
        Some(document)
    }

    /// What a token says; `None` when it is not good.
    pub fn read_token(&self, token: &str) -> Option<Held> {
        let (room, now) = (self.room.id(), self.time());
        match self.keys.verify_queue_token(token, room, now) {
            Ok(token) => Some(Held::Place(token)),
            Err(TokenError::Kind) => self.keys.verify_provisional(token, room, now).ok().map(Held::Arrival),
            Err(_) => None,
        }
    }

    /// A poll: what is held is kept, at the pace that was told, or up to three times as fast.
    pub async fn position(&self, held: &Held, query: PollQuery) -> Answer<'a> {
        match held {
            Held::Place(token) => self.position_of(token, query).await,
            Held::Arrival(token) if self.room.allows_provisional_poll(token.visitor, self.now) => {
                self.room.metrics.polled(PollResult::Waiting);
                self.redeem(token).await
            }
            Held::Arrival(_) => {
                self.room.metrics.polled(PollResult::Limited);
                Answer::TooFast { retry_after: self.room.provisional_poll() }
            }
        }
    }

    /// What is held is kept. Pages opened and joins repeated come here directly: nobody was told a pace for those, and they
    /// cost no more than a join without a token.
    pub async fn keep(&self, held: &Held, query: PollQuery) -> Answer<'a> {
        match held {
            Held::Place(token) => self.keep_place(token, query).await,
            Held::Arrival(token) => self.redeem(token).await,
        }
    }

    /// Somebody who came while the store was away gets a place once it is back; until then nobody asks it.
    async fn redeem(&self, token: &ProvisionalToken) -> Answer<'a> {
        if self.snapshot.is_stale(self.now) {
            let mut document = self.without_place(token.joined);
            document.degraded = true;
            return Answer::Position(document);
        }
        self.arrive(Arrival { visitor: token.visitor, since: Some(token.joined) }).await
    }

    /// A poll of a place, at the pace it was told, or up to three times as fast.
    async fn position_of(&self, token: &QueueToken, query: PollQuery) -> Answer<'a> {
        let bounds = self.room.policy().poll_interval();
        let (told, result) = match self.snapshot.standing(token.place) {
            Standing::Waiting { ahead } => (self.snapshot.poll_after(ahead, bounds), PollResult::Waiting),
            _ => (bounds.min, PollResult::Called),
        };
        if !self.room.allows_poll(token.place.sequence, self.now, told) {
            self.room.metrics.polled(PollResult::Limited);
            return Answer::TooFast { retry_after: told };
        }
        self.room.metrics.polled(result);
        self.keep_place(token, query).await
    }

    /// The position of a place; claims it when it is called and the query says so.
    async fn keep_place(&self, token: &QueueToken, query: PollQuery) -> Answer<'a> {
        self.room.heard(token.place, self.time());
        match self.snapshot.standing(token.place) {
            Standing::Waiting { .. } => {
                if query.claim
                    && let Some(document) = self.let_in_without_store(token.visitor)
                {
                    return Answer::Position(document);
                }
                let ahead = self.ahead(token.place);
                Answer::Position(self.unmoved(self.waiting(ahead, token.joined), query.seen))
            }
            Standing::Spent if self.snapshot.has_ended(token.visitor) => {
                Answer::Position(self.bare(State::Ended, token.joined))
            }
            _ => self.claim(token, query).await,
        }
    }

    async fn claim(&self, token: &QueueToken, query: PollQuery) -> Answer<'a> {
        let claim = Claim { visitor: token.visitor, place: token.place, take: query.claim };
        match self.room.claim(claim, token.joined, self.time()).await {
            // In its leeway a session still holds its slot, but nobody enters on it.
            Ok(Claimed::Admitted(session)) if session.ends <= self.time() => {
                Answer::Position(self.bare(State::Ended, token.joined))
            }
            Ok(Claimed::Admitted(session)) => Answer::Position(self.admitted(session, token.joined)),
            Ok(Claimed::Ended) => Answer::Position(self.bare(State::Ended, token.joined)),
            Ok(Claimed::Offered | Claimed::Unconfirmed(_)) => {
                Answer::Position(self.unmoved(self.called(token), query.seen))
            }
            Ok(Claimed::Refused(refusal)) => self.refused(refusal, token, query),
            Ok(Claimed::NotCalled | Claimed::Missed) => {
                let ahead = self.ahead(token.place);
                Answer::Position(self.unmoved(self.waiting(ahead, token.joined), query.seen))
            }
            // The store lost it, and is told of it now: what was shown stands until then.
            Ok(Claimed::Unknown) => Answer::Position(self.last_known(token, query)),
            Err(_) => {
                let let_in = query.claim.then(|| self.let_in_without_store(token.visitor)).flatten();
                Answer::Position(let_in.unwrap_or_else(|| self.last_known(token, query)))
            }
        }
    }

    /// Nothing is lost with an answer: what was known last stands until the store decides again.
    fn last_known(&self, token: &QueueToken, query: PollQuery) -> Box<PositionDocument<'a>> {
        let mut document = match self.snapshot.standing(token.place) {
            Standing::Called { .. } | Standing::Gone { called: true } => self.called(token),
            Standing::Waiting { .. } | Standing::Gone { called: false } | Standing::Spent => {
                self.waiting(self.ahead(token.place), token.joined)
            }
            Standing::Unknown => {
                let mut document = self.waiting(0, token.joined);
                document.position = query.seen;
                document.estimated_wait_seconds = None;
                document
            }
        };
        document.degraded = true;
        self.unmoved(document, query.seen)
    }

    fn refused(&self, refusal: Refusal, token: &QueueToken, query: PollQuery) -> Answer<'a> {
        match refusal {
            Refusal::Closed => Answer::Closed,
            Refusal::Paused => Answer::Position(self.bare(State::Paused, token.joined)),
            Refusal::NotOpen(_) | Refusal::Holding(_) => {
                let mut document = self.waiting(self.ahead(token.place), token.joined);
                document.degraded |= matches!(refusal, Refusal::Holding(_));
                Answer::Position(self.unmoved(document, query.seen))
            }
            Refusal::CohortFull | Refusal::RateLimited(_) => {
                Answer::Position(self.unmoved(self.called(token), query.seen))
            }
        }
    }

    /// Gives up a place for good.
    ///
    /// # Errors
    /// When the store could not be told.
    pub async fn leave_line(&self, held: &Held) -> Result<bool, StoreError> {
        match held {
            Held::Place(token) => self.room.depart(token.visitor, token.place).await,
            // There is no place to give up: without its token nobody asks for one.
            Held::Arrival(_) => Ok(false),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store could not be told.
    pub async fn leave_cohort(&self, ticket: &AdmissionTicket) -> Result<bool, StoreError> {
        self.room.end(session_of(ticket), Departure::Left).await
    }

    /// The room for somebody who is not in it.
    pub fn room_state(&self) -> PositionDocument<'a> {
        let ahead = self.snapshot.mirror.line.waiting();
        let summary = &self.snapshot.mirror.summary;
        let mut document = *self.waiting(ahead, Timestamp::ZERO);
        document.position = None;
        document.joined_at = None;
        document.line_length = summary.line_length;
        if document.state != State::Closed && summary.line_length >= summary.limits.max_line_length {
            document.state = State::Full;
        }
        document
    }

    fn ahead(&self, place: Place) -> u32 {
        self.snapshot.ahead(place, self.time())
    }

    /// A document of the state that the room is in for somebody with `ahead` people ahead.
    fn waiting(&self, ahead: u32, joined: Timestamp) -> Box<PositionDocument<'a>> {
        let time = self.time();
        let summary = &self.snapshot.mirror.summary;
        let state = match summary.limits {
            _ if summary.limits.closes_at.is_some_and(|closes| time >= closes) => State::Closed,
            _ if summary.limits.opens_at.is_some_and(|opens| time < opens) => State::Lobby,
            _ if summary.paused || summary.limits.queue_all => State::Paused,
            _ => State::Waiting,
        };
        let mut document = self.bare(state, joined);
        document.position = Some(u64::from(ahead) + 1);
        // A place given after the last look is in the line too.
        document.line_length = document.line_length.max(ahead.saturating_add(1));
        document.estimated_wait_seconds = self.snapshot.estimate(ahead, time).map(Into::into);
        document.poll_after_seconds =
            whole_seconds(self.snapshot.poll_after(ahead, self.room.policy().poll_interval()));
        if self.snapshot.is_holding(time) {
            document.degraded = true;
            document.held_for_seconds = Some(whole_seconds(summary.hold_until.since(time)));
        }
        document
    }

    /// A document for somebody who has no place yet.
    fn without_place(&self, since: Timestamp) -> Box<PositionDocument<'a>> {
        let mut document = self.waiting(0, since);
        document.position = None;
        document.estimated_wait_seconds = None;
        // Places are given right after the collection.
        let left = self.snapshot.mirror.summary.collect_until.since(self.time());
        let told = self.room.provisional_poll();
        let collecting = left > Duration::ZERO && !self.snapshot.is_stale(self.now);
        let told = if collecting { (left + SETTLED_WITHIN).min(told) } else { told };
        document.poll_after_seconds = whole_seconds(told.max(self.room.policy().poll_interval().min));
        document
    }

    fn called(&self, token: &QueueToken) -> Box<PositionDocument<'a>> {
        let mut document = self.bare(State::Called, token.joined);
        document.position = Some(u64::from(self.ahead(token.place)) + 1);
        document
    }

    fn admitted(&self, session: Session, joined: Timestamp) -> Box<PositionDocument<'a>> {
        let mut document = self.bare(State::Admitted, joined);
        document.ticket = Some(self.sign_ticket(session));
        document.session_ends_at = Some(session.ends);
        document
    }

    fn bare(&self, state: State, joined: Timestamp) -> Box<PositionDocument<'a>> {
        Box::new(PositionDocument {
            room: self.room.id().as_str(),
            state,
            position: None,
            line_length: self.snapshot.line_length(self.time()),
            estimated_wait_seconds: None,
            poll_after_seconds: whole_seconds(self.room.policy().poll_interval().min),
            joined_at: Some(joined),
            updated_at: self.snapshot.mirror.summary.time,
            degraded: self.snapshot.is_stale(self.now),
            held_for_seconds: None,
            token: None,
            ticket: None,
            session_ends_at: None,
            opens_at: self.snapshot.mirror.summary.limits.opens_at.filter(|_| state == State::Lobby),
            message: None,
            moved: None,
        })
    }

    /// A position never grows without its reason: what was shown stands, unless somebody came back.
    fn unmoved(&self, mut document: Box<PositionDocument<'a>>, seen: Option<u64>) -> Box<PositionDocument<'a>> {
        if let (Some(position), Some(seen)) = (document.position, seen)
            && position > seen
            && seen > 0
        {
            let time = self.time();
            if time.since(self.snapshot.last_hold) < RETURN_EXPLAINS && !self.snapshot.is_holding(time) {
                document.moved = Some(Moved::Restored);
            } else if time.since(self.snapshot.last_return) < RETURN_EXPLAINS && !document.degraded {
                document.moved = Some(Moved::Returned);
            } else {
                document.position = Some(seen);
            }
        }
        document
    }

    fn sign_token(&self, visitor: VisitorId, place: Place, joined: Timestamp) -> String {
        let now = self.time();
        self.keys.sign_queue_token(&QueueToken {
            room: self.room.id().clone(),
            visitor,
            place,
            joined,
            issued_at: now,
            expires_at: now + self.room.policy().token_lifetime(),
        })
    }

    fn sign_provisional(&self, visitor: VisitorId, joined: Timestamp) -> String {
        let now = self.time();
        self.keys.sign_provisional(&ProvisionalToken {
            room: self.room.id().clone(),
            visitor,
            joined,
            issued_at: now,
            expires_at: now + self.room.policy().token_lifetime(),
        })
    }

    fn sign_ticket(&self, session: Session) -> String {
        self.room.metrics.tickets_issued.inc();
        self.keys.sign_admission(&AdmissionTicket {
            room: self.room.id().clone(),
            session: session.id,
            issued_at: self.time(),
            expires_at: session.ends,
            epoch: self.snapshot.mirror.summary.mark.epoch(),
        })
    }

    /// A ticket with a later end for the same session.
    pub fn prolong(&self, ticket: &AdmissionTicket, session: Session) -> String {
        self.room.metrics.tickets_issued.inc();
        self.keys.sign_admission(&AdmissionTicket {
            issued_at: self.time(),
            expires_at: session.ends,
            ..ticket.clone()
        })
    }

    /// How long a cookie with a ticket is worth keeping.
    pub fn ticket_life(&self, ends: Timestamp) -> Duration {
        ends.since(self.time()) + LEEWAY
    }
}

/// The session that a ticket speaks of.
pub fn session_of(ticket: &AdmissionTicket) -> Session {
    Session { id: ticket.session, ends: ticket.expires_at }
}

/// Whole seconds, rounded up.
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
}
