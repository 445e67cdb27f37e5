//! The whole file: all sections, and what must fit between them.

use std::collections::HashMap;

use queue_core::Timestamp;

use super::admin::AdminSection;
use super::document::{Node, Spot, Table, Value};
use super::drain::DrainSection;
use super::listener::ListenerSection;
use super::rate_limit::RateLimitSection;
use super::reader::{Field, Read as _, Reader, section};
use super::room::RoomSection;
use super::schema::nearest;
use super::store::StoreSection;
use super::telemetry::TelemetrySection;
use super::tickets::TicketsSection;
use super::upstream::UpstreamSection;
use super::{Config, Room, Upstream};

section! {
    /// The configuration of a gateway.
    RootSection, "the file" {
        /// The version of this format.
        version: u32,
        /// Addresses at which visitors are answered.
        listener: Vec<Field<ListenerSection>>,
        /// The operators' address.
        admin: AdminSection,
        /// Where the line lives.
        store: StoreSection,
        /// Who signs the tickets, how, and with which keys.
        tickets: TicketsSection,
        /// The services behind.
        upstream: Vec<Field<UpstreamSection>>,
        /// The waiting rooms.
        room: Vec<Field<RoomSection>>,
        /// Limits on requests.
        rate_limit: Vec<Field<RateLimitSection>>,
        /// How the gateway ends.
        drain: DrainSection,
        /// What is logged.
        telemetry: TelemetrySection,
    }
}

/// The version of the format that this gateway reads.
const VERSION: u32 = 1;
/// The most rooms: each has its tables in every worker and its series in the metrics.
const MOST_ROOMS: usize = 1_000;

impl RootSection {
    /// The sections of a file.
    pub(super) fn of(root: &Table, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let spot = Spot::root();
        let node = Node { value: Value::Table(root.clone()), origin: spot.origin.clone() };
        Self::read(&node, &spot, reader)
    }

