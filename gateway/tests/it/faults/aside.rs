//! A runtime on a thread of its own: the crowd, the relay and the upstream must not wait for each other, or the judge
//! would blame the gateway for it.

use std::future::Future;
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// What runs aside; ended and waited for when this is dropped.
pub(super) struct Aside {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    /// Runs the future that `make` returns, and all it spawns.
    pub(super) fn run<F: Future<Output = ()>>(name: &str, make: impl FnOnce() -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = make() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "what ran aside has failed");
        }
    }
}
