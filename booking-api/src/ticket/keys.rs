//! Holds the gateway's current keys and the tickets that they proved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use queue_core::ticket::{AdmissionTicket, AdmissionVerifier, KeyError, LEEWAY, TokenError};
use queue_core::{RoomId, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::Notify;

use super::fetch::{self, KeysUrl};
use crate::metrics::Metrics;

/// Between two fetches when all is well: new keys are published before they are used.
const REFRESH: Duration = Duration::from_secs(60);
/// Until the first keys are there, and after failures: doubled up to [`MAX_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(10);
/// A ticket with an unknown key asks for a fetch, strangers' forgeries too: at most one in this time.
const UNKNOWN_KEY_REFRESH: Duration = Duration::from_secs(5);
/// Verified tickets remembered: more than any cohort that one such service serves.
const CACHED_TICKETS: usize = 16_384;

/// Verifies admission tickets of one room.
pub struct Tickets {
    room: RoomId,
    issuer: String,
    known: ArcSwapOption<Known>,
    /// When an unknown key last asked for a fetch, in microseconds.
    asked_at: AtomicU64,
    ask: Notify,
}

/// Keys, and what they proved. Other keys start with nothing proved.
struct Known {
    document: String,
    verifier: AdmissionVerifier,
    proved: Cache<String, AdmissionTicket>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// No ticket, or none that is good here.
    Required(&'static str),
    /// A good ticket whose session is over.
    Expired,
    /// The gateway's keys have not been seen yet: nothing can be decided.
    NoKeys,
}

impl Tickets {
    /// For tickets of `room` by `issuer`; knows no keys yet.
    pub fn new(room: RoomId, issuer: String) -> Self {
        let (known, ask) = (ArcSwapOption::empty(), Notify::new());
        Self { room, issuer, known, asked_at: AtomicU64::new(0), ask }
    }

    /// Takes over a key document; says whether it is another than before.
    ///
    /// # Errors
    /// [`KeyError`]: the document is not usable, the keys stay what they were.
    pub fn update(&self, document: &str) -> Result<bool, KeyError> {
        if self.known.load().as_deref().is_some_and(|known| known.document == document) {
            return Ok(false);
        }
        let verifier = AdmissionVerifier::from_jwks(document, &self.issuer)?;
        let (document, proved) = (document.to_owned(), Cache::new(CACHED_TICKETS));
        self.known.store(Some(Arc::new(Known { document, verifier, proved })));
        Ok(true)
    }

    /// Whether there are keys.
    pub(crate) fn has_keys(&self) -> bool {
        self.known.load().is_some()
    }

    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<&'static str, Denied> {
        let known = self.known.load();
        let Some(known) = known.as_deref() else { return Err(Denied::NoKeys) };
        if let Some(ticket) = known.proved.get(token) {
            return if now < ticket.expires_at + LEEWAY { Ok("cached") } else { Err(Denied::Expired) };
        }
        match known.verifier.verify(token, &self.room, now) {
            Ok(ticket) => {
                known.proved.insert(token.to_owned(), ticket);
                Ok("valid")
            }
            Err(TokenError::Expired) => Err(Denied::Expired),
            Err(error) => {
                if error == TokenError::UnknownKey {
                    self.ask_for_keys(now);
                }
                Err(Denied::Required(error.label()))
            }
        }
    }

    fn ask_for_keys(&self, now: Timestamp) {
        let last = self.asked_at.load(Ordering::Relaxed);
        let due = now.since(Timestamp::from_micros(last)) >= UNKNOWN_KEY_REFRESH;
        let won =
            || self.asked_at.compare_exchange(last, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due && won() {
            self.ask.notify_one();
        }
    }
}

/// Keeps the keys current until it is dropped.
pub(crate) async fn follow(tickets: Arc<Tickets>, url: KeysUrl, metrics: Arc<Metrics>) {
    let mut retry = FIRST_RETRY;
    loop {
        let wait = match fetch::fetch(&url)
            .await
            .map_err(|error| error.to_string())
            .and_then(|document| tickets.update(&document).map_err(|error| error.to_string()))
        {
            Ok(changed) => {
                metrics.key_refreshes.with_label_values(&["ok"]).inc();
                if changed {
                    tracing::info!("the gateway's keys are known");
                }
                retry = FIRST_RETRY;
                REFRESH
            }
            Err(error) => {
                metrics.key_refreshes.with_label_values(&["failed"]).inc();
                tracing::warn!(%error, "cannot get the gateway's keys");
                let wait = retry;
                retry = (retry * 2).min(MAX_RETRY);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = tickets.ask.notified() => {}
        }
    }
}
