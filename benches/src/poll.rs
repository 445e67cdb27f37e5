//! `crowd poll`: visitors who join and then only poll as told, to show what polls cost the store: nothing.

pub mod options;
pub mod report;
mod waiter;

use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use tokio::task::{JoinSet, LocalSet};

use crate::clock::{Clock, Moment};
use crate::http::{BadUrl, Pool, Target};
use crate::progress::Progress;
use crate::rush::checks::Verdict;
use crate::watch::{self, Watch};
use options::Options;
use report::{OperationCost, Report};
use waiter::{Hall, wait};

/// What is on its way when the polls stop has arrived by then.
const SETTLE: Duration = Duration::from_secs(1);

/// Joins, polls for the time asked, stops, and compares what the store did meanwhile with what it does in silence.
///
/// # Errors
/// When an option cannot be used or nobody was left waiting.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    let clock = Clock::start();
    let pools = options.urls.iter().map(|url| Ok(Pool::new(Target::parse(url)?.0, options.connections.into())));
    let pools = pools.collect::<Result<Vec<_>, BadUrl>>()?;
    let watch = Watch::new(&options.room, &options.metrics)?;
    let hall = Rc::new(Hall::new(clock, options, pools));
    let visitors = LocalSet::new();
    visitors.run_until(measure(&hall, &watch)).await
}

async fn measure(hall: &Rc<Hall>, watch: &Watch) -> anyhow::Result<Report> {
    let (clock, options) = (hall.clock, &hall.options);
    let mut waiters = JoinSet::new();
    for index in 0..options.visitors {
        waiters.spawn_local(Box::pin(wait(Rc::clone(hall), index)));
    }
    let progress = Progress::start();
    while hall.joined.get() < options.visitors && clock.now() < Moment::START + options.deadline {
        progress.show(format!("joined {}/{}", hall.joined.get(), options.visitors));
        clock.sleep_until(clock.now() + progress.interval().min(SETTLE)).await;
    }
    ensure!(hall.waiting() > 0, "nobody waits: the room admitted everyone, or nobody could join");

    let before = watch.look(&clock).await;
    let begun = clock.now();
    hall.measuring.set(true);
    let end = begun + options.span;
    while clock.now() < end {
        progress.show(format!("waiting {}, polls {}", hall.waiting(), hall.times.borrow().count()));
        clock.sleep_until(end.min(clock.now() + progress.interval())).await;
    }
    hall.measuring.set(false);
    let after = watch.look(&clock).await;
    let polled = clock.now().since(begun);
    waiters.abort_all();
    progress.finish();

    clock.sleep_until(clock.now() + SETTLE).await;
    let silence = clock.now();
    let quiet_before = watch.look(&clock).await;
    clock.sleep_until(clock.now() + options.quiet).await;
    let quiet_after = watch.look(&clock).await;
    let quiet = clock.now().since(silence);

    let name = "usher_store_operations_total";
    let busy = watch::growth(&before, &after, name, "operation");
    let silent = watch::growth(&quiet_before, &quiet_after, name, "operation");
    let operations = busy.into_iter().map(|(operation, count)| OperationCost {
        polling_per_second: count / polled.as_secs_f64(),
        quiet_per_second: silent.get(&operation).copied().unwrap_or_default() / quiet.as_secs_f64(),
        operation,
    });
    let report = hall.report(operations.collect(), polled);
    Ok(Report { verdicts: judge(&report, !options.metrics.is_empty(), watch.misses()), ..report })
}

fn judge(report: &Report, watched: bool, misses: u64) -> Vec<Verdict> {
    let mut verdicts = vec![
        Verdict::counted("N4", "no position grows without its reason", report.unexplained_moves),
        Verdict::counted("answers", "every poll is answered with a position", report.failed_polls),
    ];
    if watched {
        // A poll that cost an operation would add one for each poll; the fixed refresh differs by a few at the edges.
        let allowed = report.polls_per_second / 100.0 + 1.0;
        let costly = report.operations.iter().filter(|cost| cost.polling_per_second > cost.quiet_per_second + allowed);
        let cases = costly.map(|cost| {
            let OperationCost { operation, polling_per_second, quiet_per_second } = cost;
            format!("{operation}: {polling_per_second:.1}/s while polled, {quiet_per_second:.1}/s in silence")
        });
        let mut cases: Vec<String> = cases.collect();
        if report.operations.is_empty() || misses > 0 {
            cases.push(format!("metrics without usher_store_operations_total, or not answered ({misses} times)"));
        }
        verdicts.push(Verdict::of("polls", "store operations do not move with polls", cases));
    }
    verdicts
}
