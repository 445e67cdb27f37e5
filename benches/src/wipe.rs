//! `crowd wipe`: a long line whose store is wiped while everybody goes on polling, and what an outside observer can prove
//! about it: the places are in the visitors' hands.

mod crowd;
mod judge;
pub mod options;
pub mod report;
mod servers;
mod store;

use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use queue_core::VisitorId;
use tokio::task::LocalSet;

use self::crowd::{Crowd, Phase};
use self::options::{Loss, Options};
use self::report::Report;
use self::servers::{ROOM, Servers};
use self::store::Store;
use crate::clock::{Clock, Moment};
use crate::progress::Progress;
use crate::watch::Watch;

/// Between two looks at a line that fills.
const LOOK: Duration = Duration::from_millis(250);

/// A line of this many takes no longer to fill than this, twice over.
const FILL_SLACK: Duration = Duration::from_secs(60);

/// A line is long enough when no more than this part is missing: some enter while the last ones come.
const NEARLY: u32 = 100;

/// Fills the line, wipes the store, and judges what followed.
///
/// # Errors
/// When a server cannot be started or the line cannot be filled; broken invariants are no error but stand in the report.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    let clock = Clock::start();
    let mut servers = Servers::start(&options, clock).await?;
    let watch = Watch::new(ROOM, &servers.metrics())?;
    let store = Store::new(servers.redis_url(), clock);
    let crowd = Rc::new(Crowd::new(&options, clock, servers.pools(options.connections)?));
    let local = LocalSet::new();
    let run = async {
        tokio::select! {
            () = crowd.goes_on(options.connections.into()) => unreachable!("a crowd goes on until it is stopped"),
            () = watch.keep_looking(&clock) => unreachable!("somebody watches until the end"),
            () = store.watch_calls() => unreachable!("somebody watches until the end"),
            () = show(&crowd, &clock) => unreachable!("somebody is told until the end"),
            told = tell(&options, &clock, &mut servers, &crowd, &store) => told,
        }
    };
    let told = local.run_until(run).await?;
    Ok(judge::report(&options, &crowd, &store, &watch, &servers, &told))
}

/// Whoever has polled is in the store this much later at most.
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// What happened when.
struct Story {
    waiting: u32,
    /// Polls in the calm before, and how long that lasted.
    calm_polls: (u64, Duration),
    wiped: Moment,
    /// How many came back with a used token.
    again: usize,
    /// What was found in the store in time.
    restored: Restored,
    ended: Moment,
}

/// What was found in the store.
#[derive(Clone, Copy, Debug, Default)]
struct Restored {
    /// Who had polled since the wipe and still waited.
    polled: usize,
    /// Who had not polled.
    silent: usize,
    /// Of those who polled: not in line.
    missing: usize,
    /// Of those who polled: elsewhere than their token says.
    displaced: usize,
}

async fn tell(
    options: &Options,
    clock: &Clock,
    servers: &mut Servers,
    crowd: &Crowd,
    store: &Store,
) -> anyhow::Result<Story> {
    while !store.gives_places().await? {
        clock.sleep_until(clock.now() + LOOK).await;
    }
    fill(options, clock, crowd).await?;
    let before = crowd.count.polls.get();
    let calm = clock.now();
    clock.sleep_until(calm + options.calm).await;
    let calm_polls = (crowd.count.polls.get() - before, clock.now().since(calm));
    let waiting = crowd.waiting();
    let wiped = match options.loss {
        Loss::Flushed => store.flush().await?,
        Loss::Restarted => {
            let killed = clock.now();
            servers.restart_redis().await?;
            killed
        }
        Loss::Nothing => clock.now(),
    };
    crowd.wiped.set(Some(wiped));
    let again = crowd.comes_again(options.within);
    clock.sleep_until(wiped + options.within).await;
    let restored = look(clock, crowd, store).await?;
    clock.sleep_until(wiped + options.span).await;
    Ok(Story { waiting, calm_polls, wiped, again, restored, ended: clock.now() })
}

/// Lets visitors come until so many wait, those who enter meanwhile made up for.
async fn fill(options: &Options, clock: &Clock, crowd: &Crowd) -> anyhow::Result<()> {
    let planned = Duration::from_secs_f64(f64::from(options.waiting) / f64::from(options.joins_per_second));
    let limit = clock.now() + planned * 2 + FILL_SLACK;
    crowd.comes(options.waiting + options.limit, options.joins_per_second);
    loop {
        clock.sleep_until(clock.now() + LOOK).await;
        let (joined, all) = (crowd.count.joined.get() as usize, crowd.visitors.borrow().len());
        // The calm takes its share too.
        let leaving = f64::from(options.rate) / 60.0 * options.calm.as_secs_f64();
        let missing = (options.waiting + leaving as u32).saturating_sub(crowd.waiting());
        if joined == all && missing <= options.waiting / NEARLY {
            return Ok(());
        }
        if joined == all {
            crowd.comes(missing, options.joins_per_second);
        }
        ensure!(clock.now() < limit, "the line cannot be filled: {joined} of {all} have joined, {missing} are missing");
    }
}

/// Who is in the store again.
async fn look(clock: &Clock, crowd: &Crowd, store: &Store) -> anyhow::Result<Restored> {
    let (mut ids, mut places, mut silent) = (Vec::new(), Vec::new(), 0);
    for visitor in crowd.visitors.borrow().iter().filter(|visitor| visitor.phase == Phase::Waiting) {
        match (visitor.id, visitor.record.place(), visitor.polled) {
            (Some(id), Some(place), Some(_)) => {
                ids.push(id);
                places.push(place);
            }
            _ => silent += 1,
        }
    }
    let mut found = store.places(&ids).await?;
    // Whoever polled in the last moment may be on the way into the store.
    let absent: Vec<usize> = (0..found.len()).filter(|index| found[*index].is_none()).collect();
    clock.sleep_until(clock.now() + ON_THE_WAY).await;
    let again: Vec<VisitorId> = absent.iter().map(|index| ids[*index]).collect();
    for (index, place) in absent.into_iter().zip(store.places(&again).await?) {
        found[index] = place;
    }
    let missing = found.iter().filter(|place| place.is_none()).count();
    let displaced = found.iter().zip(&places).filter(|(found, place)| found.is_some_and(|found| found != **place));
    Ok(Restored { polled: ids.len(), silent, missing, displaced: displaced.count() })
}

async fn show(crowd: &Crowd, clock: &Clock) {
    let progress = Progress::start();
    loop {
        let count = &crowd.count;
        progress.show(format!(
            "{:.0} s: joined {}, waiting {}, admitted {}, polls {} ({} degraded), 5xx {}, broken {}",
            clock.now().since(Moment::START).as_secs_f64(),
            count.joined.get(),
            crowd.waiting(),
            count.admitted.get(),
            count.polls.get(),
            count.degraded.get(),
            count.server_errors.get(),
            count.broken.get(),
        ));
        clock.sleep_until(clock.now() + progress.interval()).await;
    }
}
