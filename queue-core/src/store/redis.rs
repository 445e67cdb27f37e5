//! The Redis adapter: every step is one script, every call has its own deadline.

mod address;
mod confirm;
mod lease;
mod link;
mod reply;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, ServerErrorKind, Value};

pub use self::address::{AddressError, HostPort, Login, RedisAddress};
use self::confirm::Confirmer;
pub use self::link::{Identity, IdentityError, Tls, Trust, TrustError};
use self::link::{Link, LinkSettings, Script};
use self::scripts::{Arguments, SCRIPTS, Scripts};
use super::{
    Arrival, Call, Called, Caller, Claim, Claimed, Clock, Departure, Ending, Follow, Heard, Joined, LONGEST_GAP,
    MAX_BATCH, Merged, Opening, PERIODS_OF_SILENCE, Pending, Period, Proposal, Renewal, Renewed, Stamped, Store,
    StoreError, Summary, Swept, Terms, Testimony,
};
use crate::RoomId;
use crate::high_water::Version;

/// How to use a Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Where it is.
    pub address: RedisAddress,
    /// How long a call may take, connecting and script loading included.
    pub deadline: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a connection on which a call got no answer in time may leave a question of ours unanswered; then it is
    /// replaced.
    pub response_timeout: Duration,
    /// The longest pause between two attempts to connect.
    pub max_reconnect_delay: Duration,
    /// Where steps read the host's time; `None`: the server's own TIME.
    pub clock: Option<Clock>,
}

/// Lines in a Redis. One connection, so calls of one gateway take effect in the order they were made.
pub struct RedisStore {
    link: Arc<Link>,
    confirmer: Confirmer,
    deadline: Duration,
    clock: Option<Clock>,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// A store that begins to connect. Must be made within a tokio runtime.
    ///
    /// # Errors
    /// When the address needs what this host does not have, for example certificate authorities.
    pub fn new(settings: RedisSettings) -> Result<Self, StoreError> {
        let RedisSettings { address, deadline, connect_timeout, response_timeout, max_reconnect_delay, clock } =
            settings;
        let link = Link::open(address, LinkSettings { connect_timeout, response_timeout, max_reconnect_delay })?;
        let link = Arc::new(link);
        Ok(Self { confirmer: Confirmer::new(link.clone()), link, deadline, clock })
    }

    fn step<'a, T: 'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        script: fn(&Scripts) -> &Script,
        arguments: impl FnOnce(&mut Arguments) + Send + 'a,
        read: fn(&Value) -> Option<T>,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            let mut list = Arguments::begin(&caller, self.clock.as_ref());
            arguments(&mut list);
            let value = self.link.invoke(script(&SCRIPTS), &key(room), &list, self.deadline).await?;
            reply::stamped(&value, read)
        })
    }
}

impl Store for RedisStore {
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary> {
        let arguments = move |list: &mut Arguments| {
            list.proposal(&opening.proposal).mark(opening.life.mark()).span(opening.listen);
        };
        Box::pin(async move {
            let opened = self.step(room, caller, |s| &s.open, arguments, reply::raw_summary).await?;
            let Stamped { mark, time, host, value } = opened;
            Ok(Stamped { mark, time, host, value: value.summary(mark, time) })
        })
    }

