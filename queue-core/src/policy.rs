//! What a room promises and allows, valid by construction.

use std::time::Duration;

use crate::{Limits, Timestamp};

/// How places become turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueingMethod {
    /// By place, in the order of arrival.
    #[default]
    Fifo,
    /// By lot among those who wait.
    Random,
    /// Nobody waits: the limits are not enforced on arrivals.
    Passthrough,
    /// Nobody waits: who does not fit is refused.
    Reject,
}

/// What happens to new arrivals while the store cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailMode {
    /// Nobody new is admitted.
    #[default]
    Closed,
    /// Arrivals pass; the cohort and the rate are not kept meanwhile.
    Open,
}

/// How often a page asks for its position: the bounds, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollInterval {
    /// In front of the line.
    pub min: Duration,
    /// Far back, at most [`Policy::LONGEST_POLL`].
    pub max: Duration,
}

/// The values of a room before they were checked. Defaults are those of DESIGN's example.
#[derive(Clone, Debug)]
pub struct PolicyDraft {
    /// The most live sessions.
    pub total_active_users: u32,
    /// Admissions per minute.
    pub new_users_per_minute: u32,
    /// Admissions at once after a quiet time; `None`: one second of the rate, at least 1.
    pub burst: Option<u32>,
    /// The most visitors in the line.
    pub max_line_length: u32,
    /// A session's length without renewal.
    pub session_duration: Duration,
    /// The bound on renewal and extension, from the session's start.
    pub max_session_duration: Duration,
    /// Activity does not renew the session.
    pub disable_session_renewal: bool,
    /// How long a called visitor who is heard may leave an offered slot unclaimed.
    pub claim_window: Duration,
    /// How long a silent place stays in the line.
    pub position_retention: Duration,
    /// How often pages poll.
    pub poll_interval: PollInterval,
    /// How long a queue token is valid.
    pub token_lifetime: Duration,
    /// How places become turns.
    pub queueing_method: QueueingMethod,
    /// What happens to arrivals while the store is away.
    pub fail_mode: FailMode,
    /// Nobody is admitted, everybody waits.
    pub queue_all: bool,
    /// The room does not guard: everything passes.
    pub suspended: bool,
    /// Nobody enters before this instant.
    pub opens_at: Option<Timestamp>,
    /// Nobody joins or enters from this instant on.
    pub closes_at: Option<Timestamp>,
}

impl Default for PolicyDraft {
    fn default() -> Self {
        Self {
            total_active_users: 200,
            new_users_per_minute: 600,
            burst: None,
            max_line_length: 1_000_000,
            session_duration: Duration::from_secs(300),
            max_session_duration: Duration::from_secs(1_800),
            disable_session_renewal: false,
            claim_window: Duration::from_secs(180),
            position_retention: Duration::from_secs(180),
            poll_interval: PollInterval { min: Duration::from_secs(1), max: Duration::from_secs(60) },
            token_lifetime: Duration::from_secs(86_400),
            queueing_method: QueueingMethod::Fifo,
            fail_mode: FailMode::Closed,
            queue_all: false,
            suspended: false,
            opens_at: None,
            closes_at: None,
        }
    }
}

/// One value of a draft that cannot stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyProblem {
    /// The config key at fault.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// What a room promises and allows. Built by [`Policy::new`] only, so every value fits the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    limits: Limits,
    session_duration: Duration,
    max_session_duration: Duration,
    renewal: bool,
    claim_window: Duration,
    position_retention: Duration,
    poll_interval: PollInterval,
    token_lifetime: Duration,
    queueing_method: QueueingMethod,
    fail_mode: FailMode,
    suspended: bool,
}

impl Policy {
    /// The longest told poll interval: liveness, holds and retention are reckoned with it.
    pub const LONGEST_POLL: Duration = Duration::from_secs(60);
    /// The shortest told poll interval: below it a line of thousands polls itself to death.
    pub const SHORTEST_POLL: Duration = Duration::from_millis(250);
    /// The shortest session: shorter ones end between two clicks.
    pub const SHORTEST_SESSION: Duration = Duration::from_secs(10);
    /// The shortest claim window: browsers throttle hidden tabs to one timer a minute.
    pub const SHORTEST_CLAIM_WINDOW: Duration = Duration::from_secs(120);
    /// The longest line, in places: one epoch's sequences leave room for a thousand such lines.
    pub const LONGEST_LINE: u32 = 1 << 24;
    /// The largest rate per minute and the largest burst: the bucket stays exact in a double.
    pub const LARGEST_RATE: u32 = 10_000_000;

