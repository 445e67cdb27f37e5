//! The rules of a virtual waiting room.

pub mod admission;
pub mod bits;
pub mod bucket;
mod high_water;
mod limits;
pub mod line;
pub mod pacing;
mod place;
mod policy;
pub mod release;
mod room_id;
mod session;
pub mod store;
pub mod ticket;
mod time;
mod visitor;

pub use high_water::{HighWater, Version};
pub use limits::Limits;
pub use place::{Epoch, Place, Sequence};
pub use policy::{FailMode, Policy, PolicyDraft, PolicyProblem, PollInterval, QueueingMethod};
pub use room_id::{BadRoomName, RoomId};
pub use session::SessionId;
pub use time::Timestamp;
pub use visitor::VisitorId;
