//! Several gateways, one store, and everything between them that can go wrong: the bound holds over every stretch of time.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use queue_core::Timestamp;
use queue_core::limit::lease::{Ask, Away, HEARTBEAT, LIFETIME, Purse, Spend, Standing};
use queue_core::limit::{Fill, Quota, Rule as _, TokenBucket};
use queue_core::store::{GatewayId, LeaseCaller, LeaseStore as _, Leased, MemoryStore};

use super::bench::{LISTENS, Memory};
use crate::support::clock::TestClock;
use crate::support::dice::{Dice, seeds};

/// How long a gateway waits for an answer.
const DEADLINE: Duration = Duration::from_millis(50);

/// How long each run goes on.
const RUN: Duration = Duration::from_secs(30);

/// Requests a second at a gateway in a quiet time.
const TRICKLE: u64 = 5;

/// What goes wrong, in parts of a thousand.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    lost: u64,
    doubled: u64,
    /// The longest a message is under way, in milliseconds.
    slow_ms: u64,
    /// Per gateway and 10 s.
    crashes: u64,
    /// Wipes and fail-overs to a stale copy, per 10 s.
    losses: u64,
}

/// A mistake somebody could make; each must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    None,
    /// An answer that arrives twice counts twice.
    CountsTwice,
    /// Leases are spent however old they are.
    SpendsForEver,
    /// A copy of the store goes on as if it were the same one.
    TrustsCopies,
    /// Tokens that were told as spent are kept.
    KeepsWhatItTold,
}

#[derive(Clone)]
enum Message {
    Call { from: usize, id: u64, caller: LeaseCaller, asks: Vec<Ask> },
    Answer { to: usize, id: u64, number: u64, leased: Leased },
}

struct Gateway {
    id: u64,
    purse: Purse,
    standing: Standing,
    memory: Memory,
    /// The ask under way, and when it counts as failed.
    under_way: Option<(u64, Timestamp)>,
    last_beat: Timestamp,
    /// A planted mistake's own tokens.
    extra: u32,
}

struct Run {
    dice: Dice,
    clock: TestClock,
    quota: Quota,
    store: Arc<MemoryStore>,
    stale: Arc<MemoryStore>,
    servers: u64,
    gateways: Vec<Gateway>,
    next_id: u64,
    network: VecDeque<(Timestamp, Message)>,
    trouble: Trouble,
    planted: Planted,
    /// A bucket that knows all that passes: what it refuses is above the bound.
    ideal: Fill,
    /// A bucket that is asked for every request at once, from when anything is leased: what one gateway alone would do.
    alone: Fill,
    alone_passed: u64,
    passed: u64,
    /// While there was load.
    decisions: u64,
    calls: u64,
    broken: bool,
}

