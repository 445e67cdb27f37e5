//! Admissions that survive a fail-over: a visitor is let in only when every replica that is online has the session.
//!
//! A primary answers before its replicas know; one that takes its place then has not heard of the session, and somebody
//! else gets the slot. So after a step that admits somebody a small write follows on a connection of its own, and WAIT
//! tells how many replicas have it, and with it all that was written before. What is not confirmed is answered with "not
//! yet": the session stands, and the visitor's next question is answered with it.

mod round;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Sleep;

use self::round::Beside;
use super::RedisStore;
use super::link::{Connection, Link};
use crate::RoomId;
use crate::high_water::HighWater;
use crate::store::{Claimed, Joined, Stamped, StoreError};

/// How long WAIT waits: as long as the decision about one visitor may.
const WAIT: Duration = Duration::from_millis(50);

/// Confirms steps on the server that carried them out.
pub(super) struct Confirmer {
    link: Arc<Link>,
    /// Held while connecting, which goes on when whoever asked has stopped waiting.
    beside: Arc<Mutex<Option<Arc<Beside>>>>,
}

impl Confirmer {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, beside: Arc::default() }
    }

    /// Whether every replica that is online has what `used` answered about the room with this key; at once when there is
    /// none. `used` was the connection before the step: had it been replaced since, nobody knows where the step was
    /// carried out.
    ///
    /// # Errors
    /// When the server could not be asked.
    async fn confirm(&self, used: &Connection, key: &str, mark: &HighWater) -> Result<bool, StoreError> {
        if !self.link.current().is_some_and(|current| current.is(used)) {
            return Ok(false);
        }
        self.beside(used).await?.confirm(key, mark).await
    }

    async fn beside(&self, used: &Connection) -> Result<Arc<Beside>, StoreError> {
        let mut beside = self.beside.clone().lock_owned().await;
        if let Some(beside) = beside.as_ref().filter(|beside| beside.is_of(used)) {
            return Ok(beside.clone());
        }
        let (link, used) = (self.link.clone(), used.clone());
        let connecting = tokio::spawn(async move {
            *beside = None;
            let made = Arc::new(Beside::new(link.beside(&used).await?, used));
            *beside = Some(made.clone());
            Ok(made)
        });
        connecting.await.unwrap_or_else(|_| Err(StoreError::Io("connecting was broken off".to_owned())))
    }
}

/// What a step's answer is confirmed with. Made before the step, so that both together keep the step's deadline.
pub(super) struct Confirmation<'a> {
    confirmer: &'a Confirmer,
    used: Option<Connection>,
    left: Pin<Box<Sleep>>,
}

impl RedisStore {
    /// To be made before a step that may admit somebody.
    pub(super) fn confirmation(&self) -> Confirmation<'_> {
        let left = Box::pin(tokio::time::sleep(self.deadline));
        Confirmation { confirmer: &self.confirmer, used: self.confirmer.link.current(), left }
    }
}

impl Confirmation<'_> {
    /// Who is admitted on every replica stays so; the others are told to ask again.
    pub(super) async fn claims(self, room: &RoomId, mut answer: Stamped<Vec<Claimed>>) -> Stamped<Vec<Claimed>> {
        let admitted = |claimed: &Claimed| matches!(claimed, Claimed::Admitted(_));
        if answer.value.iter().any(admitted) && !self.reached_all(room, &answer.mark).await {
            for claimed in &mut answer.value {
                if let Claimed::Admitted(session) = *claimed {
                    *claimed = Claimed::Unconfirmed(session);
                }
            }
        }
        answer
    }

    /// Who is let straight in on every replica is in; the others get their place. Not an error: it would be one for
    /// everybody in the batch, and who asks again without a token is somebody else. The place leads to the same session,
    /// by the first claim that is confirmed.
    pub(super) async fn joins(self, room: &RoomId, mut answer: Stamped<Vec<Joined>>) -> Stamped<Vec<Joined>> {
        let admitted = |joined: &Joined| matches!(joined, Joined::Admitted { .. });
        if answer.value.iter().any(admitted) && !self.reached_all(room, &answer.mark).await {
            for joined in &mut answer.value {
                if let Joined::Admitted { place, session } = *joined {
                    *joined = Joined::Unconfirmed { place, session };
                }
            }
        }
        answer
    }

    async fn reached_all(mut self, room: &RoomId, mark: &HighWater) -> bool {
        let Some(used) = self.used else { return false };
        let key = super::key(room);
        let confirmed = tokio::select! {
            biased;
            confirmed = self.confirmer.confirm(&used, &key, mark) => confirmed,
            () = &mut self.left => Err(StoreError::Timeout),
        };
        match confirmed {
            Ok(confirmed) => confirmed,
            Err(error) => {
                tracing::debug!(%room, %error, "an admission could not be confirmed");
                false
            }
        }
    }
}
