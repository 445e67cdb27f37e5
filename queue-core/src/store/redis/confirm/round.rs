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

/// How long the number of replicas is believed. One that comes or goes is heard of this late: a new one is not waited
/// for, and for one that has gone everybody is told "not yet".
const REPLICAS_KNOWN_FOR: Duration = Duration::from_secs(1);

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
    /// Replicas that are online, or [`UNKNOWN`].
    replicas: AtomicU32,
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
        let replicas = answers.first().and_then(|answer| online_replicas(&info::text(answer)));
        let replicas =
            replicas.ok_or_else(|| StoreError::ReadOnly("the server of the room is no primary now".to_owned()))?;
        room.replicas.store(replicas, Ordering::Relaxed);
        let room = room.clone();
        tokio::spawn(async move {
            tokio::time::sleep(REPLICAS_KNOWN_FOR).await;
            room.replicas.store(UNKNOWN, Ordering::Relaxed);
        });
        Ok(replicas)
    }

    fn room(&self, key: &str) -> Arc<Room> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(key) {
            return room.clone();
        }
        let room = Arc::new(Room { replicas: AtomicU32::new(UNKNOWN), asking: Arc::default() });
        rooms.insert(key.to_owned(), room.clone());
        room
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
