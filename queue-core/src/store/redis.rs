//! The Redis adapter: every step is one script, every call has its own deadline.

mod address;
mod confirm;
mod link;
mod reply;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, ServerErrorKind, Value};

pub use self::address::{AddressError, HostPort, Login, RedisAddress};
use self::confirm::Confirmer;
use self::link::{Link, LinkSettings, Script};
pub use self::link::{Trust, TrustError};
use self::scripts::{Arguments, SCRIPTS, Scripts};
use super::{
    Call, Called, Caller, Claim, Claimed, Clock, Departure, Ending, Follow, Joined, MAX_BATCH, Opening, Pending,
    Proposal, Renewal, Renewed, Stamped, Store, StoreError, Summary, Swept, Terms,
};
use crate::high_water::Version;
use crate::{RoomId, VisitorId};

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
            let value = self.link.invoke(script(&SCRIPTS), &key(room), &list.into_inner(), self.deadline).await?;
            reply::stamped(&value, read)
        })
    }
}

impl Store for RedisStore {
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary> {
        let arguments = move |list: &mut Arguments| {
            list.proposal(&opening.proposal).number(opening.epoch.get());
        };
        Box::pin(async move {
            let opened = self.step(room, caller, |s| &s.open, arguments, reply::raw_summary).await?;
            Ok(Stamped { value: opened.value.summary(opened.mark, opened.time), mark: opened.mark, time: opened.time })
        })
    }

    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<VisitorId>,
    ) -> Pending<'a, Vec<Joined>> {
        let visitors = items.clone();
        let arguments = move |list: &mut Arguments| {
            list.span(terms.session).span(terms.max_session);
            items.iter().for_each(|visitor| {
                list.visitor(*visitor);
            });
        };
        Box::pin(async move {
            let confirmation = self.confirmation();
            let answer = self.step(room, caller, |s| &s.join, arguments, reply::rows).await?;
            let answer = reply::each(answer, &visitors, |row, visitor, time| reply::joined(row, *visitor, time))?;
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
                list.visitor(renewal.visitor).span(renewal.span);
            }
        };
        Box::pin(async move {
            let answer = self.step(room, caller, |s| &s.renew, arguments, reply::rows).await?;
            reply::each(answer, &renewals, |row, renewal, _| reply::renewed(row, renewal.visitor))
        })
    }

    fn end<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Ending>) -> Pending<'a, Vec<bool>> {
        let arguments = move |list: &mut Arguments| {
            for ending in &items {
                list.visitor(ending.visitor).instant(ending.until);
            }
        };
        self.step(room, caller, |s| &s.end, arguments, reply::flags)
    }

    fn depart<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Departure>) -> Pending<'a, Vec<bool>> {
        let arguments = move |list: &mut Arguments| {
            for departure in &items {
                list.number(departure.place.score());
            }
        };
        self.step(room, caller, |s| &s.depart, arguments, reply::flags)
    }

    fn call<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms, call: Call) -> Pending<'a, Called> {
        let arguments = move |list: &mut Arguments| {
            list.number(call.from.get()).number(call.limits_version).span(terms.heard_for);
            call.called.iter().for_each(|sequence| {
                list.number(sequence.get());
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

    fn sweep<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms) -> Pending<'a, Swept> {
        let arguments = move |list: &mut Arguments| {
            list.span(terms.retention).number(MAX_BATCH as u64);
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
            Ok(Stamped { mark: answer.mark, time: answer.time, value: follow })
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
    use redis::ErrorKind::Server;
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
        // Another node of a cluster knows who is in charge, and that one cannot be reached.
        (Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => StoreError::Io(error.to_string()),
        (Server(_) | redis::ErrorKind::Extension | redis::ErrorKind::Parse, _) => StoreError::Script(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}
