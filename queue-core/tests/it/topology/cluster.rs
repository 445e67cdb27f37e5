//! A cluster: rooms lie on different nodes, and each call goes to the one in charge.

use std::net::TcpListener;
use std::time::Duration;

use queue_core::store::{Joined, StoreError};

use super::ask::ask;
use super::gateway::{DEADLINE, Gateway, TOLERANCE};
use crate::support::redis_server::RedisServer;
use crate::support::wait::{eventually, measured};

const SLOTS: [(u16, u16); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

/// Rooms enough that every node has some.
const ROOMS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Three primaries that share the slots.
pub(crate) struct Cluster(Vec<RedisServer>);

impl Cluster {
    /// `None` where there is no Redis.
    pub(crate) async fn start() -> Option<Self> {
        let nodes = SLOTS.iter().map(|_| node()).collect::<Option<Vec<_>>>()?;
        for ((node, _), (first, last)) in nodes.iter().zip(SLOTS) {
            let slots = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            assert_eq!(ask(node, None, &slots).await, "OK");
        }
        for (node, bus) in &nodes[1..] {
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus.to_string()];
            assert_eq!(ask(&nodes[0].0, None, &meet).await, "OK");
        }
        let cluster = Self(nodes.into_iter().map(|(node, _)| node).collect());
        cluster.agrees().await;
        Some(cluster)
    }

    /// A replica of the first node, the last one of the list from now on.
    async fn add_replica(&mut self) {
        let (replica, bus) = node().unwrap();
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &replica.port().to_string(), &bus.to_string()];
        assert_eq!(ask(&self.0[0], None, &meet).await, "OK");
        self.0.push(replica);
        self.agrees().await;
        let (primary, replica) = (&self.0[0], &self.0[3]);
        let id = ask(primary, None, &["CLUSTER", "MYID"]).await;
        assert_eq!(ask(replica, None, &["CLUSTER", "REPLICATE", &id]).await, "OK");
        let follows = async || {
            let info = ask(primary, None, &["INFO", "replication"]).await;
            info.contains("state=online").then_some(())
        };
        eventually("a replica that follows", follows).await;
    }

    /// Waits until every node knows who has which slot.
    async fn agrees(&self) {
        let nodes = format!("cluster_known_nodes:{}", self.0.len());
        for node in &self.0 {
            let knows = async || {
                let info = ask(node, None, &["CLUSTER", "INFO"]).await;
                let all = info.contains("cluster_slots_ok:16384") && info.contains(&nodes);
                (all && info.contains("cluster_state:ok")).then_some(())
            };
            eventually("a node that knows all slots", knows).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.0.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    fn gateway(&self) -> Gateway {
        Gateway::at(&self.url())
    }

    /// The node in charge of a room, and the others.
    pub(crate) async fn split_at(mut self, room: &str) -> (RedisServer, Vec<RedisServer>) {
        let node = self.node_of(room).await;
        (self.0.remove(node), self.0)
    }

    /// A room on each of the first three nodes.
    async fn a_room_each(&self) -> [&'static str; 3] {
        let mut rooms = [None; 3];
        for room in ROOMS {
            rooms[self.node_of(room).await] = Some(room);
        }
        rooms.map(Option::unwrap)
    }

    /// The node in charge of a room.
    async fn node_of(&self, room: &str) -> usize {
        let slot = ask(&self.0[0], None, &["CLUSTER", "KEYSLOT", &format!("usher:{{{room}}}")]).await;
        let slot: u16 = slot.parse().unwrap();
        SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot)).unwrap()
    }
}

/// A node and the port of its bus. The bus usually listens 10,000 ports above the server, and a free port may have none there.
fn node() -> Option<(RedisServer, u16)> {
    let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = RedisServer::start_with(|port, _| {
        let (port, bus) = (port.to_string(), bus.to_string());
        let options = ["--port", &port, "--cluster-port", &bus, "--cluster-enabled", "yes"];
        let more = ["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"];
        let replicas = ["--repl-diskless-sync-delay", "0"];
        options.iter().chain(&more).chain(&replicas).map(ToString::to_string).collect()
    })?;
    Some((node, bus))
}

/// Every operation of rooms on every node, also right after a node has forgotten all scripts, and for a room whose slot
/// has moved to another node; nothing waits longer than its deadline.
#[tokio::test]
async fn rooms_lie_on_different_nodes() {
    let Some(cluster) = Cluster::start().await else { return };
    let mut gateway = cluster.gateway();
    eventually("a room", async || gateway.open(1).await.ok()).await;
    for room in ROOMS {
        gateway.turn_to(room);
        gateway.every_operation().await.unwrap();
    }
    for node in &cluster.0 {
        let keys: u32 = ask(node, None, &["DBSIZE"]).await.parse().unwrap();
        assert!(keys > 0, "a node without a room");
    }
    assert_eq!(ask(&cluster.0[1], None, &["SCRIPT", "FLUSH", "SYNC"]).await, "OK");
    for room in ROOMS {
        gateway.turn_to(room);
        let (answer, took) = measured(gateway.join(7)).await;
        answer.unwrap();
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    }

    let room = "moved";
    let (from, slot) =
        (cluster.node_of(room).await, ask(&cluster.0[0], None, &["CLUSTER", "KEYSLOT", "{moved}"]).await);
    let to = ask(&cluster.0[(from + 1) % 3], None, &["CLUSTER", "MYID"]).await;
    for node in &cluster.0 {
        assert_eq!(ask(node, None, &["CLUSTER", "SETSLOT", &slot, "NODE", &to]).await, "OK");
    }
    gateway.turn_to(room);
    gateway.every_operation().await.unwrap();
}

