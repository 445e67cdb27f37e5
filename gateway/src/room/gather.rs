//! Gathers concurrent requests into few store calls.
//!
//! What arrives while a call is in flight forms the next one, in the order of arrival; no timer, so a lone request waits
//! for nothing, and a rush of thousands costs a call per hundreds.

use std::future::Future;

use queue_core::store::{MAX_BATCH, StoreError};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the next call: at a batch a millisecond, half a minute's worth of a dead store's rush is
/// refused instead of remembered.
const QUEUE: usize = 16_384;

/// One request and where its answer goes.
type Asked<Q, A> = (Q, oneshot::Sender<Result<A, StoreError>>);

/// The asking side: cheap to clone, used from every worker.
#[derive(Debug)]
pub(super) struct Gatherer<Q, A> {
    queue: mpsc::Sender<Asked<Q, A>>,
}

/// The calling side: runs where the store's connection lives.
#[derive(Debug)]
pub(super) struct Caller<Q, A> {
    queue: mpsc::Receiver<Asked<Q, A>>,
}

pub(super) fn channel<Q, A>() -> (Gatherer<Q, A>, Caller<Q, A>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Gatherer { queue: sender }, Caller { queue: receiver })
}

impl<Q, A> Gatherer<Q, A> {
    /// Asks and waits for the answer.
    pub(super) async fn ask(&self, question: Q) -> Result<A, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let busy = |_| StoreError::Loading("more requests wait for the store than it can answer in time".to_owned());
        self.queue.try_send((question, sender)).map_err(busy)?;
        receiver.await.unwrap_or_else(|_| Err(StoreError::Io("the store's caller has stopped".to_owned())))
    }
}

impl<Q, A> Caller<Q, A> {
    /// Calls with what has gathered, until the asking side is gone. An answer nobody waits for any more is dropped.
    pub(super) async fn run<F>(mut self, call: impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Result<Vec<A>, StoreError>>,
    {
        let mut gathered = Vec::with_capacity(MAX_BATCH);
        while self.queue.recv_many(&mut gathered, MAX_BATCH).await > 0 {
            let (questions, askers): (Vec<Q>, Vec<_>) = gathered.drain(..).unzip();
            match call(questions).await {
                Ok(answers) => {
                    for (asker, answer) in askers.into_iter().zip(answers) {
                        let _ = asker.send(Ok(answer));
                    }
                }
                Err(error) => {
                    for asker in askers {
                        let _ = asker.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A rush becomes few calls, nobody's answer goes to somebody else, and the order of arrival is kept.
    #[tokio::test]
    async fn a_rush_becomes_few_calls() {
        let (gatherer, caller) = channel::<u32, u32>();
        let calls = Rc::new(RefCell::new(Vec::new()));
        let seen = calls.clone();
        let running = caller.run(move |batch: Vec<u32>| {
            seen.borrow_mut().push(batch.clone());
            async move {
                tokio::task::yield_now().await;
                Ok(batch.into_iter().map(|n| n * 2).collect())
            }
        });
        let asking = async {
            let rush = (0..2_000).map(|n| gatherer.ask(n));
            let answers = futures_util::future::join_all(rush).await;
            drop(gatherer);
            answers
        };
        let (answers, ()) = tokio::join!(asking, running);
        assert!(answers.iter().enumerate().all(|(n, answer)| *answer == Ok(n as u32 * 2)));
        let calls = calls.borrow();
        assert!(calls.len() <= 2_000 / MAX_BATCH + 1, "{} calls", calls.len());
        assert!(calls.concat().is_sorted());
    }
}