    /// The configuration, unless something was told about it. Every check runs, whatever the others found.
    pub(super) fn resolve(&self, now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Config> {
        if self.version.copied().is_some_and(|version| version != VERSION) {
            reader.findings.error(&self.version.spot, format!("must be {VERSION}"));
        }
        self.check_binds(reader);
        self.check_names(reader);
        self.check_routes(reader);
        let store = self.store.get()?;
        let listeners = each(&self.listener, reader, |listener, reader| listener.resolve(now, reader));
        let admin = self.admin.get().and_then(|section| section.resolve(reader));
        let tickets = self.tickets.get().and_then(|section| section.resolve(store.is_shared(), now, reader));
        let upstreams = each(&self.upstream, reader, UpstreamSection::resolve);
        let rooms = each(&self.room, reader, |room, reader| room.resolve(self.upstream_of(room, reader), now, reader));
        let rate_limits = each(&self.rate_limit, reader, RateLimitSection::resolve);
        let keys_are_kept = tickets.as_ref().is_none_or(|tickets| !tickets.keys.is_empty());
        let store = store.resolve(keys_are_kept, reader);
        self.warn_of_capacity(&upstreams, &rooms, reader);
        Some(Config {
            listeners,
            admin: admin?,
            store: store?,
            tickets: tickets?,
            upstreams,
            rooms,
            rate_limits,
            drain: self.drain.get()?.resolve()?,
            telemetry: self.telemetry.get()?.resolve()?,
        })
    }

    fn check_names(&self, reader: &mut Reader<'_, '_>) {
        for (empty, spot, section) in [
            (self.listener.get().is_some_and(Vec::is_empty), &self.listener.spot, "[[listener]]"),
            (self.upstream.get().is_some_and(Vec::is_empty), &self.upstream.spot, "[[upstream]]"),
            (self.room.get().is_some_and(Vec::is_empty), &self.room.spot, "[[room]]"),
        ] {
            if empty {
                reader.findings.error(spot, format!("missing {section}: at least one is needed"));
            }
        }
        reader
            .tell_twice(sections(&self.listener).filter_map(|one| Some((one.name.get()?.0.as_str(), &one.name.spot))));
        reader
            .tell_twice(sections(&self.upstream).filter_map(|one| Some((one.name.get()?.0.as_str(), &one.name.spot))));
        reader.tell_twice(sections(&self.room).filter_map(|one| Some((one.name.get()?.as_str(), &one.name.spot))));
        reader.tell_twice(
            sections(&self.rate_limit).filter_map(|one| Some((one.name.get()?.0.as_str(), &one.name.spot))),
        );
        if let Some(beyond) = self.room.get().and_then(|rooms| rooms.get(MOST_ROOMS)) {
            reader.findings.error(&beyond.spot, format!("at most {MOST_ROOMS} rooms"));
        }
    }

    /// No two sockets can have one address; port 0 is another port each time.
    fn check_binds(&self, reader: &mut Reader<'_, '_>) {
        let listeners = sections(&self.listener).map(|listener| &listener.bind);
        let binds: Vec<_> = listeners.chain(self.admin.get().map(|admin| &admin.bind)).collect();
        for (index, field) in binds.iter().enumerate() {
            let Some(bind) = field.copied().filter(|bind| bind.port() != 0) else { continue };
            let taken = binds.iter().take(index).filter_map(|other| other.copied()).any(|other| {
                let overlap = other.ip() == bind.ip() || other.ip().is_unspecified() || bind.ip().is_unspecified();
                other.port() == bind.port() && overlap
            });
            if taken {
                reader.findings.error(&field.spot, format!("{bind} is taken by another listener of this file"));
            }
        }
    }

    /// No two rooms can guard the same.
    fn check_routes(&self, reader: &mut Reader<'_, '_>) {
        let mut taken: HashMap<(String, &str), &str> = HashMap::new();
        for room in sections(&self.room) {
            let (Some(name), Some(host), Some(path)) = (room.name.get(), room.host.get(), room.path.get()) else {
                continue;
            };
            if let Some(other) = taken.insert((host.to_string(), path.folded()), name.as_str()) {
                let problem = format!("room \"{other}\" has host \"{host}\" and path \"{path}\" already");
                reader.findings.error(if room.path.given { &room.path.spot } else { &room.spot }, problem);
            }
        }
    }

    /// The index of a room's upstream, or a told mistake.
    fn upstream_of(&self, room: &RoomSection, reader: &mut Reader<'_, '_>) -> Option<usize> {
        let wanted = &room.upstream.get()?.0;
        let names: Option<Vec<&str>> =
            sections(&self.upstream).map(|upstream| upstream.name.get().map(|name| name.0.as_str())).collect();
        // One with an unreadable name may be the one that is meant.
        let names = names?;
        let index = names.iter().position(|name| name == wanted);
        if index.is_none() {
            let meant = nearest(wanted, names.iter().copied())
                .map_or_else(|| format!("; known: {}", names.join(", ")), |name| format!("; did you mean \"{name}\"?"));
            reader.findings.error(&room.upstream.spot, format!("there is no [[upstream]] \"{wanted}\"{meant}"));
        }
        index
    }

    /// An upstream must be able to serve at least one request of everybody inside at once.
    fn warn_of_capacity(&self, upstreams: &[Upstream], rooms: &[Room], reader: &mut Reader<'_, '_>) {
        for section in sections(&self.upstream) {
            let Some(name) = section.name.get() else { continue };
            let Some(index) = upstreams.iter().position(|upstream| upstream.name == name.0) else { continue };
            let of_upstream = rooms.iter().filter(|room| room.upstream == index);
            let inside: u64 = of_upstream.map(|room| u64::from(room.policy.limits().total_active_users)).sum();
            let served = section.max_connections.copied().zip(section.max_pending.copied());
            let Some((connections, pending)) = served else { continue };
            if u64::from(connections) + u64::from(pending) < inside {
                let problem = format!(
                    "with max_connections = {connections} and max_pending = {pending} requests are refused when the \
                     {inside} visitors inside all ask at once"
                );
                reader.findings.warn(&section.max_connections.spot, problem);
            }
        }
    }
}

/// The sections of an array that could be read.
fn sections<T>(list: &Field<Vec<Field<T>>>) -> impl Iterator<Item = &T> {
    list.get().into_iter().flatten().filter_map(Field::get)
}

/// What `resolve` makes of each section; those about which something was told are left out, and then there is no
/// configuration either.
fn each<'s, 'r, 'f, T: 's, R>(
    list: &'s Field<Vec<Field<T>>>,
    reader: &mut Reader<'r, 'f>,
    mut resolve: impl FnMut(&'s T, &mut Reader<'r, 'f>) -> Option<R>,
) -> Vec<R> {
    sections(list).filter_map(|section| resolve(section, reader)).collect()
}
