//! `[[room]]`: what a waiting room guards, and its limits.

mod event;
mod patterns;

pub use event::Event;

use std::time::Duration;

use queue_core::{FailMode, Policy, PolicyDraft, PollInterval, QueueingMethod, RoomId, Timestamp};

use super::document::Spot;
use super::reader::{Field, Reader, choice, section};
use super::scalar::Name;
use super::units::shown;
use crate::route::{HostPattern, OpenPattern, RoomPath, RoomRoute};
use event::EventSection;
use patterns::UpgradeName;

section! {
    /// A waiting room: what it guards, where that is, and how many it lets in.
    RoomSection, "[[room]]" {
        /// Its name in paths, cookies, metrics and tickets.
        name: RoomId,
        /// The host it guards, without port; `*` for every host.
        host: HostPattern = "*",
        /// The path it guards with everything under it.
        path: RoomPath = "/",
        /// Paths that need no ticket: one path, or everything under one with `/*` at the end.
        open: Vec<Field<OpenPattern>>,
        /// The name of the `[[upstream]]` behind it.
        upstream: Name,
        /// Protocols that visitors with a ticket may switch to; each tunnel holds one of the upstream's connections.
        upgrades: Vec<Field<UpgradeName>>,
        /// The most visitors inside at once.
        total_active_users: u32 = 200,
        /// The most who enter a minute.
        new_users_per_minute: u32 = 600,
        /// The most who enter at once after a quiet time; one second of the rate when not given.
        burst: Option<u32>,
        /// How long a visitor stays inside without activity.
        session_duration: Duration = "5m",
        /// How long a visitor stays inside at most.
        max_session_duration: Duration = "30m",
        /// Activity does not prolong the stay.
        disable_session_renewal: bool = false,
        /// How long a called visitor may take to enter; browsers throttle hidden tabs to one timer a minute.
        claim_window: Duration = "180s",
        /// How long a silent visitor keeps standing in the line.
        position_retention: Duration = "180s",
        /// How often waiting pages ask for their position.
        poll_interval: PollIntervalSection,
        /// How long a place is kept for whoever comes back.
        token_lifetime: Duration = "24h",
        /// The most who wait at once.
        max_line_length: u32 = 1_000_000,
        /// How places become turns.
        queueing_method: QueueingMethod = "fifo",
        /// The status of the waiting page: 200, 202, 429 or 503.
        queueing_status_code: u16 = 200,
        /// Nobody enters, everybody waits.
        queue_all: bool = false,
        /// The room guards nothing.
        suspended: bool = false,
        /// Whether the limits follow what the upstream can bear.
        admission: Admission = "fixed",
        /// The latency that `admission = "adaptive"` keeps.
        latency_target: Option<Duration>,
        /// What happens to new visitors while the store is away.
        fail_mode: FailMode = "closed",
        /// When the room opens and closes.
        event: Vec<Field<EventSection>>,
    }
}

section! {
    /// How often waiting pages ask for their position.
    PollIntervalSection, "poll_interval of [[room]]" {
        /// In front of the line.
        min: Duration = "1s",
        /// Far back; at most 60s.
        max: Duration = "60s",
    }
}

choice! { impl QueueingMethod ("fifo, random, passthrough, reject") {
    Fifo = "fifo",
    Random = "random",
    Passthrough = "passthrough",
    Reject = "reject",
} }

choice! { impl FailMode ("closed, open") {
    Closed = "closed",
    Open = "open",
} }

choice! {
    /// Whether the limits follow what the upstream can bear.
    pub enum Admission ("fixed, adaptive") {
        /// The configured limits.
        Fixed = "fixed",
        /// Between a floor and the configured limits, by latency and errors.
        Adaptive = "adaptive",
    }
}

/// A waiting room.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its name.
    pub id: RoomId,
    /// The host it guards.
    pub host: HostPattern,
    /// The path it guards with everything under it.
    pub path: RoomPath,
    /// What needs no ticket. All of it lies in `path`.
    pub open: Vec<OpenPattern>,
    /// The index of its upstream in `Config::upstreams`.
    pub upstream: usize,
    /// Protocols that visitors with a ticket may switch to, in lower case.
    pub upgrades: Vec<String>,
    /// Its limits and times. Opening and closing are those of the event that is on or comes next.
    pub policy: Policy,
    /// The status of the waiting page.
    pub queueing_status_code: http::StatusCode,
    /// Whether the limits follow what the upstream can bear.
    pub admission: Admission,
    /// The latency that adaptive admission keeps.
    pub latency_target: Option<Duration>,
    /// Its events in the order of time; they do not overlap.
    pub events: Vec<Event>,
}

impl Room {
    /// What the router must know of it.
    pub fn route(&self) -> RoomRoute {
        RoomRoute { id: self.id.clone(), host: self.host.clone(), path: self.path.clone(), open: self.open.clone() }
    }
}

/// The statuses that browsers show as a page and that caches and crawlers read as temporary.
const QUEUEING_STATUS_CODES: [u16; 4] = [200, 202, 429, 503];

