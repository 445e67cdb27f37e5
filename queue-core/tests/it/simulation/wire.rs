//! What travels between gateways and the store.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use queue_core::RoomId;
use queue_core::store::{
    Arrival, Call, Called, Caller, Claim, Claimed, Departure, Ending, GatewayId, Heard, Joined, Merged, Pending,
    Proposal, Renewal, Renewed, Stamped, Store, StoreError, Swept, Terms, Testimony,
};

/// A call to the store.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Join(Vec<Arrival>),
    Claim(Vec<Claim>),
    Renew(Vec<Renewal>),
    End(Vec<Ending>),
    Depart(Vec<Departure>),
    Call(Call),
    Hear(Heard),
    /// Boxed: it is large beside the others.
    Merge(Box<Testimony>),
    Collect(Duration),
    Sweep,
    Propose(Proposal),
    Pause(bool),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Joined(Vec<Joined>),
    Claimed(Vec<Claimed>),
    Renewed(Vec<Renewed>),
    Flags(Vec<bool>),
    Called(Called),
    Swept(Swept),
    Merged(Merged),
    Done,
}

/// An answer, or why there is none.
pub(crate) type Answer = Result<Stamped<Reply>, StoreError>;

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) gateway: usize,
    /// Which process of it: an answer for one that has ended reaches nobody.
    pub(crate) process: GatewayId,
    pub(crate) request: Request,
    pub(crate) caller: Caller,
}

impl Request {
    pub(crate) fn execute(&self, store: &dyn Store, room: &RoomId, caller: Caller, terms: Terms) -> Answer {
        Ok(match self.clone() {
            Self::Join(items) => at_once(store.join(room, caller, terms, items))?.map(Reply::Joined),
            Self::Claim(items) => at_once(store.claim(room, caller, terms, items))?.map(Reply::Claimed),
            Self::Renew(items) => at_once(store.renew(room, caller, terms, items))?.map(Reply::Renewed),
            Self::End(items) => at_once(store.end(room, caller, items))?.map(Reply::Flags),
            Self::Depart(items) => at_once(store.depart(room, caller, items))?.map(Reply::Flags),
            Self::Call(call) => at_once(store.call(room, caller, terms, call))?.map(Reply::Called),
            Self::Hear(heard) => at_once(store.hear(room, caller, heard))?.map(|()| Reply::Done),
            Self::Merge(testimony) => at_once(store.merge(room, caller, *testimony))?.map(Reply::Merged),
            Self::Collect(span) => at_once(store.collect(room, caller, span))?.map(|()| Reply::Done),
            Self::Sweep => at_once(store.sweep(room, caller, terms))?.map(Reply::Swept),
            Self::Propose(proposal) => at_once(store.propose(room, caller, proposal))?.map(|_| Reply::Done),
            Self::Pause(paused) => at_once(store.pause(room, caller, paused))?.map(|()| Reply::Done),
        })
    }
}

/// The answer of a store that never waits.
pub(crate) fn at_once<T>(pending: Pending<'_, T>) -> Result<Stamped<T>, StoreError> {
    match pin!(pending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store answers at once"),
    }
}

/// Puts another value under the same stamp.
pub(crate) trait MapStamped<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Stamped<U>;
}

impl<T> MapStamped<T> for Stamped<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Stamped<U> {
        Stamped { mark: self.mark, time: self.time, host: self.host, value: map(self.value) }
    }
}
