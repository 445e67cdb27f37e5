//! One core's share of the gateway: what it owns alone, and what all read.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Request};
use queue_core::VisitorId;
use queue_core::ticket::KeyRing;

use crate::access_log::AccessLog;
use crate::body::RequestBody;
use crate::client_addr::{ClientAddr, TrustedProxies};
use crate::clock::Instant;
use crate::credentials::RoomCookies;
use crate::door::Door;
use crate::forward::{ProofKey, Scheme};
use crate::listener::{ClientStream, Handler, Reply};
use crate::page::Pages;
use crate::request_path;
use crate::room::Room;
use crate::route::{RoomIndex, Router};
use crate::shaping::{Keys, Limited, Passed, Shaper};
use crate::upgrade::AllowedUpgrades;
use crate::upstream::Pool;

/// What all cores read and nobody changes while running.
pub struct Shared {
    /// Which room guards what.
    pub router: Router,
    /// The rooms, by index.
    pub rooms: Vec<RoomFront>,
    /// Signs and verifies.
    pub keys: KeyRing,
    /// Waiting pages.
    pub pages: Pages,
    /// Limits on requests.
    pub shaper: Arc<Shaper>,
}

/// A room with what the door needs besides.
pub struct RoomFront {
    /// The room.
    pub room: Arc<Room>,
    /// Index of its upstream.
    pub upstream: usize,
    /// The status of its waiting page.
    pub queueing_status: http::StatusCode,
    /// Its name as a header value.
    pub name: http::HeaderValue,
    /// Where visitors enter it: its path.
    pub entry: Box<str>,
    /// Its upstream's name.
    pub upstream_name: Box<str>,
    /// Proves to the upstream that requests came through here.
    pub proof: Option<Arc<ProofKey>>,
    /// To what its visitors may switch.
    pub upgrades: AllowedUpgrades,
}

/// One listener as one core serves it.
pub struct Worker {
    /// What all read.
    pub shared: Arc<Shared>,
    /// The listener's name for logs.
    pub listener: Arc<str>,
    /// How visitors came here.
    pub scheme: Scheme,
    /// Whose word about client addresses counts.
    pub trusted: TrustedProxies,
    /// Cookies, by room index.
    pub cookies: Vec<RoomCookies>,
    /// Judges tickets.
    pub door: Rc<Door>,
    /// Upstreams, by index.
    pub upstreams: Rc<Vec<Rc<Pool>>>,
    /// Where access lines go, if they are written.
    pub access_log: Option<Rc<AccessLog>>,
}

impl Worker {
    /// A room with what the door needs.
    pub fn front(&self, room: RoomIndex) -> &RoomFront {
        &self.shared.rooms[room.get()]
    }

    /// A room's cookies on this listener.
    pub fn cookies(&self, room: RoomIndex) -> &RoomCookies {
        &self.cookies[room.get()]
    }

    /// Whether the limits let a request of this client, and visitor if known, to a room pass.
    ///
    /// # Errors
    /// The limit that is used up, and when to come back.
    pub async fn shape(
        &self,
        room: RoomIndex,
        client: ClientAddr,
        visitor: Option<VisitorId>,
        now: Instant,
    ) -> Result<Passed, Limited> {
        let front = self.front(room);
        let keys =
            Keys { client: client.ip(), visitor, room: front.room.id().as_str(), upstream: &front.upstream_name };
        self.shared.shaper.check(now, &keys).await
    }

    /// Whose request it is.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        self.trusted.client(peer, headers)
    }
}

impl Handler for Worker {
    async fn handle(&self, request: Request<RequestBody>, stream: &Rc<ClientStream>) -> Reply {
        request_path::answer(self, stream, request).await
    }
}
