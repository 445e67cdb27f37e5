//! `crowd line`: a long line at the store's adapter, without HTTP: what joins cost, whether positions are the sorted set's, what
//! a waiting visitor weighs, and that a look costs the same however long the line is.

mod report;

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use queue_core::line::Standing;
use queue_core::store::{
    Arrival, Caller, Departure, Joined, LimitsSource, MAX_BATCH, Mirror, Opening, Proposal, RedisAddress,
    RedisSettings, RedisStore, Store as _, Terms,
};
use queue_core::{Life, Limits, Place, RoomId, Timestamp, VisitorId};

pub use self::report::{LineReport, Look};
use crate::clock::Clock;

/// What is measured.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// An empty Redis that may be filled.
    #[arg(long)]
    pub redis: String,
    /// How many wait in the end.
    #[arg(long, default_value_t = 1_000_000)]
    pub waiting: u32,
    /// Joins under way at once, in calls of 500.
    #[arg(long, default_value_t = 2)]
    pub calls: usize,
    /// Where the figures go as JSON.
    #[arg(long)]
    pub json: Option<std::path::PathBuf>,
}

/// Positions compared with the sorted set.
const COMPARED: u32 = 10_000;

/// Looks timed at each length.
const LOOKS: u32 = 200;

/// Nobody is admitted meanwhile: what a step needs to know hardly matters.
const TERMS: Terms = Terms {
    session: Duration::from_secs(300),
    max_session: Duration::from_secs(1_800),
    heard_for: Duration::from_secs(3),
    claim_window: Duration::from_secs(180),
    retention: Duration::from_secs(180),
};

/// One room on one Redis.
struct Bed {
    store: RedisStore,
    redis: redis::aio::MultiplexedConnection,
    room: RoomId,
    clock: Clock,
    joined: VecDeque<(VisitorId, Place)>,
}

/// Measures.
///
/// # Errors
/// When the Redis cannot be used or is not empty.
pub async fn run(options: Options) -> anyhow::Result<LineReport> {
    let mut bed = Bed::open(&options).await?;
    let empty = bed.info("memory", "used_memory").await?;
    let mut looks = Vec::new();
    let (mut joining, mut cpu, mut calls) = (Duration::ZERO, 0.0, 0.0);
    for length in [10_000, 100_000, 1_000_000, 10_000_000] {
        let length = length.min(options.waiting);
        let (cpu_before, calls_before) = (bed.cpu().await?, bed.calls().await?);
        joining += bed.join_up_to(length, options.calls).await?;
        cpu += bed.cpu().await? - cpu_before;
        calls += bed.calls().await? - calls_before;
        looks.push(bed.look_at(length).await?);
        if length == options.waiting {
            break;
        }
    }
    let used = bed.info("memory", "used_memory").await? - empty;
    bed.depart_every_tenth().await?;
    let before = resident()?;
    let mirror = bed.mirror().await?;
    let gateway_bytes = resident()?.saturating_sub(before);
    let wrong = bed.compare(&mirror).await?;
    Ok(LineReport {
        waiting: options.waiting,
        joins_per_second: f64::from(options.waiting) / joining.as_secs_f64(),
        redis_micros_per_join: cpu * 1e6 / f64::from(options.waiting),
        calls_per_join: calls / f64::from(options.waiting),
        redis_bytes_per_waiting: used / f64::from(options.waiting),
        gateway_bytes,
        compared: COMPARED.min(options.waiting),
        wrong,
        looks,
    })
}