impl Run {
    fn new(seed: u64, quota: Quota, gateways: usize, trouble: Trouble, planted: Planted) -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new(clock.host()));
        let mut run = Self {
            dice: Dice::new(seed),
            quota,
            stale: Arc::new(store.copy(0)),
            store,
            servers: 0,
            gateways: Vec::new(),
            next_id: 0,
            network: VecDeque::new(),
            trouble,
            planted,
            ideal: TokenBucket(quota).idle(),
            alone: Fill::empty(clock.now()),
            alone_passed: 0,
            passed: 0,
            decisions: 0,
            calls: 0,
            broken: false,
            clock,
        };
        for _ in 0..gateways {
            let fresh = run.fresh();
            run.gateways.push(fresh);
        }
        run
    }

    fn fresh(&mut self) -> Gateway {
        self.next_id += 1;
        Gateway {
            id: self.next_id,
            purse: Purse::default(),
            standing: Standing::default(),
            memory: Memory::default(),
            under_way: None,
            last_beat: Timestamp::ZERO,
            extra: 0,
        }
    }

    /// Goes on for the whole run, each gateway asked `per_second` times a second on average, in waves.
    fn go(&mut self, per_second: u64) {
        let end = self.clock.now() + RUN;
        while self.clock.now() < end && !self.broken {
            let now = self.clock.now();
            self.misfortune();
            self.deliver();
            for at in 0..self.gateways.len() {
                self.beat(at);
                // Waves of three seconds each: a trickle while buckets fill, the average, twice that.
                let whole = if is_quiet(now) { TRICKLE } else { per_second * wave(now) };
                let requests = whole / 1_000 + u64::from(self.dice.chance(whole % 1_000, 1_000));
                (0..requests).for_each(|_| self.request(at));
            }
            self.clock.pass(Duration::from_millis(1));
        }
    }

    fn request(&mut self, at: usize) {
        let now = self.clock.now();
        self.decisions += u64::from(!is_quiet(now));
        if now >= TestClock::START + LISTENS {
            self.alone_passed +=
                u64::from(TokenBucket(self.quota).decide(&mut self.alone, now, NonZeroU32::MIN).is_ok());
        }
        let gateway = &mut self.gateways[at];
        let said = match gateway.extra {
            0 => gateway.purse.ask(&self.quota, &gateway.standing, Away::Closed, now),
            _ => Spend::Pass,
        };
        if said == Spend::Pass {
            if gateway.extra > 0 {
                gateway.extra -= 1;
            } else {
                gateway.purse.charge(&self.quota, &gateway.standing, now);
            }
            self.passed += 1;
            self.broken |= TokenBucket(self.quota).decide(&mut self.ideal, now, NonZeroU32::MIN).is_err();
        }
        let gateway = &self.gateways[at];
        if said == Spend::Lease || gateway.purse.wants_more(&self.quota, &gateway.standing, now) {
            self.ask(at);
        }
    }

    fn ask(&mut self, at: usize) {
        let now = self.clock.now();
        let gateway = &mut self.gateways[at];
        let left = gateway.purse.remaining(now);
        let Some(mut ask) = gateway.purse.begin(1, &self.quota, &gateway.standing, now) else { return };
        if self.planted == Planted::KeepsWhatItTold {
            // What the gateway still holds is told as spent.
            ask.held = 0;
            gateway.extra += left;
        }
        gateway.under_way = Some((ask.number, now + DEADLINE));
        self.send_call(at, vec![ask]);
    }

    /// A word to the store that needs no tokens.
    fn beat(&mut self, at: usize) {
        let now = self.clock.now();
        let gateway = &mut self.gateways[at];
        if let Some((number, _)) = gateway.under_way.filter(|(_, deadline)| now >= *deadline) {
            gateway.purse.failed(number);
            gateway.under_way = None;
            gateway.standing.away_since.get_or_insert(now);
        }
        if now.since(gateway.last_beat) >= HEARTBEAT {
            gateway.last_beat = now;
            self.send_call(at, Vec::new());
        }
    }

    fn send_call(&mut self, at: usize, asks: Vec<Ask>) {
        self.calls += u64::from(!is_quiet(self.clock.now()));
        let gateway = &self.gateways[at];
        let id = gateway.id;
        let caller = gateway.memory.caller(GatewayId(id), self.clock.now());
        self.post(&Message::Call { from: at, id, caller, asks });
    }

    /// A message may be lost, and it may arrive twice.
    fn post(&mut self, message: &Message) {
        let copies = 1 + u64::from(self.dice.chance(self.trouble.doubled, 1_000));
        for _ in 0..copies {
            if !self.dice.chance(self.trouble.lost, 1_000) {
                let arrives = self.clock.now() + self.dice.span_ms(0..self.trouble.slow_ms + 1);
                self.network.push_back((arrives, message.clone()));
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.clock.now();
        for _ in 0..self.network.len() {
            let Some((arrives, message)) = self.network.pop_front() else { return };
            if arrives > now {
                self.network.push_back((arrives, message));
                continue;
            }
            match message {
                Message::Call { from, id, caller, asks } => {
                    let number = asks.first().map_or(0, |ask| ask.number);
                    let store = self.store.clone();
                    let leased = store.lease("all", caller, self.quota, asks).now_or_never().unwrap().unwrap();
                    self.post(&Message::Answer { to: from, id, number, leased });
                }
                Message::Answer { to, id, number, leased } => self.answer(to, id, number, &leased),
            }
        }
    }

    fn answer(&mut self, to: usize, id: u64, number: u64, leased: &Leased) {
        let now = self.clock.now();
        let gateway = &mut self.gateways[to];
        if gateway.id != id {
            return;
        }
        gateway.memory.note(leased, now);
        gateway.standing = Standing { gateways: leased.gateways, away_since: None };
        let Some(grant) = leased.grants.first() else { return };
        match gateway.under_way {
            Some((under_way, _)) if under_way == number => gateway.under_way = None,
            _ if self.planted == Planted::CountsTwice => gateway.extra += grant.granted,
            _ => {}
        }
        if self.planted == Planted::SpendsForEver && self.dice.chance(1, 2) {
            gateway.extra += grant.granted;
            gateway.purse.failed(number);
        }
        gateway.purse.answered(number, grant, now);
    }

    fn misfortune(&mut self) {
        const PER: u64 = 10_000;
        for at in 0..self.gateways.len() {
            if self.dice.chance(self.trouble.crashes, PER) {
                self.gateways[at] = self.fresh();
            }
        }
        if self.dice.chance(1, 100) {
            // A replica that lags.
            self.stale = Arc::new(self.store.copy(self.servers));
        }
        if self.dice.chance(self.trouble.losses, PER) {
            self.servers += 1;
            let server = if self.planted == Planted::TrustsCopies { 0 } else { self.servers };
            self.store = Arc::new(self.stale.copy(server));
            if self.dice.chance(1, 2) && self.planted != Planted::TrustsCopies {
                self.store.wipe();
            }
        }
    }

    /// How much of what one bucket would have let through did pass.
    fn used(&self) -> f64 {
        self.passed as f64 / self.alone_passed as f64
    }
}

fn wave(now: Timestamp) -> u64 {
    now.as_secs() / 3 % 3
}

fn is_quiet(now: Timestamp) -> bool {
    wave(now) == 0
}

const BAD: Trouble = Trouble { lost: 100, doubled: 200, slow_ms: 30, crashes: 1, losses: 1 };
const FINE: Trouble = Trouble { lost: 0, doubled: 0, slow_ms: 2, crashes: 0, losses: 0 };

fn quotas() -> [Quota; 4] {
    [(20.0, 40), (1_000.0, 500), (7.3, 9), (300.0, 1_000)].map(|(rate, burst)| Quota::per_second(rate, burst).unwrap())
}

/// Never above burst + rate × t over all gateways, whatever is lost, doubled, late, crashes or fails over.
#[test]
fn the_bound_holds_whatever_happens() {
    for seed in seeds(40) {
        let quota = quotas()[(seed % 4) as usize];
        let gateways = 1 + (seed % 5) as usize;
        let per_second = [3, 30, 300, 3_000][(seed / 4 % 4) as usize];
        let mut run = Run::new(seed, quota, gateways, BAD, Planted::None);
        run.go(per_second);
        assert!(!run.broken, "seed {seed}: above the bound after {} of {quota:?}", run.passed);
        assert!(run.passed > 0, "seed {seed}: nobody passed");
    }
}

/// A test that cannot fail is none: each mistake is found by some seed.
#[test]
fn planted_mistakes_are_found() {
    for planted in [Planted::CountsTwice, Planted::SpendsForEver, Planted::TrustsCopies, Planted::KeepsWhatItTold] {
        let found = (0..200).any(|seed| {
            // Losses hurt where a bucket is full now and then.
            let trouble = if planted == Planted::TrustsCopies { Trouble { losses: 20, ..BAD } } else { BAD };
            let mut run = Run::new(seed, quotas()[(seed % 2) as usize], 3, trouble, planted);
            run.go([30, 1_000][(seed / 2 % 2) as usize]);
            run.broken
        });
        assert!(found, "{planted:?} was not found");
    }
}

/// Under load a store call serves at least 50 decisions, and next to nothing of the limit is left unused.
#[test]
fn leases_are_cheap_and_leave_little_unused() {
    for (seed, quota) in quotas().into_iter().enumerate() {
        for gateways in [1, 2, 5] {
            let mut run = Run::new(seed as u64, quota, gateways, FINE, Planted::None);
            run.go(4_000);
            let used = run.used();
            let per_call = run.decisions as f64 / run.calls as f64;
            println!("{gateways} gateways, {quota:?}: {:.3} of the limit used, {per_call:.0} decisions a call", used);
            assert!(!run.broken);
            assert!(per_call >= 50.0, "{gateways} gateways, {quota:?}: {per_call:.1} decisions a call");
            assert!(used >= 0.9, "{gateways} gateways, {quota:?}: {used:.3} of the limit");
        }
    }
}

/// A demand below the limit is served: somebody who asks rarely is not refused because leases are handed out in lots.
#[test]
fn a_small_demand_is_served() {
    for gateways in [1, 2, 5] {
        let quota = Quota::per_second(100.0, 200).unwrap();
        let mut run = Run::new(7, quota, gateways, FINE, Planted::None);
        run.go(60 / gateways as u64);
        let served = run.used();
        println!("{gateways} gateways: {served:.3} of a small demand served");
        assert!(served >= 0.85, "{gateways} gateways: {served:.3}");
    }
}

/// While the store is away each gateway has its share, together the limit, and starts from nothing.
#[test]
fn shares_add_up_to_the_limit() {
    let quota = Quota::per_second(30.0, 60).unwrap();
    let since = Timestamp::from_secs(1_000);
    let standing = Standing { gateways: 3, away_since: Some(since) };
    let passes = |away, span: Duration| {
        let mut purse = Purse::default();
        let steps = span.as_millis() as u64;
        (0..=steps)
            .filter(|ms| {
                let now = since + Duration::from_millis(*ms);
                let passes = purse.ask(&quota, &standing, away, now) == Spend::Pass;
                if passes {
                    purse.charge(&quota, &standing, now);
                }
                passes
            })
            .count()
    };
    assert_eq!(passes(Away::Share, Duration::from_secs(6)), 60, "a third of 30 a second, with no burst before");
    assert_eq!(passes(Away::Closed, Duration::from_secs(6)), 0);
    assert_eq!(passes(Away::Open, Duration::from_secs(6)), 6_001);
    let unknown = Standing { gateways: 0, ..standing };
    assert!(matches!(Purse::default().ask(&quota, &unknown, Away::Share, since + LIFETIME), Spend::Refuse(_)));
}