impl RoomSection {
    /// The room, unless something was told about it. `upstream` is the index of its upstream.
    pub(super) fn resolve(&self, upstream: Option<usize>, now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Room> {
        let events = self.event.get().and_then(|events| event::resolve(events, reader));
        let policy = self.policy(events.as_deref().unwrap_or_default(), now, reader);
        let open = self.open(reader);
        let status = self.queueing_status_code.copied();
        if !status.is_none_or(|status| QUEUEING_STATUS_CODES.contains(&status)) {
            reader.findings.error(&self.queueing_status_code.spot, "must be 200, 202, 429 or 503");
        }
        self.warn(reader);
        Some(Room {
            id: self.name.get()?.clone(),
            host: self.host.get()?.clone(),
            path: self.path.get()?.clone(),
            open,
            upstream: upstream?,
            upgrades: self.upgrades.get()?.iter().filter_map(|field| Some(field.get()?.0.clone())).collect(),
            policy: policy?,
            queueing_status_code: http::StatusCode::from_u16(status?).ok()?,
            admission: self.admission.copied()?,
            latency_target: self.latency_target.copied()?,
            events: events?,
        })
    }

    fn policy(&self, events: &[Event], now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Policy> {
        let draft = self.draft(event::current(events, now))?;
        match Policy::new(&draft) {
            Ok(policy) => Some(policy),
            Err(problems) => {
                for problem in problems {
                    reader.findings.error(self.spot_of(problem.field), problem.problem);
                }
                None
            }
        }
    }

    fn draft(&self, event: Option<&Event>) -> Option<PolicyDraft> {
        let poll_interval = self.poll_interval.get()?;
        Some(PolicyDraft {
            total_active_users: self.total_active_users.copied()?,
            new_users_per_minute: self.new_users_per_minute.copied()?,
            burst: self.burst.copied().flatten(),
            max_line_length: self.max_line_length.copied()?,
            session_duration: self.session_duration.copied()?,
            max_session_duration: self.max_session_duration.copied()?,
            disable_session_renewal: self.disable_session_renewal.copied()?,
            claim_window: self.claim_window.copied()?,
            position_retention: self.position_retention.copied()?,
            poll_interval: PollInterval { min: poll_interval.min.copied()?, max: poll_interval.max.copied()? },
            token_lifetime: self.token_lifetime.copied()?,
            queueing_method: self.queueing_method.copied()?,
            fail_mode: self.fail_mode.copied()?,
            queue_all: self.queue_all.copied()?,
            suspended: self.suspended.copied()?,
            opens_at: event.map(|event| event.event_start_time),
            closes_at: event.and_then(|event| event.event_end_time),
        })
    }

    /// Where the key stands that the policy calls `field`.
    fn spot_of(&self, field: &str) -> &Spot {
        let poll_interval = self.poll_interval.get();
        match field {
            "total_active_users" => &self.total_active_users.spot,
            "new_users_per_minute" => &self.new_users_per_minute.spot,
            "burst" => &self.burst.spot,
            "max_line_length" => &self.max_line_length.spot,
            "session_duration" => &self.session_duration.spot,
            "max_session_duration" => &self.max_session_duration.spot,
            "claim_window" => &self.claim_window.spot,
            "position_retention" => &self.position_retention.spot,
            "poll_interval.min" => poll_interval.map_or(&self.poll_interval.spot, |section| &section.min.spot),
            "poll_interval.max" => poll_interval.map_or(&self.poll_interval.spot, |section| &section.max.spot),
            "token_lifetime" => &self.token_lifetime.spot,
            "event_end_time" => &self.event.spot,
            _ => &self.spot,
        }
    }

    fn open(&self, reader: &mut Reader<'_, '_>) -> Vec<OpenPattern> {
        let fields = self.open.get().map_or(&[][..], Vec::as_slice);
        for field in fields {
            let (Some(pattern), Some(path)) = (field.get(), self.path.get()) else { continue };
            if !path.holds(pattern.path()) {
                reader.findings.error(&field.spot, format!("\"{pattern}\" does not lie in the room's path \"{path}\""));
            } else if matches!(pattern, OpenPattern::Under(prefix) if prefix.trim_end_matches('/') == path.as_str().trim_end_matches('/'))
            {
                reader.findings.warn(&field.spot, "opens the whole room: nobody would ever wait");
            }
        }
        fields.iter().filter_map(Field::get).cloned().collect()
    }

    fn warn(&self, reader: &mut Reader<'_, '_>) {
        if self.fail_mode.copied() == Some(FailMode::Open) {
            reader.findings.warn(
                &self.fail_mode.spot,
                "while the store is away everybody passes: neither total_active_users nor new_users_per_minute hold",
            );
        }
        let longest_poll = self.poll_interval.get().and_then(|section| section.max.copied());
        if self.session_duration.copied() <= longest_poll {
            reader.findings.warn(
                &self.session_duration.spot,
                "is not longer than poll_interval.max: a session can end before its visitor hears of it",
            );
        }
        self.warn_of_rate(reader);
    }

    /// The rate and the cohort must fit each other, or one of them never matters.
    fn warn_of_rate(&self, reader: &mut Reader<'_, '_>) {
        let (Some(limit), Some(rate), Some(longest)) =
            (self.total_active_users.copied(), self.new_users_per_minute.copied(), self.max_session_duration.copied())
        else {
            return;
        };
        let entering = |during: Duration| u128::from(rate) * during.as_millis() / 60_000;
        if entering(longest) < u128::from(limit) {
            let message = format!(
                "{rate} a minute bring in {} during the longest stay of {}: total_active_users = {limit} is never reached",
                entering(longest),
                shown(longest),
            );
            reader.findings.warn(&self.new_users_per_minute.spot, message);
        }
        if entering(Policy::SHORTEST_SESSION) >= u128::from(limit) {
            let message = format!(
                "{rate} a minute fill total_active_users = {limit} within {}: the rate never limits",
                shown(Policy::SHORTEST_SESSION)
            );
            reader.findings.warn(&self.new_users_per_minute.spot, message);
        }
    }
}
