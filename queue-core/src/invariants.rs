//! What always holds, numbered, and the sweep that checks what one gateway's memory can see of it.
//!
//! The sweep runs after every step of the simulation, in tests, and on every gateway in production, where each finding
//! counts in `usher_invariant_violations_total{invariant}`.

use std::fmt;

use crate::bucket::Bucket;
use crate::store::{Mirror, Summary};

macro_rules! invariants {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// A promise of the system. The numbers are those of the design, and of the metric's label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $($(#[doc = $text])+ $name,)+
        }

        impl Invariant {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The value of the metric label `invariant`: `N6`.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

invariants! {
    /// A valid queue token never loses its place, whatever fails.
    N1,
    /// One visitor, one place.
    N2,
    /// If A's join was answered before B's was sent, A is called no later than B (draws, priority lanes and provisional
    /// tokens excepted).
    N3,
    /// A position never grows without its reason being told.
    N4,
    /// Nobody enters before opening, after closing, or while paused.
    N5,
    /// No admission makes the sessions, unknown ones counted, exceed the limit in force, over all gateways and fail-overs.
    N6,
    /// Admissions in any window are at most burst + rate × window, over all gateways and fail-overs.
    N7,
    /// Every place is in one state: joined = waiting + admitted + gone; a return moves one from gone to waiting.
    N8,
    /// The frontier never moves back within an epoch; an epoch never moves back.
    N9,
    /// A full or closed line says so at once.
    N10,
    /// Progress: a slot that is neither taken nor reserved, a whole token and somebody waiting and present: somebody is
    /// called within one tick.
    N11,
    /// Nothing reaches a guarded path without a ticket valid for that room and time, whose session has not ended; an end
    /// is known everywhere within 1 s.
    N12,
    /// A place is claimed at most once.
    N13,
    /// One algorithm and a current key.
    N14,
    /// No changed byte verifies.
    N15,
    /// Rotation refuses no valid ticket and accepts none after retirement.
    N16,
    /// No secret, token or ticket in logs, metrics, addresses or error pages.
    N17,
    /// If it cannot be decided, the answer is no; a live session is not thrown out by that.
    N18,
    /// What is decided on is byte for byte what the upstream gets.
    N19,
    /// No bytes cross between clients.
    N20,
    /// A body that is not read is drained to a bound, or the connection closed.
    N21,
    /// No tunnel before a correct 101, and only with a ticket.
    N22,
    /// Hop-by-hop and forged fields are removed.
    N23,
    /// The client address comes only from trusted hops.
    N24,
    /// A request that may have had an effect is never repeated.
    N25,
    /// Every message is complete or visibly broken.
    N26,
    /// Every connection's memory, processor time and duration are bounded.
    N27,
    /// No input causes a panic or a stuck worker.
    N28,
    /// Refusing is cheap; admitted visitors come first.
    N29,
    /// Drain and reload lose nothing that could finish.
    N30,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A promise that was found broken: always a bug, of ours or of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// What was found. Names no visitor, token or ticket.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant, self.detail)
    }
}

