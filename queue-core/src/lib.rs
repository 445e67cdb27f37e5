//! The rules of a virtual waiting room.
//!
//! # What always holds
//!
//! Numbered, with the whole texts in [`invariants::Invariant`]; one sweep checks what one memory can see of them after
//! every step of the simulation, in tests and in production.
//!
//! | | the line | | tickets |
//! | --- | --- | --- | --- |
//! | N1 | a valid token never loses its place | N12 | no entry without a ticket whose session lives |
//! | N2 | one visitor, one place | N13 | a place is claimed at most once |
//! | N3 | who was answered before others asked is called no later | N14 | one algorithm and a current key |
//! | N4 | a position never grows without its reason | N15 | no changed byte verifies |
//! | N5 | nobody enters before opening, after closing, while paused | N16 | rotation refuses no valid ticket |
//! | N6 | sessions never exceed the limit in force | N17 | no secret, token or ticket in any output |
//! | N7 | admissions in any window ≤ burst + rate × window | N18 | undecided is no; live sessions stay |
//! | N8 | joined = waiting + admitted + gone | | |
//! | N9 | frontier and epoch never move back | | |
//! | N10 | a full or closed line says so at once | | |
//! | N11 | slot, token and somebody waiting: a call within one tick | | |
//!
//! # How they survive
//!
//! A place is signed and held by its visitor; what else is lost with a store is remembered by the gateways: [`recovery`].

pub mod admission;
pub mod bits;
pub mod bucket;
mod high_water;
pub mod invariants;
mod life;
pub mod limit;
mod limits;
pub mod line;
pub mod pacing;
mod place;
mod policy;
pub mod recovery;
pub mod release;
mod room_id;
mod session;
pub mod store;
pub mod stretch;
pub mod ticket;
mod time;
mod visitor;

pub use high_water::{HighWater, Version};
pub use life::Life;
pub use limits::Limits;
pub use place::{Epoch, Place, Sequence};
pub use policy::{FailMode, Policy, PolicyDraft, PolicyProblem, PollInterval, QueueingMethod};
pub use room_id::{BadRoomName, RoomId};
pub use session::SessionId;
pub use time::Timestamp;
pub use visitor::VisitorId;
