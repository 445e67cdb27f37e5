//! How a room survives its store: what a gateway remembers, and what it does about a store that remembers less.
//!
//! # What can be lost, and what brings it back
//!
//! | lost | brought back by |
//! | --- | --- |
//! | that a place was given | its signed token: the visitor polls, and the place is in the line again |
//! | that a place was used up | the bitmaps that every gateway follows, and what it answered itself since |
//! | that a session lives | the gateway that issued it; else its signed ticket, at the next request |
//! | that a session was ended | every gateway's list of ended sessions |
//! | how many were admitted | the highest count any gateway saw: who may be inside and is not known counts as inside |
//! | the rules in force | every gateway's last look, by their version |
//!
//! A store that is behind what its caller saw refuses ([`StoreError::Behind`]), and so does one that is served by another
//! server than before ([`StoreError::Moved`]). The gateway then says what it remembers ([`Store::merge`]):
//!
//! * The store merely lags, by changes the gateway still knows: a new [`Life`] begins further on in the same epoch. The line
//!   stays as the store has it, places given since are out of it until heard, and calls are held for [`LAG_HOLD`].
//! * The data is gone, or older: a new life begins in a new epoch. Everybody who was in the line is out of it until
//!   heard, and calls are held until everybody who polls can have been.
//!
//! Either way the new life gives places that nobody was ever given, so that no two visitors have one place, not even when an
//! old primary served on behind a partition. Whoever comes second finds a life it has not spoken to yet
//! ([`StoreError::Unmerged`]) and adds what it remembers. All of it may be told twice, late and in any order.
//!
//! [`StoreError::Behind`]: crate::store::StoreError::Behind
//! [`StoreError::Moved`]: crate::store::StoreError::Moved
//! [`StoreError::Unmerged`]: crate::store::StoreError::Unmerged
//! [`Store::merge`]: crate::store::Store::merge
//! [`Life`]: crate::Life

mod plan;
mod witness;

use std::time::Duration;

pub use self::plan::{House, Trouble, plan};
pub use self::witness::Witness;

/// How far back a gateway knows change by change: a store that lags by no more goes on where it is.
pub const LONGEST_LAG: Duration = Duration::from_secs(10);

/// How long calls are held after a lag: every gateway looks ten times a second, and has told what it knows by then.
pub const LAG_HOLD: Duration = Duration::from_secs(5);

/// How long after the longest told interval calls are still held after a loss: the time of a slow poll.
const LOSS_HOLD: Duration = Duration::from_secs(5);