/// Checks a memory that has just taken up what changed, `before` being its summary until then. Cheap: a few comparisons,
/// whatever the line's length.
pub fn sweep(before: Option<&Summary>, mirror: &Mirror) -> Vec<Violation> {
    let mut found = Findings::default();
    found.memory_is_the_room(mirror);
    if let Some(before) = before {
        found.nothing_moved_back(before, &mirror.summary);
        let (then, now) = (before.mark.life, mirror.summary.mark.life);
        if then == now && before.limits_version == mirror.summary.limits_version {
            found.limits_were_kept(before, mirror);
        }
    }
    found.0
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn require(&mut self, holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation { invariant, detail: detail() });
        }
    }

    /// N8: the bits, followed change by change, and the store's own counts tell of the same line.
    fn memory_is_the_room(&mut self, mirror: &Mirror) {
        let Mirror { summary, line, .. } = mirror;
        self.require(summary.line_length == line.waiting(), Invariant::N8, || {
            format!("{} wait by the store's count and {} by the bits", summary.line_length, line.waiting())
        });
        let marked = (summary.mark.life, summary.mark.last, summary.mark.frontier);
        self.require(marked == (line.life(), line.last(), line.frontier()), Invariant::N8, || {
            format!("the room is at {marked:?}, its memory at {:?}", (line.life(), line.last(), line.frontier()))
        });
        self.require(line.frontier() <= line.last(), Invariant::N8, || {
            format!("called up to {}, given up to {}", line.frontier(), line.last())
        });
    }

    /// N9, and what else only grows.
    fn nothing_moved_back(&mut self, before: &Summary, now: &Summary) {
        self.require(!now.mark.is_behind(&before.mark), Invariant::N9, || {
            format!("from {:?} back to {:?}", before.mark, now.mark)
        });
    }

    /// N6 and N7 between two looks under the same limits.
    fn limits_were_kept(&mut self, before: &Summary, mirror: &Mirror) {
        let now = &mirror.summary;
        let limits = &now.limits;
        // Sessions that were lost and found again are no admissions: a gateway that told of them brought some, or their
        // tickets, and then there are more than were let in.
        let grew_above = !mirror.is_anew()
            && now.sessions > limits.total_active_users
            && now.sessions > before.sessions + before.unknown
            && u64::from(now.sessions - before.sessions) <= now.mark.claims.saturating_sub(before.mark.claims);
        self.require(!grew_above, Invariant::N6, || {
            format!("{} sessions, {} before, {} allowed", now.sessions, before.sessions, limits.total_active_users)
        });
        let rate = limits.rate();
        let claims = now.mark.claims.saturating_sub(before.mark.claims);
        let window_ms = u64::try_from(now.time.since(before.time).as_millis()).unwrap_or(u64::MAX);
        let allowed = u64::from(rate.burst)
            .saturating_mul(Bucket::PARTS_PER_TOKEN)
            .saturating_add(window_ms.saturating_mul(u64::from(rate.per_minute)));
        self.require(claims.saturating_mul(Bucket::PARTS_PER_TOKEN) <= allowed, Invariant::N7, || {
            format!("{claims} admissions in {window_ms} ms at {} a minute, burst {}", rate.per_minute, rate.burst)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;
    use crate::store::{Follow, News, Snapshot};
    use crate::{Epoch, HighWater, Life, Limits, Place, Sequence, Timestamp};

    fn place(epoch: u32, sequence: u32) -> Place {
        Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::new(sequence).unwrap() }
    }

    fn summary() -> Summary {
        let life = Life::at(place(3, 0)).unwrap();
        Summary {
            mark: HighWater { life, version: 20, last: place(3, 9), frontier: place(3, 4), claims: 2, steps: 0 },
            time: Timestamp::from_secs(100),
            line_length: 9,
            sessions: 2,
            unknown: 0,
            latest_end: Timestamp::ZERO,
            reserved: 0,
            bucket: Bucket::empty(Timestamp::from_secs(100)),
            limits: Limits {
                total_active_users: 2,
                new_users_per_minute: 60,
                burst: 3,
                max_line_length: 10,
                queue_all: false,
                opens_at: None,
                closes_at: None,
            },
            limits_version: 1,
            limits_by_operator: false,
            paused: false,
            began: Timestamp::ZERO,
            hold_until: Timestamp::ZERO,
            collect_until: Timestamp::ZERO,
        }
    }

    fn mirror(change: impl FnOnce(&mut Summary)) -> Mirror {
        let mut summary = summary();
        change(&mut summary);
        let mut line = Line::new(summary.mark.life);
        line.give(summary.mark.last);
        line.call(summary.mark.frontier);
        let snapshot = Snapshot { line, ended: Default::default() };
        let whole = Follow { summary: summary.clone(), news: News::Whole(Box::new(snapshot)) };
        let mut mirror = Mirror::new(whole).unwrap();
        mirror.take(Follow { summary, news: News::Changes(Vec::new()) }).unwrap();
        mirror
    }

    fn found(change: impl FnOnce(&mut Summary)) -> Vec<Invariant> {
        sweep(Some(&summary()), &mirror(change)).into_iter().map(|violation| violation.invariant).collect()
    }

    /// Each promise that one memory can see is found broken, and a sound room is left alone.
    #[test]
    fn finds_each_broken_promise() {
        use Invariant::{N6, N7, N8, N9};
        assert_eq!(found(|_| {}), []);
        assert_eq!(found(|room| room.line_length = 8), [N8]);
        assert_eq!(found(|room| room.mark.frontier = place(3, 3)), [N9]);
        let older = |room: &mut Summary| {
            room.mark = HighWater { life: Life::at(place(2, 0)).unwrap(), last: place(2, 9), ..room.mark };
            room.mark.frontier = place(2, 4);
        };
        assert_eq!(found(older), [N9]);
        assert_eq!(found(|room| room.mark.claims = 1), [N9]);
        assert_eq!(found(|room| (room.sessions, room.mark.claims) = (3, 3)), [N6]);
        assert_eq!(found(|room| room.sessions = 3), [], "found again, not admitted");
        assert_eq!(found(|room| (room.mark.claims, room.time) = (6, Timestamp::from_millis(100_999))), [N7]);
        assert_eq!(found(|room| (room.mark.claims, room.time) = (6, Timestamp::from_secs(101))), []);
        assert_eq!(
            found(|room| (room.sessions, room.mark.claims, room.limits_version) = (3, 3, 2)),
            [],
            "a cap may fall below the cohort"
        );
    }

    /// The label of the metric is the number of the design.
    #[test]
    fn labels_are_the_numbers() {
        assert_eq!(Invariant::ALL.len(), 30);
        for (number, invariant) in (1..).zip(Invariant::ALL) {
            assert_eq!(invariant.label(), format!("N{number}"));
        }
    }
}
