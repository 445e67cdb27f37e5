//! The memory adapter: one process, no loss but its own end. Also the model that the Redis scripts are held against.

mod kept;
mod lease;
mod log;
mod room;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::kept::{FORM, KeptRoom, KeptRooms};
use self::lease::LeasedLimit;
pub(super) use self::log::LONGEST_CATCH_UP;
use self::room::Room;
use super::{
    Arrival, Ask, Call, Called, Caller, Claim, Claimed, Clock, Departure, Ending, Follow, Heard, Joined, Merged,
    Moment, Opening, Pending, Proposal, Renewal, Renewed, Stamped, Store, StoreError, Summary, Swept, Terms, Testimony,
};
use crate::high_water::Version;
use crate::{RoomId, Timestamp};

/// Lines in this process's memory.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    server: u64,
    rooms: Mutex<HashMap<RoomId, Room>>,
    limits: Mutex<HashMap<String, LeasedLimit>>,
}

/// A written room that cannot be taken up.
#[derive(Debug, thiserror::Error)]
#[error("what was kept cannot be taken up: {0}")]
pub struct BadKeeping(String);

impl MemoryStore {
    /// A store without rooms that reads its host's time from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, server: 0, rooms: Mutex::default(), limits: Mutex::default() }
    }

    /// Another store with the same rooms and limits as they are now, as a replica has them; it knows itself as `server`.
    #[must_use]
    pub fn copy(&self, server: u64) -> Self {
        let (rooms, limits) = (Mutex::new(self.rooms().clone()), Mutex::new(self.limits().clone()));
        Self { clock: self.clock.clone(), server, rooms, limits }
    }

    /// All rooms, written down: what a planned restart takes up again with [`MemoryStore::restore`].
    pub fn keep(&self) -> Vec<u8> {
        let rooms = self.rooms();
        let rooms = rooms.iter().map(|(name, room)| (name.as_str().to_owned(), KeptRoom::of(room))).collect();
        serde_json::to_vec(&KeptRooms { form: FORM, rooms }).unwrap_or_default()
    }

    /// Takes up what [`MemoryStore::keep`] wrote; answers how many rooms.
    ///
    /// # Errors
    /// [`BadKeeping`] when it is not whole, or not of this time; nothing is taken up then.
    pub fn restore(&self, kept: &[u8]) -> Result<usize, BadKeeping> {
        let kept: KeptRooms = serde_json::from_slice(kept).map_err(|error| BadKeeping(error.to_string()))?;
        if kept.form != FORM {
            return Err(BadKeeping(format!("it has form {}, this program reads form {FORM}", kept.form)));
        }
        let mut restored = HashMap::new();
        for (name, room) in &kept.rooms {
            let bad = |what: &str| BadKeeping(format!("room {name}: {what}"));
            let id = RoomId::new(name).map_err(|_| bad("not the name of a room"))?;
            if !room.is_of_this_time(&self.clock) {
                return Err(bad("written by a host whose clock is far ahead of this one's"));
            }
            restored.insert(id, room.room(&self.clock).ok_or_else(|| bad("its parts do not fit each other"))?);
        }
        let count = restored.len();
        *self.rooms() = restored;
        Ok(count)
    }

    /// Loses everything.
    pub fn wipe(&self) {
        self.rooms().clear();
        self.limits().clear();
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> MutexGuard<'_, HashMap<String, LeasedLimit>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut rooms = self.rooms();
            let room = rooms.get_mut(room).ok_or(StoreError::Absent)?;
            let time = room.begin_step(&caller, host_time, self.server)?;
            let value = step(room, time);
            room.end_step();
            Ok(Stamped { mark: room.mark(), time, host: room.host_time(), value })
        })
    }
}

impl Store for MemoryStore {
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary> {
        {
            let mut rooms = self.rooms();
            if !rooms.contains_key(room) && caller.seen.is_nothing() {
                rooms.insert(room.clone(), Room::new(&opening, self.clock.now(), self.server));
            }
        }
        self.step(room, caller, move |room, now| {
            room.propose(&opening.proposal, now);
            room.end_step();
            room.summary(now)
        })
    }

    fn merge<'a>(&'a self, room: &'a RoomId, caller: Caller, testimony: Testimony) -> Pending<'a, Merged> {
        Box::pin(async move {
            let host_time = self.clock.now();
            let mut rooms = self.rooms();
            let (merged, time, room) = match (rooms.get_mut(room), testimony.ask) {
                (Some(room), _) => {
                    let (merged, time) = room.merge(&caller, &testimony, host_time, self.server)?;
                    (merged, time, room)
                }
                (None, Ask::Begin(_)) if caller.is_late(host_time) => {
                    // Nobody but the caller knows what time it is.
                    let time = caller.own_time().unwrap_or(host_time);
                    return Err(StoreError::Late(Moment { time, host: host_time }));
                }
                (None, Ask::Begin(life)) => {
                    let begun = Room::remembered(life, &testimony, host_time, self.server);
                    let room = rooms.entry(room.clone()).or_insert(begun);
                    let time = room.now();
                    room.remember(&testimony, time);
                    (Merged::Began, time, room)
                }
                (None, _) => return Err(StoreError::Absent),
            };
            room.end_step();
            Ok(Stamped { mark: room.mark(), time, host: room.host_time(), value: merged })
        })
    }

    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Arrival>,
    ) -> Pending<'a, Vec<Joined>> {
        self.step(room, caller, move |room, now| {
            items.into_iter().map(|arrival| room.join(arrival, &terms, now)).collect()
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

    fn hear<'a>(&'a self, room: &'a RoomId, caller: Caller, heard: Heard) -> Pending<'a, ()> {
        self.step(room, caller, move |room, now| room.hear(&heard, now))
    }

    fn collect<'a>(&'a self, room: &'a RoomId, caller: Caller, span: Duration) -> Pending<'a, ()> {
        self.step(room, caller, move |room, now| room.collect(span, now))
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
        self.step(room, caller, move |room, now| room.pause(paused, now))
    }
}
