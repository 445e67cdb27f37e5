//! What the crowd saw, held against the promises.

use std::time::Duration;

use super::Story;
use super::crowd::{Crowd, Phase, Visitor};
use super::options::{Loss, Options};
use super::report::{Report, Turns};
use super::servers::Servers;
use super::store::Store;
use crate::clock::Moment;
use crate::latency::Spread;
use crate::rush::checks::{Verdict, cohort, order, rate};
use crate::rush::record::Record;
use crate::watch::Watch;

/// "Called → able to enter" may take this long beyond the visitor's own poll interval.
const TURN: Duration = Duration::from_secs(1);

pub(super) fn report(
    options: &Options,
    crowd: &Crowd,
    store: &Store,
    watch: &Watch,
    servers: &Servers,
    story: &Story,
) -> Report {
    let visitors = crowd.visitors.borrow();
    let records: Vec<Record> = visitors.iter().map(|visitor| visitor.record.clone()).collect();
    let after = |moment: Moment| moment.since(story.wiped).as_secs_f64();
    let admitted = || visitors.iter().filter_map(|visitor| visitor.record.admitted.as_ref());
    let still = |visitor: &&Visitor| visitor.record.joined.is_some_and(|joined| joined.answered < story.wiped);
    let outlived =
        |visitor: &&Visitor| visitor.record.admitted.as_ref().is_none_or(|admitted| admitted.asked > story.wiped);
    let waited = || visitors.iter().filter(still).filter(outlived);
    let turns = turns(&visitors, store);
    let (gateways_cpu, redis_cpu) = servers.cpu();
    let restored = story.restored;
    Report {
        waiting: story.waiting,
        loss: options.loss,
        gateways: options.gateways,
        limit: options.limit,
        rate_per_minute: options.rate,
        session_seconds: options.session.as_secs_f64(),
        seed: options.seed,
        took_seconds: story.ended.since(Moment::START).as_secs_f64(),
        calm_polls_per_second: story.calm_polls.0 as f64 / story.calm_polls.1.as_secs_f64(),
        within_seconds: options.within.as_secs_f64(),
        polled_in_time: restored.polled,
        not_polled_in_time: restored.silent,
        not_restored: restored.missing,
        displaced: restored.displaced,
        first_call_after_seconds: store.first_call_after(story.wiped).map(after),
        first_admission_after_seconds: admitted()
            .filter(|admitted| admitted.asked > story.wiped)
            .map(|admitted| after(admitted.answered))
            .reduce(f64::min),
        all_in_order_after_seconds: waited()
            .map(|visitor| visitor.in_order.map(after))
            .collect::<Option<Vec<f64>>>()
            .and_then(|all| all.into_iter().reduce(f64::max)),
        not_in_order: waited().filter(|visitor| visitor.in_order.is_none()).count(),
        admitted_before: admitted().filter(|admitted| admitted.answered <= story.wiped).count(),
        admitted_after: admitted().filter(|admitted| admitted.answered > story.wiped).count(),
        used_tokens_shown_again: story.again,
        admissions_out_of_order: order::admissions_out_of_order(&records),
        explained_moves: records.iter().map(|record| u64::from(record.explained)).sum(),
        highest_cohort: cohort::highest(&records).0,
        highest_gauge: watch.highest_active(),
        polls: crowd.poll_times.borrow().percentiles(),
        server_errors: crowd.count.server_errors.get(),
        rate_limited: crowd.count.rate_limited.get(),
        broken_exchanges: crowd.count.broken.get(),
        crowd_cpu_seconds: crate::cpu::used_by_self().map(|used| used.as_secs_f64()),
        gateways_cpu_seconds: gateways_cpu.as_secs_f64(),
        redis_cpu_seconds: redis_cpu.as_secs_f64(),
        verdicts: judge(options, &visitors, &records, watch, story, &turns),
        turns: turns.shown(),
    }
}

fn judge(
    options: &Options,
    visitors: &[Visitor],
    records: &[Record],
    watch: &Watch,
    story: &Story,
    turns: &Delays,
) -> Vec<Verdict> {
    let restored = story.restored;
    let within = options.within.as_secs();
    let again = visitors.iter().filter(|visitor| visitor.admitted_again).count() as u64;
    let late = visitors.iter().filter(|visitor| visitor.phase == Phase::Waiting && visitor.in_order.is_none()).count();
    let mut verdicts = vec![
        order::no_token_refused(records),
        order::nothing_shared(records),
        order::places_follow_arrival(records),
        order::nobody_overtaken(records),
        order::growth_is_explained(records),
        cohort::within(records, watch.highest_active(), options.limit),
        rate::within(records, rate::Bound::new(f64::from(options.rate), None)),
        Verdict::counted("N13", "no used token is let in again", again),
    ];
    if options.loss == Loss::Nothing {
        let late = turns.beyond_the_interval.iter().filter(|delay| **delay > TURN).count() as u64;
        verdicts.push(Verdict::counted("called", "able to enter 1 s + the visitor's own interval after", late));
    } else {
        let stored = format!("whoever polled is in the store {within} s after it");
        verdicts.push(Verdict::counted("N1", stored, restored.missing as u64));
        verdicts.push(Verdict::counted("N1", "at the place that the token signs", restored.displaced as u64));
        verdicts.push(Verdict::counted("N1", "everybody who waits is answered in order in the end", late as u64));
    }
    verdicts
}

/// How long it took from the call to the ticket.
struct Delays {
    all: Vec<Duration>,
    /// The visitor's own interval taken off; zero when the poll came sooner.
    beyond_the_interval: Vec<Duration>,
    /// Polls that were told "called" and brought no ticket.
    called_in_vain: u64,
}

impl Delays {
    fn shown(&self) -> Turns {
        let spread = |delays: &[Duration]| {
            let mut spread = Spread::default();
            delays.iter().for_each(|delay| spread.record(*delay));
            spread.percentiles()
        };
        Turns {
            called_to_admitted: spread(&self.all),
            beyond_the_interval: spread(&self.beyond_the_interval),
            called_in_vain: self.called_in_vain,
        }
    }
}

fn turns(visitors: &[Visitor], store: &Store) -> Delays {
    let mut delays = Delays { all: Vec::new(), beyond_the_interval: Vec::new(), called_in_vain: 0 };
    for visitor in visitors {
        delays.called_in_vain += u64::from(visitor.called_polls);
        let called = visitor.record.place().and_then(|place| store.called_after(place));
        let (Some(called), Some(admitted)) = (called, &visitor.record.admitted) else { continue };
        let delay = admitted.answered.since(called);
        delays.all.push(delay);
        delays.beyond_the_interval.push(delay.saturating_sub(visitor.interval));
    }
    delays
}
