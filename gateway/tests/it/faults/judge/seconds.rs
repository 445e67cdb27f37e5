//! Second by second: what the line and the cohort did, for whoever asks why.

use std::fmt;

use queue_core::Timestamp;

use crate::faults::record::{Facts, Record};

/// A run since it `began`.
pub(in crate::faults) struct Seconds<'a> {
    pub(in crate::faults) facts: &'a Facts,
    pub(in crate::faults) began: Timestamp,
}

#[derive(Clone, Copy, Default)]
struct Second {
    joined: u32,
    polled: u32,
    entered: u32,
    left: u32,
    /// The highest that any gauge showed.
    sessions: f64,
}

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds: Vec<Second> = Vec::new();
        let mut at = |moment: Timestamp, count: &dyn Fn(&mut Second)| {
            let second = usize::try_from(moment.since(self.began).as_secs()).unwrap_or(0);
            seconds.resize(seconds.len().max(second + 1), Second::default());
            count(&mut seconds[second]);
        };
        for record in &self.facts.visitors {
            record.joined.iter().for_each(|joined| at(joined.answered, &|second| second.joined += 1));
            record.polls.iter().for_each(|poll| at(poll.sent, &|second| second.polled += 1));
            Record::admitted(record).into_iter().for_each(|entered| at(entered, &|second| second.entered += 1));
            let left = record.stays.iter().filter_map(|stay| stay.may_have_ended);
            left.for_each(|left| at(left, &|second| second.left += 1));
        }
        for gauge in &self.facts.gauges {
            at(gauge.at, &|second| second.sessions = second.sessions.max(gauge.sessions));
        }
        let fault = [self.facts.fault.from, self.facts.fault.to].map(|moment| moment.since(self.began).as_secs_f64());
        writeln!(f, "  broken from {:.1} s to {:.1} s", fault[0], fault[1])?;
        seconds.iter().enumerate().try_for_each(|(at, second)| {
            let Second { joined, polled, entered, left, sessions } = second;
            writeln!(
                f,
                "  {at:3} s: {joined} joined, {polled} polls, {entered} entered, {left} left, {sessions} sessions"
            )
        })
    }
}
