//! One request's share of an endpoint.

use std::sync::Arc;

use super::UpstreamError;
use super::choice::Choice;
use super::shared::Upstream;
use crate::clock::Instant;

/// An endpoint that was chosen for one request, which counts as its load until this is dropped. A trial without a verdict
/// is given back.
#[derive(Debug)]
pub(super) struct Turn {
    upstream: Arc<Upstream>,
    endpoint: usize,
    /// The only request that is sent there, to see whether it serves again.
    is_trial: bool,
}

impl Turn {
    /// A turn at whichever endpoint is best.
    ///
    /// # Errors
    /// [`UpstreamError::Ejected`] at once when none may be asked: the circuit is open.
    pub(super) fn next(upstream: &Arc<Upstream>, now: Instant) -> Result<Self, UpstreamError> {
        let choice = upstream.fleet.choose(now).map_err(|retry_after| UpstreamError::Ejected { retry_after })?;
        match choice {
            Choice::Serving(at) | Choice::Avoided(at) => Ok(Self::at(upstream, at)),
            Choice::Trial(at) => Ok(Self::trial(upstream, at)),
        }
    }

    /// A turn at another endpoint, for a request of which nothing was written; `None` when all others just refused too.
    pub(super) fn elsewhere(upstream: &Arc<Upstream>, now: Instant) -> Option<Self> {
        match upstream.fleet.choose(now).ok()? {
            Choice::Serving(at) => Some(Self::at(upstream, at)),
            Choice::Trial(at) => Some(Self::trial(upstream, at)),
            Choice::Avoided(_) => None,
        }
    }

    /// A turn at the endpoint of a connection that is there already.
    pub(super) fn at(upstream: &Arc<Upstream>, endpoint: usize) -> Self {
        upstream.fleet.begin(endpoint);
        Self { upstream: Arc::clone(upstream), endpoint, is_trial: false }
    }

    fn trial(upstream: &Arc<Upstream>, endpoint: usize) -> Self {
        let mut turn = Self::at(upstream, endpoint);
        turn.is_trial = true;
        turn
    }

    pub(super) const fn endpoint(&self) -> usize {
        self.endpoint
    }

    pub(super) const fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// It answered as it should.
    pub(super) fn succeeded(&mut self) {
        self.upstream.fleet.succeeded(self.endpoint, std::mem::take(&mut self.is_trial));
    }

    /// It failed.
    pub(super) fn failed(&mut self) {
        self.upstream.fleet.failed(self.endpoint, std::mem::take(&mut self.is_trial));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.upstream.fleet.end(self.endpoint);
        if self.is_trial {
            self.upstream.fleet.give_trial_back(self.endpoint);
        }
    }
}
