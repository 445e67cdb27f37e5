//! The connection beside the one that steps go through, and one question on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;

use super::super::link::{Connection, info};
use super::WAIT;
use crate::high_water::HighWater;
use crate::store::StoreError;

/// How long the number of replicas is believed: a new one is waited for this late.
const REPLICAS_KNOWN_FOR: Duration = Duration::from_secs(1);

/// How long a replica that has gone is still waited for: in vain, so that nobody is let in. A primary that lost its replicas
/// may have been cut off from them, and one of them may serve in its place: Sentinels with their default of 30 s have
/// decided by then, and a replica that was only started again is back.
const REPLICAS_REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Beyond WAIT, for the way there and back.
const MARGIN: Duration = Duration::from_millis(200);

/// The number of replicas is to be asked.
const UNKNOWN: u32 = u32::MAX;

const SCRIPT: &str = include_str!("../confirm.lua");

/// A connection to the same server beside the one that steps go through: WAIT holds up everything behind it.
pub(super) struct Beside {
    connection: Connection,
    of: Connection,
    broken: AtomicBool,
    /// By key: in a cluster every room may have its own primary.
    rooms: Mutex<HashMap<String, Arc<Room>>>,
}

struct Room {
    /// Replicas that must answer, or [`UNKNOWN`].
    replicas: AtomicU32,
    /// The most that were online lately of the primary with this replication id: one that takes over has another.
    most: Mutex<(String, u32)>,
    /// One question at a time for a room: with a replica that hangs they would pile up behind each other.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Beside {
    pub(super) fn new(connection: Connection, of: Connection) -> Self {
        Self { connection, of, broken: AtomicBool::new(false), rooms: Mutex::default() }
    }

    /// Whether this stands beside that connection and can still be used.
    pub(super) fn is_of(&self, used: &Connection) -> bool {
        self.of.is(used) && !self.broken.load(Ordering::Relaxed)
    }

    /// Whether every replica that is online has the room as it was at `mark`.
    pub(super) async fn confirm(self: &Arc<Self>, key: &str, mark: &HighWater) -> Result<bool, StoreError> {
        let room = self.room(key);
        if room.replicas.load(Ordering::Relaxed) == 0 {
            return Ok(true);
        }
        let asking = room.asking.clone().lock_owned().await;
        let (beside, key, mark) = (self.clone(), key.to_owned(), *mark);
        // Of its own, so that the next question begins only when this one is answered, not when its asker gave up.
        let question = tokio::spawn(async move {
            let _asking = asking;
            let answer = tokio::time::timeout(WAIT + MARGIN, beside.ask(&room, &key, &mark)).await;
            let answer = answer.unwrap_or(Err(StoreError::Timeout));
            if answer.is_err() {
                beside.broken.store(true, Ordering::Relaxed);
            }
            answer
        });
        question.await.unwrap_or_else(|_| Err(StoreError::Io("the question was broken off".to_owned())))
    }

    async fn ask(&self, room: &Arc<Room>, key: &str, mark: &HighWater) -> Result<bool, StoreError> {
        let replicas = match room.replicas.load(Ordering::Relaxed) {
            UNKNOWN => self.count(room, key).await?,
            known => known,
        };
        if replicas == 0 {
            return Ok(true);
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(SCRIPT).arg(1).arg(key).arg(mark.life.mark().score()).arg(mark.version);
        pipeline.cmd("WAIT").arg(replicas).arg(WAIT.as_millis() as u64);
        match self.connection.all(key, pipeline).await?.as_slice() {
            [Value::Int(1), Value::Int(reached)] => Ok(*reached >= i64::from(replicas)),
            // The server does not have what is to be confirmed.
            [Value::Int(0), Value::Int(_)] => Ok(false),
            other => Err(StoreError::Script(format!("an answer to WAIT that cannot be read: {other:?}"))),
        }
    }

    async fn count(&self, room: &Arc<Room>, key: &str) -> Result<u32, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").arg("replication");
        let answers = self.connection.all(key, pipeline).await?;
        let told = answers.first().map(info::text).unwrap_or_default();
        let replicas = online_replicas(&told)
            .ok_or_else(|| StoreError::ReadOnly("the server of the room is no primary now".to_owned()))?;
        let needed = room.needed(info::field(&told, "master_replid").unwrap_or_default(), replicas);
        if needed > replicas {
            let room = room.clone();
            tokio::spawn(async move {
                tokio::time::sleep(REPLICAS_REMEMBERED_FOR).await;
                room.give_up(replicas);
            });
        }
        room.replicas.store(needed, Ordering::Relaxed);
        let room = room.clone();
        tokio::spawn(async move {
            tokio::time::sleep(REPLICAS_KNOWN_FOR).await;
            room.replicas.store(UNKNOWN, Ordering::Relaxed);
        });
        Ok(needed)
    }

    fn room(&self, key: &str) -> Arc<Room> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(key) {
            return room.clone();
        }
        let room = Arc::new(Room { replicas: AtomicU32::new(UNKNOWN), most: Mutex::default(), asking: Arc::default() });
        rooms.insert(key.to_owned(), room.clone());
        room
    }
}

impl Room {
    /// How many replicas must answer, when so many are online.
    fn needed(&self, primary: &str, online: u32) -> u32 {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        if most.0 != primary {
            *most = (primary.to_owned(), 0);
        }
        most.1 = most.1.max(online);
        most.1
    }

    /// Whoever is still missing is gone for good.
    fn give_up(&self, online: u32) {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        most.1 = most.1.min(online);
    }
}

/// How many replicas are online, of what INFO says about replication; `None` when this is no primary.
fn online_replicas(replication: &str) -> Option<u32> {
    if info::field(replication, "role") != Some("master") {
        return None;
    }
    let online = |line: &&str| line.starts_with("slave") && line.contains("state=online");
    u32::try_from(replication.lines().filter(online).count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A replica that has gone is missed until it is given up; a primary that took over misses nobody.
    #[test]
    fn a_replica_that_has_gone_is_missed() {
        let room = Room { replicas: AtomicU32::new(UNKNOWN), most: Mutex::default(), asking: Arc::default() };
        assert_eq!((room.needed("a", 2), room.needed("a", 1), room.needed("a", 0)), (2, 2, 2));
        assert_eq!(room.needed("b", 0), 0);
        assert_eq!((room.needed("b", 1), room.needed("b", 0)), (1, 1));
        room.give_up(0);
        assert_eq!(room.needed("b", 0), 0);
    }

    /// Only replicas that have caught up count, and only what a primary says.
    #[test]
    fn replicas_are_counted() {
        let three = "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n\
                     slave0:ip=10.0.0.1,port=6379,state=online,offset=14,lag=0\r\n\
                     slave1:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
                     slave2:ip=10.0.0.3,port=6379,state=online,offset=14,lag=1\r\n";
        assert_eq!(online_replicas(three), Some(2));
        assert_eq!(online_replicas("role:master\r\nconnected_slaves:0\r\n"), Some(0));
        assert_eq!(online_replicas("role:slave\r\nslave0:state=online\r\n"), None);
    }
}
