//! The operators' listener: health, metrics. Its own port, thread and runtime, so that a flood at the door cannot blind
//! the people who have to see it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use serde::Deserialize;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::room::Room;

/// Requests that operators and scrapers may have under way.
const CONCURRENCY: usize = 64;
/// The longest a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the operators' pages look at.
pub struct AdminState {
    /// All metrics.
    pub registry: Registry,
    /// The rooms, for readiness.
    pub rooms: Vec<Arc<Room>>,
    /// Set when the process is about to end.
    pub draining: Arc<AtomicBool>,
    /// Set when visitors can connect.
    pub listening: Arc<AtomicBool>,
}

/// Serves until `shutdown` resolves.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, routes(state)).with_graceful_shutdown(shutdown).await
}

fn routes(state: Arc<AdminState>) -> Router {
    let layers = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(CONCURRENCY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT));
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "nothing here: try /livez, /readyz or /metrics\n") })
        .layer(layers)
        .with_state(state)
}

#[derive(Deserialize)]
struct ReadyQuery {
    verbose: Option<String>,
}

/// Ready only when a real decision would work: listening, not draining, every room has seen its store lately.
async fn ready(State(state): State<Arc<AdminState>>, Query(query): Query<ReadyQuery>) -> impl IntoResponse {
    let now = crate::clock::monotonic();
    let mut checks = vec![
        ("listening".to_owned(), state.listening.load(Ordering::Acquire)),
        ("not draining".to_owned(), !state.draining.load(Ordering::Acquire)),
    ];
    for room in &state.rooms {
        let seen = !room.snapshot().is_stale(now);
        checks.push((format!("store of room {}", room.id()), seen));
    }
    let ready = checks.iter().all(|(_, good)| *good);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = String::new();
    for (name, good) in &checks {
        if query.verbose.is_some() || !good {
            text.push_str(&format!("[{}] {name}\n", if *good { '+' } else { '-' }));
        }
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    (status, text)
}

async fn metrics(State(state): State<Arc<AdminState>>) -> impl IntoResponse {
    match TextEncoder::new().encode_to_string(&state.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n")).into_response()
        }
    }
}
