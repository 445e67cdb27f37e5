//! A cluster: rooms lie on different nodes, and each call goes to the one in charge.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use queue_core::store::{Joined, StoreError};

use super::ask::{ask, ask_over_tls};
use super::gateway::{DEADLINE, Gateway, TOLERANCE};
use super::tls::Authority;
use crate::support::redis_server::RedisServer;
use crate::support::wait::{eventually, measured};

const SLOTS: [(u16, u16); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

/// Rooms enough that every node has some.
pub(super) const ROOMS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Three primaries that share the slots.
pub(crate) struct Cluster {
    pub(super) nodes: Vec<RedisServer>,
    /// Who vouches for the nodes, which then speak only TLS and ask everybody for a certificate.
    tls: Option<Arc<Authority>>,
}

impl Cluster {
    /// `None` where there is no Redis.
    pub(crate) async fn start() -> Option<Self> {
        Self::of(None).await
    }

    /// With TLS and nothing else, between the nodes too. `None` where there is no Redis.
    pub(super) async fn start_with_tls(authority: Arc<Authority>) -> Option<Self> {
        Self::of(Some(authority)).await
    }

    async fn of(tls: Option<Arc<Authority>>) -> Option<Self> {
        let nodes = SLOTS.iter().map(|_| node(tls.as_deref())).collect::<Option<Vec<_>>>()?;
        let (nodes, buses): (_, Vec<_>) = nodes.into_iter().unzip();
        let cluster = Self { nodes, tls };
        for (node, (first, last)) in cluster.nodes.iter().zip(SLOTS) {
            let slots = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            assert_eq!(cluster.ask(node, &slots).await, "OK");
        }
        for (node, bus) in cluster.nodes.iter().zip(buses).skip(1) {
            cluster.meet(node, bus).await;
        }
        cluster.agrees().await;
        Some(cluster)
    }

    /// What a node answers.
    pub(super) async fn ask(&self, node: &RedisServer, words: &[&str]) -> String {
        match &self.tls {
            None => ask(node, None, words).await,
            Some(authority) => ask_over_tls(authority.host, node, authority.certificates(), words).await,
        }
    }

    /// The first node gets to know another.
    async fn meet(&self, node: &RedisServer, bus: u16) {
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus.to_string()];
        assert_eq!(self.ask(&self.nodes[0], &meet).await, "OK");
    }

    /// A replica of the first node, the last one of the list from now on.
    pub(super) async fn add_replica(&mut self) {
        let (replica, bus) = node(self.tls.as_deref()).unwrap();
        self.meet(&replica, bus).await;
        self.nodes.push(replica);
        self.agrees().await;
        let (primary, replica) = (&self.nodes[0], &self.nodes[3]);
        let id = self.ask(primary, &["CLUSTER", "MYID"]).await;
        assert_eq!(self.ask(replica, &["CLUSTER", "REPLICATE", &id]).await, "OK");
        let follows = async || {
            let info = self.ask(primary, &["INFO", "replication"]).await;
            info.contains("state=online").then_some(())
        };
        eventually("a replica that follows", follows).await;
    }

    /// Waits until every node knows who has which slot.
    async fn agrees(&self) {
        let nodes = format!("cluster_known_nodes:{}", self.nodes.len());
        for node in &self.nodes {
            let knows = async || {
                let info = self.ask(node, &["CLUSTER", "INFO"]).await;
                let all = info.contains("cluster_slots_ok:16384") && info.contains(&nodes);
                (all && info.contains("cluster_state:ok")).then_some(())
            };
            eventually("a node that knows all slots", knows).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        let (scheme, host) = self.tls.as_ref().map_or(("redis", "127.0.0.1"), |authority| ("rediss", authority.host));
        let hosts: Vec<_> = self.nodes.iter().map(|node| format!("{host}:{}", node.port())).collect();
        format!("{scheme}+cluster://{}", hosts.join(","))
    }

    fn gateway(&self) -> Gateway {
        Gateway::at(&self.url())
    }

    /// The node in charge of a room, and the others.
    pub(crate) async fn split_at(mut self, room: &str) -> (RedisServer, Vec<RedisServer>) {
        let node = self.node_of(room).await;
        (self.nodes.remove(node), self.nodes)
    }

    /// A room on each of the first three nodes.
    pub(super) async fn a_room_each(&self) -> [&'static str; 3] {
        let mut rooms = [None; 3];
        for room in ROOMS {
            rooms[self.node_of(room).await] = Some(room);
        }
        rooms.map(Option::unwrap)
    }

    /// The node in charge of a room.
    async fn node_of(&self, room: &str) -> usize {
        let slot = self.ask(&self.nodes[0], &["CLUSTER", "KEYSLOT", &format!("usher:{{{room}}}")]).await;
        let slot: u16 = slot.parse().unwrap();
        SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot)).unwrap()
    }
}

/// A node and the port of its bus. The bus usually listens 10,000 ports above the server, and a free port may have none there.
fn node(tls: Option<&Authority>) -> Option<(RedisServer, u16)> {
    let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = RedisServer::start_with(|port, _| {
        let bus = bus.to_string();
        let listens = match tls {
            None => vec!["--port".to_owned(), port.to_string()],
            Some(authority) => authority.options_of_a_node(port),
        };
        let options = ["--cluster-port", &bus, "--cluster-enabled", "yes"];
        let more = ["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"];
        let replicas = ["--repl-diskless-sync-delay", "0"];
        let own = options.iter().chain(&more).chain(&replicas).map(ToString::to_string);
        listens.into_iter().chain(own).collect()
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
    for node in &cluster.nodes {
        let keys: u32 = ask(node, None, &["DBSIZE"]).await.parse().unwrap();
        assert!(keys > 0, "a node without a room");
    }
    assert_eq!(ask(&cluster.nodes[1], None, &["SCRIPT", "FLUSH", "SYNC"]).await, "OK");
    for room in ROOMS {
        gateway.turn_to(room);
        let (answer, took) = measured(gateway.join(7)).await;
        answer.unwrap();
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    }

    let room = "moved";
    let (from, slot) =
        (cluster.node_of(room).await, ask(&cluster.nodes[0], None, &["CLUSTER", "KEYSLOT", "{moved}"]).await);
    let to = ask(&cluster.nodes[(from + 1) % 3], None, &["CLUSTER", "MYID"]).await;
    for node in &cluster.nodes {
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
    cluster.nodes[1].kill();
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
    cluster.nodes[1].start_again();
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
    cluster.nodes[1].freeze();
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
    cluster.nodes[1].thaw();
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

    cluster.nodes[3].freeze();
    let (joined, took) = measured(gateway.join(2)).await;
    assert!(matches!(joined, Ok(Joined::Unconfirmed { .. })), "{joined:?}");
    assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    gateway.turn_to(alone);
    eventually("an entry where there is no replica", async || entered(&mut gateway).await).await;
    cluster.nodes[3].thaw();

    gateway.turn_to(replicated);
    let waiting = async || matches!(gateway.join(2).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry once the replica goes on", waiting).await;
    cluster.nodes[0].kill();
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
    cluster.nodes[0].freeze();
    let (_, took) = eventually("an answer of the replica", async || {
        let (answer, took) = measured(gateway.join(1)).await;
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
        answer.ok()
    })
    .await;
    println!("a room of a hanging node is answered by its replica after {took:?}");
    cluster.nodes[0].thaw();
}
