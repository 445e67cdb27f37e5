//! What travels between gateways and the store.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use queue_core::RoomId;
use queue_core::store::{
    Arrival, Call, Called, Caller, Claim, Claimed, Departure, Ending, GatewayId, Heard, Joined, Pending, Proposal,
    Renewal, Renewed, Stamped, Store, StoreError, Swept, Terms,
};

/// A call to the store.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Join(Vec<Arrival>),
    Claim(Vec<Claim>),
    Renew(Vec<Renewal>),
    End(Vec<Ending>),
    Depart(Vec<Departure>),
    Call(Call),
    Hear(Heard),
    Sweep,
    Propose(Proposal),
    Pause(bool),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Joined(Vec<Joined>),
    Claimed(Vec<Claimed>),
    Renewed(Vec<Renewed>),
    Flags(Vec<bool>),
    Called(Called),
    Swept(Swept),
    Done,
}

/// An answer, or why there is none.
pub(super) type Answer = Result<Stamped<Reply>, StoreError>;

/// A call under way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) gateway: usize,
    /// Which process of it: an answer for one that has ended reaches nobody.
    pub(super) process: GatewayId,
    pub(super) request: Request,
    pub(super) caller: Caller,
}

impl Request {
    pub(super) fn execute(&self, store: &dyn Store, room: &RoomId, caller: Caller, terms: Terms) -> Answer {
        Ok(match self.clone() {
            Self::Join(items) => at_once(store.join(room, caller, terms, items))?.map(Reply::Joined),
            Self::Claim(items) => at_once(store.claim(room, caller, terms, items))?.map(Reply::Claimed),
            Self::Renew(items) => at_once(store.renew(room, caller, terms, items))?.map(Reply::Renewed),
            Self::End(items) => at_once(store.end(room, caller, items))?.map(Reply::Flags),
            Self::Depart(items) => at_once(store.depart(room, caller, items))?.map(Reply::Flags),
            Self::Call(call) => at_once(store.call(room, caller, terms, call))?.map(Reply::Called),
            Self::Hear(heard) => at_once(store.hear(room, caller, heard))?.map(|()| Reply::Done),
            Self::Sweep => at_once(store.sweep(room, caller, terms))?.map(Reply::Swept),
            Self::Propose(proposal) => at_once(store.propose(room, caller, proposal))?.map(|_| Reply::Done),
            Self::Pause(paused) => at_once(store.pause(room, caller, paused))?.map(|()| Reply::Done),
        })
    }
}

/// The answer of a store that never waits.
pub(super) fn at_once<T>(pending: Pending<'_, T>) -> Result<Stamped<T>, StoreError> {
    match pin!(pending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store answers at once"),
    }
}

/// Puts another value under the same stamp.
pub(super) trait MapStamped<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Stamped<U>;
}

impl<T> MapStamped<T> for Stamped<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Stamped<U> {
        Stamped { mark: self.mark, time: self.time, host: self.host, value: map(self.value) }
    }
}
