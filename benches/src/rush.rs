//! `crowd rush`: a rehearsal of a sale, and what an outside observer can prove about it.

pub mod arrivals;
pub mod checks;
mod line;
pub mod operation;
pub mod options;
pub mod record;
pub mod report;
pub mod rows;
mod shop;
mod stage;
mod temper;
mod venue;
mod visitor;

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::task::{JoinSet, LocalSet};

use crate::clock::{Clock, Moment};
use crate::entropy;
use crate::http::{Pool, Target};
use crate::latency::Spread;
use crate::progress::Progress;
use crate::scrape::Samples;
use crate::watch::{self, Watch};
use checks::{Verdict, answers, cohort, order, rate, seats};
use options::Options;
use record::Record;
use report::{Report, Setup, Trouble};
use rows::Rows;
use stage::Stage;
use visitor::Visitor;

/// Runs the whole crowd and judges what it saw.
///
/// # Errors
/// When an option cannot be used or the rows cannot be read; broken invariants are no error but stand in the report.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    let clock = Clock::start();
    let pools = options.urls.iter().map(|url| {
        let (target, _) = Target::parse(url)?;
        Ok(Pool::new(target, options.connections.into()))
    });
    let pools = pools.collect::<Result<Vec<_>, crate::http::BadUrl>>()?;
    let watch = Watch::new(&options.room, &options.metrics)?;
    let database = options.database.clone();
    let rows_before = match &database {
        Some(url) => Rows::read(url).await?,
        None => Rows::default(),
    };
    let stage = Rc::new(Stage::new(clock, options, entropy::run_id(), pools));

    let before = watch.look(&clock).await;
    let visitors = LocalSet::new();
    let everyone = visitors.run_until(crowd(&stage));
    tokio::select! {
        () = everyone => {}
        () = watch.keep_looking(&clock), if !stage.options.metrics.is_empty() => {}
        () = show(&stage) => {}
    }
    let took = clock.now();
    let after = watch.look(&clock).await;

    let records = stage.records.take();
    let mut verdicts = judge(&stage, &records, &watch);
    if !stage.options.metrics.is_empty() {
        verdicts.push(no_violations_counted(&before, &after));
    }
    if let Some(url) = database {
        verdicts.extend(answers::match_rows(&records, &rows_before, &Rows::read(&url).await?));
    }
    Ok(report(&stage, &records, &watch, verdicts, took))
}

async fn crowd(stage: &Rc<Stage>) {
    let arrivals = arrivals::arrivals(stage.options.seed, stage.options.visitors, stage.options.arrive);
    let mut visits = JoinSet::new();
    for (index, at) in (0..).zip(arrivals) {
        visits.spawn_local(Box::pin(Visitor::new(Rc::clone(stage), index).live(Moment::START + at)));
    }
    // A visit that panicked is our own bug; its record has no outcome and is counted as unanswered.
    while visits.join_next().await.is_some() {}
}

async fn show(stage: &Stage) {
    let progress = Progress::start();
    loop {
        let count = &stage.count;
        let (joined, visitors) = (count.joined.get(), u64::from(stage.options.visitors));
        let phase = match () {
            () if joined < visitors => "opening",
            () if count.sold.get() < u64::from(stage.options.seats) => "selling",
            () => "telling the rest",
        };
        let p99 = stage.times.borrow().all().at(0.99).as_secs_f64() * 1_000.0;
        progress.show(format!(
            "{phase}: joined {joined}/{visitors}, waiting {}, inside {}, sold {}/{}, ended {}, p99 {p99:.1} ms",
            count.waiting.get(),
            count.inside.get(),
            count.sold.get(),
            stage.options.seats,
            count.ended.get(),
        ));
        stage.clock.sleep_until(stage.clock.now() + progress.interval()).await;
    }
}

fn judge(stage: &Stage, records: &[Record], watch: &Watch) -> Vec<Verdict> {
    let options = &stage.options;
    let mut verdicts = vec![
        order::no_token_refused(records),
        order::nothing_shared(records),
        order::places_follow_arrival(records),
        order::nobody_overtaken(records),
        order::growth_is_explained(records),
    ];
    verdicts.extend(options.limit.map(|limit| cohort::within(records, watch.highest_active(), limit)));
    verdicts.extend(options.rate.map(|rate| rate::within(records, rate::Bound::new(rate, options.burst))));
    verdicts.push(seats::none_twice(records));
    verdicts.push(seats::exactly_the_stock(records, options.seats));
    verdicts.push(seats::everyone_answered(records));
    if !options.allow_server_errors {
        verdicts.push(Verdict::counted("5xx", "no answer 5xx", stage.tally.server_errors.get()));
    }
    verdicts
}

/// The gateways' own sweep found nothing either.
fn no_violations_counted(before: &[Samples], after: &[Samples]) -> Verdict {
    let counted = watch::growth(before, after, "usher_invariant_violations_total", "invariant");
    let cases = counted.into_iter().filter(|(_, count)| *count > 0.0);
    let cases = cases.map(|(invariant, count)| format!("{invariant}: {count}")).collect();
    Verdict::of("usher_invariant_violations_total", "the gateways counted no violation", cases)
}

fn report(stage: &Stage, records: &[Record], watch: &Watch, verdicts: Vec<Verdict>, took: Moment) -> Report {
    let options = &stage.options;
    let mut outcomes = BTreeMap::new();
    let mut wait = Spread::default();
    for record in records {
        *outcomes.entry(record.outcome.as_ref().map_or("no clear answer", record::Outcome::word)).or_default() += 1;
        if let (Some(joined), Some(admitted)) = (&record.joined, &record.admitted) {
            wait.record(admitted.answered.since(joined.answered));
        }
    }
    let tally = &stage.tally;
    Report {
        setup: Setup {
            urls: options.urls.clone(),
            room: options.room.clone(),
            visitors: options.visitors,
            seats: options.seats,
            limit: options.limit,
            rate_per_minute: options.rate,
            seed: options.seed,
            arrive_seconds: options.arrive.as_secs_f64(),
            connections: options.connections,
        },
        took_seconds: took.since(Moment::START).as_secs_f64(),
        outcomes,
        seats_sold: seats::sold(records),
        latency: stage.times.borrow().rows(),
        wait: wait.percentiles(),
        places: records.iter().filter(|record| record.place().is_some()).count(),
        admitted: records.iter().filter(|record| record.admitted.is_some()).count(),
        highest_cohort: cohort::highest(records).0,
        highest_gauge: watch.highest_active(),
        admissions_out_of_order: order::admissions_out_of_order(records),
        explained_moves: records.iter().map(|record| u64::from(record.explained)).sum(),
        trouble: Trouble {
            server_errors: tally.server_errors.get(),
            rate_limited: tally.rate_limited.get(),
            broken_exchanges: tally.broken.get(),
            lost_seats: tally.lost_seats.get(),
            connections_opened: stage.connections_opened(),
            unanswered_scrapes: watch.misses(),
        },
        crowd_cpu_seconds: crate::cpu::used_by_self().map(|used| used.as_secs_f64()),
        verdicts,
    }
}
