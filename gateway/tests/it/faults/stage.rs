//! A scene for a fault: gateways in front of a shop, each reaching its Redis through a relay of its own, and the crowd.

use std::time::Duration;

use gateway::{clock, entropy};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::crowd::{Crowd, Manner};
use super::gauges::Gauges;
use super::judge::{Finding, Report, judge};
use super::record::{Facts, Limits, Window};
use super::relay::Relay;
use super::shop::Shop;
use crate::journey::setup::Setup;
use crate::journey::usher::Gateway;

/// How many wait when the fault comes, unless the environment says so.
const CROWD: &str = "USHER_FAULTS_CROWD";
/// Replays a run's choices.
const SEED: &str = "USHER_FAULTS_SEED";

/// How quickly a line is filled before the fault.
const FILL_PER_SECOND: u32 = 2_500;
/// Arrivals a second while things break.
pub(super) const RUSH_PER_SECOND: u32 = 500;
/// A look at a line that fills.
const FILL_PATIENCE: Duration = Duration::from_secs(60);

/// How a scene is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    name: &'static str,
    waiting: u32,
    session_seconds: u32,
    insiders: u32,
}

impl Scene {
    pub(super) fn new(name: &'static str, waiting: u32) -> Self {
        let told = std::env::var(CROWD).ok().map(|count| count.parse().expect("USHER_FAULTS_CROWD is a number"));
        Self { name, waiting: told.unwrap_or(waiting), session_seconds: 10, insiders: 10 }
    }

    /// Sessions so long that nobody inside runs out of time while the store is away.
    pub(super) fn long_sessions(self) -> Self {
        Self { session_seconds: 20, ..self }
    }

    fn limits(&self) -> Limits {
        let cohort = (self.waiting / 12).clamp(60, 1_500);
        Limits { total_active_users: cohort, per_second: cohort, burst: cohort / 2 }
    }

    fn room(&self) -> String {
        let Limits { total_active_users, per_second, burst } = self.limits();
        format!(
            "total_active_users = {total_active_users}\nnew_users_per_minute = {}\nburst = {burst}\n\
             session_duration = \"{}s\"\npoll_interval = {{ min = \"1s\", max = \"5s\" }}\n",
            per_second * 60,
            self.session_seconds
        )
    }
}

/// The running scene.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) rng: StdRng,
    pub(super) crowd: Crowd,
    pub(super) relays: Vec<Relay>,
    pub(super) gateways: Vec<Gateway>,
    gauges: Gauges,
    setup: Setup,
    fault: Window,
    _shop: Shop,
}

impl Stage {
    /// `gateways` of them, each behind a relay to the Redis at `port`.
    pub(super) async fn set(scene: Scene, gateways: usize, port: u16) -> Self {
        let seed = std::env::var(SEED).ok().map(|seed| seed.parse().expect("USHER_FAULTS_SEED is a number"));
        let seed = seed.unwrap_or_else(|| u64::from(u32::from_be_bytes(entropy::draw())));
        eprintln!("{}: {SEED}={seed} {CROWD}={}", scene.name, scene.waiting);
        let shop = Shop::open();
        let setup = Setup::before_address(shop.address).room(&scene.room());
        let relays: Vec<Relay> = (0..gateways).map(|_| Relay::to(port)).collect();
        let crowd = Crowd::gather(setup.ring(), seed, &[]);
        let rng = StdRng::seed_from_u64(seed);
        let now = clock::now();
        let mut stage = Self {
            scene,
            rng,
            crowd,
            relays,
            gateways: Vec::new(),
            gauges: Gauges::watch(Vec::new()),
            setup,
            fault: Window { from: now, to: now },
            _shop: shop,
        };
        stage.start_gateways().await;
        stage
    }

    /// One gateway behind each relay.
    pub(super) async fn start_gateways(&mut self) {
        for index in 0..self.relays.len() {
            self.setup.set_redis(&self.relays[index].url());
            self.gateways.push(Gateway::start(&self.setup).await);
        }
        for gateway in &self.gateways {
            gateway.becomes_ready().await;
        }
        self.tell_gateways();
    }

    /// The crowd and whoever watches the gauges learn which gateways there are.
    pub(super) fn tell_gateways(&self) {
        self.crowd.knows(&self.gateways.iter().map(|gateway| gateway.address).collect::<Vec<_>>());
        self.gauges.knows(self.gateways.iter().map(|gateway| gateway.admin).collect());
    }

    /// Insiders first, then the line until it is as long as the scene says, then a rush of `rush` for as long as things
    /// break.
    pub(super) async fn fills(&mut self, rush: Duration) {
        // Before the fault the line shall grow: nobody hurries.
        self.crowd.stays_for(Duration::from_secs(4));
        self.crowd.comes(self.scene.insiders, 100, Manner::Insider);
        let insiders = self.scene.insiders;
        let all_in = async || (self.crowd.inside() >= insiders).then_some(());
        crate::journey::wait::eventually("the insiders are in", all_in).await;
        let waiting = self.scene.waiting;
        let cohort = self.scene.limits().total_active_users;
        self.crowd.comes(waiting + cohort, FILL_PER_SECOND.min(waiting), Manner::Shopper);
        self.crowd.stands_in_line(waiting * 9 / 10, FILL_PATIENCE).await;
        if !rush.is_zero() {
            let count = (rush.as_secs_f64() * f64::from(RUSH_PER_SECOND)) as u32;
            self.crowd.comes(count, RUSH_PER_SECOND, Manner::Shopper);
        }
        let moment = Duration::from_millis(self.rng.random_range(200..1_200));
        tokio::time::sleep(moment).await;
    }

    /// From now on something is broken.
    pub(super) fn breaks(&mut self) {
        self.fault.from = clock::now();
    }

    /// From now on all is whole again, and the crowd hurries.
    pub(super) fn is_whole(&mut self) {
        self.fault.to = clock::now();
        self.crowd.stays_for(Duration::from_millis(300));
        self.crowd.insiders_leave();
    }

    /// Lasts for a while: the length of a fault, not a wait for anything.
    pub(super) async fn lasts(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Lets everybody finish, for so long at most, and judges.
    pub(super) async fn ends(self, patience: Duration) -> Judged {
        self.crowd.has_gone(patience).await;
        let facts = Facts {
            visitors: self.crowd.records(),
            gauges: self.gauges.seen(),
            limits: self.scene.limits(),
            fault: self.fault,
        };
        let findings = judge(&facts);
        let report = Report::of(&facts);
        eprintln!("{}: {report}", self.scene.name);
        Judged { name: self.scene.name, facts, findings, report }
    }
}

/// What a run proved.
pub(super) struct Judged {
    name: &'static str,
    facts: Facts,
    findings: Vec<Finding>,
    pub(super) report: Report,
}

impl Judged {
    /// What else must hold in this scene.
    pub(super) fn also(mut self, check: impl FnOnce(&Facts) -> Finding) -> Self {
        self.findings.push(check(&self.facts));
        self
    }

    /// Fails the test with everything that was broken.
    #[track_caller]
    pub(super) fn holds(self) {
        let broken: Vec<String> =
            self.findings.iter().filter(|finding| !finding.holds()).map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{}: {}\n{}", self.name, self.report, broken.join("\n"));
    }
}
