//! The rules of a virtual waiting room.

mod limits;
mod place;
mod policy;
mod room_id;
mod session;
pub mod ticket;
mod time;
mod visitor;

pub use limits::Limits;
pub use place::{Epoch, Place, Sequence};
pub use policy::{FailMode, Policy, PolicyDraft, PolicyProblem, PollInterval, QueueingMethod};
pub use room_id::{BadRoomName, RoomId};
pub use session::SessionId;
pub use time::Timestamp;
pub use visitor::VisitorId;