    /// The policy of a draft.
    ///
    /// # Errors
    /// Every value that cannot stand, all at once.
    pub fn new(draft: &PolicyDraft) -> Result<Self, Vec<PolicyProblem>> {
        let problems = problems(draft);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            limits: Limits {
                total_active_users: draft.total_active_users,
                new_users_per_minute: draft.new_users_per_minute,
                burst: draft.burst.unwrap_or_else(|| Limits::default_burst(draft.new_users_per_minute)),
                max_line_length: draft.max_line_length,
                queue_all: draft.queue_all,
                opens_at: draft.opens_at,
                closes_at: draft.closes_at,
            },
            session_duration: draft.session_duration,
            max_session_duration: draft.max_session_duration,
            renewal: !draft.disable_session_renewal,
            claim_window: draft.claim_window,
            position_retention: draft.position_retention,
            poll_interval: draft.poll_interval,
            token_lifetime: draft.token_lifetime,
            queueing_method: draft.queueing_method,
            fail_mode: draft.fail_mode,
            suspended: draft.suspended,
        })
    }

    /// The limits that the store keeps in the room's state and enforces.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A session's length without renewal.
    pub const fn session_duration(&self) -> Duration {
        self.session_duration
    }

    /// The bound on renewal and extension, from the session's start.
    pub const fn max_session_duration(&self) -> Duration {
        self.max_session_duration
    }

    /// When a session that began at `started` and is active at `now` ends.
    pub fn session_end(&self, started: Timestamp, now: Timestamp) -> Timestamp {
        (now + self.session_duration).min(started + self.max_session_duration)
    }

    /// When a session that began at `started` and is prolonged by `span` at `now` ends.
    pub fn extended_end(&self, started: Timestamp, now: Timestamp, span: Duration) -> Timestamp {
        (now + span).min(started + self.max_session_duration)
    }

    /// Whether activity at `now` renews a session that ends at `ends`: once less than half is left, and only when
    /// the end would move.
    pub fn renews(&self, started: Timestamp, ends: Timestamp, now: Timestamp) -> bool {
        self.renewal && ends.since(now) < self.session_duration / 2 && self.session_end(started, now) > ends
    }

    /// How long a called visitor who is heard may leave an offered slot unclaimed.
    pub const fn claim_window(&self) -> Duration {
        self.claim_window
    }

    /// How long a silent place stays in the line.
    pub const fn position_retention(&self) -> Duration {
        self.position_retention
    }

    /// How often pages poll.
    pub const fn poll_interval(&self) -> PollInterval {
        self.poll_interval
    }

    /// How long a queue token is valid.
    pub const fn token_lifetime(&self) -> Duration {
        self.token_lifetime
    }

    /// How places become turns.
    pub const fn queueing_method(&self) -> QueueingMethod {
        self.queueing_method
    }

    /// What happens to arrivals while the store is away.
    pub const fn fail_mode(&self) -> FailMode {
        self.fail_mode
    }

    /// Whether the room does not guard.
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }
}

fn problems(draft: &PolicyDraft) -> Vec<PolicyProblem> {
    let mut found = Vec::new();
    let mut require = |holds: bool, field, problem: String| {
        if !holds {
            found.push(PolicyProblem { field, problem });
        }
    };
    let PollInterval { min, max } = draft.poll_interval;
    require(
        draft.total_active_users >= 1,
        "total_active_users",
        "must be at least 1; use `queue_all = true` to admit nobody".to_owned(),
    );
    require(
        (1..=Policy::LARGEST_RATE).contains(&draft.new_users_per_minute),
        "new_users_per_minute",
        format!("must be between 1 and {}", Policy::LARGEST_RATE),
    );
    require(
        draft.burst.is_none_or(|burst| (1..=Policy::LARGEST_RATE).contains(&burst)),
        "burst",
        format!("must be between 1 and {}", Policy::LARGEST_RATE),
    );
    require(
        draft.max_line_length <= Policy::LONGEST_LINE,
        "max_line_length",
        format!("must be at most {}", Policy::LONGEST_LINE),
    );
    require(
        draft.session_duration >= Policy::SHORTEST_SESSION,
        "session_duration",
        format!("must be at least {} s", Policy::SHORTEST_SESSION.as_secs()),
    );
    require(
        draft.max_session_duration >= draft.session_duration,
        "max_session_duration",
        "must not be shorter than session_duration".to_owned(),
    );
    require(
        draft.claim_window >= Policy::SHORTEST_CLAIM_WINDOW,
        "claim_window",
        format!(
            "must be at least {} s: browsers throttle hidden tabs to one timer a minute",
            Policy::SHORTEST_CLAIM_WINDOW.as_secs()
        ),
    );
    require(
        min >= Policy::SHORTEST_POLL && min <= max,
        "poll_interval.min",
        format!("must be at least {} ms and at most poll_interval.max", Policy::SHORTEST_POLL.as_millis()),
    );
    require(
        max <= Policy::LONGEST_POLL,
        "poll_interval.max",
        format!("must be at most {} s", Policy::LONGEST_POLL.as_secs()),
    );
    require(
        draft.position_retention >= 2 * max,
        "position_retention",
        "must be at least twice poll_interval.max, or a place is lost between two polls".to_owned(),
    );
    require(
        draft.token_lifetime >= draft.position_retention,
        "token_lifetime",
        "must not be shorter than position_retention".to_owned(),
    );
    let ordered = draft.opens_at.zip(draft.closes_at).is_none_or(|(opens, closes)| opens < closes);
    require(ordered, "event_end_time", "must be later than event_start_time".to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A draft with several faults names all of them, each by its config key.
    #[test]
    fn names_all_problems_at_once() {
        let draft = PolicyDraft {
            total_active_users: 0,
            session_duration: Duration::from_secs(9),
            max_session_duration: Duration::from_secs(8),
            claim_window: Duration::from_secs(60),
            ..PolicyDraft::default()
        };
        let fields: Vec<_> = Policy::new(&draft).unwrap_err().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["total_active_users", "session_duration", "max_session_duration", "claim_window"]);
        assert!(Policy::new(&PolicyDraft::default()).is_ok());
    }

    /// Activity renews only in the second half of a session and never beyond the maximum.
    #[test]
    fn renews_late_and_within_the_maximum() {
        let policy = Policy::new(&PolicyDraft::default()).unwrap();
        let at = |secs: u64| Timestamp::from_secs(1_000_000 + secs);
        assert!(!policy.renews(at(0), at(300), at(149)));
        assert!(policy.renews(at(0), at(300), at(151)));
        assert_eq!(policy.session_end(at(0), at(1_700)), at(1_800));
        assert!(!policy.renews(at(0), at(1_800), at(1_799)), "nothing left to win");
    }
}
