//! Two gateways, one Redis: one line.

use std::collections::BTreeSet;

use super::ask::Ask;
use super::credential::read_token;
use super::origin::Origin;
use super::redis_server::RedisServer;
use super::setup::Setup;
use super::usher::Gateway;
use super::visitor::Visitor;
use super::wait::{PATIENCE, within};

/// An ended session's ticket is refused everywhere within this time.
const KNOWN_EVERYWHERE: std::time::Duration = std::time::Duration::from_secs(1);

struct Pair {
    origin: Origin,
    setup: Setup,
    gateways: [Gateway; 2],
    _redis: RedisServer,
}

impl Pair {
    /// `None` where there is no Redis.
    async fn of(room: &str) -> Option<Self> {
        let redis = RedisServer::start()?;
        let origin = Origin::start().await;
        let setup = Setup::before(&origin)
            .redis(&redis.url())
            .room(room)
            .room("new_users_per_minute = 60_000\npoll_interval = { min = \"250ms\", max = \"1s\" }\n");
        let gateways = [Gateway::ready(&setup).await, Gateway::ready(&setup).await];
        Some(Self { origin, setup, gateways, _redis: redis })
    }
}

/// Places are dense over both gateways, everybody has exactly one, and both show the same position for it; a token and
/// a ticket of one are good at the other.
#[tokio::test]
async fn two_gateways_have_one_line() {
    let Some(pair) = Pair::of("total_active_users = 1\n").await else { return };
    let mut insider = pair.gateways[0].admitted().await.moved_to(pair.gateways[1].address);
    insider.send(Ask::get("/")).await.expect(200);
    insider.enters().await;

    const VISITORS: usize = 40;
    let mut joins = tokio::task::JoinSet::new();
    for gateway in pair.gateways.iter().cycle().take(VISITORS) {
        let mut visitor = gateway.visitor();
        joins.spawn(async move {
            visitor.join().await;
            visitor
        });
    }
    let ring = pair.setup.ring();
    let place = |visitor: &Visitor| read_token(&ring, &visitor.token().unwrap()).place;
    let mut line = joins.join_all().await;
    line.sort_by_key(place);
    let places: BTreeSet<u32> = line.iter().map(|visitor| place(visitor).sequence.get()).collect();
    let first = *places.first().unwrap();
    assert!(places.iter().copied().eq(first..first + VISITORS as u32), "dense and each once: {places:?}");

    for (index, visitor) in line.iter().enumerate() {
        for gateway in &pair.gateways {
            visitor.moved_to(gateway.address).stands_at(index as u64 + 1).await;
        }
    }
    line.remove(7).moved_to(pair.gateways[1].address).leave().await;
    for gateway in &pair.gateways {
        line[7].moved_to(gateway.address).stands_at(8).await;
        line[38].moved_to(gateway.address).stands_at(39).await;
    }
}

/// A visit completed at one gateway is over at the other within a second.
#[tokio::test]
async fn the_end_of_a_visit_is_known_everywhere() {
    let Some(pair) = Pair::of("total_active_users = 1\n").await else { return };
    let mut insider = pair.gateways[0].admitted().await;
    let ticket = insider.ticket().unwrap();
    // Both have the ticket in memory: it must not outlive its session there.
    for gateway in &pair.gateways {
        gateway.send(Ask::get("/").header("usher-ticket", &ticket)).await.expect(200);
    }
    insider.send(Ask::get("/session/complete")).await.expect(200);
    let began = gateway::clock::monotonic();
    for gateway in &pair.gateways {
        let left = KNOWN_EVERYWHERE.saturating_sub(gateway::clock::monotonic().duration_since(began));
        within(left, "the ended ticket is refused", async || {
            let answer = gateway.send(Ask::get("/").header("usher-ticket", &ticket)).await;
            (answer.status == 429).then_some(())
        })
        .await;
    }
    // A gateway that starts later knows it before it is ready.
    let late = Gateway::ready(&pair.setup).await;
    late.send(Ask::get("/").header("usher-ticket", &ticket)).await.expect(429);
}

/// N6, N13 over both gateways: the cohort is never above its limit, everybody gets in once and in turn, nobody twice.
#[tokio::test]
async fn the_cohort_is_one() {
    const LIMIT: usize = 3;
    const VISITORS: usize = 24;
    let Some(pair) = Pair::of("total_active_users = 3\n").await else { return };
    let mut line: Vec<Visitor> = Vec::new();
    let mut inside: Vec<Visitor> = Vec::new();
    for (index, gateway) in pair.gateways.iter().cycle().take(VISITORS).enumerate() {
        let mut visitor = gateway.visitor();
        let document = visitor.join().await;
        if document["state"] == "admitted" {
            inside.push(visitor);
        } else {
            assert!(index >= LIMIT, "{document}");
            line.push(visitor);
        }
    }
    assert_eq!(inside.len(), LIMIT);
    let mut rounds = 0;
    let began = gateway::clock::monotonic();
    while !line.is_empty() {
        assert!(gateway::clock::monotonic().duration_since(began) < PATIENCE * 2, "{} still wait", line.len());
        // One leaves; then everybody who waits asks once, now at one gateway and now at the other.
        rounds += 1;
        let mut leaver = inside.remove(0);
        leaver.send(Ask::get("/session/complete")).await.expect(200);
        let mut waiting = Vec::new();
        for (index, visitor) in line.drain(..).enumerate() {
            let mut visitor = visitor.moved_to(pair.gateways[(rounds + index) % 2].address);
            let answer = visitor.poll("").await;
            let admitted = answer.status == 200 && answer.json()["state"] == "admitted";
            if admitted { inside.push(visitor) } else { waiting.push(visitor) }
        }
        line = waiting;
        assert!(inside.len() <= LIMIT, "{} are in", inside.len());
        for gateway in &pair.gateways {
            let sessions = gateway.metrics().await.value("usher_active_sessions{room=\"concert\"}");
            assert!(sessions <= LIMIT as f64, "{sessions} sessions");
        }
        if inside.is_empty() {
            let next = line.first_mut().unwrap();
            next.enters().await;
            inside.push(line.remove(0));
        }
    }
    let visitors: BTreeSet<String> =
        pair.origin.seen().iter().map(|seen| seen.header("usher-visitor").to_owned()).collect();
    assert!(visitors.len() >= VISITORS - LIMIT, "{} came through", visitors.len());
    let admissions: f64 = {
        let mut sum = 0.0;
        for gateway in &pair.gateways {
            sum += gateway.metrics().await.value("usher_admissions_total{room=\"concert\"}");
        }
        sum
    };
    assert_eq!(admissions, VISITORS as f64, "each entered once");
}
