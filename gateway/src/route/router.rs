//! The table of all rooms.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use queue_core::RoomId;

use super::{HostPattern, OpenPattern, Reserved, RoomPath};
use crate::canonical::CanonicalPath;

/// Which room: its index in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomIndex(u16);

impl RoomIndex {
    /// The room at this index; `None` beyond 65,535.
    pub fn new(index: usize) -> Option<Self> {
        u16::try_from(index).ok().map(Self)
    }

    /// The index, for tables of rooms.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What the router must know of a room.
#[derive(Clone, Debug)]
pub struct RoomRoute {
    /// The name.
    pub id: RoomId,
    /// The hosts.
    pub host: HostPattern,
    /// The path that is guarded with everything under it.
    pub path: RoomPath,
    /// What needs no ticket.
    pub open: Vec<OpenPattern>,
}

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Needs a ticket of this room.
    Guarded(RoomIndex),
    /// Goes to this room's upstream without ticket.
    Open(RoomIndex),
    /// Is answered by the gateway itself.
    Reserved(Reserved),
    /// No room has this host.
    UnknownHost,
    /// A room has this host, none this path.
    UnknownPath,
}

/// All rooms, by host and path.
#[derive(Clone, Debug)]
pub struct Router {
    by_name: HashMap<Box<str>, RoomIndex, RandomState>,
    by_host: HashMap<Box<str>, Vec<Entry>, RandomState>,
    any_host: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    room: RoomIndex,
    path: RoomPath,
    open: Box<[OpenPattern]>,
}

impl Router {
    /// The table of these rooms, indexed in this order. Rooms beyond 65,536 are left out; the configuration allows fewer.
    pub fn new(rooms: impl IntoIterator<Item = RoomRoute>) -> Self {
        let mut router = Self { by_name: HashMap::default(), by_host: HashMap::default(), any_host: Vec::new() };
        for (index, room) in rooms.into_iter().enumerate() {
            let Some(index) = RoomIndex::new(index) else { break };
            router.by_name.insert(room.id.as_str().into(), index);
            let entry = Entry { room: index, path: room.path, open: room.open.into() };
            match room.host {
                HostPattern::Any => router.any_host.push(entry),
                HostPattern::Exact(host) => router.by_host.entry(host).or_default().push(entry),
            }
        }
        for entries in router.by_host.values_mut().chain([&mut router.any_host]) {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.path.folded().len()));
        }
        router
    }

    /// Where a request for `path` on `host` (in lower case, without port) belongs. Allocates nothing.
    pub fn route(&self, host: &str, path: &CanonicalPath<'_>) -> Route {
        let path = path.as_str();
        if let Some(reserved) = Reserved::parse(path, |name| self.room(name)) {
            return Route::Reserved(reserved);
        }
        let of_host = self.by_host.get(host).map_or(&[][..], Vec::as_slice);
        if of_host.is_empty() && self.any_host.is_empty() {
            return Route::UnknownHost;
        }
        // Each list has its longest paths first.
        let room = of_host.iter().chain(&self.any_host).find(|entry| entry.path.holds(path));
        match room {
            None => Route::UnknownPath,
            Some(entry) if entry.open.iter().any(|pattern| pattern.opens(path)) => Route::Open(entry.room),
            Some(entry) => Route::Guarded(entry.room),
        }
    }

    /// The room of this name.
    pub fn room(&self, name: &str) -> Option<RoomIndex> {
        self.by_name.get(name).copied()
    }
}
