//! Redis servers to be broken: each with its own port and directory, gone with its guard.

mod node;
mod running;
mod sentinels;
mod watched;
mod wire;

pub(super) use self::node::{Keeps, Node};
use self::sentinels::Sentinels;
pub(super) use self::watched::Watched;
use crate::journey::wait::eventually;

/// What the faults stand on: a replica has the primary's data, sentinels promote it when the primary is killed, and
/// whoever asks them learns of it.
#[tokio::test]
async fn sentinels_promote_the_replica() {
    let Some(mut primary) = Node::start(Keeps::Nothing) else { return };
    let Some(replica) = Node::start(Keeps::Nothing) else { return };
    primary.must(&["SET", "seat", "4"]);
    replica.follow(primary.port()).await;
    let sentinels = Sentinels::watch(&primary);
    eventually("they know each other", async || sentinels.know_everything(1).then_some(())).await;
    assert_eq!(sentinels.primary(), Some(primary.port()), "{}", sentinels.url());
    primary.kill();
    let promoted = async || (sentinels.primary() == Some(replica.port())).then_some(());
    eventually("the replica is promoted", promoted).await;
    eventually("it takes writes", async || replica.may(&["SET", "row", "2"]).ok()).await;
    assert_eq!(replica.must(&["GET", "seat"]), "4");
}

/// A server comes back as it is told to: with nothing, with its last backup, or with every write.
#[tokio::test]
async fn servers_keep_what_they_are_to_keep() {
    for (keeps, left) in [(Keeps::Nothing, ""), (Keeps::Backups, "old"), (Keeps::Log, "new")] {
        let Some(mut node) = Node::start(keeps) else { return };
        node.must(&["SET", "seat", "old"]);
        if keeps == Keeps::Backups {
            node.back_up();
        }
        node.must(&["SET", "seat", "new"]);
        match keeps {
            Keeps::Backups => node.restore_backup(),
            Keeps::Nothing | Keeps::Log => {
                node.kill();
                node.start_again();
            }
        }
        assert_eq!(node.must(&["GET", "seat"]), left, "{keeps:?}");
    }
}
