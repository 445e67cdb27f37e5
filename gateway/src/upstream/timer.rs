//! A deadline that is cheap to move: the runtime's timer is touched only when it fires too early.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Sleep;

use crate::clock::Instant;

/// A reusable deadline of one connection. Each exchange moves it on; the timer underneath keeps its older, earlier
/// instant, fires then, and is set to the deadline in force.
#[derive(Debug)]
pub(super) struct LazyTimer {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl LazyTimer {
    pub(super) fn new(deadline: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(deadline)), deadline }
    }

    /// Sets the deadline in force.
    pub(super) fn arm(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if deadline < self.sleep.deadline() {
            self.sleep.as_mut().reset(deadline);
        }
    }

    /// Ready once the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.sleep.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::clock::monotonic;

    /// A deadline moved on holds, however often; one moved back holds too.
    #[tokio::test(start_paused = true)]
    async fn the_last_deadline_counts() {
        let began = monotonic();
        let mut timer = LazyTimer::new(began + Duration::from_secs(1));
        for seconds in 2..20 {
            timer.arm(began + Duration::from_secs(seconds));
        }
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(monotonic().duration_since(began).as_secs(), 19);
        timer.arm(began + Duration::from_secs(60));
        timer.arm(began + Duration::from_secs(25));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(monotonic().duration_since(began).as_secs(), 25);
    }
}
