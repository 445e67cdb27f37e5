//! What happens in the rooms.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};
use queue_core::invariants::Invariant;

use super::{opts, register};

/// Waits are minutes and hours, not milliseconds.
const WAIT_BOUNDS: [f64; 13] =
    [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0];

/// How a decision on a guarded request came out: the label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An open path: passed without a ticket.
    Open,
    /// Passed with a ticket.
    Admitted,
    /// Was sent to the line.
    Waiting,
    /// The line was full.
    Full,
    /// The room was closed.
    Closed,
    /// Shaped: too many requests.
    Limited,
    /// Carried a ticket that is not good.
    BadTicket,
    /// Could not be decided, and passed.
    FailOpen,
    /// Could not be decided, and was refused.
    FailClosed,
}

/// How a poll was answered: the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// Still waits.
    Waiting,
    /// Is called, or was admitted by it.
    Called,
    /// Carried no good token.
    Unknown,
    /// Came too early too often.
    Limited,
}

/// How somebody left: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// On purpose.
    Left,
    /// Fell silent.
    Silent,
    /// Left an offered slot unclaimed.
    MissedCall,
    /// The upstream said the session is complete.
    Completed,
    /// The session expired.
    Expired,
    /// An operator revoked it.
    Revoked,
}

/// How a ticket was judged: the label `result`.
const VERIFICATIONS: [&str; 7] = ["valid", "cached", "expired", "signature", "audience", "malformed", "revoked"];

/// `usher_*{room}`: handles of one room, resolved once.
#[derive(Debug)]
pub struct RoomMetrics {
    decisions: [IntCounter; 9],
    polls: [IntCounter; 4],
    departures: [IntCounter; 6],
    verifications: [IntCounter; 7],
    /// Members of the line.
    pub line_length: IntGauge,
    /// Live sessions.
    pub active_sessions: IntGauge,
    /// The limit in force.
    pub active_limit: IntGauge,
    /// Sessions that may live and are not known after a loss of data.
    pub unknown_sessions: IntGauge,
    /// Whether arrivals are collected before anybody new gets a place.
    pub collecting: IntGauge,
    /// How long calls are still held after a loss of data.
    pub hold: prometheus::Gauge,
    /// The store's epoch.
    pub epoch: IntGauge,
    /// Places per second leaving the line, as measured.
    pub release_rate: prometheus::Gauge,
    /// Share of admissions by the time first told.
    pub estimate_coverage: prometheus::Gauge,
    /// Places given.
    pub joins: IntCounter,
    /// Places called.
    pub calls: IntCounter,
    /// Sessions begun.
    pub admissions: IntCounter,
    /// From joining to entering.
    pub wait: Histogram,
    /// Tickets signed, renewals included.
    pub tickets_issued: IntCounter,
}

/// The families behind [`RoomMetrics`].
#[derive(Debug)]
pub struct RoomMetricFamilies {
    decisions: IntCounterVec,
    polls: IntCounterVec,
    departures: IntCounterVec,
    verifications: IntCounterVec,
    line_length: IntGaugeVec,
    active_sessions: IntGaugeVec,
    active_limit: IntGaugeVec,
    unknown_sessions: IntGaugeVec,
    collecting: IntGaugeVec,
    hold: GaugeVec,
    epoch: IntGaugeVec,
    release_rate: GaugeVec,
    estimate_coverage: GaugeVec,
    joins: IntCounterVec,
    calls: IntCounterVec,
    admissions: IntCounterVec,
    wait: HistogramVec,
    tickets_issued: IntCounterVec,
    violations: IntCounterVec,
}

