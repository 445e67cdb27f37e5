//! Active health checks: every endpoint is asked for a path again and again, by one task for the whole process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{self, Either};
use http::header::{HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};

use super::shared::Upstream;
use crate::clock;
use crate::entropy;
use crate::forward::{ProofKey, REQUEST_ID, RequestTrace};

/// How endpoints are checked.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// What is asked for with GET; any 2xx is good.
    pub path: PathAndQuery,
    /// Signs checks as requests are signed, for an origin that serves nobody else.
    pub proof: Option<Arc<ProofKey>>,
    /// From one check of an endpoint to its next, give or take a tenth.
    pub interval: Duration,
    /// The longest check, from connecting to the head of the answer.
    pub timeout: Duration,
    /// So many good checks in a row bring an endpoint back.
    pub healthy_threshold: u32,
    /// So many bad checks in a row take an endpoint out.
    pub unhealthy_threshold: u32,
}

impl Upstream {
    /// Checks every endpoint, until this is dropped. A check opens a connection of its own beside `max_connections`: a
    /// full pool must not look like a sick service.
    pub async fn check_health(self: Arc<Self>, check: HealthCheck) {
        let endpoints = (0..self.fleet.len()).map(|at| self.check_endpoint(at, &check));
        future::join_all(endpoints).await;
    }

    async fn check_endpoint(&self, at: usize, check: &HealthCheck) {
        // Somewhere within the first interval, so that a fleet of gateways does not ask in step.
        let mut pause = check.interval.mul_f64(share(entropy::draw()));
        loop {
            sleep(pause).await;
            let outcome = match timeout(check.timeout, self.ask(at, check)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(BadCheck::Late),
            };
            self.fleet.checked(at, outcome.as_ref().err(), check);
            pause = jittered(check.interval, entropy::draw());
        }
    }

    async fn ask(&self, at: usize, check: &HealthCheck) -> Result<(), BadCheck> {
        let endpoint = self.fleet.endpoint(at);
        let stream = endpoint.connect().await.map_err(|error| BadCheck::Connect(error.to_string()))?;
        let mut request = Request::get(check.path.as_str())
            .header(HOST, endpoint.to_string())
            .header(USER_AGENT, "usher-health-check")
            .body(Empty::<Bytes>::new())
            .map_err(|error| BadCheck::Broken(error.to_string()))?;
        if let Some(proof) = &check.proof {
            let trace = RequestTrace::of(request.headers(), false, &entropy::draw());
            let id = trace.request_id();
            request.headers_mut().insert(REQUEST_ID, id.clone());
            proof.sign(request.headers_mut(), &Method::GET, check.path.as_str(), id, clock::now());
        }
        let broken = |error: hyper::Error| BadCheck::Broken(error.to_string());
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = match future::select(Box::pin(sender.send_request(request)), driver).await {
            Either::Left((answer, _)) => answer,
            // The answer may be there although the connection is over.
            Either::Right((_, answer)) => answer.await,
        };
        match answer.map_err(broken)?.status() {
            status if status.is_success() => Ok(()),
            status => Err(BadCheck::Status(status)),
        }
    }
}

/// Why a check was bad.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCheck {
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no answer in time")]
    Late,
    #[error("a broken answer: {0}")]
    Broken(String),
    #[error("status {0}")]
    Status(StatusCode),
}

/// A random number from 0 up to 1.
fn share(random: [u8; 4]) -> f64 {
    f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX)
}

/// The interval, give or take a tenth.
fn jittered(interval: Duration, random: [u8; 4]) -> Duration {
    interval.mul_f64(0.9 + 0.2 * share(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gateways that were started at once must not ask at once for ever, nor more often than told by more than a tenth.
    #[test]
    fn intervals_differ_by_a_tenth() {
        let interval = Duration::from_secs(10);
        let within = |random| jittered(interval, random).as_millis();
        assert_eq!([within([0; 4]), within([255; 4])], [9_000, 11_000]);
        assert_ne!(within(entropy::draw()), within(entropy::draw()));
    }
}
