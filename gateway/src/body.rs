//! Bodies as they stream through: what clients send, and what they get.

mod request;
mod response;

pub use self::request::{BodyError, RequestBody};
pub use self::response::{BoxedBody, ResponseBody};