impl RoomMetricFamilies {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        let count = |name, help, labels: &[&str]| register(registry, IntCounterVec::new(opts(name, help), labels));
        let gauge = |name, help| register(registry, IntGaugeVec::new(opts(name, help), &["room"]));
        let real = |name, help| register(registry, GaugeVec::new(opts(name, help), &["room"]));
        let violations = count(
            "usher_invariant_violations_total",
            "Promises found broken while running; must stay zero.",
            &["invariant"],
        );
        // An alert on an increase needs the zero to be there first.
        for invariant in Invariant::ALL {
            violations.with_label_values(&[invariant.label()]);
        }
        let wait = HistogramOpts::new("usher_wait_seconds", "Time from joining the line to entering.");
        Self {
            decisions: count("usher_decisions_total", "Decisions on requests to a room's paths.", &["room", "outcome"]),
            polls: count("usher_polls_total", "Polls of positions.", &["room", "result"]),
            departures: count("usher_departures_total", "Visitors who left line or cohort.", &["room", "reason"]),
            verifications: count("usher_ticket_verifications_total", "Admission tickets judged.", &["room", "result"]),
            line_length: gauge("usher_line_length", "Visitors in the line; the same on every gateway."),
            active_sessions: gauge("usher_active_sessions", "Live sessions; the same on every gateway."),
            active_limit: gauge("usher_active_limit", "The most live sessions allowed; the same on every gateway."),
            unknown_sessions: gauge(
                "usher_unknown_sessions",
                "Sessions that may live and are not known after a loss of data; they count as live.",
            ),
            collecting: gauge(
                "usher_collecting",
                "Whether arrivals are collected (1) so that those who came while the store was away get places first.",
            ),
            hold: real("usher_hold_seconds", "How long calls are still held after a loss of data."),
            epoch: gauge("usher_epoch", "The life of the store's data that places are given in."),
            release_rate: real("usher_release_rate", "Places per second that leave the line, as measured."),
            estimate_coverage: real(
                "usher_estimate_coverage_ratio",
                "Share of admissions that came by the time first told (p90).",
            ),
            joins: count("usher_joins_total", "Places given by this gateway.", &["room"]),
            calls: count("usher_calls_total", "Places called by this gateway.", &["room"]),
            admissions: count("usher_admissions_total", "Sessions begun through this gateway.", &["room"]),
            wait: register(registry, HistogramVec::new(wait.buckets(WAIT_BOUNDS.to_vec()), &["room"])),
            tickets_issued: count("usher_tickets_issued_total", "Admission tickets signed.", &["room"]),
            violations,
        }
    }

    /// One room's handles.
    pub fn room(&self, room: &str) -> RoomMetrics {
        let of = |family: &IntCounterVec, label: &str| family.with_label_values(&[room, label]);
        let decisions =
            ["open", "admitted", "waiting", "full", "closed", "limited", "bad_ticket", "fail_open", "fail_closed"];
        let departures = ["left", "silent", "missed_call", "completed", "expired", "revoked"];
        RoomMetrics {
            decisions: decisions.map(|label| of(&self.decisions, label)),
            polls: ["waiting", "called", "unknown", "limited"].map(|label| of(&self.polls, label)),
            departures: departures.map(|label| of(&self.departures, label)),
            verifications: VERIFICATIONS.map(|label| of(&self.verifications, label)),
            line_length: self.line_length.with_label_values(&[room]),
            active_sessions: self.active_sessions.with_label_values(&[room]),
            active_limit: self.active_limit.with_label_values(&[room]),
            unknown_sessions: self.unknown_sessions.with_label_values(&[room]),
            collecting: self.collecting.with_label_values(&[room]),
            hold: self.hold.with_label_values(&[room]),
            epoch: self.epoch.with_label_values(&[room]),
            release_rate: self.release_rate.with_label_values(&[room]),
            estimate_coverage: self.estimate_coverage.with_label_values(&[room]),
            joins: self.joins.with_label_values(&[room]),
            calls: self.calls.with_label_values(&[room]),
            admissions: self.admissions.with_label_values(&[room]),
            wait: self.wait.with_label_values(&[room]),
            tickets_issued: self.tickets_issued.with_label_values(&[room]),
        }
    }

    /// Counts a broken promise.
    pub fn violation(&self, invariant: &str) {
        self.violations.with_label_values(&[invariant]).inc();
    }
}

impl RoomMetrics {
    /// Counts a decision.
    pub fn decided(&self, outcome: Outcome) {
        self.decisions[outcome as usize].inc();
    }

    /// Counts a poll.
    pub fn polled(&self, result: PollResult) {
        self.polls[result as usize].inc();
    }

    /// Counts departures.
    pub fn departed(&self, reason: Departure, count: u32) {
        self.departures[reason as usize].inc_by(u64::from(count));
    }

    /// Counts a judged ticket; `result` is a label of the judge's or of a token error's.
    pub fn verified(&self, result: &str) {
        if let Some(index) = VERIFICATIONS.iter().position(|label| *label == result) {
            self.verifications[index].inc();
        }
    }
}
