//! N6: never more sessions than the limit, by what visitors know for sure.

use super::Verdict;
use crate::clock::Moment;
use crate::rush::record::Record;

/// The most sessions that surely lived at one moment, and when: each from its answer to the sending of the request
/// that may have ended it, so network and queueing delays can only make the figure smaller.
pub fn highest(records: &[Record]) -> (usize, Moment) {
    let mut changes: Vec<(Moment, i32)> = records
        .iter()
        .filter_map(|record| record.admitted.as_ref())
        .filter(|admitted| admitted.answered < admitted.surely_until)
        .flat_map(|admitted| [(admitted.answered, 1), (admitted.surely_until, -1)])
        .collect();
    // At one moment ends come first: a slot that ended may be given again at once.
    changes.sort_unstable();
    let (mut now, mut highest, mut when) = (0, 0, Moment::START);
    for (at, change) in changes {
        now += change;
        if now > highest {
            (highest, when) = (now, at);
        }
    }
    (usize::try_from(highest).unwrap_or_default(), when)
}

/// Whether the cohort stayed within `limit`, by the records and by the highest gauge the gateways showed.
pub fn within(records: &[Record], gauge: Option<f64>, limit: u32) -> Verdict {
    let (seen, when) = highest(records);
    let mut cases = Vec::new();
    if seen > limit as usize {
        cases.push(format!("{seen} sessions lived at {:.3} s", when.as_micros() as f64 / 1e6));
    }
    if let Some(gauge) = gauge.filter(|gauge| *gauge > f64::from(limit)) {
        cases.push(format!("usher_active_sessions reached {gauge}"));
    }
    Verdict::of("N6", format!("never more than {limit} sessions"), cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rush::record::Admitted;

    fn stay(from: u64, to: u64) -> Record {
        let [from, to] = [from, to].map(Moment::from_micros);
        let admitted = Admitted {
            asked: from,
            answered: from,
            session: None,
            started: None,
            surely_until: to,
            may_have_ended: false,
        };
        Record { admitted: Some(admitted), ..Record::default() }
    }

    /// A slot handed over is not two sessions; one session too many is.
    #[test]
    fn counts_what_surely_overlaps() {
        assert_eq!(highest(&[stay(0, 10), stay(10, 20), stay(12, 30)]).0, 2);
        assert_eq!(highest(&[]).0, 0);
        assert!(within(&[stay(0, 10), stay(5, 20)], Some(2.0), 2).holds());
        assert_eq!(within(&[stay(0, 10), stay(5, 20)], Some(3.0), 1).broken, 2);
    }
}
