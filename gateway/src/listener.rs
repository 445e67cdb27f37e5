//! The public side: sockets, TLS, connections with limits on memory and time, HTTP/1.1 by hyper, HTTP/2 by h2, drain.
//!
//! One [`serve`] runs per core, on a current-thread runtime with its own listener (SO_REUSEPORT); nothing here needs to
//! be `Send`. hyper has no limit on bodies and writes, and its header timer costs an allocation per request, so every
//! time limit is the gateway's own: a connection notes what it waits for in a few cells, and one sweep per core, a few
//! times a second, cuts what is overdue. The hot path arms no timer.

mod bind;
mod capacity;
mod client;
mod connection;
mod exchange;
mod http1;
mod http2;
mod io;
mod limits;
mod pace;
mod proxy_header;
mod serve;
mod stream;
mod tunnel;
mod watch;

use std::future::Future;
use std::rc::Rc;

use http::{Request, Response};

pub use self::bind::{BindError, bind};
pub use self::capacity::Capacity;
pub use self::client::IdleClass;
pub use self::limits::ListenerLimits;
pub use self::pace::Pace;
pub use self::serve::{DrainReport, ListenerSettings, Speaks, serve};
pub use self::stream::{ClientStream, Stay};
pub use self::tunnel::Tunnel;
use crate::body::{RequestBody, ResponseBody};
pub use crate::metrics::{AbortPhase, RequestKind};

/// What answers requests. One per core; its futures stay on that core.
pub trait Handler: 'static {
    /// Answers one request. A body left unread is drained to a bound or the connection closed; an answer to `HEAD` or
    /// with a status that has no body is sent without one.
    fn handle(&self, request: Request<RequestBody>, stream: &Rc<ClientStream>) -> impl Future<Output = Reply>;
}

/// An answer and what it was about.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub response: Response<ResponseBody>,
    /// The label under which its duration counts.
    pub kind: RequestKind,
}

impl Reply {
    /// An answer of this kind.
    pub const fn new(kind: RequestKind, response: Response<ResponseBody>) -> Self {
        Self { response, kind }
    }
}
