//! The rules of a virtual waiting room.

mod place;
mod room_id;
mod session;
pub mod ticket;
mod time;
mod visitor;

pub use place::{Epoch, Place, Sequence};
pub use room_id::{BadRoomName, RoomId};
pub use session::SessionId;
pub use time::Timestamp;
pub use visitor::VisitorId;
