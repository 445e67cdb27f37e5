//! The pause between two attempts.

use std::time::Duration;

/// The first pause: long enough that a server that refuses is not asked a thousand times a second.
const FIRST: Duration = Duration::from_millis(20);

/// Pauses that double up to a longest one. Without jitter: gateways are few.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(longest: Duration) -> Self {
        Self { next: FIRST.min(longest), longest }
    }

    /// The pause after one more failed attempt.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// After success.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pauses double from 20 ms and never exceed the longest.
    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100));
        let pauses: Vec<_> = (0..5).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 100, 100]);
        backoff.reset();
        assert_eq!(backoff.next().as_millis(), 20);
        assert_eq!(Backoff::new(Duration::from_millis(5)).next().as_millis(), 5);
    }
}
