//! Which room guards a request, and whether what it asks for is open.
//!
//! Guarded unless listed as open. An exact host beats `*`, then the longest path wins. Whether a path lies in a room is
//! decided regardless of case, whether it is open with regard to case: both err on the closed side.

mod host_pattern;
mod open_pattern;
mod reserved;
mod room_path;
mod router;

pub use host_pattern::{BadHostPattern, HostPattern};
pub use open_pattern::{BadOpenPattern, OpenPattern};
pub use reserved::{RESERVED_PREFIX, Reserved};
pub use room_path::{BadRoomPath, RoomPath};
pub use router::{RoomIndex, RoomRoute, Route, Router};