impl Bed {
    async fn open(options: &Options) -> anyhow::Result<Self> {
        let address = RedisAddress::parse(&options.redis).context("--redis")?;
        let store = RedisStore::new(RedisSettings {
            address,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(10),
            max_reconnect_delay: Duration::from_secs(1),
            clock: None,
        })?;
        let mut redis = redis::Client::open(options.redis.as_str())?.get_multiplexed_async_connection().await?;
        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut redis).await?;
        ensure!(keys == 0, "the Redis holds {keys} keys: name an empty one, it is filled");
        let room = RoomId::new("line").context("the room's name")?;
        let limits = Limits {
            total_active_users: 1,
            new_users_per_minute: 1,
            burst: 1,
            max_line_length: u32::MAX,
            queue_all: true,
            opens_at: None,
            closes_at: None,
        };
        let proposal = Proposal { limits, source: LimitsSource::Config(Timestamp::ZERO) };
        let life = Life::first(Timestamp::from_secs(1_796_122_800));
        store.open(&room, Caller::newcomer(), Opening { proposal, life, listen: Duration::ZERO }).await?;
        redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut redis).await?;
        Ok(Self { store, redis, room, clock: Clock::start(), joined: VecDeque::new() })
    }

    /// Joins until so many have a place: `calls` calls under way, the next one made when the first is answered.
    async fn join_up_to(&mut self, length: u32, calls: usize) -> anyhow::Result<Duration> {
        let began = self.clock.now();
        let mut next = self.joined.len() as u32;
        let mut under_way = FuturesOrdered::new();
        while next < length || !under_way.is_empty() {
            while next < length && under_way.len() < calls {
                let to = length.min(next + MAX_BATCH as u32);
                let items: Vec<Arrival> = (next..to).map(|n| Arrival { visitor: visitor(n), since: None }).collect();
                let (store, room) = (&self.store, &self.room);
                under_way.push_back(async move {
                    let visitors: Vec<VisitorId> = items.iter().map(|arrival| arrival.visitor).collect();
                    (visitors, store.join(room, Caller::newcomer(), TERMS, items).await)
                });
                next = to;
            }
            let Some((visitors, answer)) = under_way.next().await else { break };
            for (visitor, joined) in visitors.into_iter().zip(answer?.value) {
                let Joined::Placed { place, .. } = joined else { anyhow::bail!("{visitor:?} was told {joined:?}") };
                self.joined.push_back((visitor, place));
            }
        }
        Ok(self.clock.now().since(began))
    }

    /// A look with a hundred changes since the last one.
    async fn look_at(&mut self, length: u32) -> anyhow::Result<Look> {
        let version = self.store.follow(&self.room, Caller::newcomer(), None).await?.mark.version;
        let after = version.saturating_sub(100);
        let began = self.clock.now();
        for _ in 0..LOOKS {
            self.store.follow(&self.room, Caller::newcomer(), Some(after)).await?;
        }
        let micros = self.clock.now().since(began).as_secs_f64() * 1e6 / f64::from(LOOKS);
        Ok(Look { waiting: length, changes: version - after, micros })
    }

    async fn depart_every_tenth(&mut self) -> anyhow::Result<()> {
        let leaving: Vec<Departure> = self
            .joined
            .iter()
            .step_by(10)
            .map(|(visitor, place)| Departure { visitor: *visitor, place: *place })
            .collect();
        for items in leaving.chunks(MAX_BATCH) {
            self.store.depart(&self.room, Caller::newcomer(), items.to_vec()).await?;
        }
        Ok(())
    }

    async fn mirror(&self) -> anyhow::Result<Mirror> {
        let follow = self.store.follow(&self.room, Caller::newcomer(), None).await?;
        Mirror::new(follow.value).context("a whole look")
    }

    /// How many of the positions are not the sorted set's rank and one.
    async fn compare(&mut self, mirror: &Mirror) -> anyhow::Result<u32> {
        let mut wrong = 0;
        let count = self.joined.len();
        for n in 0..COMPARED.min(count as u32) {
            let index = (n as usize).wrapping_mul(0x9e37_79b9) % count;
            let (visitor, place) = self.joined[index];
            let key = format!("usher:{{{}}}:line", self.room);
            let rank: Option<u64> =
                redis::cmd("ZRANK").arg(key).arg(visitor.as_bytes().as_slice()).query_async(&mut self.redis).await?;
            let position = match mirror.line.standing(place) {
                Standing::Waiting { ahead } => Some(u64::from(ahead)),
                _ => None,
            };
            wrong += u32::from(position != rank);
        }
        Ok(wrong)
    }

    /// A number of what the server says of itself.
    async fn info(&mut self, section: &str, field: &str) -> anyhow::Result<f64> {
        let info: String = redis::cmd("INFO").arg(section).query_async(&mut self.redis).await?;
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.with_context(|| format!("INFO {section} tells no {field}"))?.trim().parse()?)
    }

    /// Script calls so far.
    async fn calls(&mut self) -> anyhow::Result<f64> {
        let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.redis).await?;
        let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1)).unwrap_or("0");
        Ok(calls.parse()?)
    }

    /// Processor time so far, in seconds.
    async fn cpu(&mut self) -> anyhow::Result<f64> {
        Ok(self.info("cpu", "used_cpu_user").await? + self.info("cpu", "used_cpu_sys").await?)
    }
}

/// Ids spread like random ones: a sorted set that grows at one end only would be flattered.
fn visitor(number: u32) -> VisitorId {
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    VisitorId::from_entropy(spread.to_be_bytes())
}

/// Resident memory of this process, in bytes.
fn resident() -> anyhow::Result<u64> {
    /// Linux tells pages of this size on the machines that this runs on.
    const PAGE: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("/proc/self/statm")?.parse()?;
    Ok(pages * PAGE)
}
