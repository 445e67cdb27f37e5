//! The HTTP interface: routes, who asks, what is answered.

mod accounts;
mod caller;
mod catalogue;
mod demo;
mod health;
mod holds;
mod key;
mod operation;
mod orders;
mod page;
pub(crate) mod problem;
mod received;
mod reply;
mod track;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::App;
use crate::ticket;
use problem::Problem;

/// The largest document that anyone sends is an order with a buyer's address.
const MAX_BODY_BYTES: usize = 64 * 1_024;
/// A full queue is worked off in less; whoever waits longer may try again with the same key.
const TIMEOUT: Duration = Duration::from_secs(10);

/// All routes of `app`.
pub fn router(app: &Arc<App>) -> Router {
    // A receipt must outlive the visitor's session: orders are guarded by the customer's identity alone.
    let orders = Router::new()
        .route("/v1/orders", get(orders::list).post(orders::create))
        .route("/v1/orders/{order}", get(orders::show))
        .route("/v1/orders/{order}/payments", post(orders::pay))
        .route("/v1/orders/{order}/cancel", post(orders::cancel));
    let guarded = Router::new()
        .route("/v1/events", get(catalogue::list))
        .route("/v1/events/{event}", get(catalogue::show))
        .route("/v1/events/{event}/map", get(catalogue::map))
        .route("/v1/events/{event}/units", get(catalogue::units))
        .route("/v1/events/{event}/stock", get(catalogue::stock))
        .route("/v1/events/{event}/holds", post(holds::create))
        .route("/v1/holds/{hold}", get(holds::show).delete(holds::release))
        .route("/v1/holds/{hold}/extend", post(holds::extend))
        .route("/v1/accounts/me", get(accounts::show))
        .route("/v1/accounts/me/transfers", get(accounts::transfers))
        .route("/v1/demo/sign-in", post(demo::sign_in))
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), ticket::guard));
    let open = Router::new()
        .route("/", get(page::show))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    let nosniff = (http::header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff"));
    orders
        .merge(guarded)
        .merge(open)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(Arc::clone(app), track::track))
                .layer(SetResponseHeaderLayer::if_not_present(nosniff.0, nosniff.1))
                .layer(middleware::from_fn(problem::render))
                .layer(CatchPanicLayer::custom(problem::panicked))
                .layer(TimeoutLayer::with_status_code(http::StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
                .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES)),
        )
        .with_state(Arc::clone(app))
}