/// One node dies: the rooms of the others go on, those of the dead one are refused in time, and are there again when it is.
#[tokio::test]
async fn a_dead_node_concerns_only_its_rooms() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let mut gateway = cluster.gateway();
    let [first, second, third] = cluster.a_room_each().await;
    for room in [first, second, third] {
        gateway.turn_to(room);
        eventually("a room", async || gateway.open(1).await.ok()).await;
    }
    cluster.0[1].kill();
    for _ in 0..10 {
        gateway.turn_to(second);
        let (answer, took) = measured(gateway.join(1)).await;
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
        assert!(matches!(answer, Err(StoreError::Io(_) | StoreError::Timeout | StoreError::Loading(_))), "{answer:?}");
    }
    for room in [first, third] {
        gateway.turn_to(room);
        let (_, took) = eventually("a join on a living node", async || gateway.join(1).await.ok()).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    cluster.0[1].start_again();
    gateway.turn_to(second);
    let (_, took) = eventually("the room of the node that came back", async || gateway.open(2).await.ok()).await;
    println!("the room of a restarted node is there after {took:?}");
}

/// A node stands still, with open connections: the rooms of the others go on, and its own are refused in time.
#[tokio::test]
async fn a_node_that_stands_still() {
    let Some(cluster) = Cluster::start().await else { return };
    let mut gateway = cluster.gateway();
    let [first, second, third] = cluster.a_room_each().await;
    for room in [first, second, third] {
        gateway.turn_to(room);
        eventually("a room", async || gateway.open(1).await.ok()).await;
    }
    cluster.0[1].freeze();
    let mut living = 0;
    for number in 0..20 {
        for room in [second, first, third] {
            gateway.turn_to(room);
            let (answer, took) = measured(gateway.join(number)).await;
            assert!(took < DEADLINE + TOLERANCE, "{took:?}");
            living += u32::from(answer.is_ok());
        }
    }
    assert!(living >= 38, "only {living} of 40 joins of the other nodes' rooms while one node stood still");
    cluster.0[1].thaw();
    gateway.turn_to(second);
    eventually("the room again", async || gateway.join(1).await.ok()).await;
}

/// Where a node has a replica, an admission waits for it, whatever the other nodes do; and when the node dies, its replica
/// takes its place and knows who was let in.
#[tokio::test]
async fn admissions_survive_the_death_of_a_node() {
    let Some(mut cluster) = Cluster::start().await else { return };
    cluster.add_replica().await;
    let mut gateway = cluster.gateway();
    let [replicated, alone, _] = cluster.a_room_each().await;
    for room in [alone, replicated] {
        gateway.turn_to(room);
        eventually("a room", async || gateway.open(1).await.ok()).await;
    }
    let entered = async |gateway: &mut Gateway| match gateway.join(1).await {
        Ok(joined @ Joined::Admitted { .. }) => Some(joined),
        _ => None,
    };
    let (admitted, _) = eventually("an entry", async || entered(&mut gateway).await).await;

    cluster.0[3].freeze();
    let (joined, took) = measured(gateway.join(2)).await;
    assert!(matches!(joined, Ok(Joined::Unconfirmed { .. })), "{joined:?}");
    assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    gateway.turn_to(alone);
    eventually("an entry where there is no replica", async || entered(&mut gateway).await).await;
    cluster.0[3].thaw();

    gateway.turn_to(replicated);
    let waiting = async || matches!(gateway.join(2).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry once the replica goes on", waiting).await;
    cluster.0[0].kill();
    let (again, took) = eventually("an answer of the replica", async || gateway.join(1).await.ok()).await;
    println!("a room of a killed node is answered by its replica after {took:?}");
    assert_eq!(again, admitted);
}

/// A node that hangs with open connections: its replica takes its place, and its rooms are answered there.
#[tokio::test]
async fn a_hanging_node_is_replaced() {
    let Some(mut cluster) = Cluster::start().await else { return };
    cluster.add_replica().await;
    let mut gateway = cluster.gateway();
    let [replicated, ..] = cluster.a_room_each().await;
    gateway.turn_to(replicated);
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let entered = async || matches!(gateway.join(1).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry, which the replica has", entered).await;
    cluster.0[0].freeze();
    let (_, took) = eventually("an answer of the replica", async || {
        let (answer, took) = measured(gateway.join(1)).await;
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
        answer.ok()
    })
    .await;
    println!("a room of a hanging node is answered by its replica after {took:?}");
    cluster.0[0].thaw();
}
