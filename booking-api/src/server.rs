//! Serves an app on a socket until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::App;
use crate::app::Writers;
use crate::http;

/// What is in flight when the end comes gets this long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers on `listener` until `shutdown`, then finishes what is in flight, within a deadline, and waits until all of it
/// is on disk.
///
/// # Errors
/// When the listener fails.
pub async fn run(
    listener: TcpListener,
    (app, writers): (Arc<App>, Writers),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = http::router(&app);
    let (draining, has_to_end) = oneshot::channel();
    let stop = async move {
        shutdown.await;
        app.drain();
        tracing::info!("draining");
        let _ = draining.send(());
    };
    let deadline = async {
        let _ = has_to_end.await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(stop);
    tokio::select! {
        result = served.into_future() => result?,
        () = deadline => tracing::warn!("closing connections that are still in use"),
    }
    tokio::time::timeout(DRAIN_TIMEOUT, writers.finish()).await.map_err(|_| std::io::ErrorKind::TimedOut.into())
}
