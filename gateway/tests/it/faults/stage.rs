//! A scene for a fault: gateways in front of a shop, each reaching its Redis through a relay of its own, and the crowd.

use std::time::Duration;

use gateway::{clock, entropy};
use queue_core::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::crowd::{Crowd, Manner};
use super::gauges::Gauges;
use super::judge::{Finding, Report, Seconds, judge, recoveries};
use super::record::{Facts, Kill, Limits, Window};
use super::relay::{Flow, Relay};
use super::shop::Shop;
use crate::journey::setup::Setup;
use crate::journey::usher::Gateway;
use crate::journey::wait::{eventually, within};

/// How many wait when the fault comes, unless the environment says so.
const CROWD: &str = "USHER_FAULTS_CROWD";
/// Replays a run's choices.
const SEED: &str = "USHER_FAULTS_SEED";
/// Tells each second of the run.
const TRACE: &str = "USHER_FAULTS_TRACE";

/// How long those who were in before the fault go on after it: their tickets must be good then too.
const INSIDERS_GO_ON: Duration = Duration::from_secs(3);

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
        Self { session_seconds: 14, ..self }
    }

    fn limits(&self) -> Limits {
        // Large enough that everybody gets in within half a minute: a slot is given again about every two seconds.
        let cohort = (self.waiting / 2).clamp(200, 1_500);
        Limits { total_active_users: cohort, per_second: cohort, burst: cohort / 4 }
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
    /// Each gateway's address of the store.
    stores: Vec<String>,
    kills: Vec<Kill>,
    began: Timestamp,
    fault: Window,
    /// Whether the fault is a partition with a primary on either side.
    pub(super) two_sides: bool,
    /// Whether whoever gave tokens without places is gone.
    pub(super) arrivals_forgotten: bool,
    _shop: Shop,
}

impl Stage {
    /// `gateways` of them, each behind a relay to the Redis at `port`.
    pub(super) async fn set(scene: Scene, gateways: usize, port: u16) -> Self {
        let relays: Vec<Relay> = (0..gateways).map(|_| Relay::to(port)).collect();
        let stores = relays.iter().map(Relay::url).collect();
        Self::set_behind(scene, relays, stores).await
    }

    /// `gateways` of them, which reach the store at `url` by themselves.
    pub(super) async fn set_at(scene: Scene, gateways: usize, url: String) -> Self {
        Self::set_behind(scene, Vec::new(), vec![url; gateways]).await
    }

    async fn set_behind(scene: Scene, relays: Vec<Relay>, stores: Vec<String>) -> Self {
        let seed = std::env::var(SEED).ok().map(|seed| seed.parse().expect("USHER_FAULTS_SEED is a number"));
        let seed = seed.unwrap_or_else(|| u64::from(u32::from_be_bytes(entropy::draw())));
        eprintln!("{}: {SEED}={seed} {CROWD}={}", scene.name, scene.waiting);
        let shop = Shop::open();
        // A crowd's access log would be all that a failed test shows.
        let quiet = "[telemetry]\naccess_log = false\n";
        let setup = Setup::before_address(shop.address).room(&scene.room()).more(quiet);
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
            stores,
            kills: Vec::new(),
            began: now,
            fault: Window { from: now, to: now },
            two_sides: false,
            arrivals_forgotten: false,
            _shop: shop,
        };
        stage.start_gateways().await;
        stage
    }

    /// One gateway for each address of the store.
    pub(super) async fn start_gateways(&mut self) {
        for store in &self.stores {
            self.setup.set_redis(store);
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
        self.crowd.stays_for(Duration::from_secs(6));
        self.crowd.comes(self.scene.insiders, 100, Manner::Insider);
        let insiders = self.scene.insiders;
        let all_in = async || (self.crowd.inside() >= insiders).then_some(());
        eventually("the insiders are in", all_in).await;
        let waiting = self.scene.waiting;
        let cohort = self.scene.limits().total_active_users;
        let per_second = FILL_PER_SECOND.min(waiting);
        self.crowd.comes(waiting + cohort, per_second, Manner::Shopper);
        // Those who entered meanwhile are made up for.
        within(FILL_PATIENCE, "the line is long enough", async || {
            let missing = waiting.saturating_sub(self.crowd.waiting());
            if missing > 0 && self.crowd.have_all_come() {
                self.crowd.comes(missing, per_second, Manner::Shopper);
            }
            (missing <= waiting / 20).then_some(())
        })
        .await;
        if !rush.is_zero() {
            let count = (rush.as_secs_f64() * f64::from(RUSH_PER_SECOND)) as u32;
            self.crowd.comes(count, RUSH_PER_SECOND, Manner::Shopper);
        }
        self.goes_on().await;
    }

    /// Something of that name is killed now.
    pub(super) fn kills(&mut self, what: &str) {
        let at = clock::now();
        if self.kills.is_empty() {
            self.fault.from = at;
        }
        self.kills.push(Kill { what: what.to_owned(), at });
    }

    /// Until the seed says so.
    pub(super) async fn goes_on(&mut self) {
        let moment = Duration::from_millis(self.rng.random_range(200..1_200));
        self.lasts(moment).await;
    }

    /// From now on something is broken.
    pub(super) fn breaks(&mut self) {
        self.fault.from = clock::now();
    }

    /// What is broken is made whole now; and the crowd hurries.
    pub(super) fn heals(&mut self) {
        self.heals_at(clock::now());
    }

    /// It was broken until `at`, and is whole.
    pub(super) fn heals_at(&mut self, at: Timestamp) {
        self.fault.to = at;
        self.crowd.stays_for(Duration::from_millis(300));
    }

    /// The fault lasts: its length, not a wait for anything.
    pub(super) async fn lasts(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Switches every gateway's way to its store.
    pub(super) fn all_relays(&self, flow: Flow) {
        self.relays.iter().for_each(|relay| relay.set(flow));
    }

    /// Leads every gateway to another server.
    pub(super) fn all_lead_to(&self, port: u16) {
        self.relays.iter().for_each(|relay| relay.lead_to(port));
    }

    /// SIGKILL for all gateways.
    pub(super) async fn gateways_die(&mut self) {
        for gateway in &self.gateways {
            gateway.process.signal("KILL");
        }
        for mut gateway in self.gateways.drain(..) {
            gateway.process.ended().await;
        }
    }

    /// Lets everybody finish, for so long at most, and judges.
    pub(super) async fn ends(self, patience: Duration) -> Judged {
        tokio::time::sleep(INSIDERS_GO_ON).await;
        self.crowd.insiders_leave();
        self.crowd.has_gone(patience).await;
        let facts = Facts {
            visitors: self.crowd.records(),
            gauges: self.gauges.seen(),
            limits: self.scene.limits(),
            fault: self.fault,
            two_sides: self.two_sides,
            arrivals_forgotten: self.arrivals_forgotten,
        };
        if std::env::var_os(TRACE).is_some() {
            eprintln!("{}", Seconds { facts: &facts, began: self.began });
        }
        let findings = judge(&facts);
        let report = Report::of(&facts);
        eprintln!("{}: {report}; over after {:.1} s", self.scene.name, clock::now().since(self.began).as_secs_f64());
        for recovery in recoveries(&facts, &self.kills) {
            eprintln!("{}: {recovery}", self.scene.name);
        }
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