    fn merge<'a>(&'a self, room: &'a RoomId, caller: Caller, testimony: Testimony) -> Pending<'a, Merged> {
        let arguments = move |list: &mut Arguments| {
            list.testimony(&testimony);
        };
        self.step(room, caller, |s| &s.merge, arguments, reply::merged)
    }

    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Arrival>,
    ) -> Pending<'a, Vec<Joined>> {
        let arrivals = items.clone();
        let arguments = move |list: &mut Arguments| {
            list.span(terms.session).span(terms.max_session);
            for arrival in &items {
                list.visitor(arrival.visitor);
                match arrival.since {
                    Some(since) => list.instant(since),
                    None => list.text(""),
                };
            }
        };
        Box::pin(async move {
            let confirmation = self.confirmation();
            let answer = self.step(room, caller, |s| &s.join, arguments, reply::rows).await?;
            let answer = reply::each(answer, &arrivals, |row, arrival, time| reply::joined(row, *arrival, time))?;
            Ok(confirmation.joins(room, answer).await)
        })
    }

    fn claim<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Claim>,
    ) -> Pending<'a, Vec<Claimed>> {
        let claims = items.clone();
        let arguments = move |list: &mut Arguments| {
            list.span(terms.session).span(terms.max_session).span(terms.heard_for).span(terms.claim_window);
            for claim in &items {
                list.visitor(claim.visitor).number(claim.place.score()).flag(claim.take);
            }
        };
        Box::pin(async move {
            let confirmation = self.confirmation();
            let answer = self.step(room, caller, |s| &s.claim, arguments, reply::rows).await?;
            let answer = reply::each(answer, &claims, |row, claim, _| reply::claimed(row, claim.visitor))?;
            Ok(confirmation.claims(room, answer).await)
        })
    }

    fn renew<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Renewal>,
    ) -> Pending<'a, Vec<Renewed>> {
        let renewals = items.clone();
        let arguments = move |list: &mut Arguments| {
            list.span(terms.max_session);
            for renewal in &items {
                list.session(&renewal.session).span(renewal.span);
            }
        };
        Box::pin(async move {
            let answer = self.step(room, caller, |s| &s.renew, arguments, reply::rows).await?;
            reply::each(answer, &renewals, |row, renewal, _| reply::renewed(row, renewal.session.id.visitor))
        })
    }

    fn end<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Ending>) -> Pending<'a, Vec<bool>> {
        let arguments = move |list: &mut Arguments| {
            for ending in &items {
                list.session(&ending.session);
            }
        };
        self.step(room, caller, |s| &s.end, arguments, reply::flags)
    }

    fn depart<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Departure>) -> Pending<'a, Vec<bool>> {
        let arguments = move |list: &mut Arguments| {
            for departure in &items {
                list.mark(departure.place);
            }
        };
        self.step(room, caller, |s| &s.depart, arguments, reply::flags)
    }

    fn call<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms, call: Call) -> Pending<'a, Called> {
        let arguments = move |list: &mut Arguments| {
            list.mark(call.from).number(call.limits_version).span(terms.heard_for);
            call.called.iter().for_each(|place| {
                list.mark(*place);
            });
        };
        self.step(
            room,
            caller,
            |s| &s.call,
            arguments,
            |answer| Some(if reply::flag(answer)? { Called::Moved } else { Called::Stale }),
        )
    }

    fn hear<'a>(&'a self, room: &'a RoomId, caller: Caller, heard: Heard) -> Pending<'a, ()> {
        let arguments = move |list: &mut Arguments| {
            list.text(&format!("{:016x}", heard.gateway.0)).number(heard.period.get());
            list.span(Period::length(heard.retention)).number(PERIODS_OF_SILENCE);
            for chunk in &heard.chunks {
                list.number(chunk.epoch.get()).number(chunk.chunk).bytes(&chunk.bits);
            }
        };
        self.step(room, caller, |s| &s.hear, arguments, |_| Some(()))
    }

    fn collect<'a>(&'a self, room: &'a RoomId, caller: Caller, span: Duration) -> Pending<'a, ()> {
        let arguments = move |list: &mut Arguments| {
            list.span(span);
        };
        self.step(room, caller, |s| &s.collect, arguments, |_| Some(()))
    }

    fn sweep<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms) -> Pending<'a, Swept> {
        let arguments = move |list: &mut Arguments| {
            list.span(terms.retention).number(MAX_BATCH as u64).number(PERIODS_OF_SILENCE).span(LONGEST_GAP);
        };
        self.step(room, caller, |s| &s.sweep, arguments, reply::swept)
    }

    fn follow<'a>(&'a self, room: &'a RoomId, caller: Caller, after: Option<Version>) -> Pending<'a, Follow> {
        let arguments = move |list: &mut Arguments| {
            match after {
                Some(version) => list.number(version),
                None => list.text("-1"),
            };
            list.number(super::memory::LONGEST_CATCH_UP as u64);
        };
        Box::pin(async move {
            let answer = self.step(room, caller, |s| &s.follow, arguments, |answer| Some(answer.clone())).await?;
            let follow = reply::follow(&answer.value, answer.mark, answer.time)
                .ok_or_else(|| StoreError::Script("a follow answer that cannot be read".to_owned()))?;
            Ok(Stamped { mark: answer.mark, time: answer.time, host: answer.host, value: follow })
        })
    }

    fn propose<'a>(&'a self, room: &'a RoomId, caller: Caller, proposal: Proposal) -> Pending<'a, bool> {
        let arguments = move |list: &mut Arguments| {
            list.proposal(&proposal);
        };
        self.step(room, caller, |s| &s.propose, arguments, reply::flag)
    }

    fn pause<'a>(&'a self, room: &'a RoomId, caller: Caller, paused: bool) -> Pending<'a, ()> {
        let arguments = move |list: &mut Arguments| {
            list.flag(paused);
        };
        self.step(room, caller, |s| &s.pause, arguments, |_| Some(()))
    }
}

/// What all keys of a room begin with.
fn key(room: &RoomId) -> String {
    format!("usher:{{{room}}}")
}

/// What an error of the client library means for a decision.
fn classify(error: &RedisError) -> StoreError {
    use redis::ErrorKind::{ClusterConnectionNotFound, Server};
    if error.is_timeout() {
        return StoreError::Timeout;
    }
    match (error.kind(), error.code()) {
        (Server(ServerErrorKind::ReadOnly), _) | (_, Some("OOM" | "MISCONF" | "NOREPLICAS")) => {
            StoreError::ReadOnly(error.to_string())
        }
        (
            Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain,
            ),
            _,
        )
        | (_, Some("BUSY")) => StoreError::Loading(error.to_string()),
        // The cluster's client keeps the cause to itself; beside a dead node it is one of these.
        (ClusterConnectionNotFound, _) => StoreError::Io(format!(
            "{error}; a node must be reachable under the address that CLUSTER SLOTS tells of it, and with TLS its \
             certificate must hold that address"
        )),
        // Another node of a cluster knows who is in charge, and that one cannot be reached.
        (Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => StoreError::Io(error.to_string()),
        (Server(_) | redis::ErrorKind::Extension | redis::ErrorKind::Parse, _) => StoreError::Script(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}
