//! The memory adapter: one process, no loss but its own end. Also the model that the Redis scripts are held against.

mod log;
mod room;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(super) use self::log::LONGEST_CATCH_UP;
use self::room::Room;
use super::{
    Call, Called, Caller, Claim, Claimed, Clock, Departure, Ending, Follow, Joined, Opening, Pending, Proposal,
    Renewal, Renewed, Stamped, Store, StoreError, Summary, Swept, Terms,
};
use crate::high_water::Version;
use crate::{RoomId, Timestamp, VisitorId};

/// Lines in this process's memory.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    rooms: Mutex<HashMap<RoomId, Room>>,
}

impl MemoryStore {
    /// A store without rooms that reads its host's time from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, rooms: Mutex::default() }
    }

    /// One atomic step on a room that exists.
    fn step<'a, T: Send + 'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        step: impl FnOnce(&mut Room, Timestamp) -> T + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            let host_time = self.clock.now();
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            let room = rooms.get_mut(room).ok_or(StoreError::Absent)?;
            let time = room.begin_step(&caller, host_time)?;
            let value = step(room, time);
            room.end_step();
            Ok(Stamped { mark: room.mark(), time, value })
        })
    }
}

impl Store for MemoryStore {
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary> {
        {
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            if !rooms.contains_key(room) && caller.seen.epoch.get() == 0 {
                rooms.insert(room.clone(), Room::new(&opening, self.clock.now()));
            }
        }
        self.step(room, caller, move |room, now| {
            room.propose(&opening.proposal, now);
            room.end_step();
            room.summary(now)
        })
    }

    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<VisitorId>,
    ) -> Pending<'a, Vec<Joined>> {
        self.step(room, caller, move |room, now| {
            items.into_iter().map(|visitor| room.join(visitor, &terms, now)).collect()
        })
    }

    fn claim<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Claim>,
    ) -> Pending<'a, Vec<Claimed>> {
        self.step(room, caller, move |room, now| {
            items.into_iter().map(|claim| room.claim(claim, &terms, now)).collect()
        })
    }

    fn renew<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Renewal>,
    ) -> Pending<'a, Vec<Renewed>> {
        self.step(room, caller, move |room, now| {
            items.into_iter().map(|renewal| room.renew(renewal, &terms, now)).collect()
        })
    }

    fn end<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Ending>) -> Pending<'a, Vec<bool>> {
        self.step(room, caller, move |room, now| items.into_iter().map(|ending| room.end(ending, now)).collect())
    }

    fn depart<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Departure>) -> Pending<'a, Vec<bool>> {
        self.step(room, caller, move |room, _| items.into_iter().map(|departure| room.depart(departure)).collect())
    }

    fn call<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms, call: Call) -> Pending<'a, Called> {
        self.step(room, caller, move |room, now| room.call(&call, &terms, now))
    }

    fn sweep<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms) -> Pending<'a, Swept> {
        self.step(room, caller, move |room, now| room.sweep(&terms, now))
    }

    fn follow<'a>(&'a self, room: &'a RoomId, caller: Caller, after: Option<Version>) -> Pending<'a, Follow> {
        self.step(room, caller, move |room, now| room.follow(after, now))
    }

    fn propose<'a>(&'a self, room: &'a RoomId, caller: Caller, proposal: Proposal) -> Pending<'a, bool> {
        self.step(room, caller, move |room, now| room.propose(&proposal, now))
    }

    fn pause<'a>(&'a self, room: &'a RoomId, caller: Caller, paused: bool) -> Pending<'a, ()> {
        self.step(room, caller, move |room, _| room.pause(paused))
    }
}

/// A session's end: a whole second, so that the ticket's `exp` says exactly when.
fn session_end(started: Timestamp, now: Timestamp, span: Duration, max: Duration) -> Timestamp {
    Timestamp::from_secs((now + span).min(started + max).as_secs())
}
